import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { acknowledgements, readPublishes, type Publish } from '../../gateway/ingest/publish-lane.ts';
import { Bytes } from '../../gateway/quantity.ts';
import { PINGREQ, PUBACK, lengthField, packetOf, publishPacket, readPackets, subscribePacket, text, uint16, type PublishFields } from './mqtt-wire.ts';

const LIMIT = Bytes(300);

/** What a full parser of MQTT finds in the same bytes; each packet as a row. */
function parsed(bytes: Buffer): unknown[] {
  const rows: unknown[] = [];
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  parser.on('packet', (packet) => {
    const { cmd, qos, topic, dup, messageId, payload } = packet as mqttPacket.IPublishPacket;
    rows.push([cmd, qos, topic, dup, messageId, Buffer.from(payload ?? '').toString('hex')]);
  });
  parser.on('error', (error: Error) => rows.push(error.message));
  parser.parse(bytes);
  return rows;
}

const rowOf = ({ topic, dup, messageId, payload }: Publish): unknown => ['publish', 1, topic, dup, messageId, payload.toString('hex')];

const topic = fc.stringMatching(/^[!"$-*,-~]{1,12}(\/[!"$-*,-~]{1,12}){0,3}$/);
const goodPublish = fc
  .record({ topic, payload: fc.uint8Array({ maxLength: 150 }), id: fc.integer({ min: 1, max: 0xffff }), dup: fc.boolean(), retain: fc.boolean() })
  .map((fields) => publishPacket(fields));
const strangePublish = fc
  .record<PublishFields>({
    topic: fc.oneof(topic, fc.string(), fc.uint8Array({ maxLength: 12 })),
    payload: fc.uint8Array({ maxLength: 400 }),
    qos: fc.constantFrom(0, 1, 2),
    id: fc.constantFrom(0, 1, 77, 0xffff),
  })
  .map((fields) => publishPacket(fields));
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const lying = fc.tuple(fc.nat(400), anyBytes).map(([length, bytes]) => Buffer.concat([Buffer.of(0x32), lengthField(length), bytes]));

describe('reading QoS 1 PUBLISH packets at the head of a stream', () => {
  it('finds all that are complete, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(goodPublish, { minLength: 1, maxLength: 8 }), fc.nat(), (packets, place) => {
        const stream = Buffer.concat(packets);
        const cut = stream.subarray(0, place % (stream.length + 1));
        const complete = stream.subarray(0, cut.length - readPackets(cut).rest.length);
        const run = readPublishes(cut, LIMIT);
        expect(run?.length ?? 0).toBe(complete.length);
        expect((run?.publishes ?? []).map(rowOf)).toEqual(parsed(complete));
      }),
      { numRuns: 1000 },
    );
  });

  it('stops at what is allowed, and finds the others when it is asked again', () => {
    const most = fc.record({ messages: fc.integer({ min: 1, max: 5 }), bytes: fc.integer({ min: 1, max: 300 }) });
    fc.assert(
      fc.property(fc.array(goodPublish, { minLength: 1, maxLength: 8 }), fc.nat(), most, (packets, place, allowed) => {
        const stream = Buffer.concat(packets);
        const bytes = stream.subarray(0, place % (stream.length + 1));
        const found: unknown[] = [];
        let at = 0;
        for (let run = readPublishes(bytes, LIMIT, allowed); run !== undefined; run = readPublishes(bytes.subarray(at), LIMIT, allowed)) {
          expect(run.publishes.length).toBeLessThanOrEqual(allowed.messages);
          expect(run.length - (packets[found.length + run.publishes.length - 1]?.length ?? 0)).toBeLessThan(allowed.bytes);
          at += run.length;
          found.push(...run.publishes.map(rowOf));
          if (!run.cut) break;
        }
        expect(found).toEqual((readPublishes(bytes, LIMIT)?.publishes ?? []).map(rowOf));
      }),
    );
  });

  it('finds nothing that a full parser of MQTT reads differently, whatever the bytes', () => {
    const stream = fc.array(fc.oneof({ weight: 4, arbitrary: goodPublish }, strangePublish, lying, anyBytes, fc.constant(PINGREQ)), { maxLength: 6 });
    fc.assert(
      fc.property(stream, fc.option(fc.tuple(fc.nat(), fc.nat(255))), (packets, flip) => {
        const bytes = Buffer.concat(packets);
        if (flip !== null && bytes.length > 0) bytes[flip[0] % bytes.length] = flip[1];
        const run = readPublishes(bytes, LIMIT);
        if (run === undefined) return;
        expect(run.publishes.map(rowOf)).toEqual(parsed(bytes.subarray(0, run.length)));
      }),
      { numRuns: 5000 },
    );
  });

  const good = publishPacket({ topic: 'devices/clip/readings', payload: 'x', id: 5 });
  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['the first byte alone', good.subarray(0, 1)],
    ['all but the last byte', good.subarray(0, -1)],
    ['QoS 0', publishPacket({ topic: 'a', qos: 0 })],
    ['QoS 2', publishPacket({ topic: 'a', qos: 2 })],
    ['QoS 3', packetOf(0x36, text('a'), uint16(1))],
    ['a packet of another kind behind a good one', Buffer.concat([good, PINGREQ])],
    ['a subscription', subscribePacket(1, 'devices/clip/#')],
    ['packet identifier 0', publishPacket({ topic: 'a', id: 0 })],
    ['a packet larger than the limit behind a good one, not complete', Buffer.concat([good, Buffer.of(0x32), lengthField(LIMIT + 1)])],
    ['a length field of five bytes', Buffer.of(0x32, 0x80, 0x80, 0x80, 0x80, 0x01)],
    ['a body of one byte', packetOf(0x32, Buffer.of(0))],
    ['an empty body', packetOf(0x32)],
    ['a topic longer than its packet', packetOf(0x32, uint16(50), Buffer.from('short'))],
    ['no room for the packet identifier', packetOf(0x32, text('topic'), Buffer.of(1))],
    ['an empty topic', publishPacket({ topic: '' })],
    ['a wildcard', publishPacket({ topic: 'devices/+/readings' })],
    ['the other wildcard', publishPacket({ topic: 'devices/#' })],
    ['U+0000 in the topic', publishPacket({ topic: 'a\0b' })],
    ['a topic beyond ASCII', publishPacket({ topic: 'devices/clip/küche' })],
    ['a topic that is no UTF-8', publishPacket({ topic: Buffer.of(0x61, 0xff) })],
  ])('leaves to the full parser: %s', (_what, bytes) => {
    expect(readPublishes(bytes, LIMIT)).toBeUndefined();
  });

  it('takes a packet as large as the limit', () => {
    const packet = publishPacket({ topic: 'a', payload: Buffer.alloc(LIMIT - 5) });
    expect(readPublishes(packet, LIMIT)?.length).toBe(packet.length);
    expect(readPublishes(packet, Bytes(LIMIT - 1))).toBeUndefined();
  });
});

describe('the acknowledgements of many messages', () => {
  it('are the packets a client reads, in the order of the messages', () => {
    const ids = [1, 255, 256, 0xffff, 2];
    const publishes = ids.map((messageId) => ({ topic: 'a', dup: false, messageId, payload: Buffer.alloc(0) }));
    const { packets, rest } = readPackets(acknowledgements(publishes));
    expect(packets.map(({ type, flags, body }) => [type, flags, body.readUInt16BE(0), body.length])).toEqual(ids.map((id) => [PUBACK, 0, id, 2]));
    expect(rest).toHaveLength(0);
  });
});
