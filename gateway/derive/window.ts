import { evidenceLeaf } from '../frame-codec.ts';
import { RootAccumulator } from '../ledger/merkle.ts';
import { MiB, type Bytes, type UnixMillis } from '../quantity.ts';
import type { AcceptedFrame, Sequence } from '../reading.ts';

/** A window closes at this many frames at the latest: it bounds memory and what a restart derives again. */
const MAX_FRAMES = 4096;
const MAX_BYTES: Bytes = MiB(1);

/** A run of journal frames that will be covered by one evidence entry. */
export class Window {
  readonly #leaves = new RootAccumulator();
  #first: Sequence | undefined;
  #last: AcceptedFrame | undefined;
  #size = 0;
  /** `messages` are frames from devices; the others are about those. */
  readonly counts = { messages: 0, readings: 0, duplicates: 0, quarantined: 0 };

  addFrame(accepted: AcceptedFrame): void {
    this.#first ??= accepted.sequence;
    this.#last = accepted;
    this.#leaves.add(evidenceLeaf(accepted.sequence, accepted.bytes));
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
