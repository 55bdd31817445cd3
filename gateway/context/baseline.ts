/**
 * What one channel of one person usually shows at one hour of the day. The value of an hour is the median of its minute
 * means, so that a device that talks more does not count more; of each of the 24 hours the values of the last 14 days on
 * which it had one are kept. From them come a median, the median absolute deviation (MAD) and an exponentially weighted
 * mean. Nothing is chosen by chance, and nothing grows: at most 24 × 14 hours and 120 minutes.
 *
 * Compare like with like: the spread is that of whole hours from day to day, so a deviation is meant for an hour's value
 * ({@link hourSoFar}) and not for a single heart beat.
 */

import type { LocalHour } from './local-hour.ts';
import { median, medianDistance } from './robust.ts';

/** These are choices of this project. */
const DAYS_KEPT = 14;
/** Fewer days than this say nothing about a habit. */
const WARM_UP_DAYS = 7;
/** Nor does what somebody did so many days ago. */
const OLDEST_DAY = 28;
/** An hour with fewer minutes than this has no value. */
const LEAST_MINUTES = 10;
/** Weight of a new day in the moving mean; 0.1 to 0.3 is usual (Montgomery, Introduction to Statistical Quality Control). */
const EWMA_WEIGHT = 0.2;

/** MAD × this estimates the standard deviation of normally distributed values: 1 / Φ⁻¹(3/4). */
const MAD_TO_SIGMA = 1.4826;

type MinuteMean = Readonly<{ minute: number; sum: number; count: number }>;
type OpenHour = Readonly<{ day: number; hour: number; means: readonly number[]; last: MinuteMean }>;
type HourOfDay = Readonly<{
  /** Oldest first, no two of one day. */
  days: readonly Readonly<{ day: number; value: number }>[];
  /** The moving mean, and what it was before the newest day. */
  ewma?: number;
  ewmaBefore?: number;
}>;

/** Plain JSON. */
export type BaselineState = Readonly<{ open?: OpenHour; hours: readonly HourOfDay[] }>;

export const EMPTY_BASELINE: BaselineState = { hours: Array.from({ length: 24 }, (): HourOfDay => ({ days: [] })) };

/**
 * The state with one more value. Values that bear a doubt MUST NOT come here, nor any while the wall clock cannot be
 * believed. An hour ends with the first value of another; one that began again takes the place of its first part.
 */
export function followBaseline(state: BaselineState, when: LocalHour, value: number): BaselineState {
  const { open } = state;
  if (open === undefined || open.day !== when.day || open.hour !== when.hour) {
    return { hours: closed(state).hours, open: { day: when.day, hour: when.hour, means: [], last: { minute: when.minute, sum: value, count: 1 } } };
  }
  const { last } = open;
  if (last.minute === when.minute) return { ...state, open: { ...open, last: { ...last, sum: last.sum + value, count: last.count + 1 } } };
  // Clocks that are put back make an hour of 120 minutes; a minute that comes again out of order is one more.
  const means = [...open.means, meanOf(last)].slice(-119);
  return { ...state, open: { ...open, means, last: { minute: when.minute, sum: value, count: 1 } } };
}

const meanOf = ({ sum, count }: MinuteMean): number => sum / count;

/** The value of the hour that is going on, once it has minutes enough. */
export function hourSoFar({ open }: BaselineState): number | undefined {
  if (open === undefined || open.means.length + 1 < LEAST_MINUTES) return undefined;
  return median([...open.means, meanOf(open.last)]);
}

function closed(state: BaselineState): BaselineState {
  const { open } = state;
  const value = hourSoFar(state);
  if (open === undefined || value === undefined) return state;
  return { ...state, hours: state.hours.map((each, hour) => (hour === open.hour ? withDay(each, open.day, value) : each)) };
}

function withDay({ days, ewma, ewmaBefore }: HourOfDay, day: number, value: number): HourOfDay {
  const again = days.at(-1)?.day === day;
  const before = again ? ewmaBefore : ewma;
  const kept = days.filter((each) => each.day !== day).slice(1 - DAYS_KEPT);
  const moved = before === undefined ? value : EWMA_WEIGHT * value + (1 - EWMA_WEIGHT) * before;
  return { days: [...kept, { day, value }], ewma: moved, ...(before === undefined ? {} : { ewmaBefore: before }) };
}

export type Baseline = Readonly<{
  median: number;
  /** Median absolute deviation. */
  mad: number;
  /** Exponentially weighted mean of all days so far, weight 0.2 for the newest. */
  ewma: number;
  /** How many days it rests on, 7 to 14. */
  days: number;
}>;

/** What is usual at this hour, by other days of the last 28. Undefined before there are 7 of them: then nothing may be judged. */
export function baselineAt({ hours }: BaselineState, { day, hour }: Pick<LocalHour, 'day' | 'hour'>): Baseline | undefined {
  const { days = [], ewma } = hours[hour] ?? {};
  const values = days.filter((each) => each.day < day && each.day >= day - OLDEST_DAY).map(({ value }) => value);
  const centre = median(values);
  if (values.length < WARM_UP_DAYS || centre === undefined || ewma === undefined) return undefined;
  return { median: centre, mad: medianDistance(values, centre) ?? 0, ewma, days: values.length };
}

/**
 * How far a value is from what is usual, in robust standard deviations: (value − median) / (MAD × 1.4826). `floor` is the
 * least standard deviation to believe in, in the channel's unit and above zero: seven equal days make nobody a machine.
 */
export const deviation = ({ median: centre, mad }: Baseline, value: number, floor: number): number =>
  (value - centre) / Math.max(mad * MAD_TO_SIGMA, floor);
