import { Millis } from '../quantity.ts';

/** How long things must hold before a rule is raised or cleared, in steady time. */
export type Dwell = Readonly<{
  /** Before it is raised. */
  for: Millis;
  /** Before it is cleared. */
  clearFor: Millis;
  /** At least this long from one raise to the next; the condition waits until then. */
  atMostEvery: Millis;
}>;

/** Where a rule stands for one patient or room. JSON. */
export type DwellState = Readonly<{
  raised: boolean;
  /** Since when what would change that has held. */
  since?: Millis;
  /** The journal frame with which that began; absent when no frame did. */
  from?: number;
  /** When it was raised last. */
  raisedAt?: Millis;
}>;

export const AT_REST: DwellState = { raised: false };

/** What is known at an instant: whether the rule should be raised, and whether it should be cleared. Undefined is not known. */
export type Verdict = Readonly<{ raise: boolean | undefined; clear: boolean | undefined }>;

export type DwellStep = Readonly<{ state: DwellState; phase?: 'raised' | 'cleared' }>;

/**
 * Moves a rule on. What is not known interrupts a dwell: nothing is raised on the strength of a value that stopped coming, and
 * nothing is cleared by its absence. `frame`: what has just come, if anything has. The state is the same object when nothing changed.
 */
export function dwell(state: DwellState, { raise, clear }: Verdict, now: Millis, { for: needed, clearFor, atMostEvery }: Dwell, frame?: number): DwellStep {
  const wanted = state.raised ? clear === true : raise === true;
  if (!wanted) return { state: state.since === undefined ? state : restOf(state) };
  const since = state.since ?? now;
  if (now < dueAt({ ...state, since }, { for: needed, clearFor, atMostEvery })) return { state: state.since === since ? state : { ...state, since, ...(frame === undefined ? {} : { from: frame }) } };
  if (state.raised) return { state: { ...restOf(state), raised: false }, phase: 'cleared' };
  return { state: { raised: true, raisedAt: now }, phase: 'raised' };
}

function restOf({ raised, raisedAt }: DwellState): DwellState {
  return { raised, ...(raisedAt === undefined ? {} : { raisedAt }) };
}

function dueAt({ raised, since, raisedAt }: DwellState & Readonly<{ since: Millis }>, { for: needed, clearFor, atMostEvery }: Dwell): number {
  if (raised) return since + clearFor;
  return Math.max(since + needed, raisedAt === undefined ? -Infinity : raisedAt + atMostEvery);
}

/** When a rule changes if everything stays as it is; undefined when it does not. */
export function dwellDue(state: DwellState, times: Dwell): Millis | undefined {
  const { since } = state;
  return since === undefined ? undefined : Millis(dueAt({ ...state, since }, times));
}
