import { Millis, type UnixMillis } from '../quantity.ts';
import type { Frame } from '../reading.ts';

/** Where steady time stands, and the clocks it was last read from. */
export type SteadyState = Readonly<{
  /** Steady milliseconds since the journal began. */
  now: Millis;
  uptime: Millis;
  receivedAt: UnixMillis;
  /** Whether the wall clock was worth something then. */
  trusted: boolean;
}>;

/** Frames of one process are stamped in order, but for this much. */
const DISORDER = Millis(1000);

/**
 * A clock for derivation that nobody can set: it follows the gateway's monotonic clock from frame to frame, so that a wall
 * clock that is corrected, or that boots in 1970, makes nothing older or younger. Only across a restart the wall clock is
 * asked how long the gateway was away, if it can be believed before and after; else that time counts as none.
 */
export class SteadyTime {
  #state: SteadyState | undefined;

  constructor(state: SteadyState | undefined) {
    this.#state = state;
  }

  /** Undefined before the first frame. */
  get state(): SteadyState | undefined {
    return this.#state;
  }

  get now(): Millis {
    return this.#state?.now ?? Millis(0);
  }

  /** What the wall clock showed with the last frame; undefined where it was worth nothing. */
  get wall(): UnixMillis | undefined {
    return this.#state?.trusted === true ? this.#state.receivedAt : undefined;
  }

  /** Moves on to a frame. `restarted`: the gateway was away since the last one, and nobody listened meanwhile. */
  follow({ uptime, receivedAt, clockTrust }: Pick<Frame, 'uptime' | 'receivedAt' | 'clockTrust'>): Readonly<{ now: Millis; restarted: boolean }> {
    const before = this.#state;
    const trusted = clockTrust !== 'implausible';
    const restarted = before !== undefined && uptime < before.uptime - DISORDER;
    const away = before !== undefined && before.trusted && trusted ? receivedAt - before.receivedAt : 0;
    const passed = before === undefined ? 0 : restarted ? Math.max(uptime, away) : Math.max(0, uptime - before.uptime);
    const now = Millis(this.now + passed);
    this.#state = { now, uptime: restarted || before === undefined ? uptime : Millis(Math.max(uptime, before.uptime)), receivedAt, trusted };
    return { now, restarted };
  }
}
