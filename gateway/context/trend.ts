/**
 * How fast a channel rises or falls: the Theil–Sen slope over the means of equal buckets of time, the median of the
 * slopes of all pairs (Sen, J Am Stat Assoc 1968;63:1379). Nearly a third of the points may be wild without moving it far.
 */

import { Minutes, type Millis } from '../quantity.ts';
import { median } from './robust.ts';

export type TrendOptions = Readonly<{
  /** Length of a bucket in ms. Its values count as one point, at its mean. Default one minute. */
  bucket?: Millis;
  /** Buckets looked back on, the newest included. At most 120, which are 7140 pairs. Default 60. */
  window?: number;
  /** Fewer buckets with a value than this have no slope. At least 2. Default 10. */
  least?: number;
}>;

const MOST_BUCKETS = 120;

type Bucket = Readonly<{ index: number; sum: number; count: number }>;

/** Plain JSON: at most 120 buckets, oldest first. */
export type TrendState = Readonly<{ buckets: readonly Bucket[] }>;

export const EMPTY_TREND: TrendState = { buckets: [] };

/** The state with one more value. A value of an older bucket than the newest is left out. Always with the same options. */
export function followTrend(state: TrendState, at: Millis, value: number, options: TrendOptions = {}): TrendState {
  const { bucket, window } = filled(options);
  const index = Math.floor(at / bucket);
  const newest = state.buckets.at(-1);
  if (newest !== undefined && index < newest.index) return state;
  if (newest?.index === index) return { buckets: [...state.buckets.slice(0, -1), { index, sum: newest.sum + value, count: newest.count + 1 }] };
  return { buckets: [...state.buckets.filter((each) => each.index > index - window), { index, sum: value, count: 1 }] };
}

export type Trend = Readonly<{
  /** In the channel's unit per hour; above zero it rises. */
  perHour: number;
  /** Buckets it rests on. */
  points: number;
}>;

/** The slope over the window that ends `now`. Undefined with fewer than `least` buckets in it: no judgement without data. */
export function trendAt(state: TrendState, now: Millis, options: TrendOptions = {}): Trend | undefined {
  const { bucket, window, least } = filled(options);
  const first = Math.floor(now / bucket) - window;
  const points = state.buckets.filter(({ index }) => index > first).map(({ index, sum, count }) => ({ index, mean: sum / count }));
  if (points.length < least) return undefined;
  const slopes: number[] = [];
  points.forEach((later, place) => {
    for (let i = 0; i < place; i++) {
      const earlier = points[i] as (typeof points)[number];
      slopes.push((later.mean - earlier.mean) / (later.index - earlier.index));
    }
  });
  const slope = median(slopes);
  return slope === undefined ? undefined : { perHour: (slope * Minutes(60)) / bucket, points: points.length };
}

function filled({ bucket = Minutes(1), window = 60, least = 10 }: TrendOptions): Readonly<{ bucket: Millis; window: number; least: number }> {
  return { bucket, window: Math.min(window, MOST_BUCKETS), least: Math.max(least, 2) };
}
