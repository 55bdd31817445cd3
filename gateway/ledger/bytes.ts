/** Hashing, comparing and printing bytes, for every module of this room. */

import { hash } from 'node:crypto';

/** Length of every hash in the chain, in bytes. */
export const HASH_BYTES = 32;

/**
 * SHA-256 (FIPS 180-4) as a string of 32 Latin-1 characters, one for each byte: what Node is quickest to hand over. Asked
 * for bytes, it allocates memory outside its heap, which takes three times as long as hashing a short input.
 */
export function sha256Latin1(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary');
}

/** SHA-256 (FIPS 180-4). */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = Buffer.from(sha256Latin1(bytes), 'latin1');
  return new Uint8Array(digest.buffer, digest.byteOffset, HASH_BYTES);
}

/** Whether both hold the same bytes. Not constant in time: everything compared in this room is public. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
