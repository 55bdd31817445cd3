/** When to try again. Chance and time are handed in, so that a test can say what happens. */

import { setTimeout as delayed } from 'node:timers/promises';
import { Millis, Seconds } from '../quantity.ts';

export type RetryOptions = Readonly<{
  /** Longest delay after the first failure; it doubles with every further one. Default 1 s. */
  base?: Millis;
  /** Longest delay ever. Default 60 s. */
  cap?: Millis;
  /** Shortest delay, so that chance never makes a busy loop. Default 100 ms. */
  floor?: Millis;
  /** How long the link must have worked without a failure before doubling starts again from `base`. Default 10 s. */
  stableAfter?: Millis;
}>;

/** Time as a relay sees it. */
export type RelayTime = Readonly<{
  /** A clock that only goes forward; where it starts has no meaning. */
  now(): Millis;
  /** Resolves after `delay`, or at once when the signal is aborted. MUST NOT reject. */
  sleep(delay: Millis, signal: AbortSignal): Promise<void>;
}>;

/** The machine's own time. */
export const systemTime: RelayTime = {
  now: () => Millis(performance.now()),
  sleep: async (delay, signal) => {
    await delayed(delay, undefined, { signal }).catch(() => undefined);
  },
};

/**
 * Exponential backoff with full jitter: the n-th failure in a row, counted from 0, waits random(0, min(cap, base · 2^n)).
 * One success does not end the row: a link that works for a moment and fails again is not a working link, and a
 * hospital that is coming back must not be met by every gateway at once.
 */
export class RetrySchedule {
  readonly #base: Millis;
  readonly #cap: Millis;
  readonly #floor: Millis;
  readonly #stableAfter: Millis;
  readonly #random: () => number;
  readonly #now: () => Millis;
  #failures = 0;
  #workingSince: Millis | undefined;

  /** `random()` gives numbers from 0 up to, not including, 1. */
  constructor(options: RetryOptions, random: () => number, now: () => Millis) {
    this.#base = options.base ?? Seconds(1);
    this.#cap = options.cap ?? Seconds(60);
    this.#floor = options.floor ?? Millis(100);
    this.#stableAfter = options.stableAfter ?? Seconds(10);
    this.#random = random;
    this.#now = now;
  }

  /** Something went through. */
  worked(): void {
    this.#workingSince ??= this.#now();
  }

  /** Something failed that may mend itself. Returns how long to wait before trying again. */
  failed(): Millis {
    if (this.#workingSince !== undefined && this.#now() - this.#workingSince >= this.#stableAfter) this.#failures = 0;
    this.#workingSince = undefined;
    const ceiling = Math.min(this.#cap, this.#base * 2 ** this.#failures);
    this.#failures += 1;
    return this.#atLeastFloor(this.#random() * ceiling);
  }

  /** Something failed that a person has to mend. Returns how long to wait: from half of the cap to all of it. */
  refused(): Millis {
    this.#workingSince = undefined;
    return this.#atLeastFloor(this.#cap * (0.5 + this.#random() / 2));
  }

  #atLeastFloor(delay: number): Millis {
    return Millis(Math.max(Math.min(this.#floor, this.#cap), Math.round(delay)));
  }
}
