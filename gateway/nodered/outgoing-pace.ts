/** How fast something may be done: what comes too fast waits for its turn, in order. */

export type PaceOptions = Readonly<{
  /** Turns a second, and turns that may be saved up. */
  perSecond: number;
  atOnce: number;
  /** Turns that wait at most. Default: any number. */
  mostWaiting?: number;
  /** Turns that are taken and not given back, at most. Default: none is given back. */
  mostTaken?: number;
  /** Milliseconds that never go back. */
  now: () => number;
  /** Calls back after so many milliseconds. */
  after: (time: number, act: () => void) => void;
}>;

type Waiting = Readonly<{ turns: number; act: () => void }>;

export class Pace {
  readonly #options: PaceOptions;
  readonly #waiting: Waiting[] = [];
  #level: number;
  #at: number;
  #taken = 0;
  #isPlanned = false;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#level = options.atOnce;
    this.#at = options.now();
  }

  /** Calls `act` when its turn has come, at once when nobody waits. False, and it is never called, when too many wait. */
  take(act: () => void, turns = 1): boolean {
    if (this.#waiting.length >= (this.#options.mostWaiting ?? Infinity)) return false;
    this.#waiting.push({ turns, act });
    if (this.#waiting.length === 1) this.#serve();
    return true;
  }

  /** Somebody is done with a turn, where only so many may be taken. */
  giveBack(): void {
    this.#taken -= 1;
    this.#serve();
  }

  #serve(): void {
    const { perSecond, atOnce, mostTaken = Infinity, now, after } = this.#options;
    const time = now();
    this.#level = Math.min(atOnce, this.#level + ((time - this.#at) * perSecond) / 1000);
    this.#at = time;
    for (let next = this.#waiting[0]; next !== undefined && this.#level >= 0 && this.#taken < mostTaken; next = this.#waiting[0]) {
      // One that needs more than there is goes now, and those after it wait for longer.
      this.#level -= next.turns;
      if (mostTaken !== Infinity) this.#taken += 1;
      this.#waiting.shift();
      next.act();
    }
    if (this.#isPlanned || this.#waiting.length === 0 || this.#taken >= mostTaken) return;
    this.#isPlanned = true;
    after(Math.max(1, (-this.#level * 1000) / perSecond), () => {
      this.#isPlanned = false;
      this.#serve();
    });
  }
}
