import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../bench/broker.ts';
import { startMosquitto } from '../bench/mosquitto.ts';
import { needs } from '../debian-packages.ts';
import { run, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const needed = needs('mosquitto', 'mosquitto-clients');

describe.skipIf(needed.missing).each(['5', '3.1.1'] as const)(`a bridge to another broker, MQTT %s${needed.note}`, (version) => {
  let folder: string;
  let broker: Broker;
  let site: Site;

  const CSV = { name: 'home', decoder: 'csv-line', topic: 'devices/home/house/#' };
  const publish = async (topic: string, payload: string, ...more: readonly string[]): Promise<void> => {
    const { code, stderr } = await run('mosquitto_pub', '-p', String(broker.port), '-q', '1', '-t', topic, '-m', payload, ...more);
    expect([code, stderr]).toEqual([0, '']);
  };
  const connected = (count: number): Promise<unknown> =>
    until(`${count} bridges are connected`, async () => (await site.metric('vitalgate_bridges_connected')) === count);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vitalgate-bridge-'));
    const started = await startMosquitto(join(folder, 'broker'), 0, new AbortController().signal);
    if (started === undefined) throw new Error('mosquitto is not installed');
    broker = started;
    await publish('house/kept', 'heart_rate,170,/min', '-r');
    site = await Site.running({
      gateway: { profiles: [CSV], bridges: [{ name: 'home', url: `mqtt://127.0.0.1:${broker.port}`, topics: ['house/#'], version }] },
    });
    await vitalgate('device', 'bind', 'home', '--patient', 'anna', '--config', site.config);
    await connected(1);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('takes what is published there, and says there that it stands', async () => {
    const before = await site.totals();
    await publish('house/bedroom', 'heart_rate,70,/min,1800000000000,1');
    expect(await site.untilReadings(before.readings + 1)).toMatchObject({ readings: before.readings + 1, events: 0 });
    const { stdout } = await run('mosquitto_sub', '-p', String(broker.port), '-t', 'vitalgate/home/status', '-C', '1', '-W', '10');
    expect(stdout).toBe('online\n');
  });

  it('raises no alarm with what the broker had kept, and one with what comes now', async () => {
    // The subscription of a new session brought the kept message; it may have come before the device was bound.
    await site.gateway.stop();
    await run('mosquitto_pub', '-p', String(broker.port), '-q', '1', '-t', 'house/later', '-m', 'heart_rate,165,/min,1800000000000,9');
    await site.startGateway();
    await connected(1);
    const { readings, events } = await site.untilReadings(2);
    // Kept for our session while we were away, not retained: it is an alarm.
    expect(events).toBe(1);
    await publish('house/clear', 'heart_rate,80,/min,1800000001000,10');
    await site.untilReadings(readings + 1);
    await publish('house/kept', 'heart_rate,171,/min', '-r');
    // Published now, and only then retained for others.
    expect((await site.untilReadings(readings + 2)).events).toBe(events + 2);
  });

  it('loses nothing when the gateway is killed: the broker keeps what was not acknowledged', async () => {
    const before = await site.totals();
    const count = 300;
    const lines = Array.from({ length: count }, (_, i) => `heart_rate,${70 + (i % 20)},/min,${1_800_000_100_000 + i},${100 + i}`);
    const publishing = run('sh', '-c', `for i in $(seq 0 ${count - 1}); do echo "heart_rate,$((70 + i % 20)),/min,$((1800000100000 + i)),$((100 + i))"; done | mosquitto_pub -p ${broker.port} -q 1 -t house/many -l`);
    await until('some came through', async () => ((await site.metric('vitalgate_messages_total{state="accepted"}')) ?? 0) > 20);
    await site.gateway.kill();
    expect((await publishing).code).toBe(0);
    await site.startGateway();
    await connected(1);
    expect((await site.untilReadings(before.readings + lines.length)).readings).toBe(before.readings + lines.length);
  });

  it('is made again when the broker comes back, and leaves its will when it goes', async () => {
    await site.gateway.kill();
    const { stdout } = await run('mosquitto_sub', '-p', String(broker.port), '-t', 'vitalgate/home/status', '-C', '1', '-W', '10');
    expect(stdout).toBe('offline\n');
    await site.startGateway();
    await connected(1);
  });
});
