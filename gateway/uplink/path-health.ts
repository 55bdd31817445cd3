/** How well one hospital is reached over one link. Pure: what happened goes in with its time, and a state comes out. */

import { type Millis, Minutes, Seconds } from '../quantity.ts';

/**
 * `absent`: the link has no interface, carrier or address; `probing`: nothing is known yet, or it is coming back; `up`: the hospital answers;
 * `degraded`: it answers late or not always; `down`: it does not answer.
 */
export const PATH_STATES = ['absent', 'probing', 'up', 'degraded', 'down'] as const;
export type PathState = (typeof PATH_STATES)[number];

/** Failures in a row that make it down, and answers in a row that make it up again. */
const DOWN_AFTER = 3;
const UP_AFTER = 3;
/** How long a link that was away must work before it is preferred again. */
export const STEADY_AFTER: Millis = Minutes(2);
const DEGRADED = { rtt: Seconds(1), loss: 0.2 };
const RECOVERED = { rtt: Seconds(0.5), loss: 0.1 };
/** How fast a new value replaces the old ones: round trips as RFC 6298 §2.3. */
const SMOOTHING = 1 / 8;

export class PathHealth {
  #state: PathState = 'absent';
  #why = 'not looked at yet';
  #since: Millis;
  #failures = 0;
  #answers = 0;
  #rtt: Millis | undefined;
  #loss = 0;
  /** Whether it was ever away; the first time up needs no proof of steadiness. */
  #wasAway = false;

  constructor(now: Millis) {
    this.#since = now;
  }

  get state(): PathState {
    return this.#state;
  }

  /** What led to the state, for people. */
  get why(): string {
    return this.#why;
  }

  get since(): Millis {
    return this.#since;
  }

  /** Smoothed round trip; undefined before the first. */
  get rtt(): Millis | undefined {
    return this.#rtt;
  }

  /** Share of what was asked lately that was not answered, 0 to 1. */
  get loss(): number {
    return this.#loss;
  }

  /** In a row, up to now. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether it may be preferred to a link in use: up from the beginning, or for long enough. */
  isSteady(now: Millis): boolean {
    return this.#state === 'up' && (!this.#wasAway || now - this.#since >= STEADY_AFTER);
  }

  /** The link has an address. */
  appeared(why: string, now: Millis): void {
    if (this.#state !== 'absent') return;
    this.#failures = this.#answers = 0;
    this.#enter('probing', why, now);
  }

  vanished(why: string, now: Millis): void {
    this.#failures = this.#answers = 0;
    if (this.#state !== 'absent') this.#wasAway ||= this.#state !== 'probing';
    if (this.#state !== 'absent' || this.#why !== why) this.#enter('absent', why, now);
  }

  /** The hospital answered. `rtt`: when it was a probe that was answered. */
  answered(rtt: Millis | undefined, now: Millis): void {
    if (this.#state === 'absent') return;
    this.#failures = 0;
    this.#answers += 1;
    this.#loss *= 1 - SMOOTHING;
    if (rtt !== undefined) this.#rtt = (this.#rtt === undefined ? rtt : this.#rtt + (rtt - this.#rtt) * SMOOTHING) as Millis;
    if ((this.#state === 'down' || (this.#state === 'probing' && this.#wasAway)) && this.#answers < UP_AFTER) {
      if (this.#state === 'down') {
        // What was lost while it was away says nothing of what it is now that it is back.
        this.#loss = 0;
        this.#rtt = rtt;
        this.#enter('probing', 'it answers again', now);
      }
      return;
    }
    this.#weigh(now, 'it answers');
  }

  /** It did not. `hard`: the machine itself says that there is no way. */
  failed(why: string, hard: boolean, now: Millis): void {
    if (this.#state === 'absent') return;
    this.#failures += 1;
    this.#answers = 0;
    this.#loss += (1 - this.#loss) * SMOOTHING;
    if (hard || this.#failures >= DOWN_AFTER) {
      this.#wasAway = true;
      if (this.#state !== 'down') this.#enter('down', why, now);
      else this.#why = why;
    } else if (this.#state === 'probing') this.#why = why;
    else if (this.#state !== 'down') this.#weigh(now, why);
  }

  #weigh(now: Millis, why: string): void {
    const limit = this.#state === 'degraded' ? RECOVERED : DEGRADED;
    const slow = (this.#rtt ?? 0) > limit.rtt;
    const lossy = this.#loss > limit.loss;
    if (slow || lossy) {
      this.#wasAway = true;
      const found = slow ? `a round trip takes ${((this.#rtt ?? 0) / 1000).toFixed(1)} s` : `${Math.round(this.#loss * 100)} % of what was asked was not answered`;
      if (this.#state === 'degraded') this.#why = found;
      else this.#enter('degraded', found, now);
    } else if (this.#failures === 0 && this.#state !== 'up') this.#enter('up', why, now);
  }

  #enter(state: PathState, why: string, now: Millis): void {
    this.#state = state;
    this.#why = why;
    this.#since = now;
  }
}

const RANKS: Readonly<Record<PathState, number>> = { up: 1, degraded: 2, probing: 3, down: 4, absent: 5 };

/** The smaller the better. Among equals the order of the configuration decides. */
export const rankOf = (health: PathHealth, now: Millis): number => (health.isSteady(now) ? 0 : RANKS[health.state]);
