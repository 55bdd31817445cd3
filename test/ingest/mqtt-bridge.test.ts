import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import { followBroker, type Bridge, type BridgeOptions } from '../../gateway/ingest/mqtt-bridge.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId, type Frame } from '../../gateway/reading.ts';
import type { Broker } from '../bench/broker.ts';
import { startMosquitto } from '../bench/mosquitto.ts';
import { needs } from '../debian-packages.ts';

const needed = needs('mosquitto');

/** A bridge whose every frame waits for the test. */
class BridgeUnderTest implements AsyncDisposable {
  readonly frames: Frame[] = [];
  readonly links: string[] = [];
  readonly refusals: string[] = [];
  accepting = true;
  #bridge: Bridge | undefined;
  #watchers: (() => void)[] = [];

  static async start(options: BridgeOptions): Promise<BridgeUnderTest> {
    const under = new BridgeUnderTest();
    under.#bridge = await followBroker(options, {
      accept: (frames) => under.#accept(frames),
      offer: (frame) => {
        under.#note(() => under.frames.push(frame));
        return true;
      },
      clock: { now: () => UnixMillis(1_800_000_000_000), uptime: () => Millis(performance.now()), trust: () => 'synchronised' },
      observe: {
        received: () => undefined,
        accepted: () => undefined,
        refused: (_name, reason) => under.#note(() => under.refusals.push(reason)),
        link: (_name, state) => under.#note(() => under.links.push(state)),
      },
    });
    return under;
  }

  /** Resolves as soon as `holds` does. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bridge?.close();
  }

  #accept(frames: readonly Frame[]): Promise<Sequence> {
    if (!this.accepting) return Promise.reject(new StoreError('VG_STORE_WRITE', 'the disk is full'));
    this.#note(() => this.frames.push(...frames));
    return Promise.resolve(Sequence(this.frames.length));
  }

  #note(change: () => unknown): void {
    change();
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

describe.skipIf(needed.missing).each(['5', '3.1.1'] as const)(`a bridge, MQTT %s${needed.note}`, (version) => {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-bridge-'));
  let broker: Broker;
  let publisher: MqttClient;
  const named = (name: string): BridgeOptions => ({ name: name as DeviceId, url: `mqtt://127.0.0.1:${broker.port}`, topics: [`${name}/#`], version });
  const payloads = ({ frames }: BridgeUnderTest): string[] => frames.map(({ payload }) => Buffer.from(payload).toString());

  beforeAll(async () => {
    broker = (await startMosquitto(join(folder, 'broker'), 0, new AbortController().signal)) ?? expect.fail('mosquitto is not installed');
    publisher = await connectAsync(`mqtt://127.0.0.1:${broker.port}`);
  });
  afterAll(async () => {
    await publisher.endAsync();
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('hands over the bytes as they came, under the name of the connection', async () => {
    await publisher.publishAsync('plain/kept', 'old', { qos: 1, retain: true });
    await using bridge = await BridgeUnderTest.start(named('plain'));
    await bridge.until(() => bridge.frames.length === 1 && bridge.links.length === 1);
    await publisher.publishAsync('plain/a b/ü', Buffer.from([0, 255]), { qos: 1 });
    await publisher.publishAsync('plain/fast', 'x', { qos: 0 });
    await bridge.until(() => bridge.frames.length === 3);
    expect(bridge.frames).toMatchObject([
      { source: 'bridge', device: 'plain', topic: 'devices/plain/plain/kept', qos: 1, retained: true },
      { topic: 'devices/plain/plain/a b/ü', qos: 1, payload: Buffer.from([0, 255]) },
      { topic: 'devices/plain/plain/fast', qos: 0 },
    ]);
    expect(bridge.frames.map(({ retained }) => retained)).toEqual([true, undefined, undefined]);
    expect(bridge.links).toEqual(['connected']);
  });

  it('acknowledges nothing that was not accepted: it comes again, in order, when the store works again', async () => {
    await using bridge = await BridgeUnderTest.start(named('fault'));
    await bridge.until(() => bridge.links.length === 1);
    bridge.accepting = false;
    for (const n of ['1', '2', '3']) await publisher.publishAsync('fault/x', n, { qos: 1 });
    await bridge.until(() => bridge.refusals.length >= 1);
    expect(bridge.frames).toEqual([]);
    bridge.accepting = true;
    await bridge.until(() => bridge.frames.length >= 3 && bridge.links.length >= 3);
    expect(payloads(bridge)).toEqual(['1', '2', '3']);
    expect(bridge.links).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('has what was published while it was away', async () => {
    const first = await BridgeUnderTest.start(named('away'));
    await first.until(() => first.links.length === 1);
    await first[Symbol.asyncDispose]();
    for (const n of ['1', '2']) await publisher.publishAsync('away/x', n, { qos: 1 });
    await using again = await BridgeUnderTest.start(named('away'));
    await again.until(() => again.frames.length === 2);
    expect(payloads(again)).toEqual(['1', '2']);
    expect(again.frames.map(({ retained }) => retained)).toEqual([undefined, undefined]);
  });

  it('says that the broker is not there, and refuses files that cannot be read', async () => {
    await using bridge = await BridgeUnderTest.start({ ...named('nowhere'), url: 'mqtt://127.0.0.1:1' });
    await bridge.until(() => bridge.links.length === 1);
    expect(bridge.links).toEqual(['disconnected']);
    await expect(BridgeUnderTest.start({ ...named('secret'), username: 'a', passwordFile: join(folder, 'none') })).rejects.toMatchObject({ code: 'VG_CONFIG' });
  });
});
