import { Millis } from '../quantity.ts';
import { trendAt, type Trend } from './trend.ts';

/** What is kept of one channel for one window: sums of equal stretches of time. Plain JSON, at most 31 stretches, oldest first. */
export type LookBackState = Readonly<{ stretches: readonly Stretch[] }>;

type Stretch = Readonly<{ index: number; count: number; sum: number; lowest: number; highest: number }>;

export const NOTHING_YET: LookBackState = { stretches: [] };

/** A window is kept in so many stretches: it is exact to one of them. */
const STRETCHES = 30;
/** A slope over fewer says nothing. */
const LEAST_FOR_A_SLOPE = 10;

const lengthOf = (window: Millis): Millis => Millis(window / STRETCHES);

/** The state with one more value, `at` in steady time. What is older than the window is left out. Always with the same window. */
export function lookOn(state: LookBackState, at: Millis, value: number, window: Millis): LookBackState {
  const index = Math.floor(at / lengthOf(window));
  const newest = state.stretches.at(-1);
  const alone: Stretch = { index, count: 1, sum: value, lowest: value, highest: value };
  if (newest === undefined || index > newest.index) {
    const first = state.stretches.findIndex((each) => each.index >= index - STRETCHES);
    const stretches = first < 0 ? [] : state.stretches.slice(first);
    stretches.push(alone);
    return { stretches };
  }
  if (index < newest.index - STRETCHES) return state;
  // A device that was away sends what it had kept: it has its place.
  const place = state.stretches.findIndex((each) => each.index >= index);
  const there = state.stretches[place];
  if (there?.index === index) return { stretches: state.stretches.with(place, merged(there, alone)) };
  return { stretches: state.stretches.toSpliced(place, 0, alone) };
}

function merged(a: Stretch, b: Stretch): Stretch {
  return { index: a.index, count: a.count + b.count, sum: a.sum + b.sum, lowest: Math.min(a.lowest, b.lowest), highest: Math.max(a.highest, b.highest) };
}

export type LookBack = Readonly<{ count: number; mean: number; lowest: number; highest: number }>;

/** The values of the window that ends `now`; undefined when there are none. */
export function lookBack({ stretches }: LookBackState, now: Millis, window: Millis): LookBack | undefined {
  const first = Math.floor(now / lengthOf(window)) - STRETCHES;
  let [count, sum, lowest, highest] = [0, 0, Infinity, -Infinity];
  for (const stretch of stretches) {
    if (stretch.index < first) continue;
    count += stretch.count;
    sum += stretch.sum;
    lowest = Math.min(lowest, stretch.lowest);
    highest = Math.max(highest, stretch.highest);
  }
  return count === 0 ? undefined : { count, mean: sum / count, lowest, highest };
}

/** How the window's values rise or fall (trend.ts). Undefined with values in fewer than ten of its stretches. */
export function lookBackTrend({ stretches }: LookBackState, now: Millis, window: Millis): Trend | undefined {
  const buckets = stretches.map(({ index, sum, count }) => ({ index, sum, count }));
  return trendAt({ buckets }, now, { bucket: lengthOf(window), window: STRETCHES + 1, least: LEAST_FOR_A_SLOPE });
}
