/** The short cut for QoS 1 messages against the long way: `throughAedesEvery` of 0 sends everything through Aedes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KiB, Millis, Seconds } from '../../gateway/quantity.ts';
import { BrokerUnderTest } from './broker-fixture.ts';
import { PINGREQ, PUBACK, PUBREC, lengthField, packetOf, publishPacket, uint16, type Packet } from './mqtt-wire.ts';

const TOPIC = 'devices/clip/readings';
const NEVER = { throughAedesEvery: Seconds(3600) };
const ALWAYS = { throughAedesEvery: Millis(0) };

const burst = (count: number, size = 10): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => publishPacket({ topic: TOPIC, payload: `${i}`.padEnd(size), id: i + 1 })));

type Heard = Readonly<{ frames: readonly unknown[]; acks: readonly number[]; received: readonly number[]; reasons: readonly string[]; closed: boolean }>;

const isAnswer = ({ type }: Packet): boolean => type === PUBACK || type === PUBREC;
const idsOf = (packets: readonly Packet[], type: number): number[] => packets.filter((packet) => packet.type === type).map(({ body }) => body.readUInt16BE(0));

/** What a broker makes of a stream that arrives in pieces: until it answered `answers` messages, or closed the connection. */
async function hear(broker: BrokerUnderTest, pieces: readonly Buffer[], answers: number): Promise<Heard> {
  const from = { frames: broker.frames.length, refusals: broker.observed.refusals.length };
  await using client = await broker.login('clip');
  const packets: Packet[] = [];
  // One write a turn: what arrives together is up to the kernel, as it is with a device.
  for (const piece of pieces) {
    client.send(piece);
    await new Promise(setImmediate);
  }
  let closed = false;
  while (!closed && packets.filter(isAnswer).length < answers) {
    const packet = await client.next();
    if (packet === undefined) closed = true;
    else packets.push(packet);
  }
  return {
    frames: broker.frames.slice(from.frames).map(({ topic, qos, dup, payload }) => [topic, qos, dup, Buffer.from(payload).toString('hex')]),
    acks: idsOf(packets, PUBACK),
    received: idsOf(packets, PUBREC).sort((a, b) => a - b),
    reasons: broker.observed.refusals.slice(from.refusals).map(({ reason }) => reason),
    closed,
  };
}

function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % stream.length).sort((a, b) => a - b), stream.length];
  return sorted.slice(1).map((place, i) => stream.subarray(sorted[i], place)).filter(({ length }) => length > 0);
}

const message = fc.record({
  topic: fc.constantFrom(TOPIC, TOPIC, TOPIC, 'devices/clip/küche', 'devices/clip/a b', 'devices/clip/'),
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom<(0 | 1 | 2)[]>(0, 1, 1, 1, 1, 1, 1, 2),
  dup: fc.boolean(),
  retain: fc.boolean(),
});
const places = fc.array(fc.nat(), { maxLength: 12 });

