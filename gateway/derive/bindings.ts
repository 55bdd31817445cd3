import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import { nameOf, type Subject } from '../reading.ts';

/**
 * Whom a device measures, from when (included) to when (excluded), in steady time (steady-time.ts): a wall clock that is
 * corrected MUST NOT take a device from its patient. Without `until`: until something else is decided.
 */
export type Binding = Readonly<{ subject: Subject; from: Millis; until?: Millis }>;

/** What was decided about one device, in that order. */
export type Bindings = readonly Binding[];

/** Decisions kept for a device: older ones matter only for what it still has in its memory. */
const MOST_KEPT = 32;
/** A value may have been on its way while its device was bound. */
const ON_THE_WAY = Minutes(1);

/** A decision, with the instants people name on the gateway's wall clock. */
export type Decision = Readonly<{ subject: Subject; from?: UnixMillis; until?: UnixMillis }>;
/** When it was taken, on both clocks. */
export type Decided = Readonly<{ at: Millis; wall: UnixMillis }>;

/**
 * Adds a decision. Without `from` it holds from now on, and for what was on its way if nobody else had the device. A later
 * decision goes before an earlier one for the time it names, so that a past mistake can be corrected.
 */
export function bound(bindings: Bindings, { subject, from, until }: Decision, decided: Decided): Bindings {
  const steady = (instant: UnixMillis): Millis => Millis(decided.at + instant - decided.wall);
  const binding = { subject, from: from === undefined ? beginning(bindings, decided.at) : steady(from), ...(until === undefined ? {} : { until: steady(until) }) };
  return [...bindings, binding].slice(-MOST_KEPT);
}

function beginning(bindings: Bindings, at: Millis): Millis {
  const before = Millis(at - ON_THE_WAY);
  return bindings.some((each) => each.from <= at && (each.until === undefined || each.until > before)) ? at : before;
}

/** Ends whatever holds. What the device measured before still belongs to whom it belonged. */
export function unbound(bindings: Bindings, at: Millis): Bindings {
  return bindings.filter(({ from }) => from < at).map((each) => (each.until === undefined || each.until > at ? { ...each, until: at } : each));
}

/** What is left when nobody is to know any more that the device measured `subject`. */
export const forgotten = (bindings: Bindings, subject: Subject): Bindings => bindings.filter((each) => nameOf(each.subject) !== nameOf(subject));

/** Whom a value belongs to that was measured `at`, or undefined. */
export function subjectAt(bindings: Bindings | undefined, at: Millis): Subject | undefined {
  return bindings?.findLast(({ from, until }) => at >= from && (until === undefined || at < until))?.subject;
}
