/**
 * Two channels that measure one thing in two ways and do not agree: one of them is wrong, or they are not on the same
 * person. A technical condition, with one exception for people to know: in atrial fibrillation and with extra beats not
 * every beat of the heart reaches the finger (pulse deficit).
 */

import { Minutes, Seconds, type Millis } from '../quantity.ts';

export type PairLimit = Readonly<{
  /** More than this apart is a contradiction, in the unit of both. */
  apart: number;
  /** If it lasts this long. */
  lasting: Millis;
  /** A value older than this is no value any more. */
  fresh: Millis;
}>;

/**
 * `heart_rate` (from the electrocardiogram) beside `pulse_rate` (from the finger). Choices of this project. An oximeter at home speaks
 * about once a minute, and one value of it may be lost. It lasts longer than a value is fresh: whoever begins to run has a new pulse
 * beside an old one, and a contradiction takes at least two values of both.
 */
export const HEART_BESIDE_PULSE: PairLimit = { apart: 20, lasting: Minutes(3), fresh: Seconds(150) };

type Told = Readonly<{ value: number; at: Millis }>;

/** Plain JSON. */
export type PairState = Readonly<{
  first?: Told;
  second?: Told;
  /** Since when both have been fresh and apart without a break. */
  apartSince?: Millis;
}>;

export const EMPTY_PAIR: PairState = {};

/** The pair with one more value of one of the two, at a steady instant. */
export function followPair(state: PairState, which: 'first' | 'second', value: number, at: Millis, limit: PairLimit): PairState {
  const { apartSince, ...told } = state;
  const next = { ...told, [which]: { value, at } };
  if (next.first === undefined || next.second === undefined) return next;
  const fresh = at - next.first.at <= limit.fresh && at - next.second.at <= limit.fresh;
  if (!fresh || Math.abs(next.first.value - next.second.value) <= limit.apart) return next;
  return { ...next, apartSince: wasFresh(state, at, limit) ? apartSince ?? at : at };
}

/** Whether both still stood when the new value came: else what was before is broken off. */
function wasFresh({ first, second }: PairState, at: Millis, { fresh }: PairLimit): boolean {
  return first !== undefined && second !== undefined && at - first.at <= fresh && at - second.at <= fresh;
}

/** Whether the two contradict each other `now`. */
export function contradicts(state: PairState, now: Millis, limit: PairLimit): boolean {
  return state.apartSince !== undefined && now - state.apartSince >= limit.lasting && wasFresh(state, now, limit);
}