describe('the short cut for QoS 1 messages', () => {
  it('accepts and answers what the long way does, whatever a device sends and however it arrives', async () => {
    await using short = await BrokerUnderTest.start(NEVER);
    await using long = await BrokerUnderTest.start(ALWAYS);
    const streams = fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 30 }), places, async (messages, cuts) => {
      const packets = messages.map((fields, i) => publishPacket({ ...fields, dup: fields.qos > 0 && fields.dup, id: i + 1 }));
      const stream = Buffer.concat([...packets, publishPacket({ topic: TOPIC, payload: 'the last', id: 999 }), PINGREQ]);
      const answers = messages.filter(({ qos }) => qos > 0).length + 1;
      const pieces = cutAt(stream, cuts);
      expect(await hear(short, pieces, answers)).toEqual(await hear(long, pieces, answers));
    });
    await fc.assert(streams, { numRuns: 150 });
    expect(Math.max(...short.groups)).toBeGreaterThan(1);
    expect(Math.max(...long.groups)).toBe(1);
  });

  it.each<[string, Buffer]>([
    ['a foreign topic', publishPacket({ topic: 'devices/other/readings' })],
    ['a topic that only begins like the own', publishPacket({ topic: 'devices/clipper/readings' })],
    ['too many levels', publishPacket({ topic: 'devices/clip/a/b/c/d/e/f/g' })],
    ['a topic longer than may be', publishPacket({ topic: `devices/clip/${'x'.repeat(1100)}` })],
    ['a wildcard', publishPacket({ topic: 'devices/clip/#' })],
    ['packet identifier 0', publishPacket({ topic: TOPIC, id: 0 })],
    ['an oversized packet', publishPacket({ topic: TOPIC, payload: Buffer.alloc(KiB(6)) })],
    ['a packet of no type', Buffer.of(0, 0)],
    ['a body of one byte', packetOf(0x32, Buffer.of(0))],
    ['an empty body', packetOf(0x32)],
    ['a topic beyond the packet', packetOf(0x32, uint16(500), Buffer.from('devices/clip/x'))],
    ['a length field of five bytes', Buffer.of(0x32, 0xff, 0xff, 0xff, 0xff, 0x01)],
    ['QoS 3', packetOf(0x36, uint16(1), Buffer.from('a'), uint16(1))],
  ])('counts %s under the reason the long way has for it, and closes', async (_what, bad) => {
    await using short = await BrokerUnderTest.start(NEVER);
    await using long = await BrokerUnderTest.start(ALWAYS);
    for (const stream of [bad, Buffer.concat([burst(3), bad]), Buffer.concat([burst(3), bad, burst(3)])]) {
      const [inShort, inLong] = [await hear(short, [stream], Infinity), await hear(long, [stream], Infinity)];
      expect(inShort.closed).toBe(true);
      expect(inShort.reasons).toEqual(inLong.reasons);
      expect(inShort.reasons).toHaveLength(1);
    }
  });

  it('answers none of a burst before all of it is durable', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    broker.holding = true;
    client.send(burst(3));
    await broker.untilHeld(3);
    for (const { resolve } of broker.held.slice(0, 2)) resolve();
    client.send(PINGREQ);
    await client.next();
    expect(client.unread).toEqual([]);
    expect(broker.observed.acceptedCount).toBe(0);
    broker.held[2]?.resolve();
    expect([await client.next(), await client.next(), await client.next()].map((packet) => packet?.body.readUInt16BE(0))).toEqual([1, 2, 3]);
    expect([broker.observed.receivedCount, broker.observed.acceptedCount, broker.groups]).toEqual([3, 3, [3]]);
  });

  it('closes the connection without an answer when the store fails', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    broker.holding = true;
    client.send(burst(3));
    await broker.untilHeld(3);
    broker.held[1]?.reject();
    expect(await client.next()).toBeUndefined();
    expect(broker.observed.refusals).toEqual([{ reason: 'store_fault', device: 'clip', message: 'the disk is full' }]);
    expect(broker.observed.acceptedCount).toBe(0);
  });

  it('reads no more than 64 KiB and one chunk ahead of the disk, and goes on when it is done', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    broker.holding = true;
    const messages = 2000;
    client.send(burst(messages, 1000));
    await broker.untilHeld(60);
    // Many turns of the broker's event loop, in which it could read on.
    await using other = await broker.login('other');
    for (let i = 0; i < 50; i++) {
      other.send(PINGREQ);
      await other.next();
    }
    expect(broker.held.length).toBeLessThanOrEqual(130);
    broker.holding = false;
    for (const { resolve } of broker.held) resolve();
    for (let i = 1; i <= messages; i++) expect((await client.next())?.body.readUInt16BE(0)).toBe(i);
    expect(broker.frames).toHaveLength(messages);
  });

  it('counts a connection that ends inside a packet, once, and answers what was whole', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    client.send(Buffer.concat([burst(2), publishPacket({ topic: TOPIC, payload: 'unfinished' }).subarray(0, 20)]));
    expect([(await client.next())?.type, (await client.next())?.type]).toEqual([PUBACK, PUBACK]);
    client.finish();
    await client.closed;
    await broker.observed.until(() => broker.observed.connections === 0);
    expect(broker.observed.refusals).toEqual([{ reason: 'client_error', device: 'clip', message: 'the connection ended inside a packet' }]);
  });

  it('is not taken by a client that was not let in', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    broker.outcome = 'wrong_credentials';
    await expect(broker.login('clip')).rejects.toThrow('return code 5');
    expect(await client.publish({ topic: TOPIC })).toBe(true);
  });

  it('does not let the keep-alive of a busy client run out', async () => {
    await using broker = await BrokerUnderTest.start();
    await using client = await broker.login('clip', { keepAlive: 1 });
    // Aedes gives a client one and a half times the second it asked for.
    for (const end = performance.now() + 2_500; performance.now() < end; ) expect(await client.publish({ topic: TOPIC })).toBe(true);
    expect(broker.observed.refusals).toEqual([]);
  });

  it('leaves waiting packets whole when the length field of the last is cut', async () => {
    await using broker = await BrokerUnderTest.start(NEVER);
    await using client = await broker.login('clip');
    const long = publishPacket({ topic: TOPIC, payload: 'x'.repeat(200), id: 9 });
    expect(long.subarray(1, 3)).toEqual(lengthField(long.length - 3));
    client.send(Buffer.concat([burst(1), long.subarray(0, 2)]));
    expect((await client.next())?.body.readUInt16BE(0)).toBe(1);
    client.send(long.subarray(2));
    expect((await client.next())?.body.readUInt16BE(0)).toBe(9);
  });
});
