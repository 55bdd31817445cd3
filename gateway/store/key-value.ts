/**
 * The one thing a storage engine must offer: an ordered map of bytes with atomic, optionally synced writes. Journal,
 * block store and the others are written once over this contract (see journal-store.ts and its neighbours), so an
 * engine is a page of code and one suite proves all of it (test/contract/).
 */

import type { StoreError } from '../errors.ts';

export type Put = Readonly<{ key: Uint8Array; value: Uint8Array }>;
export type Delete = Readonly<{ key: Uint8Array; value?: undefined }>;
export type Change = Put | Delete;

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
   * next synced write. Rejects with {@link StoreError} `VG_STORE_WRITE`; then nothing may be assumed about the changes, and
   * every later write MUST be refused too, for what would follow a torn record is lost on recovery: with `VG_STORE_WRITE`
   * while the disk takes nothing, with `VG_STORE_CLOSED` as soon as opening the store anew would help.
   */
  write(changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void>;

  /** Records in key order as of the moment iteration begins. Holds no more than a page of them in memory. */
  range(bounds: RangeBounds): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;

  /** Merges what was deleted or replaced between two keys out of the files, as far as that is possible while it runs. */
  compact(bounds: Pick<RangeBounds, 'gte' | 'lt'>): Promise<void>;

  /** Waits for writes under way, then releases files and locks. Later calls, and iterations that go on, throw `VG_STORE_CLOSED`. */
  close(): Promise<void>;
}
