import { Minutes, type Millis } from '../quantity.ts';

const HOUR = Minutes(60);

/** How much may go in an hour (a token bucket): what was not used comes back evenly, and never more than an hour's. */
export class HourlyBudget {
  readonly #perHour: number;
  readonly #uptime: () => Millis;
  #left: number;
  #at: Millis;

  constructor(perHour: number, uptime: () => Millis) {
    this.#perHour = perHour;
    this.#uptime = uptime;
    this.#left = perHour;
    this.#at = uptime();
  }

  /** False where there is none left. */
  take(): boolean {
    const now = this.#uptime();
    this.#left = Math.min(this.#perHour, this.#left + ((now - this.#at) * this.#perHour) / HOUR);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
