/** The light-absorption curve a finger clip sees (photoplethysmogram), normalised to about 0 to 1. */

import type { Random } from './random.ts';

const bump = (phase: number, centre: number, width: number): number => Math.exp(-(((phase - centre) / width) ** 2));

/** One beat over `phase` 0 to 1: a steep systolic wave, then the smaller reflected one after the dicrotic notch. */
function beat(phase: number): number {
  return 0.75 * bump(phase, 0.22, 0.11) + 0.3 * bump(phase, 0.52, 0.16);
}

export class Ppg {
  readonly #random: Random;
  readonly #rate: number;
  #beatPhase = 0;
  #breathPhase = 0;

  /** @param rate samples per second. */
  constructor(rate: number, random: Random) {
    this.#rate = rate;
    this.#random = random;
  }

  /** The next second of samples, continuing the last block's beat; amplitude swings a little with breathing. */
  nextSecond(heartRate: number, respiratoryRate: number): number[] {
    return this.next(this.#rate, heartRate, respiratoryRate);
  }

  /** The next `count` samples. */
  next(count: number, heartRate: number, respiratoryRate: number): number[] {
    return Array.from({ length: count }, () => {
      this.#beatPhase = (this.#beatPhase + heartRate / 60 / this.#rate) % 1;
      this.#breathPhase = (this.#breathPhase + respiratoryRate / 60 / this.#rate) % 1;
      const swing = 1 + 0.08 * Math.sin(2 * Math.PI * this.#breathPhase);
      return Number((0.1 + swing * beat(this.#beatPhase) + 0.008 * this.#random.gaussian()).toFixed(3));
    });
  }
}
