import { describe, expect, it } from 'vitest';
import { KiB, MiB, Millis, Seconds } from '../../gateway/quantity.ts';
import type { DeviceId } from '../../gateway/reading.ts';
import { BrokerUnderTest, PASSWORD } from './broker-fixture.ts';
import { connectPacket, DISCONNECT, PINGREQ, PINGRESP, PUBACK, publishPacket, RawClient } from './mqtt-wire.ts';

const TOPIC = 'devices/clip/readings';
const CLIP = 'clip' as DeviceId;
const NEVER = { throughAedesEvery: Seconds(3600) };
const ALWAYS = { throughAedesEvery: Millis(0) };
const SERVER_UNAVAILABLE = 3;

const messages = (count: number, fields: { size?: number; qos?: 0 | 1 } = {}): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => publishPacket({ topic: TOPIC, payload: `${i}`.padEnd(fields.size ?? 1), id: i + 1, qos: fields.qos ?? 1 })));

async function acknowledgedIds(client: RawClient, count: number): Promise<number[]> {
  const ids: number[] = [];
  while (ids.length < count) {
    const packet = await client.next();
    if (packet === undefined) return ids;
    if (packet.type === PUBACK) ids.push(packet.body.readUInt16BE(0));
  }
  return ids;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('a device that is too fast', () => {
  it.each([['the short cut', NEVER], ['the long way', ALWAYS], ['both', {}]])('loses nothing on %s: it is read more slowly', async (_way, options) => {
    await using broker = await BrokerUnderTest.start({ maxRate: 200, ...options });
    await using client = await broker.login('clip');
    const began = performance.now();
    // Two seconds' worth are free, the others take half a second for every hundred.
    client.send(messages(600));
    expect(await acknowledgedIds(client, 600)).toEqual(upTo(600));
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(5);
    expect(broker.frames).toHaveLength(600);
    expect(broker.observed.throttledMs).toBeGreaterThan(0);
    expect(broker.observed.reasons).toEqual([]);
  });

  it('in bytes is slowed down too', async () => {
    await using broker = await BrokerUnderTest.start({ maxRateBytes: KiB(100) });
    await using client = await broker.login('clip');
    const began = performance.now();
    client.send(messages(100, { size: 3 * 1024 }));
    expect(await acknowledgedIds(client, 100)).toEqual(upTo(100));
    expect(performance.now() - began).toBeGreaterThan(800);
  });

  it('and sends with QoS 0, says goodbye and goes, loses nothing either', async () => {
    await using broker = await BrokerUnderTest.start({ maxRate: 200 });
    const client = await broker.login('clip');
    client.send(messages(600, { qos: 0 }), DISCONNECT);
    client.finish();
    await client.closed;
    expect(broker.offered).toHaveLength(600);
    await broker.observed.until(() => broker.observed.connections === 0);
    expect(broker.observed.reasons).toEqual([]);
  });

  it('keeps its connection: its pings are answered in time', async () => {
    await using broker = await BrokerUnderTest.start({ maxRate: 50 });
    await using client = await broker.login('clip', { keepAlive: 1 });
    client.send(messages(300), PINGREQ);
    const types: number[] = [];
    while (types.length < 301) {
      const packet = await client.next();
      if (packet === undefined) break;
      types.push(packet.type);
    }
    expect(types.filter((type) => type === PUBACK)).toHaveLength(300);
    expect(types.filter((type) => type === PINGRESP)).toHaveLength(1);
    expect(broker.observed.reasons).toEqual([]);
  });

  it('slows down itself and nobody else, over all its connections together', async () => {
    await using broker = await BrokerUnderTest.start({ maxRate: 200 });
    await using first = await broker.login('clip', { clientId: 'first' });
    await using second = await broker.login('clip', { clientId: 'second' });
    await using other = await broker.login('other');
    const began = performance.now();
    first.send(messages(300));
    second.send(messages(300));
    const both = Promise.all([acknowledgedIds(first, 300), acknowledgedIds(second, 300)]);
    for (let i = 0; i < 50; i++) expect(await other.publish({ topic: 'devices/other/readings' })).toBe(true);
    const otherTook = performance.now() - began;
    expect(await both).toEqual([upTo(300), upTo(300)]);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(otherTook).toBeLessThan(900);
    expect(broker.observed.reasons).toEqual([]);
  });

  it('has no new burst on a new connection', async () => {
    await using broker = await BrokerUnderTest.start({ maxRate: 200 });
    const began = performance.now();
    for (let round = 0; round < 3; round++) {
      await using client = await broker.login('clip');
      client.send(messages(200));
      expect(await acknowledgedIds(client, 200)).toEqual(upTo(200));
    }
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  it('and hangs up in the middle is no trouble', async () => {
    await using broker = await BrokerUnderTest.start({ maxRate: 50, maxRateBytes: MiB(1) });
    const client = await broker.login('clip');
    client.send(messages(1000));
    await broker.observed.until(() => broker.observed.throttledMs > 0);
    client.cut();
    await broker.observed.until(() => broker.observed.connections === 0);
    await using again = await broker.login('clip');
    expect(await again.publish({ topic: TOPIC })).toBe(true);
  });
});

describe('two programs with one client id', () => {
  const LOGIN = { clientId: 'x', username: 'clip', password: PASSWORD };

  it('take over three times, then the one that is connected stays', async () => {
    await using broker = await BrokerUnderTest.start();
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await broker.login('clip', LOGIN));
    await Promise.all(clients.slice(0, 3).map((client) => client.closed));
    for (let i = 0; i < 5; i++) {
      await using late = await RawClient.open(broker.port);
      late.send(connectPacket(LOGIN));
      expect(await late.returnCode()).toBe(SERVER_UNAVAILABLE);
      await late.closed;
    }
    const [holder] = clients.slice(-1);
    expect(await holder?.publish({ topic: TOPIC })).toBe(true);
    expect(broker.observed.connections).toBe(1);
    // Three lost their connection, five did not get one; each is counted once.
    expect(broker.observed.reasons).toEqual(Array.from({ length: 8 }, () => 'taken_over'));
    expect(broker.observed.refusals.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => ({ reason: 'taken_over', device: 'clip', message: 'a newer connection has the same client id' })));
    expect(broker.observed.refusals.at(-1)).toMatchObject({ device: 'clip', message: expect.stringMatching(/two programs .* Give each program a client id/) });
    holder?.cut();
    await broker.observed.until(() => broker.observed.connections === 0);
    await using free = await broker.login('clip', LOGIN);
    expect(await free.publish({ topic: TOPIC })).toBe(true);
  });

  it('that come again whenever they lose do so a bounded number of times', async () => {
    await using broker = await BrokerUnderTest.start();
    let granted = 0;
    let over = false;
    const programs = ['one', 'two'].map(async () => {
      while (!over) {
        await using client = await RawClient.open(broker.port);
        client.send(connectPacket(LOGIN));
        if ((await client.returnCode()) !== 0) continue;
        granted += 1;
        await client.closed;
      }
    });
    await broker.observed.until(() => broker.observed.refusals.length >= 100);
    expect(granted).toBeLessThanOrEqual(5);
    expect(broker.observed.connections).toBe(1);
    over = true;
    broker.broker?.disconnect(CLIP);
    await Promise.all(programs);
  });

  it('are no reason to refuse a device that reconnects now and then', async () => {
    await using broker = await BrokerUnderTest.start();
    for (let i = 0; i < 20; i++) {
      const client = await broker.login('clip', LOGIN);
      client.send(DISCONNECT);
      await client.closed;
    }
    expect(broker.observed.reasons).toEqual([]);
  });
});

describe('disconnecting a device', () => {
  it('closes all its connections at once, and nobody else\'s', async () => {
    await using broker = await BrokerUnderTest.start();
    const clips = [await broker.login('clip', { clientId: 'a' }), await broker.login('clip', { clientId: 'b' })];
    await using other = await broker.login('other');
    expect(broker.broker?.disconnect(CLIP)).toBe(2);
    await Promise.all(clips.map((client) => client.closed));
    expect(await other.publish({ topic: 'devices/other/readings' })).toBe(true);
    await broker.observed.until(() => broker.observed.connections === 1);
    expect(broker.broker?.disconnect(CLIP)).toBe(0);
    expect(broker.observed.reasons).toEqual([]);
  });

  it('takes nothing more from it, its will included', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip', { will: { topic: 'devices/clip/status', payload: 'gone', qos: 1 } });
    client.send(messages(50));
    broker.broker?.disconnect(CLIP);
    const before = broker.frames.length;
    await client.closed;
    await broker.observed.until(() => broker.observed.connections === 0);
    await using other = await broker.login('other');
    expect(await other.publish({ topic: 'devices/other/readings' })).toBe(true);
    expect(broker.frames.slice(before).map(({ device }) => device)).toEqual(['other']);
  });

  it('does not let in who is just being checked', async () => {
    await using broker = await BrokerUnderTest.start();
    const checking = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    broker.waiting = async () => {
      asked.resolve();
      await checking.promise;
    };
    await using client = await RawClient.open(broker.port);
    client.send(connectPacket({ username: 'clip', password: PASSWORD }));
    await asked.promise;
    expect(broker.broker?.disconnect(CLIP)).toBe(0);
    checking.resolve();
    expect(await client.returnCode()).toBe(5);
    await client.closed;
    expect(broker.observed.reasons).toEqual(['wrong_credentials']);
  });
});
