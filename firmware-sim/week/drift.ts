/** The wandering and settling of random.ts over steps of any length: a week is lived in strides, not in seconds. */

import type { Random } from '../random.ts';

/** A value that wanders around zero and forgets its past with a time constant (Ornstein–Uhlenbeck, exact for every step). */
export class Drift {
  readonly #random: Random;
  readonly #deviation: number;
  readonly #timeConstant: number;
  #value: number;
  #at: number | undefined;

  /** @param deviation standard deviation in the unit of what wanders. @param timeConstant seconds. */
  constructor(deviation: number, timeConstant: number, random: Random) {
    this.#random = random;
    this.#deviation = deviation;
    this.#timeConstant = timeConstant;
    this.#value = deviation * random.gaussian();
  }

  /** The value at `seconds`, which MUST NOT go back between calls. */
  at(seconds: number): number {
    const keep = Math.exp(-(seconds - (this.#at ?? seconds)) / this.#timeConstant);
    if (keep < 1) this.#value = this.#value * keep + this.#deviation * Math.sqrt(1 - keep ** 2) * this.#random.gaussian();
    this.#at = seconds;
    return this.#value;
  }
}

/** `current` after `passed` seconds on its first-order way to `target`; `timeConstant` in seconds. */
export function settle(current: number, target: number, passed: number, timeConstant: number): number {
  return current + (target - current) * -Math.expm1(-passed / timeConstant);
}

/** Something that begins by chance and ends by chance: whether it is going on. */
export class Spells {
  readonly #random: Random;
  readonly #between: number;
  readonly #lasting: number;
  #on = false;
  #changesAt: number | undefined;

  /** @param between seconds from one to the next on average. @param lasting seconds that one lasts on average. */
  constructor(between: number, lasting: number, random: Random) {
    this.#random = random;
    this.#between = between;
    this.#lasting = lasting;
  }

  /** Whether one is going on at `seconds`, which MUST NOT go back between calls. */
  at(seconds: number): boolean {
    this.#changesAt ??= seconds + this.#random.exponential(this.#between);
    while (this.#changesAt <= seconds) {
      this.#on = !this.#on;
      this.#changesAt += this.#random.exponential(this.#on ? this.#lasting : this.#between);
    }
    return this.#on;
  }
}

export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** How many of something that happens `mean` times on average happen this time (Poisson, by Knuth). */
export function drawCount(mean: number, random: Random): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.next(); product > limit; product *= random.next()) count += 1;
  return count;
}
