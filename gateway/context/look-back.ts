import { Millis } from '../quantity.ts';
import { trendAt, type Trend } from './trend.ts';

/**
 * What is kept of one channel for one window: of equal stretches of time, oldest first and about 31, five numbers each, one behind
 * the other: index, count, sum, lowest, highest; eight stretches to a list. Plain JSON. Lists of numbers, because all of them are read
 * for many a value that comes, and objects lie scattered over the memory; short ones, because the last is copied for every value.
 */
export type LookBackState = Readonly<{ lists: readonly (readonly number[])[] }>;

export const NOTHING_YET: LookBackState = { lists: [] };

/** A window is kept in so many stretches: it is exact to one of them. */
const STRETCHES = 30;
/** A slope over fewer says nothing. */
const LEAST_FOR_A_SLOPE = 10;

const NUMBERS = 5;
const [COUNT, SUM, LOWEST, HIGHEST] = [1, 2, 3, 4];
const LONGEST_LIST = 8 * NUMBERS;

const lengthOf = (window: Millis): Millis => Millis(window / STRETCHES);
/** Of the last stretch of a list. */
const lastIn = (list: readonly number[]): number => list[list.length - NUMBERS] as number;

/** The state with one more value, `at` in steady time. What is older than the window is left out. Always with the same window. */
export function lookOn(state: LookBackState, at: Millis, value: number, window: Millis): LookBackState {
  const { lists } = state;
  const index = Math.floor(at / lengthOf(window));
  const newest = lists.at(-1);
  if (newest === undefined || index > lastIn(newest)) return { lists: withNew(lists, index, value) };
  if (index < lastIn(newest) - STRETCHES) return state;
  // A device that was away sends what it had kept: it has its place.
  const place = lists.findIndex((list) => lastIn(list) >= index);
  return { lists: lists.with(place, withValue(lists[place] as readonly number[], index, value)) };
}

function withNew(lists: LookBackState['lists'], index: number, value: number): LookBackState['lists'] {
  const first = lists.findIndex((list) => lastIn(list) >= index - STRETCHES);
  const kept = first < 0 ? [] : lists.slice(first);
  const last = kept.at(-1);
  if (last === undefined || last.length >= LONGEST_LIST) kept.push([index, 1, value, value, value]);
  else kept[kept.length - 1] = [...last, index, 1, value, value, value];
  return kept;
}

function withValue(list: readonly number[], index: number, value: number): readonly number[] {
  let place = list.length;
  while (place > 0 && (list[place - NUMBERS] as number) >= index) place -= NUMBERS;
  if (list[place] !== index) return list.toSpliced(place, 0, index, 1, value, value, value);
  const after = list.slice();
  after[place + COUNT] = (list[place + COUNT] as number) + 1;
  after[place + SUM] = (list[place + SUM] as number) + value;
  after[place + LOWEST] = Math.min(list[place + LOWEST] as number, value);
  after[place + HIGHEST] = Math.max(list[place + HIGHEST] as number, value);
  return after;
}

export type LookBack = Readonly<{ count: number; mean: number; lowest: number; highest: number }>;

/** The values of the window that ends `now`; undefined when there are none. */
export function lookBack({ lists }: LookBackState, now: Millis, window: Millis): LookBack | undefined {
  const first = Math.floor(now / lengthOf(window)) - STRETCHES;
  let [count, sum, lowest, highest] = [0, 0, Infinity, -Infinity];
  for (const list of lists) {
    for (let place = 0; place < list.length; place += NUMBERS) {
      if ((list[place] as number) < first) continue;
      count += list[place + COUNT] as number;
      sum += list[place + SUM] as number;
      lowest = Math.min(lowest, list[place + LOWEST] as number);
      highest = Math.max(highest, list[place + HIGHEST] as number);
    }
  }
  return count === 0 ? undefined : { count, mean: sum / count, lowest, highest };
}

/** How the window's values rise or fall (trend.ts). Undefined with values in fewer than ten of its stretches. */
export function lookBackTrend({ lists }: LookBackState, now: Millis, window: Millis): Trend | undefined {
  const buckets = lists.flatMap((list) => Array.from({ length: list.length / NUMBERS }, (_, i) => {
    const place = i * NUMBERS;
    return { index: list[place] as number, sum: list[place + SUM] as number, count: list[place + COUNT] as number };
  }));
  return trendAt({ buckets }, now, { bucket: lengthOf(window), window: STRETCHES + 1, least: LEAST_FOR_A_SLOPE });
}
