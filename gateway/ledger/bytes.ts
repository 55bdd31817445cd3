/** Hashing, comparing and printing bytes, for every module of this room. */

import { hash } from 'node:crypto';

/** Length of every hash in the chain, in bytes. */
export const HASH_BYTES = 32;

/** SHA-256 (FIPS 180-4) through the one-shot call of `node:crypto`, which is the fastest for short inputs. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = hash('sha256', bytes, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength);
}

/** Whether both hold the same bytes. Not constant in time: everything compared in this room is public. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
