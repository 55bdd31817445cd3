import { Millis } from './quantity.ts';

/** Who owes more than this has owed enough: a pause is never longer. */
const LONGEST_WAIT_SECONDS = 1;

/**
 * A token bucket: `rate` tokens a second flow in, at most `burst` are kept, and it begins full. The clock is an argument:
 * milliseconds that never go back.
 *
 * Whoever waits after every `take` as long as it says, and takes no more than a second's worth at a time, MUST have taken no
 * more than `burst + rate × seconds` whenever a wait is over. A bucket that several take from may owe more than a second's
 * worth; what is beyond is forgiven, so that nobody waits for longer than a second.
 */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #level: number;
  #at: Millis;

  constructor(options: Readonly<{ rate: number; burst: number; now: Millis }>) {
    this.#rate = options.rate;
    this.#burst = options.burst;
    this.#level = options.burst;
    this.#at = options.now;
  }

  /** Tokens that can be taken without waiting; negative while somebody has to wait. */
  level(now: Millis): number {
    this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    return this.#level;
  }

  /** Takes tokens, there or not, and returns how long to wait until they are paid for: 0 to 1000 ms. */
  take(tokens: number, now: Millis): Millis {
    this.#level = Math.max(this.level(now) - tokens, -this.#rate * LONGEST_WAIT_SECONDS);
    return Millis(this.#level >= 0 ? 0 : (-this.#level / this.#rate) * 1000);
  }
}
