/**
 * The one thing a storage engine must offer: an ordered map of bytes with atomic, optionally synced writes. Journal,
 * block store and the others are written once over this contract (see journal-store.ts and its neighbours), so an
 * engine is a page of code and one suite proves all of it (test/contract/).
 */

import type { StoreError } from '../errors.ts';

export type Put = Readonly<{ key: Uint8Array; value: Uint8Array }>;
export type Delete = Readonly<{ key: Uint8Array; value?: undefined }>;
export type Change = Put | Delete;

/** A value that takes the place of another: `from` undefined, of none. */
export type Swap = Readonly<{ key: Uint8Array; from: Uint8Array | undefined; to: Uint8Array }>;

export type RangeBounds = Readonly<{
  /** First key, included. */
  gte: Uint8Array;
  /** End key, excluded. */
  lt: Uint8Array;
  /** From the last key to the first. Default false. */
  reverse?: boolean;
  /** At most this many records. Default: all. */
  limit?: number;
}>;

export interface KeyValueStore {
  /** The value of `key`, or undefined. Throws {@link StoreError} `VG_STORE_CORRUPT` if its checksum does not fit. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>;

  /**
   * Applies all changes or none, in order. With `sync: true` the promise MUST NOT resolve before the changes would
   * survive a power cut; with `sync: false` they survive the death of the process, and are durable no later than the
   * next synced write. Rejects with {@link StoreError} `VG_STORE_WRITE`; then nothing may be assumed about the changes. An engine
   * with a log of its own, in which what follows a torn record is lost on recovery, MUST refuse every later write too: with
   * `VG_STORE_WRITE` while the disk takes nothing, with `VG_STORE_CLOSED` as soon as opening the store anew would help. An engine on a
   * server finds its way back by itself, and refuses with `VG_STORE_WRITE` until it has.
   */
  write(changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void>;

  /**
   * A synced write for what several callers change, in several processes too where the engine can be shared: if the value of `swap.key` is
   * `swap.from` it becomes `swap.to`, with all changes or not at all, and this resolves to true; else nothing is written, and it resolves to false. Of
   * callers who race from one value exactly one is told true. A key that is swapped MUST be changed in no other way, and not be among the changes.
   * Rejects as {@link write} does.
   */
  swap(swap: Swap, changes: readonly Change[]): Promise<boolean>;

  /** Records in key order as of the moment iteration begins. Holds no more than a page of them in memory. */
  range(bounds: RangeBounds): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;

  /** Merges what was deleted or replaced between two keys out of the files, as far as that is possible while it runs. */
  compact(bounds: Pick<RangeBounds, 'gte' | 'lt'>): Promise<void>;

  /** Waits for writes under way, then releases files and locks. Later calls, and iterations that go on, throw `VG_STORE_CLOSED`. */
  close(): Promise<void>;
}

/** Whether what was found is what was expected, nothing included. */
export const isValue = (found: Uint8Array | undefined, expected: Uint8Array | undefined): boolean =>
  found === undefined || expected === undefined ? found === expected : Buffer.compare(found, expected) === 0;
