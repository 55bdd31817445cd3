import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketMeter, type PacketFault } from '../../gateway/ingest/packet-limit.ts';
import { lengthField } from './mqtt-wire.ts';

const LIMIT = 300;

/** The naive twin: looks at the whole stream at once. */
function faultIn(stream: Buffer): PacketFault['reason'] | undefined {
  let at = 0;
  while (at < stream.length) {
    if ([0, 2, 9, 11, 13, 15].includes((stream[at] as number) >> 4)) return 'malformed_packet';
    let length = 0;
    let digits = 0;
    for (;;) {
      const byte = stream[at + 1 + digits];
      if (byte === undefined) return length > LIMIT ? 'oversized_packet' : undefined;
      length += (byte & 0x7f) * 128 ** digits;
      digits += 1;
      if ((byte & 0x80) === 0 || digits === 4) break;
    }
    if (length > LIMIT) return 'oversized_packet';
    at += 1 + digits + length;
  }
  return undefined;
}

function feedInPieces(stream: Buffer, cuts: readonly number[]): PacketFault['reason'] | undefined {
  const meter = new PacketMeter(LIMIT);
  const places = [...cuts.map((cut) => cut % (stream.length + 1)), 0, stream.length].sort((a, b) => a - b);
  for (const [i, place] of places.entries()) {
    const fault = meter.feed(stream.subarray(places[i - 1] ?? 0, place));
    if (fault !== undefined) return fault.reason;
  }
  return undefined;
}

const clientType = fc.constantFrom(1, 3, 4, 5, 6, 7, 8, 10, 12, 14);
const whole = (type: fc.Arbitrary<number>, size: fc.Arbitrary<number>): fc.Arbitrary<Buffer> =>
  fc.tuple(type, size).map(([kind, length]) => Buffer.concat([Buffer.of(kind << 4), lengthField(length), Buffer.alloc(length, 0xff)]));
const goodPacket = whole(clientType, fc.integer({ min: 0, max: LIMIT }));
const anyPacket = whole(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 2 * LIMIT }));
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe('the meter of packets', () => {
  it('sees what its naive twin sees in the whole stream, however the stream is cut', () => {
    const stream = fc.oneof(fc.array(anyPacket, { maxLength: 12 }).map((packets) => Buffer.concat(packets)), fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)));
    fc.assert(fc.property(stream, cuts, (bytes, places) => { expect(feedInPieces(bytes, places)).toBe(faultIn(bytes)); }), { numRuns: 2000 });
  });

  it('lets every row of good packets pass, and knows when one is unfinished', () => {
    fc.assert(
      fc.property(fc.array(goodPacket, { minLength: 1, maxLength: 12 }), (packets) => {
        const meter = new PacketMeter(LIMIT);
        for (const bytes of packets) {
          expect(meter.feed(bytes.subarray(0, 1))).toBeUndefined();
          expect(meter.insidePacket).toBe(true);
          expect(meter.feed(bytes.subarray(1))).toBeUndefined();
          expect(meter.insidePacket).toBe(false);
        }
      }),
    );
  });

  it('stops before a packet that is beyond what is allowed, and sees the same when it goes on', () => {
    const most = fc.record({ messages: fc.integer({ min: 1, max: 4 }), bytes: fc.integer({ min: 1, max: 500 }) });
    fc.assert(
      fc.property(fc.array(goodPacket, { minLength: 1, maxLength: 12 }), most, (packets, allowed) => {
        const stream = Buffer.concat(packets);
        const meter = new PacketMeter(LIMIT);
        const ends = packets.map((_, i) => Buffer.concat(packets.slice(0, i + 1)).length);
        let publishes = 0;
        for (let at = 0; at < stream.length; at += meter.fed) {
          expect(meter.feed(stream.subarray(at), allowed)).toBeUndefined();
          expect(meter.fed).toBeGreaterThan(0);
          expect(ends).toContain(at + meter.fed);
          expect(meter.publishes).toBeLessThanOrEqual(allowed.messages);
          publishes += meter.publishes;
        }
        expect(publishes).toBe(packets.filter((bytes) => (bytes[0] as number) >> 4 === 3).length);
      }),
    );
  });

  it('reports an oversized packet from its header, before one byte of its body', () => {
    const meter = new PacketMeter(LIMIT);
    expect(meter.feed(Buffer.concat([Buffer.of(0x30), lengthField(LIMIT)]))).toBeUndefined();
    expect(meter.feed(Buffer.alloc(LIMIT))).toBeUndefined();
    expect(meter.feed(Buffer.of(0x30))).toBeUndefined();
    expect(meter.feed(lengthField(LIMIT + 1))).toEqual({ reason: 'oversized_packet', message: `a packet of ${LIMIT + 1} bytes` });
  });

  it('reports the largest length MQTT can write', () => {
    expect(new PacketMeter(LIMIT).feed(Buffer.from('30ffffff7f', 'hex'))?.reason).toBe('oversized_packet');
    expect(new PacketMeter(2 ** 28).feed(Buffer.from('30ffffff7f', 'hex'))).toBeUndefined();
  });
});
