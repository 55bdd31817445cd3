/** When entries waiting in a lane become a block, and how many of them. It decides from numbers; the caller owns the timer. */

import type { Lane } from '../reading.ts';
import { type Bytes, KiB, Millis, Seconds } from '../quantity.ts';
import { MAX_BLOCK_ENTRIES } from './block.ts';

export type SealPolicy = Readonly<{
  /** Entries that fill a block of the record lane, and the most in a block of either lane. Default 1,000. */
  entries: number;
  /** Bytes of entries that fill a block of the record lane, and the most in a block of more than one entry. Default 64 KiB. */
  bytes: Bytes;
  /** Longest wait of an entry of the record lane for its block to fill. Default 5 s. */
  age: Millis;
}>;

export const DEFAULT_SEAL_POLICY: SealPolicy = { entries: 1000, bytes: KiB(64), age: Seconds(5) };

/** What waits in one lane. */
export type Pending = Readonly<{ entries: number; bytes: Bytes; oldestAge: Millis }>;

/**
 * How long until the lane must be sealed: 0 for now, undefined while nothing waits. The alarm lane never waits for
 * company; the record lane waits until a block is full or its oldest entry is old enough.
 */
export function dueIn(pending: Pending, lane: Lane, policy: SealPolicy = DEFAULT_SEAL_POLICY): Millis | undefined {
  if (pending.entries === 0) return undefined;
  if (lane === 'alarm' || pending.entries >= policy.entries || pending.bytes >= policy.bytes) return Millis(0);
  return Millis(Math.max(0, policy.age - pending.oldestAge));
}

/**
 * How many of the waiting entries, oldest first and given by their sizes in bytes, make the next block: as many as the
 * policy's limits allow, and at least one.
 */
export function nextBlockLength(sizes: Iterable<number>, policy: SealPolicy = DEFAULT_SEAL_POLICY): number {
  const most = Math.min(policy.entries, MAX_BLOCK_ENTRIES);
  let [count, bytes] = [0, 0];
  for (const size of sizes) {
    bytes += size;
    if (count > 0 && (count >= most || bytes > policy.bytes)) break;
    count++;
  }
  return count;
}
