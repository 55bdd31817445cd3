/**
 * Proof of work: a chain may demand that every block hash starts with a number of zero bits. A permissioned chain sets 0.
 * Searching takes 2^bits hashes on average, checking takes one.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { InternalError } from '../errors.ts';
import { sha256 } from './bytes.ts';

/** Hours of searching for one block on fast hardware: more is surely a mistyped number. */
export const MAX_WORK_BITS = 32;
/** Length of the nonce: more than any search can use up, and always the same, so that the header's length does not change. */
export const WORK_NONCE_BYTES = 8;

/** How many bits are 0 before the first 1, from the most significant bit of the first byte. */
export function leadingZeroBits(hash: Uint8Array): number {
  const first = hash.findIndex((byte) => byte !== 0);
  return first < 0 ? hash.length * 8 : first * 8 + Math.clz32(hash[first] as number) - 24;
}

export type MiningOptions = Readonly<{
  /** Hashes tried before the event loop gets a turn. Default 2,000, about 4 ms of work. */
  hashesPerTurn?: number;
  /** Called between turns with the number of hashes tried; the search goes on when it resolves. Default: one turn of the event loop. */
  pause?: (tried: number) => Promise<void>;
  /** Aborting it ends the search; the promise is then rejected with the signal's reason. Default: never. */
  signal?: AbortSignal;
}>;

function tryNonces(header: Uint8Array, nonce: DataView, work: number, first: number, end: number): boolean {
  for (let tried = first; tried < end; tried++) {
    nonce.setBigUint64(0, BigInt(tried));
    if (leadingZeroBits(sha256(header)) >= work) return true;
  }
  return false;
}

/**
 * Searches the nonce at `offset` of the encoded header, 8 bytes big-endian from 0 upwards, until the header's hash has `work`
 * leading zero bits, and leaves it in place. The event loop is never held for longer than one turn.
 */
export async function mine(header: Uint8Array, offset: number, work: number, options: MiningOptions = {}): Promise<void> {
  const { hashesPerTurn = 2000, pause = () => nextTurn(), signal } = options;
  const nonce = new DataView(header.buffer, header.byteOffset + offset, WORK_NONCE_BYTES);
  for (let tried = 0; tried < Number.MAX_SAFE_INTEGER; tried += hashesPerTurn) {
    signal?.throwIfAborted();
    if (tryNonces(header, nonce, work, tried, tried + hashesPerTurn)) return;
    await pause(tried + hashesPerTurn);
  }
  throw new InternalError(`no nonce gives ${work} zero bits`);
}
