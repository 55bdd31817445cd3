/**
 * A device's own clock. Cheap crystals run some tens of parts per million fast or slow and nobody set them exactly, so
 * a reading's device time is never the gateway's time.
 */

import { Millis, UnixMillis } from '../gateway/quantity.ts';
import type { Random } from './random.ts';

export type ClockError = Readonly<{
  /** How far the clock was ahead (positive) when the run began. */
  offset: Millis;
  /** How fast it gains (positive) or loses, in parts per million: 1 ppm is 86.4 ms a day. */
  driftPpm: number;
}>;

/** Set to within about two seconds, running within about 20 ppm: the tolerance common watch crystals are sold with. */
export function drawClockError(random: Random): ClockError {
  return { offset: Millis(Math.round(2000 * random.gaussian())), driftPpm: random.between(-20, 20) };
}

export class DeviceClock {
  readonly #setAt: UnixMillis;
  readonly #error: ClockError;

  /** @param setAt true time at which the offset was exactly `error.offset`. */
  constructor(setAt: UnixMillis, error: ClockError) {
    this.#setAt = setAt;
    this.#error = error;
  }

  /** What the device's clock shows at the true time `at`, in whole milliseconds. */
  read(at: UnixMillis): UnixMillis {
    const gained = ((at - this.#setAt) * this.#error.driftPpm) / 1e6;
    return UnixMillis(Math.round(at + this.#error.offset + gained));
  }
}
