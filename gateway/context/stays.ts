/**
 * How long somebody usually stays in a room of some kind. Stays are much longer than usual now and then and never much shorter,
 * so they are compared by their logarithms: the median of the last 20 and the median absolute deviation (MAD) of the logarithms.
 * Stays that began at night (local 23:00 to 06:00) are kept apart: a visit then is another one than a shower in the morning.
 * A bath that somebody takes twice a week is rare among the visits of a day, and their median knows nothing of it: so the longest
 * stay of each day is kept besides.
 * All numbers are choices of this project; nobody has published how long is too long.
 */

import { Minutes, type Millis } from '../quantity.ts';
import type { LocalHour } from './local-hour.ts';
import type { Location } from './location.ts';
import { median, medianDistance } from './robust.ts';
import type { RoomKind } from './vocabulary.ts';

const STAYS_KEPT = 20;
const WARM_UP_STAYS = 10;
const DAYS_KEPT = 28;
const WARM_UP_DAYS = 7;
/** Who walks through has not stayed. */
const SHORTEST_STAY = Minutes(1);
/** Nobody's stays are so alike that 25 % more were worth a word. */
const LEAST_SIGMA = Math.log(1.25);
/** MAD × this estimates the standard deviation of normally distributed values: 1 / Φ⁻¹(3/4). */
const MAD_TO_SIGMA = 1.4826;

type Stay = Readonly<{
  room: string;
  since: Millis;
  /** Kind of room and time of day, and the local day it began on; absent where nobody knows. */
  habit?: string;
  day?: number;
}>;

type DaysLongest = readonly [day: number, minutes: number];

/** Plain JSON: at most 20 stays, in minutes and oldest first, and the longest of each of 28 days, for each kind of room and time of day. */
export type StaysState = Readonly<{
  current?: Stay;
  past: Readonly<Record<string, readonly number[]>>;
  longest?: Readonly<Record<string, readonly DaysLongest[]>>;
}>;

export const NO_STAYS: StaysState = { past: {} };

/** Local 23:00 to 06:00. */
export const isNight = ({ hour }: Pick<LocalHour, 'hour'>): boolean => hour >= 23 || hour < 6;

/** The state after somebody was seen, or not, where `place` says. A stay whose end nobody saw is not kept. */
export function followStay(state: StaysState, place: Location, kind: RoomKind | undefined, local: LocalHour | undefined): StaysState {
  const { current, ...past } = state;
  if (place.kind === 'unknown') return state;
  if (place.kind === 'several') return current === undefined ? state : past;
  if (place.kind === 'away') return current === undefined ? state : withStay(past, current, place.since);
  if (current?.room === place.room && current.since === place.since) return state;
  const kept = current === undefined || current.room === place.room ? past : withStay(past, current, place.since);
  const habit = kind === undefined || local === undefined ? {} : { habit: `${kind} ${isNight(local) ? 'night' : 'day'}`, day: local.day };
  return { ...kept, current: { room: place.room, since: place.since, ...habit } };
}

type Past = Omit<StaysState, 'current'>;

function withStay({ past, longest = {} }: Past, { habit, day, since }: Stay, until: Millis): Past {
  if (habit === undefined || day === undefined || until - since < SHORTEST_STAY) return { past, longest };
  const minutes = (until - since) / Minutes(1);
  return {
    past: { ...past, [habit]: [...(past[habit] ?? []), minutes].slice(-STAYS_KEPT) },
    longest: { ...longest, [habit]: withDay(longest[habit] ?? [], [day, minutes]) },
  };
}

function withDay(days: readonly DaysLongest[], [day, minutes]: DaysLongest): readonly DaysLongest[] {
  const before = days.find(([each]) => each === day)?.[1] ?? 0;
  return [...days.filter(([each]) => each !== day && each > day - DAYS_KEPT), [day, Math.max(before, minutes)] as const].slice(-DAYS_KEPT);
}

export type UsualStay = Readonly<{
  /** Median, in minutes. */
  minutes: number;
  /** Robust standard deviation of the natural logarithm. */
  sigma: number;
}>;

/** What is usual for the stay that is going on. Undefined before there were ten like it. */
export function usualStay({ current, past }: StaysState): UsualStay | undefined {
  const minutes = current?.habit === undefined ? [] : past[current.habit] ?? [];
  const logarithms = minutes.map(Math.log);
  const centre = median(logarithms);
  if (minutes.length < WARM_UP_STAYS || centre === undefined) return undefined;
  const spread = (medianDistance(logarithms, centre) ?? 0) * MAD_TO_SIGMA;
  return { minutes: Math.exp(centre), sigma: Math.max(spread, LEAST_SIGMA) };
}

/**
 * The longest stay, in minutes, that they have made on two days of the last 28 that are like the one that is going on: what happened
 * once is no habit, and may have been what nobody wants to miss. Undefined before there were seven such days.
 */
export function longStay({ current, longest = {} }: StaysState): number | undefined {
  const { habit, day = 0 } = current ?? {};
  const days = habit === undefined ? [] : (longest[habit] ?? []).filter(([each]) => each > day - DAYS_KEPT);
  return days.length < WARM_UP_DAYS ? undefined : days.map(([, minutes]) => minutes).toSorted((a, b) => b - a)[1];
}

/** How far a stay of `minutes` is from what is usual; above zero it is longer. */
export const stayDeviation = (minutes: number, usual: UsualStay): number => Math.log(Math.max(minutes, 1 / 60) / usual.minutes) / usual.sigma;
