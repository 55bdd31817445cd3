import { crc32 } from 'node:zlib';
import { StoreError } from '../errors.ts';

/**
 * What lies on disk for one record:
 *
 *     crc32 (4 bytes, big endian) ‖ value
 *
 * The CRC-32 (ISO 3309) covers key and value, so that a value which ended up under another key is noticed too. It is
 * there for failing flash, not for attackers: those meet the signatures and hashes of the ledger.
 */
export function seal(key: Uint8Array, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(4 + value.length);
  record.writeUInt32BE(crc32(value, crc32(key)), 0);
  record.set(value, 4);
  return record;
}

/** The value inside `record`. Throws {@link StoreError} `VG_STORE_CORRUPT` when the checksum does not fit. */
export function unseal(key: Uint8Array, record: Buffer): Buffer {
  const value = record.subarray(4);
  if (record.length < 4 || record.readUInt32BE(0) !== crc32(value, crc32(key))) {
    throw new StoreError(
      'VG_STORE_CORRUPT',
      `record ${Buffer.from(key).toString('hex')} fails its checksum: the disk returned other bytes than were written`,
    );
  }
  return value;
}
