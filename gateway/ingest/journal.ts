import type { StoreError } from '../errors.ts';
import type { Bytes } from '../quantity.ts';
import type { FrameRun, Sequence } from '../reading.ts';

/**
 * The durable, ordered record of everything that reached the gateway: the seam between the accepting and the deriving
 * loop, the evidence behind every entry, and what a crash is recovered from.
 */
export interface Journal {
  /** The sequence the next frame will get; 1 for a new journal. Known at opening without reading the backlog. */
  readonly next: Sequence;

  /**
   * Appends encoded frames (frame-codec.ts) as one record with one fsync, and returns the sequence of the first. `keys`, one for each
   * frame: the id of the key (vault/keyring.ts) it is to lie under.
   * MUST NOT resolve before all of them would survive a power cut. Rejects with {@link StoreError} if that cannot be
   * promised; `next` is then unchanged and the frames count as never accepted. `VG_STORE_CLOSED` means that this journal
   * never takes a frame again and must be opened anew. Calls MUST NOT overlap.
   */
  append(frames: readonly Uint8Array[], keys: readonly string[]): Promise<Sequence>;

  /**
   * The frames from `from` on, in order, whole records at a time until `limit` bytes are passed; undefined when `from`
   * is not written yet. Throws {@link StoreError} `VG_STORE_CORRUPT` on a record that fails its checksum or leaves a gap.
   */
  read(from: Sequence, limit: Bytes): Promise<FrameRun | undefined>;

  /** Resolves when a synced write succeeded, rejects with {@link StoreError} as {@link Journal.append} otherwise. Changes nothing. */
  probe(): Promise<void>;
}

/** A journal whose frames can be destroyed, or be lost with a disk. */
export interface ErasableJournal extends Journal {
  /**
   * Goes on after a frame that is not here: those up to it were lost, and read as erased ones of which nothing is known. Does nothing where the
   * journal is there already. Durable when it resolves. MUST NOT overlap an append.
   */
  continueAfter(last: Sequence): Promise<void>;

  /**
   * Takes what lies under these keys out of all records before `end`, for good; what evidence hashed of the frames stays. To be done again
   * when it was interrupted, and before the keys are destroyed. `onProgress` hears up to which frame. Returns how many frames there were.
   */
  erase(keys: ReadonlySet<string>, end: Sequence, onProgress: (sequence: number) => void): Promise<number>;
}


/** What was made smaller: records and bytes before and after. */
export type Folded = Readonly<{ frames: number; bytesBefore: number; bytesAfter: number }>;

/** A journal that makes room on its disk. */
export interface TidyJournal extends ErasableJournal {
  /**
   * Puts records before `end` together and compresses them, a piece at a time; what they say stays as it is, and evidence holds. Returns undefined
   * when there is nothing more to be done. A power cut leaves a piece as it was, or folded.
   */
  fold(end: Sequence): Promise<Folded | undefined>;

  /**
   * Takes the oldest frames out for good, up to `through` and at most `limit` bytes of records; they read as lost ones. MUST NOT be called for
   * frames that derivation may still need. Durable when it resolves. Returns which frames went; undefined when none did.
   */
  drop(through: Sequence, limit: Bytes): Promise<Readonly<{ first: Sequence; last: Sequence; bytes: Bytes }> | undefined>;

  /** The first frame that was not dropped. */
  readonly oldest: Sequence;
}
