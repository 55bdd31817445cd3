/**
 * The memory of a device: messages that nobody has acknowledged yet, bounded, oldest overwritten first.
 */

export type BufferedMessage = {
  /** The device's own counter. */
  readonly seq: number;
  readonly payload: Buffer;
  /** Handed to a connection at least once, so the next time is a repetition. */
  sent: boolean;
};

/**
 * Messages by ascending `seq`, without gaps when pushed. The promise: a message MUST leave only by
 * {@link RingBuffer.acknowledge} or by being overwritten when the buffer is full, and every overwriting is counted.
 */
export class RingBuffer {
  readonly capacity: number;
  readonly #messages = new Map<number, BufferedMessage>();
  #oldest: number;
  #next: number;
  #overwritten = 0;

  /** @param capacity messages, at least 1. @param firstSequence `seq` of the first message, at least 1. */
  constructor(capacity: number, firstSequence = 1) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError(`capacity ${capacity}: expected a whole number from 1`);
    if (!Number.isSafeInteger(firstSequence) || firstSequence < 1) {
      throw new RangeError(`first sequence ${firstSequence}: expected a whole number from 1`);
    }
    this.capacity = capacity;
    this.#oldest = firstSequence;
    this.#next = firstSequence;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** `seq` of the oldest message held; equal to {@link next} when the buffer is empty. */
  get oldest(): number {
    return this.#oldest;
  }

  /** `seq` the next message will get. */
  get next(): number {
    return this.#next;
  }

  /** How many messages were overwritten before their acknowledgement was seen. */
  get overwritten(): number {
    return this.#overwritten;
  }

  /** Takes the next number, stores what `encode` makes of it, and returns the number. */
  push(encode: (seq: number) => Buffer): number {
    const seq = this.#next;
    const payload = encode(seq);
    if (this.#messages.size === this.capacity) this.#overwriteOldest();
    this.#messages.set(seq, { seq, payload, sent: false });
    this.#next = seq + 1;
    return seq;
  }

  get(seq: number): BufferedMessage | undefined {
    return this.#messages.get(seq);
  }

  /** Releases a message; false when it was not held (overwritten meanwhile, or acknowledged before). */
  acknowledge(seq: number): boolean {
    const held = this.#messages.delete(seq);
    this.#settleOldest();
    return held;
  }

  #overwriteOldest(): void {
    this.#messages.delete(this.#oldest);
    this.#overwritten += 1;
    this.#settleOldest();
  }

  #settleOldest(): void {
    while (this.#oldest < this.#next && !this.#messages.has(this.#oldest)) this.#oldest += 1;
  }
}
