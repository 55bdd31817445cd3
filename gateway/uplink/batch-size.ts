import { Bytes, KiB, type Millis, Seconds } from '../quantity.ts';

/** Most blocks and bytes that travel together. One block may be longer, and travels alone. */
export const MOST_BLOCKS = 100;
const LARGEST = KiB(256);
const SMALLEST = KiB(4);
const FIRST = KiB(32);
/** How long a batch may hold a slow link: what is more urgent waits behind it. */
const GOAL: Millis = Seconds(1);

/** How many bytes to send together, by how fast the last ones went. It at most doubles, and halves when one did not get there. */
export class BatchSize {
  #bytes: number = FIRST;

  get bytes(): Bytes {
    return Bytes(this.#bytes);
  }

  /** `size` bytes were answered after `took`. */
  worked(size: Bytes, took: Millis): void {
    const atThisPace = (size / Math.max(took, 1)) * GOAL;
    // A short batch says how long a round trip takes, not how fast the link is.
    if (took <= GOAL && size * 2 < this.#bytes) return;
    this.#bytes = within(Math.min(atThisPace, this.#bytes * 2));
  }

  failed(): void {
    this.#bytes = within(this.#bytes / 2);
  }
}

const within = (bytes: number): number => Math.round(Math.max(SMALLEST, Math.min(LARGEST, bytes)));
