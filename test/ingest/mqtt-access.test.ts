import { describe, expect, it } from 'vitest';
import { BrokerUnderTest, PASSWORD } from './broker-fixture.ts';
import { connectPacket, DISCONNECT, publishPacket, RawClient, SUBACK, subscribePacket, type ConnectFields } from './mqtt-wire.ts';

const NOT_AUTHORISED = 5;
const SERVER_UNAVAILABLE = 3;

async function refusedWith(broker: BrokerUnderTest, fields: ConnectFields): Promise<number | undefined> {
  await using client = await RawClient.open(broker.port);
  client.send(connectPacket(fields));
  const code = await client.returnCode();
  await client.closed;
  return code;
}

describe('logging in', () => {
  const CASES: readonly (readonly [string, ConnectFields, string])[] = [
    ['a wrong password', { username: 'clip', password: 'guess' }, 'wrong_credentials'],
    ['an empty password', { username: 'clip', password: '' }, 'wrong_credentials'],
    ['no user name', {}, 'missing_credentials'],
    ['no password', { username: 'clip' }, 'missing_credentials'],
    ['a user name that is no device id', { username: 'a/b', password: PASSWORD }, 'missing_credentials'],
    ['a user name that is no UTF-8', { username: Buffer.of(0xc3, 0x28), password: PASSWORD }, 'missing_credentials'],
  ];
  it.each(CASES)('with %s gets CONNACK 5 and is counted once', async (_what, fields, reason) => {
    await using broker = await BrokerUnderTest.start();
    expect(await refusedWith(broker, fields)).toBe(NOT_AUTHORISED);
    await using client = await broker.login('clip');
    expect(await client.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(broker.observed.reasons).toEqual([reason]);
  });

  it('is put off with CONNACK 3 while too many wait for their password to be checked', async () => {
    await using broker = await BrokerUnderTest.start();
    broker.outcome = 'overloaded';
    expect(await refusedWith(broker, { username: 'clip', password: PASSWORD })).toBe(SERVER_UNAVAILABLE);
    expect(broker.observed.reasons).toEqual(['overloaded']);
  });

  it('is refused, not granted, while credentials cannot be read', async () => {
    await using broker = await BrokerUnderTest.start();
    broker.outcome = 'fault';
    expect(await refusedWith(broker, { username: 'clip', password: PASSWORD })).toBe(NOT_AUTHORISED);
    expect(broker.observed.reasons).toEqual(['store_fault']);
  });

  it.each([0, 1801])('with a keep-alive of %i s is refused and counted', async (keepAlive) => {
    await using broker = await BrokerUnderTest.start();
    expect(await refusedWith(broker, { username: 'clip', password: PASSWORD, keepAlive })).not.toBe(0);
    await broker.observed.until(() => broker.observed.refusals.length > 0);
    expect(broker.observed.refusals).toHaveLength(1);
  });

  it('counts connections, and those beyond the limit are closed and counted', async () => {
    await using broker = await BrokerUnderTest.start({ maxConnections: 2 });
    await using first = await broker.login('one');
    const second = await broker.login('two');
    expect(broker.observed.connections).toBe(2);
    await using third = await RawClient.open(broker.port);
    await third.closed;
    expect(broker.observed.reasons).toEqual(['too_many_connections']);
    expect(await first.publish({ topic: 'devices/one/readings' })).toBe(true);
    second.send(DISCONNECT);
    await broker.observed.until(() => broker.observed.connections === 1);
    await using fourth = await broker.login('three');
    expect(await fourth.publish({ topic: 'devices/three/readings' })).toBe(true);
  });
});

describe('a client id', () => {
  it('used again by the same device ends its older connection', async () => {
    await using broker = await BrokerUnderTest.start();
    await using older = await broker.login('clip', { clientId: 'x' });
    await using newer = await broker.login('clip', { clientId: 'x' });
    await older.closed;
    expect(await newer.publish({ topic: 'devices/clip/readings' })).toBe(true);
  });

  it('of one device is free for another: nobody pushes a neighbour out', async () => {
    await using broker = await BrokerUnderTest.start();
    await using clip = await broker.login('clip', { clientId: 'same' });
    await using band = await broker.login('band', { clientId: 'same' });
    await using intruder = await RawClient.open(broker.port);
    intruder.send(connectPacket({ clientId: 'same', username: 'clip', password: 'guess' }));
    await intruder.closed;
    expect(await clip.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(await band.publish({ topic: 'devices/band/readings' })).toBe(true);
    expect(broker.observed.connections).toBe(2);
  });

  it('may be left out by several clients of one device at a time', async () => {
    await using broker = await BrokerUnderTest.start();
    await using first = await broker.login('clip', { clientId: '' });
    await using second = await broker.login('clip', { clientId: '' });
    expect(await first.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(await second.publish({ topic: 'devices/clip/readings' })).toBe(true);
  });
});

describe('a topic', () => {
  it.each([
    ['of another device', 'devices/other/readings'],
    ['of a device whose id begins alike', 'devices/clip2/readings'],
    ['without a level below the id', 'devices/clip'],
    ['of the broker', '$SYS/clip/heartbeat'],
    ['elsewhere', 'readings'],
    ['in another spelling', 'Devices/clip/readings'],
  ])('%s closes the connection and is counted', async (_what, topic) => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    expect(await client.publish({ topic })).toBe(false);
    expect(broker.observed.refusals).toMatchObject([{ reason: 'foreign_topic', device: 'clip' }]);
    expect(broker.frames).toEqual([]);
  });

  it.each(['devices/clip/+', 'devices/clip/#', 'devices/+/readings', '#'])('with a wildcard (%s) closes the connection and is counted', async (topic) => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    expect(await client.publish({ topic })).toBe(false);
    expect(broker.observed.reasons).toEqual(['malformed_packet']);
    expect(broker.frames).toEqual([]);
  });

  it('is as deep as the limit, and a deeper one closes the connection and is counted', async () => {
    await using broker = await BrokerUnderTest.start({ maxTopicLevels: 4 });
    await using client = await broker.login('clip');
    expect(await client.publish({ topic: 'devices/clip/a/b' })).toBe(true);
    expect(await client.publish({ topic: 'devices/clip/a/b/c' })).toBe(false);
    expect(broker.observed.reasons).toEqual(['malformed_packet']);
  });
});

describe('a subscription', () => {
  it('to its own topics is granted, and hands on nothing that devices publish', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    client.send(subscribePacket(1, 'devices/clip/#'));
    const granted = await client.next();
    expect([granted?.type, granted?.body.at(-1)]).toEqual([SUBACK, 1]);
    await using sender = await broker.login('clip', { clientId: 'second' });
    expect(await sender.publish({ topic: 'devices/clip/readings', payload: 'x' })).toBe(true);
    expect(await client.publish({ topic: 'devices/clip/readings', payload: 'y' })).toBe(true);
    expect(client.unread).toEqual([]);
  });

  it('of a session that outlives its connection keeps nothing for later', async () => {
    await using broker = await BrokerUnderTest.start();
    const away = await broker.login('clip', { clientId: 'first', clean: false });
    away.send(subscribePacket(1, 'devices/clip/#'));
    expect((await away.next())?.type).toBe(SUBACK);
    await away[Symbol.asyncDispose]();
    await using sender = await broker.login('clip', { clientId: 'second' });
    for (const payload of ['1', '2', '3']) expect(await sender.publish({ topic: 'devices/clip/readings', payload })).toBe(true);
    await using back = await broker.login('clip', { clientId: 'first', clean: false });
    expect(await back.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(back.unread).toEqual([]);
  });

  it.each(['devices/other/readings', 'devices/clip2/#', 'devices/+/readings', '#', '$SYS/#'])('to %s is refused with 0x80 and counted', async (filter) => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    client.send(subscribePacket(1, filter));
    const answer = await client.next();
    expect([answer?.type, answer?.body.at(-1)]).toEqual([SUBACK, 0x80]);
    await using other = await broker.login('other');
    await other.publish({ topic: 'devices/other/readings', payload: 'private' });
    expect(await client.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(client.unread).toEqual([]);
    expect(broker.observed.refusals).toEqual([{ reason: 'subscription', device: 'clip', message: filter }]);
  });

  it('finds nothing retained: the journal is the memory, not the broker', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip');
    expect(await client.publish({ topic: 'devices/clip/readings', payload: 'kept?', retain: true })).toBe(true);
    client.send(publishPacket({ topic: 'devices/clip/readings', payload: 'kept?', qos: 0, retain: true }));
    await using late = await broker.login('clip', { clientId: 'second' });
    late.send(subscribePacket(2, 'devices/clip/readings'));
    expect((await late.next())?.type).toBe(SUBACK);
    expect(await late.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(late.unread).toEqual([]);
  });
});

describe('a will', () => {
  it('becomes a frame under the topic of its device when the connection breaks', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip', { will: { topic: 'devices/clip/status', payload: 'gone', qos: 1, retain: true } });
    client.cut();
    await broker.observed.until(() => broker.observed.acceptedCount === 1);
    expect(broker.frames).toMatchObject([{ device: 'clip', topic: 'devices/clip/status', qos: 1 }]);
    await using late = await broker.login('clip');
    late.send(subscribePacket(1, 'devices/clip/status'));
    expect((await late.next())?.type).toBe(SUBACK);
    expect(await late.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(late.unread).toEqual([]);
  });

  it('under the topic of another device is refused and counted', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip', { will: { topic: 'devices/other/readings', payload: 'forged', qos: 1 } });
    client.cut();
    await broker.observed.until(() => broker.observed.refusals.length === 1);
    expect(broker.observed.refusals).toMatchObject([{ reason: 'foreign_topic', device: 'clip' }]);
    expect(broker.frames).toEqual([]);
  });

  it('is no frame after a DISCONNECT', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip', { will: { topic: 'devices/clip/status', payload: 'gone', qos: 1 } });
    client.send(DISCONNECT);
    await broker.observed.until(() => broker.observed.connections === 0);
    await using again = await broker.login('clip');
    expect(await again.publish({ topic: 'devices/clip/readings' })).toBe(true);
    expect(broker.frames.map(({ topic }) => topic)).toEqual(['devices/clip/readings']);
  });

  it('too deep for a topic ends nothing but itself', async () => {
    await using broker = await BrokerUnderTest.start();
    const client = await broker.login('clip', { will: { topic: `devices/clip/${'a/'.repeat(200)}`, payload: 'deep', qos: 1 } });
    client.cut();
    await broker.observed.until(() => broker.observed.connections === 0);
    await using again = await broker.login('clip');
    expect(await again.publish({ topic: 'devices/clip/readings' })).toBe(true);
  });
});

describe('the end of the broker', () => {
  it('waits for nobody: neither who is connected, nor who logs in, nor who says nothing', async () => {
    await using broker = await BrokerUnderTest.start();
    await using connected = await broker.login('one');
    await using silent = await RawClient.open(broker.port);
    await using waiting = await RawClient.open(broker.port);
    const asked = new Promise<void>((resolve) => {
      broker.authenticating = resolve;
    });
    waiting.send(connectPacket({ username: 'clip', password: PASSWORD }));
    await asked;
    await broker.stop();
    await Promise.all([connected.closed, silent.closed, waiting.closed]);
    await expect(RawClient.open(broker.port)).rejects.toThrow('ECONNREFUSED');
  });
});
