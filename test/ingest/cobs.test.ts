import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_ENCODED_PACKET, MAX_PACKET_PAYLOAD, MAX_PACKET_SEQUENCE,
  cobsDecode, cobsEncode, crc16, decodePacket, encodeAck, encodeNack, encodePacket, type Packet,
} from '../../gateway/ingest/cobs.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { mutated } from '../decode/mutations.ts';
import { fuzzRuns, fuzzTimeout, tellFuzz } from '../fuzz-runs.ts';
import { naiveCrc } from './naive-crc.ts';

const hex = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString('hex'));
const bytesOf = (text: string): Buffer => Buffer.from(text, 'hex');
const run = (from: number, to: number): Buffer => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i));

/** The naive twin: cuts the text of the bytes at each 00, then each piece into 254 bytes. */
function naiveEncode(bytes: Uint8Array): string {
  const pieces = [...bytes].join(' ').split(/(?:^| )0(?= |$)/).map((piece) => piece.trim().split(' ').filter((byte) => byte !== '').map(Number));
  const blocks = pieces.flatMap((piece, i) => {
    const full: number[][] = [];
    let rest = piece;
    while (rest.length > 254) {
      full.push([255, ...rest.slice(0, 254)]);
      rest = rest.slice(254);
    }
    const isLast = i === pieces.length - 1;
    // A full block before a 00 needs an empty one to stand for it; at the end it needs nothing.
    const end = rest.length < 254 ? [[rest.length + 1, ...rest]] : [[255, ...rest], ...(isLast ? [] : [[1]])];
    return [...full, ...end];
  });
  return Buffer.from(blocks.flat()).toString('hex');
}

const byte = fc.oneof(fc.constant(0), fc.nat(255));
const anyBytes = fc.oneof(
  fc.array(byte, { maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ minLength: 240, maxLength: 520, min: 1 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.integer({ min: 250, max: 258 }), fc.array(byte, { maxLength: 4 }), fc.integer({ min: 250, max: 258 }))
    .map(([n, between, m]) => Buffer.concat([Buffer.alloc(n, 7), Buffer.from(between), Buffer.alloc(m, 9)])),
);

describe('COBS', () => {
  it.each([
    ['', '01'], ['00', '0101'], ['0000', '010101'], ['001100', '01021101'], ['11220033', '0311220233'],
    ['11223344', '0511223344'], ['11000000', '0211010101'],
  ])('%j is %j', (plain, encoded) => {
    expect(hex(cobsEncode(bytesOf(plain)))).toBe(encoded);
    expect(hex(cobsDecode(bytesOf(encoded)))).toBe(plain);
  });

  it.each([
    ['254 bytes without 00', run(1, 254), Buffer.concat([bytesOf('ff'), run(1, 254)])],
    ['00 and 254 bytes', Buffer.concat([bytesOf('00'), run(1, 254)]), Buffer.concat([bytesOf('01ff'), run(1, 254)])],
    ['255 bytes without 00', run(1, 255), Buffer.concat([bytesOf('ff'), run(1, 254), bytesOf('02ff')])],
    ['254 bytes and 00', Buffer.concat([run(1, 254), bytesOf('00')]), Buffer.concat([bytesOf('ff'), run(1, 254), bytesOf('0101')])],
    ['253 bytes and 00 and one', Buffer.concat([run(3, 255), bytesOf('0001')]), Buffer.concat([bytesOf('fe'), run(3, 255), bytesOf('0201')])],
  ])('holds at the edge of a block: %s', (_, plain, encoded) => {
    expect(hex(cobsEncode(plain))).toBe(hex(encoded));
    expect(hex(cobsDecode(encoded))).toBe(hex(plain));
  });

  it('reads a full last block with or without the empty one that some encoders add', () => {
    const encoded = cobsEncode(run(1, 254));
    expect(hex(cobsDecode(Buffer.concat([encoded, bytesOf('01')])))).toBe(hex(run(1, 254)));
  });

  it('encodes as its naive twin, without 00, and decodes to the same', () => {
    fc.assert(fc.property(anyBytes, (bytes) => {
      const encoded = cobsEncode(bytes);
      expect(hex(encoded)).toBe(naiveEncode(bytes));
      expect(encoded.includes(0)).toBe(false);
      expect(encoded.length).toBeLessThanOrEqual(bytes.length + Math.floor(bytes.length / 254) + 1);
      expect(hex(cobsDecode(encoded))).toBe(hex(bytes));
    }), { numRuns: 2000 });
  });

  it.each([
    ['nothing', ''], ['a block that is cut', '0511'], ['a 00 inside', '03110011'], ['only a 00', '00'], ['a last block that is cut', '021105'],
  ])('refuses %s', (_, encoded) => {
    expect(cobsDecode(bytesOf(encoded))).toBeUndefined();
  });

  it('decodes any bytes or refuses them', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const decoded = cobsDecode(bytes);
      expect(decoded === undefined || decoded.length < bytes.length).toBe(true);
    }));
  });
});

describe('the CRC', () => {
  it('is CRC-16/CCITT-FALSE', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0x29b1);
    expect(crc16(new Uint8Array(0))).toBe(0xffff);
  });

  it('is what bit by bit division gives', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(crc16(bytes)).toBe(naiveCrc(bytes));
    }));
  });
});

