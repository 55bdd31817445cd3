import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../gateway/reading.ts';
import type { Broker } from '../bench/broker.ts';
import { startMosquitto } from '../bench/mosquitto.ts';
import { needs } from '../debian-packages.ts';
import { payloadBytes, type TestMetric } from '../decode/sparkplug-payload.ts';
import { until } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const needed = needs('mosquitto');
const FLOAT = 9;
const DOUBLE = 10;
const PULSE = 3;

/** An edge node with one strap behind it, as firmware has it: it says its births when it is asked to, and not before. */
class EdgeNode implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #prefix: string;
  #sequence = 0;
  /** Commands it got, as text. */
  readonly commands: string[] = [];

  private constructor(client: MqttClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    client.on('message', (_topic, payload) => {
      this.commands.push(payload.toString('latin1'));
      void this.#sayBirths();
    });
  }

  /** `prefix`: what stands before `spBv1.0/` in all of its topics. */
  static async connect(url: string, prefix: string, options: IClientOptions = {}): Promise<EdgeNode> {
    const client = await connectAsync(url, options);
    const node = new EdgeNode(client, prefix);
    await client.subscribeAsync(`${prefix}spBv1.0/ward/NCMD/node`, { qos: 1 });
    return node;
  }

  /** Data of the strap under a number that the last birth gave. */
  async sayPulse(pulse: number): Promise<void> {
    await this.#say('DDATA', 'node/strap', [{ alias: PULSE, double: pulse }]);
  }

  async #sayBirths(): Promise<void> {
    this.#sequence = 0;
    await this.#say('NBIRTH', 'node', [{ name: 'Uptime', alias: 1, datatype: FLOAT }], 0);
    await this.#say('DBIRTH', 'node/strap', [{ name: 'heart_rate', alias: PULSE, datatype: DOUBLE, double: 60 }]);
  }

  async #say(verb: string, where: string, metrics: readonly TestMetric[], bdSeq?: number): Promise<void> {
    const payload = Buffer.from(payloadBytes(this.#sequence, metrics, bdSeq));
    this.#sequence = (this.#sequence + 1) % 256;
    await this.#client.publishAsync(`${this.#prefix}spBv1.0/ward/${verb}/${where}`, payload, { qos: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync();
  }
}

/** The same edge node twice: behind a broker the gateway follows, and at the gateway's own. */
const PROFILES = [
  { name: 'plant', decoder: 'sparkplug', topic: 'devices/plant/spBv1.0/#', devices: [{ address: 'ward/node/strap', device: 'strap-of-anna' }] },
  { name: 'hub', decoder: 'sparkplug', topic: 'devices/hub/sparkplug/#', devices: [{ address: 'ward/node/strap', device: 'strap-of-otto' }] },
];

describe.skipIf(needed.missing)(`an edge node whose births were missed${needed.note}`, () => {
  let folder: string;
  let broker: Broker;
  let site: Site;
  let hub: DeviceWithPassword;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-rebirth-'));
    broker = await startMosquitto(join(folder, 'broker'), 0, new AbortController().signal) ?? expect.fail('mosquitto is not installed');
    site = await Site.running({
      gateway: { profiles: PROFILES, bridges: [{ name: 'plant', url: `mqtt://127.0.0.1:${broker.port}`, topics: ['spBv1.0/#'] }] },
    });
    hub = await site.addDevice('hub');
    for (const id of ['anna', 'otto']) await site.api.bindDevice(`strap-of-${id}` as DeviceId, { kind: 'patient', id });
    await until('the bridge is connected', async () => (await site.metric('vitalgate_bridges_connected')) === 1);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const places: readonly [where: string, connect: () => Promise<EdgeNode>][] = [
    ['behind another broker', () => EdgeNode.connect(`mqtt://127.0.0.1:${broker.port}`, '')],
    ['at our own', () => EdgeNode.connect(`mqtt://127.0.0.1:${site.ports.mqtt}`, 'devices/hub/sparkplug/', { username: 'hub', password: hub.password })],
  ];

  it.each(places)('%s is asked for them, once, and what it says then is understood', async (_where, connect) => {
    const before = await site.totals();
    const requests = (await site.metric('vitalgate_rebirth_requests_total')) ?? 0;
    await using node = await connect();
    await node.sayPulse(61);
    await until('the node is asked', () => node.commands.length > 0);
    expect(node.commands[0]).toContain('Node Control/Rebirth');
    // Its birth says a value, too.
    await site.untilReadings(before.readings + 1);
    await node.sayPulse(62);
    const { readings, quarantined } = await site.untilReadings(before.readings + 2);
    expect(readings).toBe(before.readings + 2);
    expect(quarantined['unknown_measurement']).toBe((before.quarantined['unknown_measurement'] ?? 0) + 1);
    expect(node.commands).toHaveLength(1);
    expect(await site.metric('vitalgate_rebirth_requests_total')).toBe(requests + 1);
  });

  it('is not asked for what lay in the journal before the gateway was started', async () => {
    const { quarantined: { unknown_measurement: before = 0 } } = await site.totals();
    {
      await using node = await EdgeNode.connect(`mqtt://127.0.0.1:${site.ports.mqtt}`, 'devices/hub/sparkplug/', { username: 'hub', password: hub.password });
      // It counts from 0 again: what its numbers mean is not known any more.
      await node.sayPulse(63);
    }
    await site.gateway.kill();
    await site.startGateway();
    expect((await site.totals()).quarantined['unknown_measurement']).toBe(before + 1);
    expect(await site.metric('vitalgate_rebirth_requests_total')).toBe(0);
  });
});
