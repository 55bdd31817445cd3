import type { Bytes, Millis } from '../quantity.ts';
import { TokenBucket } from '../token-bucket.ts';

/** The most that may be handed on at once: PUBLISH packets, and bytes of all packets. Both at least 1. */
export type Allowance = Readonly<{ messages: number; bytes: number }>;

export const UNLIMITED: Allowance = { messages: Infinity, bytes: Infinity };

export type PaceOptions = Readonly<{
  /** Messages a second, on average. */
  maxRate: number;
  /** Bytes a second, on average. At least as many as the largest message has, or that message would be late. */
  maxRateBytes: Bytes;
  now: Millis;
}>;

const BURST_SECONDS = 2;
/** Handed on at a time once the burst is used up: often enough for short waits, seldom enough for one fsync to serve many. */
const PORTION_SECONDS = 0.05;

/** How fast one device may publish, over all its connections together. Who is faster waits, and loses nothing. */
export class Pace {
  readonly #portion: Allowance;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor({ maxRate, maxRateBytes, now }: PaceOptions) {
    this.#portion = { messages: Math.ceil(maxRate * PORTION_SECONDS), bytes: Math.ceil(maxRateBytes * PORTION_SECONDS) };
    this.#messages = new TokenBucket({ rate: maxRate, burst: maxRate * BURST_SECONDS, now });
    this.#bytes = new TokenBucket({ rate: maxRateBytes, burst: maxRateBytes * BURST_SECONDS, now });
  }

  /** What a connection may hand on now, having waited as long as it was told. */
  allowance(now: Millis): Allowance {
    return {
      messages: Math.max(this.#portion.messages, Math.floor(this.#messages.level(now))),
      bytes: Math.max(this.#portion.bytes, Math.floor(this.#bytes.level(now))),
    };
  }

  /** Counts what a connection handed on, and returns how long it has to wait: 0 to 1000 ms. */
  count(messages: number, bytes: number, now: Millis): Millis {
    const forMessages = this.#messages.take(messages, now);
    const forBytes = this.#bytes.take(bytes, now);
    return forMessages > forBytes ? forMessages : forBytes;
  }
}
