import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { Counters } from '../../firmware-sim/counters.ts';
import { parseCredentials, readCredentials } from '../../firmware-sim/credentials.ts';
import { fleetFor } from '../../firmware-sim/fleet.ts';
import { runLoad } from '../../firmware-sim/load.ts';
import { type FleetRunOptions, runFleet } from '../../firmware-sim/run.ts';
import { machineTime, type RealTime } from '../../firmware-sim/time.ts';
import { Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { at } from './at.ts';
import { type Arrival, startBroker } from './broker.ts';

const passwordsFor = (ids: readonly string[]): Map<string, string> => new Map(ids.map((id) => [id, `password of ${id}`]));
const fleetPasswords = (patients: number): Map<string, string> => passwordsFor(fleetFor({ patients, seed: 1 }).map(({ id }) => id));

/** Time that passes only when somebody sleeps, so that a run does not depend on the machine's speed. */
function testTime(): RealTime {
  let passed = 0;
  return {
    now: () => UnixMillis(1_764_000_000_000 + passed),
    uptime: () => Millis(passed),
    sleep: async (duration) => {
      passed += duration;
      await new Promise(setImmediate);
    },
  };
}

function tempFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'vitalgate-sim-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Runs a fleet until so many messages are acknowledged. */
async function runUntil(acknowledgements: number, brokerUrl: string, more: Partial<FleetRunOptions> = {}) {
  const enough = new AbortController();
  let seen = 0;
  const onAcknowledged = (): void => {
    if ((seen += 1) >= acknowledgements) enough.abort();
  };
  const options = { brokerUrl, credentials: fleetPasswords(1), patients: 1, seed: 1, timeOfDay: Seconds(9 * 3600) };
  return runFleet({ ...options, signal: enough.signal, time: testTime(), onAcknowledged, ...more });
}

const perDevice = (arrivals: readonly Arrival[]): Map<string, Arrival[]> => Map.groupBy(arrivals, ({ device }) => device);

describe('running a fleet', () => {
  it('publishes every device under its own name, numbered from 1 without gaps', async () => {
    await using broker = await startBroker();
    const counts = await runUntil(300, broker.url);
    expect(counts).toMatchObject({ devices: 6, connections: 6, repeated: 0, overwritten: 0 });
    expect(counts.recorded).toBe(counts.acknowledged + counts.waiting);
    const streams = perDevice(broker.arrivals);
    expect(new Set(streams.keys())).toEqual(new Set(fleetPasswords(1).keys()));
    for (const [device, arrivals] of streams) {
      expect(arrivals.map(({ seq }) => seq)).toEqual(arrivals.map((_, i) => i + 1));
      expect(new Set(arrivals.map(({ topic }) => topic))).toEqual(new Set([`devices/${device}/readings`]));
    }
  });

  it('sends the same bytes in a second run with the same seed and start', async () => {
    await using first = await startBroker();
    await using second = await startBroker();
    await runUntil(200, first.url);
    await runUntil(200, second.url, { speed: 1 });
    const again = perDevice(second.arrivals);
    for (const [device, arrivals] of perDevice(first.arrivals)) {
      const repeated = again.get(device) ?? [];
      const common = Math.min(arrivals.length, repeated.length);
      expect(common).toBeGreaterThan(0);
      expect(repeated.slice(0, common).map(({ payload }) => payload)).toEqual(arrivals.slice(0, common).map(({ payload }) => payload));
    }
  });

  it('lets people live faster than the clocks of their devices run', async () => {
    const stamps = async (more: Partial<FleetRunOptions>): Promise<number[]> => {
      await using broker = await startBroker();
      await runUntil(300, broker.url, { speed: 60, ...more });
      const wrist = broker.arrivals.filter(({ device }) => device === 'anna-wrist');
      return wrist.map(({ payload }) => (JSON.parse(payload) as { time: number }).time);
    };
    const [wall, simulated] = [await stamps({}), await stamps({ deviceTime: 'simulated' })];
    expect(Math.abs(at(wall, 12) - at(wall, 0) - 1000)).toBeLessThan(3);
    expect(Math.abs(at(simulated, 12) - at(simulated, 0) - 60_000)).toBeLessThan(3);
  });

  it('goes on counting after a restart when it has a counters file', async () => {
    using folder = tempFolder();
    const path = join(folder.path, 'counters.json');
    await using broker = await startBroker();
    const before = await runUntil(100, broker.url, { counters: new Counters(path) });
    await runUntil(100, broker.url, { counters: new Counters(path) });
    const seqs = broker.arrivals.filter(({ device }) => device === 'anna-oximeter').map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(seqs.length);
    expect(before.recorded).toBeGreaterThanOrEqual(100);
  });

  it('stops at once when it is aborted before it began', async () => {
    await using broker = await startBroker();
    const counts = await runUntil(1, broker.url, { signal: AbortSignal.abort() });
    expect(counts).toMatchObject({ devices: 6, recorded: 0 });
  });

  it('refuses to begin when a device has no password, and names it', async () => {
    const credentials = fleetPasswords(1);
    credentials.delete('anna-chest');
    await expect(runUntil(1, 'mqtt://127.0.0.1:1', { credentials })).rejects.toThrow('no password for anna-chest');
  });

  it.each([[{ speed: 0 }], [{ rate: Number.NaN }], [{ speed: Infinity }], [{ patients: 0 }]])('refuses %o', async (bad) => {
    await expect(runUntil(1, 'mqtt://127.0.0.1:1', bad)).rejects.toMatchObject({ code: 'VG_CONFIG' });
  });
});

describe('running a load', () => {
  const credentials = passwordsFor(['load-1', 'load-2', 'load-3', 'load-4']);

  it('shares a total evenly among the devices and ends when all is acknowledged', async () => {
    await using broker = await startBroker();
    const signal = new AbortController().signal;
    const counts = await runLoad({ brokerUrl: broker.url, credentials, seed: 1, signal, readingsPerSecond: 20_000, total: 402 });
    expect(counts).toMatchObject({ devices: 4, recorded: 402, acknowledged: 402, waiting: 0, overwritten: 0 });
    expect([...perDevice(broker.arrivals).values()].map((arrivals) => arrivals.length).sort((a, b) => a - b)).toEqual([100, 100, 101, 101]);
  });

  it('produces at the rate asked for, whatever the broker does', async () => {
    const stop = new AbortController();
    const base = testTime();
    const time: RealTime = {
      ...base,
      sleep: async (duration, signal) => {
        await base.sleep(duration, signal);
        if (base.uptime() >= 2000) stop.abort();
      },
    };
    const device = { stopGrace: Millis(1) };
    const counts = await runLoad({
      brokerUrl: 'mqtt://127.0.0.1:1', credentials, seed: 1, signal: stop.signal, readingsPerSecond: 500, time, device,
    });
    expect(counts).toMatchObject({ acknowledged: 0, connections: 0 });
    expect(Math.abs(counts.recorded - 1000)).toBeLessThanOrEqual(3);
  });

  it.each([[{ readingsPerSecond: 0 }], [{ total: 1.5 }], [{ credentials: new Map<string, string>() }]])('refuses %o', async (bad) => {
    const signal = AbortSignal.abort();
    const options = { brokerUrl: 'mqtt://127.0.0.1:1', credentials, seed: 1, signal, readingsPerSecond: 10 };
    await expect(runLoad({ ...options, ...bad })).rejects.toMatchObject({ code: 'VG_CONFIG' });
  });
});

describe('the machine\'s time', () => {
  it('wakes a sleeper when the signal is aborted', async () => {
    const stop = new AbortController();
    const asleep = machineTime.sleep(Seconds(600), stop.signal);
    stop.abort();
    await expect(asleep).resolves.toBeUndefined();
  });
});

describe('a credentials file', () => {
  it('maps device ids to passwords', () => {
    using folder = tempFolder();
    const path = join(folder.path, 'credentials.json');
    writeFileSync(path, '{"anna-wrist":"one","anna-chest":"two"}');
    expect(readCredentials(path)).toEqual(new Map([['anna-wrist', 'one'], ['anna-chest', 'two']]));
  });

  it('says which file is missing and what was expected', () => {
    expect(() => readCredentials('/nowhere/at-all.json')).toThrow(/\/nowhere\/at-all\.json: ENOENT.*expected JSON/);
  });

  it.each([
    ['nothing', '', 'not valid JSON'],
    ['cut-off JSON', '{"anna-wrist":"s3cret', 'not valid JSON'],
    ['a list', '["anna-wrist"]', 'expected JSON {'],
    ['null', 'null', 'expected JSON {'],
    ['no device', '{}', 'names no device'],
    ['a number as password', '{"anna-wrist":1234}', 'password of "anna-wrist" is of type number'],
    ['an empty password', '{"anna-wrist":""}', 'password of "anna-wrist" is empty'],
    ['an impossible id', '{"anna/wrist":"s3cret"}', '"anna/wrist" is not a device id'],
  ])('is refused with %s, without telling a password', (_, text, message) => {
    expect(() => parseCredentials(text)).toThrow(message);
    expect(() => parseCredentials(text)).not.toThrow('s3cret');
  });
});

describe('counters over restarts', () => {
  it('skip numbers after a kill, and none after a clean end', () => {
    using folder = tempFolder();
    const path = join(folder.path, 'counters.json');
    const first = new Counters(path);
    for (let seq = first.first('anna-wrist'); seq <= 1500; seq++) first.use('anna-wrist', seq);
    const afterKill = new Counters(path).first('anna-wrist');
    expect(afterKill).toBeGreaterThan(1500);
    expect(afterKill).toBeLessThanOrEqual(1500 + 1024);
    first.close();
    expect(new Counters(path).first('anna-wrist')).toBe(1501);
    expect(new Counters(path).first('ben-wrist')).toBe(1);
  });

  it('have each number on disk before it is used', () => {
    using folder = tempFolder();
    const path = join(folder.path, 'counters.json');
    const counters = new Counters(path);
    const uncovered = [];
    for (let seq = 1; seq <= 3000; seq++) {
      counters.use('anna-wrist', seq);
      if (new Counters(path).first('anna-wrist') <= seq) uncovered.push(seq);
    }
    expect(uncovered).toEqual([]);
  });

  it.each(['', '[]', '{"anna-wrist":0}', '{"anna-wrist":"7"}', '{"anna-wrist":1.5}'])('refuse the file %s', (text) => {
    using folder = tempFolder();
    const path = join(folder.path, 'counters.json');
    writeFileSync(path, text);
    expect(() => new Counters(path)).toThrow(/counters\.json: .*expected JSON such as/);
  });
});
