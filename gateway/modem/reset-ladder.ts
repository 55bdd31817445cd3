/** What to try with a modem whose link has led nowhere for long, the mildest first. Pure. */

import { type Millis, Minutes } from '../quantity.ts';

/** `session`: end the data session and begin another; `radio`: off and on; `restart`: the whole modem; `usb`: its device off the bus and on again. */
export const RUNGS = ['session', 'radio', 'restart', 'usb'] as const;
export type Rung = (typeof RUNGS)[number];

/** How long the link must have led nowhere. */
const AFTER: Readonly<Record<Rung, Millis>> = { session: Minutes(2), radio: Minutes(5), restart: Minutes(15), usb: Minutes(25) };
/** The same for one that does not answer: it cannot be told to do anything milder. */
const AFTER_SILENCE: Millis = Minutes(4);
/** A modem that is restarted all the time never finds its network. */
const ONCE_IN: Millis = Minutes(60);

export class ResetLadder {
  readonly #climbed = new Map<Rung, Millis>();
  #workedLast: Millis;

  constructor(now: Millis) {
    this.#workedLast = now;
  }

  /** The link works. */
  worked(now: Millis): void {
    this.#workedLast = now;
  }

  /** The rung that is due, at most once in an hour each. It counts as climbed. */
  next(now: Millis): Rung | undefined {
    return this.#take(RUNGS.toReversed().find((each) => now - this.#workedLast >= AFTER[each] && this.#mayClimb(each, now)), now);
  }

  /** The same for a modem that does not answer. */
  nextOfSilent(now: Millis): 'usb' | undefined {
    return this.#take(now - this.#workedLast >= AFTER_SILENCE && this.#mayClimb('usb', now) ? 'usb' : undefined, now);
  }

  #mayClimb(rung: Rung, now: Millis): boolean {
    return now - (this.#climbed.get(rung) ?? Number.NEGATIVE_INFINITY) >= ONCE_IN;
  }

  #take<R extends Rung>(rung: R | undefined, now: Millis): R | undefined {
    if (rung !== undefined) this.#climbed.set(rung, now);
    return rung;
  }
}
