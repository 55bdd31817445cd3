import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { describe, expect, it } from 'vitest';

import { Device, type DeviceOptions } from '../../firmware-sim/device.ts';
import { measured, type Sample } from '../../firmware-sim/message.ts';
import { Random } from '../../firmware-sim/random.ts';
import { Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { closeServer, layCable, listen, startBroker } from './broker.ts';

const NOW = UnixMillis(1_764_000_000_000);
const pulse = (value: number): Sample => ({ readings: [measured('heart_rate', value)] });
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

type TestDevice = AsyncDisposable & { device: Device; acknowledged: number[]; lines: string[] };

function deviceOn(brokerUrl: string, more: Partial<DeviceOptions> = {}): TestDevice {
  const acknowledged: number[] = [];
  const lines: string[] = [];
  const device = new Device({
    id: 'anna-wrist',
    brokerUrl,
    password: 'secret',
    random: new Random(1),
    minPause: Millis(2),
    maxPause: Millis(20),
    onAcknowledged: (seq) => acknowledged.push(seq),
    log: (line) => lines.push(line),
    ...more,
  });
  return { device, acknowledged, lines, [Symbol.asyncDispose]: () => device.stop() };
}

function recordMany(device: Device, n: number): void {
  for (let i = 0; i < n; i++) device.record(pulse(60 + (i % 40)), NOW);
}

describe('a device on a good connection', () => {
  it('sends everything once, in order, at QoS 1 to its own topic, and hears about each', async () => {
    await using broker = await startBroker({ password: 'secret' });
    await using run = deviceOn(broker.url);
    recordMany(run.device, 50);
    run.device.start();
    recordMany(run.device, 50);
    expect(await run.device.drained()).toBe(true);
    expect(run.acknowledged).toEqual(upTo(100));
    expect(broker.arrivals.map(({ seq }) => seq)).toEqual(upTo(100));
    expect(new Set(broker.arrivals.map(({ topic, qos, dup, device }) => `${topic} ${qos} ${dup} ${device}`))).toEqual(
      new Set(['devices/anna-wrist/readings 1 false anna-wrist']),
    );
    expect(run.device.counts).toEqual({ recorded: 100, acknowledged: 100, repeated: 0, overwritten: 0, waiting: 0, connections: 1 });
  });

  it('never has more messages in flight than its window', async () => {
    let inFlight = 0;
    let most = 0;
    await using broker = await startBroker({
      onArrival: async () => {
        most = Math.max(most, (inFlight += 1));
        await new Promise(setImmediate);
        inFlight -= 1;
      },
    });
    await using run = deviceOn(broker.url, { window: 3 });
    recordMany(run.device, 40);
    run.device.start();
    await run.device.drained();
    expect(most).toBeLessThanOrEqual(3);
    expect(run.acknowledged).toEqual(upTo(40));
  });

  it('goes on from a first sequence, announcing each number before it is used', async () => {
    const numbered: number[] = [];
    await using broker = await startBroker();
    await using run = deviceOn(broker.url, { firstSequence: 1025, onNumbered: (seq) => numbered.push(seq) });
    run.device.start();
    recordMany(run.device, 2);
    await run.device.drained();
    expect(numbered).toEqual([1025, 1026]);
    expect(broker.arrivals.map(({ seq }) => seq)).toEqual([1025, 1026]);
    expect(run.device.counts.recorded).toBe(2);
  });
});

describe('a device whose connection is cut', () => {
  it.each([1, 8])('gets everything acknowledged with the same numbers and bytes, nothing skipped (window %i)', async (window) => {
    const cutAt = new Set([3, 10, 11, 40, 77]);
    let cut = (): void => undefined;
    await using broker = await startBroker({
      onArrival: (count) => {
        // The message has arrived, its PUBACK will not: the device cannot know and must send it again.
        if (cutAt.has(count)) cut();
      },
    });
    await using cable = await layCable(broker.port);
    cut = cable.cut;
    await using run = deviceOn(cable.url, { window });
    run.device.start();
    recordMany(run.device, 100);
    await run.device.drained();

    expect(run.acknowledged).toEqual(upTo(100));
    const firstSeen = new Map<number, string>();
    for (const { seq, payload } of broker.arrivals) {
      expect(payload).toBe(firstSeen.get(seq) ?? payload);
      if (!firstSeen.has(seq)) firstSeen.set(seq, payload);
    }
    expect([...firstSeen.keys()]).toEqual(upTo(100));
    expect(broker.arrivals.length).toBeGreaterThan(100);
    expect(run.device.counts).toMatchObject({ recorded: 100, acknowledged: 100, overwritten: 0, waiting: 0 });
    // Arrivals 10 and 11 may come on one connection, which is cut once.
    expect(run.device.counts.connections).toBeGreaterThanOrEqual(5);
    expect(run.device.counts.repeated).toBeGreaterThanOrEqual(broker.arrivals.length - 100);
  });

  it('marks with DUP what it had sent before, and only that', async () => {
    let cut = (): void => undefined;
    await using broker = await startBroker({ onArrival: (count) => (count === 5 ? cut() : undefined) });
    await using cable = await layCable(broker.port);
    cut = cable.cut;
    await using run = deviceOn(cable.url, { window: 1 });
    run.device.start();
    recordMany(run.device, 8);
    await run.device.drained();
    expect(broker.arrivals.map(({ seq, dup }) => (dup ? `${seq} again` : `${seq}`))).toEqual([
      '1', '2', '3', '4', '5', '5 again', '6', '7', '8',
    ]);
  });

  it('overwrites the oldest while it cannot send, counts them, and sends the rest', async () => {
    await using broker = await startBroker();
    await using run = deviceOn(broker.url, { capacity: 10 });
    recordMany(run.device, 25);
    run.device.start();
    await run.device.drained();
    expect(run.acknowledged).toEqual(upTo(25).slice(15));
    const { recorded, acknowledged, overwritten, waiting } = run.device.counts;
    expect([recorded, acknowledged, overwritten, waiting]).toEqual([25, 10, 15, 0]);
  });

  it('gives up a connection on which PUBACKs do not come', async () => {
    const stalled = Promise.withResolvers<void>();
    await using broker = await startBroker({ onArrival: (count) => (count === 2 ? stalled.promise : undefined) });
    await using run = deviceOn(broker.url, { window: 1, ackTimeout: Millis(50) });
    run.device.start();
    recordMany(run.device, 3);
    await run.device.drained();
    stalled.resolve();
    expect(run.acknowledged).toEqual([1, 2, 3]);
    expect(run.lines.join('\n')).toContain('no acknowledgement for 50 ms');
  });

  it('waits longer after each failure, jittered, up to the longest pause', async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await listen(server);
    const pauses: number[] = [];
    const enough = Promise.withResolvers<void>();
    const log = (line: string): void => {
      pauses.push(Number(/trying again in (\d+) ms/.exec(line)?.[1]));
      if (pauses.length === 8) enough.resolve();
    };
    await using run = deviceOn(`mqtt://127.0.0.1:${port}`, { minPause: Millis(4), maxPause: Millis(40), log });
    run.device.start();
    await enough.promise;
    for (const [i, pause] of pauses.slice(0, 8).entries()) {
      const longest = Math.min(40, 4 * 2 ** i);
      expect(pause).toBeGreaterThanOrEqual(longest / 2);
      expect(pause).toBeLessThanOrEqual(longest);
    }
    await run.device.stop();
    await closeServer(server);
  });

  it('keeps trying, and says why, while its password is refused', async () => {
    const refused = Promise.withResolvers<void>();
    let lines = 0;
    await using broker = await startBroker({ password: 'other' });
    await using run = deviceOn(broker.url, {
      log: (line) => {
        expect(line).toMatch(/Not authorized|Bad username or password/);
        if ((lines += 1) === 3) refused.resolve();
      },
    });
    run.device.start();
    recordMany(run.device, 1);
    await refused.promise;
    expect(run.device.counts).toMatchObject({ connections: 0, waiting: 1, acknowledged: 0 });
    expect(broker.arrivals).toEqual([]);
  });
});

