import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../gateway/store/checksum.ts';

const bytes = fc.uint8Array({ maxLength: 64 });

/** CRC-32 of ISO 3309, bit by bit. */
function naiveCrc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('the checksum of a record', () => {
  it('is the CRC-32 over key and value, before the value', () => {
    fc.assert(fc.property(bytes, bytes, (key, value) => {
      const record = seal(key, value);
      expect(record.readUInt32BE(0)).toBe(naiveCrc32(Buffer.concat([key, value])));
      expect(record.subarray(4)).toEqual(Buffer.from(value));
      expect(unseal(key, record)).toEqual(Buffer.from(value));
    }));
  });

  it('finds every single turned bit, in key and in record', () => {
    const key = Buffer.from('J12345678');
    const record = seal(key, Buffer.from('some frames'));
    const turned = (from: Buffer, bit: number): Buffer => {
      const copy = Buffer.from(from);
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      return copy;
    };
    for (let bit = 0; bit < record.length * 8; bit++) expect(() => unseal(key, turned(record, bit))).toThrow(
      expect.objectContaining({ code: 'VG_STORE_CORRUPT' })
    );
    for (let bit = 0; bit < key.length * 8; bit++) expect(() => unseal(turned(key, bit), record)).toThrow(
      expect.objectContaining({ code: 'VG_STORE_CORRUPT' })
    );
  });
});
