import { RootAccumulator } from '../ledger/merkle.ts';
import { MiB, type Bytes, type UnixMillis } from '../quantity.ts';
import type { AcceptedFrame, Sequence } from '../reading.ts';

/** A window closes at this many frames at the latest: it bounds memory and what a restart derives again. */
const MAX_FRAMES = 4096;
const MAX_BYTES: Bytes = MiB(1);

/**
 * What evidence hashes for one frame, so that a single frame can be shown later without showing its neighbours:
 *
 *     salt (32) ‖ sequence (8, big endian) ‖ frame bytes (frame-codec.ts)
 *
 * It is one leaf of the window's RFC 9162 tree; the salt keeps a reading from being guessed from its hash.
 */
export function evidenceLeaf(salt: Uint8Array, accepted: AcceptedFrame): Uint8Array {
  return prefixedLeaf(salt, accepted).subarray(1);
}

/** The same behind the 00 that marks a leaf, as it is hashed. */
function prefixedLeaf(salt: Uint8Array, { sequence, bytes }: AcceptedFrame): Buffer {
  const leaf = Buffer.allocUnsafe(1 + salt.length + 8 + bytes.length);
  leaf[0] = 0;
  leaf.set(salt, 1);
  // The upper half by division: a sequence is below 2^53.
  leaf.writeUInt32BE(Math.floor(sequence / 2 ** 32), 1 + salt.length);
  leaf.writeUInt32BE(sequence % 2 ** 32, 5 + salt.length);
  leaf.set(bytes, 9 + salt.length);
  return leaf;
}

/** A run of journal frames that will be covered by one evidence entry. */
export class Window {
  readonly #leaves = new RootAccumulator();
  #first: Sequence | undefined;
  #last: AcceptedFrame | undefined;
  #size = 0;
  /** `messages` are frames from devices; the others are about those. */
  readonly counts = { messages: 0, readings: 0, duplicates: 0, quarantined: 0 };

  addFrame(accepted: AcceptedFrame, salt: Uint8Array): void {
    this.#first ??= accepted.sequence;
    this.#last = accepted;
    this.#leaves.add(prefixedLeaf(salt, accepted));
    this.#size += accepted.bytes.length;
    if (accepted.frame.device !== '') this.counts.messages += 1;
  }

  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  get isFull(): boolean {
    return this.#leaves.size >= MAX_FRAMES || this.#size >= MAX_BYTES;
  }

  /** First and last frame; only for a window that holds one. */
  get span(): Readonly<{ first: Sequence; last: Sequence; time: UnixMillis }> | undefined {
    if (this.#first === undefined || this.#last === undefined) return undefined;
    return { first: this.#first, last: this.#last.sequence, time: this.#last.frame.receivedAt };
  }

  get root(): Uint8Array {
    return this.#leaves.root;
  }
}
