import type { Lane } from '../reading.ts';

/** How far one hospital has countersigned one lane. */
export type RelayCursor = Readonly<{
  height: number;
  /** Hash of our block at `height`: 32 bytes. A height alone would not notice that the chain below it was exchanged. */
  hash: Uint8Array;
  /** The hospital's receipt for that block, verified before the cursor was saved. It covers every block below. */
  receipt: Uint8Array;
}>;

/** Keeps one cursor for each hospital and lane. Throws {@link StoreError}. */
export interface RelayCursors {
  /** `hospital`: the 16-byte fingerprint of its key. */
  load(hospital: Uint8Array, lane: Lane): Promise<RelayCursor | undefined>;

  /**
   * Replaces the cursor. It MUST survive the death of the process; it need not survive a power cut, because a lost
   * cursor is found again by asking the hospital for its head.
   */
  save(hospital: Uint8Array, lane: Lane, cursor: RelayCursor): Promise<void>;
}