const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({ type: fc.constant('data' as const), sequence: fc.nat(MAX_PACKET_SEQUENCE), payload: fc.uint8Array({ maxLength: 600 }) }),
  fc.record({ type: fc.constantFrom('ack' as const, 'nack' as const), sequence: fc.nat(MAX_PACKET_SEQUENCE), payload: fc.constant(new Uint8Array(0)) }),
);

describe('a packet', () => {
  it('has the bytes its description says', () => {
    expect(hex(encodeAck(0x1234))).toBe(`06021234${(crc16(bytesOf('021234'))).toString(16).padStart(4, '0')}00`);
    expect(hex(encodePacket({ type: 'data', sequence: 0, payload: Buffer.from('hi') }))).toBe('020101056869c45100');
  });

  it('comes back as it was sent', () => {
    fc.assert(fc.property(packet, (sent) => {
      const wire = encodePacket(sent);
      expect(wire.indexOf(0)).toBe(wire.length - 1);
      expect(decodePacket(wire.subarray(0, -1))).toEqual(sent);
    }));
  });

  it('is never taken for another after up to three of its bits were flipped', () => {
    const flips = fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 3, selector: (n) => n % 64 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3 }), flips, (payload, places) => {
      const bytes = Buffer.from(cobsDecode(encodePacket({ type: 'data', sequence: 1, payload }).subarray(0, -1)) ?? []);
      for (const bit of new Set(places.map((place) => place % (bytes.length * 8)))) {
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      }
      expect(decodePacket(cobsEncode(bytes))).toBe('bad_checksum');
    }), { numRuns: 2000 });
  });

  it('may have the largest payload, and no larger one', () => {
    const largest = { type: 'data', sequence: MAX_PACKET_SEQUENCE, payload: new Uint8Array(MAX_PACKET_PAYLOAD).fill(1) } as const;
    const wire = encodePacket(largest);
    expect(wire.length - 1).toBeLessThanOrEqual(MAX_ENCODED_PACKET);
    expect(decodePacket(wire.subarray(0, -1))).toEqual(largest);
    expect(() => encodePacket({ ...largest, payload: new Uint8Array(MAX_PACKET_PAYLOAD + 1) })).toThrow(RangeError);
    const tooLong = Buffer.concat([bytesOf('010000'), Buffer.alloc(MAX_PACKET_PAYLOAD + 1, 1), Buffer.alloc(2)]);
    tooLong.writeUInt16BE(crc16(tooLong.subarray(0, -2)), tooLong.length - 2);
    expect(decodePacket(cobsEncode(tooLong))).toBe('malformed_frame');
  });

  it.each([-1, 65_536, 1.5, Number.NaN])('has no sequence %d', (sequence) => {
    expect(() => encodeAck(sequence)).toThrow(RangeError);
  });

  const sealed = (text: string): Buffer => {
    const bytes = bytesOf(text);
    const crc = Buffer.alloc(2);
    crc.writeUInt16BE(crc16(bytes));
    return Buffer.from(cobsEncode(Buffer.concat([bytes, crc])));
  };

  it.each([
    ['of an unknown type', sealed('040001')], ['of type 0', sealed('000001')], ['an ack with a payload', sealed('02000141')],
    ['without a sequence', sealed('0100')], ['of no bytes', bytesOf('01')],
  ])('is malformed: %s', (_, encoded) => {
    expect(decodePacket(encoded)).toBe('malformed_frame');
  });

  it('answers with the sequence it answers to', () => {
    expect(decodePacket(encodeAck(65_535).subarray(0, -1))).toEqual({ type: 'ack', sequence: 65_535, payload: new Uint8Array(0) });
    expect(decodePacket(encodeNack(0).subarray(0, -1))).toEqual({ type: 'nack', sequence: 0, payload: new Uint8Array(0) });
  });

  it('never crashes the reader', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const read = decodePacket(bytes);
      expect(typeof read === 'string' || read.payload.length <= bytes.length).toBe(true);
    }));
  });
});

describe('a packet that was damaged', () => {
  const textOf = ({ type, sequence, payload }: Packet): string => `${type} ${sequence} ${hex(payload)}`;

  it('is refused, unless it is a good one again or another with the same CRC', { timeout: fuzzTimeout(fuzzRuns(20_000)) }, () => {
    const payloads = ['', '{"seq":1,"measurement":"spo2","value":97,"unit":"%"}', '\0\0\0', 'x'.repeat(253), `${'y'.repeat(254)}\0`];
    const packets = payloads.map((text, i): Packet => ({ type: 'data', sequence: 256 * i, payload: Buffer.from(text) }));
    const good = new Set(packets.map(textOf));
    const samples = [...packets.map(encodePacket), encodeAck(7), encodeNack(8)].map((wire) => ({ topic: '', payload: wire.subarray(0, -1), receivedAt: UnixMillis(0) }));
    let collisions = 0;
    fc.assert(fc.property(mutated(samples), ({ payload: encoded }) => {
      const accepted = decodePacket(encoded);
      if (typeof accepted === 'string' || accepted.type !== 'data' || good.has(textOf(accepted))) return;
      expect(naiveCrc(cobsDecode(encoded) ?? [])).toBe(0);
      collisions += 1;
    }), { numRuns: fuzzRuns(20_000) });
    tellFuzz(`cobs: ${fuzzRuns(20_000)} packets, ${collisions} others that keep the CRC`);
    expect(collisions).toBeLessThanOrEqual(5 + fuzzRuns(20_000) / 1000);
  });
});
