/** What to try with a modem whose link has led nowhere for long, the mildest first. Pure. */

import { type Millis, Minutes } from '../quantity.ts';

/** `session`: end the data session and begin another; `radio`: off and on; `restart`: the whole modem. */
export const RUNGS = ['session', 'radio', 'restart'] as const;
export type Rung = (typeof RUNGS)[number];

/** How long the link must have led nowhere. */
const AFTER: Readonly<Record<Rung, Millis>> = { session: Minutes(2), radio: Minutes(5), restart: Minutes(15) };
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
    const rung = RUNGS.toReversed().find((each) => now - this.#workedLast >= AFTER[each] && now - (this.#climbed.get(each) ?? Number.NEGATIVE_INFINITY) >= ONCE_IN);
    if (rung !== undefined) this.#climbed.set(rung, now);
    return rung;
  }
}