describe('stopping a device', () => {
  it('waits for what is in flight and leaves the rest in the buffer', async () => {
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    await using broker = await startBroker({
      onArrival: async () => {
        arrived.resolve();
        await release.promise;
      },
    });
    await using run = deviceOn(broker.url, { window: 2 });
    run.device.start();
    recordMany(run.device, 5);
    await arrived.promise;
    const stopped = run.device.stop();
    release.resolve();
    await stopped;
    expect(run.acknowledged).toEqual([1, 2]);
    expect(run.device.counts.waiting).toBe(3);
    expect(await run.device.drained()).toBe(false);
  });

  it('does not wait longer than its grace for a broker that never acknowledges', async () => {
    const arrived = Promise.withResolvers<void>();
    const never = Promise.withResolvers<void>();
    await using broker = await startBroker({
      onArrival: async () => {
        arrived.resolve();
        await never.promise;
      },
    });
    await using run = deviceOn(broker.url, { stopGrace: Millis(20) });
    run.device.start();
    recordMany(run.device, 1);
    await arrived.promise;
    await run.device.stop();
    expect(run.device.counts).toMatchObject({ waiting: 1, acknowledged: 0 });
    never.resolve();
  });

  it('ends at once while no CONNACK has come, while pausing, and before it was started', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    const port = await listen(silent);
    const connecting = deviceOn(`mqtt://127.0.0.1:${port}`, { stopGrace: Seconds(60) });
    connecting.device.start();
    await once(silent, 'connection');
    await connecting.device.stop();
    await deviceOn(`mqtt://127.0.0.1:${port}`).device.stop();
    for (const socket of sockets) socket.destroy();
    await closeServer(silent);

    const refusedOnce = Promise.withResolvers<void>();
    const pauses = { minPause: Seconds(60), maxPause: Seconds(60) };
    const pausing = deviceOn(`mqtt://127.0.0.1:${port}`, { ...pauses, log: () => refusedOnce.resolve() });
    pausing.device.start();
    await refusedOnce.promise;
    await pausing.device.stop();
    expect(pausing.device.counts.connections).toBe(0);
  });
});

describe('a device with impossible options', () => {
  it.each(['', 'localhost:1883', 'http://127.0.0.1:1883', 'mqtt://'])('refuses the broker address "%s"', (brokerUrl) => {
    expect(() => deviceOn(brokerUrl)).toThrow('expected mqtt://host:port');
  });

  it.each([0, 1.5, 1001])('refuses a window of %s', (window) => {
    expect(() => deviceOn('mqtt://127.0.0.1:1', { window })).toThrow('expected 1 to 1000');
  });
});
