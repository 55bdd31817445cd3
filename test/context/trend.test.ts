import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_TREND, followTrend, trendAt, type TrendOptions, type TrendState } from '../../gateway/context/trend.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

type Sample = readonly [at: Millis, value: number];
const follow = (samples: readonly Sample[], options?: TrendOptions): TrendState =>
  samples.reduce((state, [at, value]) => followTrend(state, at, value, options), EMPTY_TREND);
const minutely = (values: readonly number[]): Sample[] => values.map((value, minute) => [Minutes(minute), value]);
const line = (length: number, perMinute: number): number[] => Array.from({ length }, (_, minute) => 37 + minute * perMinute);

describe('a trend', () => {
  it('is the slope of a line, per hour', () => {
    expect(trendAt(follow(minutely(line(30, 0.02))), Minutes(29))).toEqual({ perHour: expect.closeTo(1.2, 9) as number, points: 30 });
    expect(trendAt(follow(minutely(line(30, -0.5))), Minutes(29))?.perHour).toBeCloseTo(-30, 9);
    expect(trendAt(follow(minutely(line(30, 0))), Minutes(29))?.perHour).toBe(0);
  });

  it('is not judged with fewer points than asked for', () => {
    expect(trendAt(EMPTY_TREND, Minutes(0))).toBeUndefined();
    expect(trendAt(follow(minutely(line(9, 1))), Minutes(8))).toBeUndefined();
    expect(trendAt(follow(minutely(line(10, 1))), Minutes(9))?.points).toBe(10);
    expect(trendAt(follow(minutely(line(1, 1))), Minutes(0), { least: 0 })).toBeUndefined();
  });

  it('forgets what is older than its window, also when nothing new comes', () => {
    const state = follow(minutely([...line(60, 5), ...Array<number>(60).fill(10)]));
    expect(trendAt(state, Minutes(119))).toEqual({ perHour: 0, points: 60 });
    expect(trendAt(state, Minutes(169))?.points).toBe(10);
    expect(trendAt(state, Minutes(170))).toBeUndefined();
  });

  it('is not moved by one wild value in four', () => {
    const wild = line(40, 0.1).map((value, minute) => (minute % 4 === 3 ? value + (minute % 8 === 3 ? 90 : -90) : value));
    expect(trendAt(follow(minutely(wild)), Minutes(39))?.perHour).toBeCloseTo(6, 0);
  });

  it('counts a bucket once, at the mean of its values, however many there are', () => {
    const rapid = line(600, 0).map((_, second): Sample => [Seconds(second), second % 2 === 0 ? 10 : 20]);
    expect(trendAt(follow(rapid), Seconds(599))).toEqual({ perHour: 0, points: 10 });
  });

  it('takes longer buckets for what changes in days', () => {
    const options: TrendOptions = { bucket: Minutes(24 * 60), window: 14, least: 5 };
    const weights = Array.from({ length: 20 }, (_, day): Sample => [Minutes(day * 1440), 80 + day * 0.24]);
    expect(trendAt(follow(weights, options), Minutes(19 * 1440), options)).toEqual({ perHour: expect.closeTo(0.01, 9) as number, points: 14 });
  });

  it('leaves out what comes late', () => {
    const state = follow(minutely(line(10, 1)));
    expect(followTrend(state, Minutes(3), 1000)).toBe(state);
  });
});

describe('any trend', () => {
  const streams = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.double({ min: 30, max: 150, noNaN: true })), { maxLength: 120 }).map((steps) => {
    let at = 0;
    return steps.map(([later, value]): Sample => {
      at += later * 1000;
      return [Millis(at), value];
    });
  });

  it('is what a twin computes from all values', () => {
    fc.assert(fc.property(streams, fc.integer({ min: 2, max: 130 }), (samples, window) => {
      const now = samples.at(-1)?.[0] ?? Millis(0);
      const minutes = Map.groupBy(samples, ([at]) => Math.floor(at / 60_000));
      const first = Math.floor(now / 60_000) - Math.min(window, 120);
      const points = [...minutes].filter(([minute]) => minute > first)
        .map(([minute, all]) => [minute, all.reduce((sum, [, value]) => sum + value, 0) / all.length] as const);
      const slopes = points.flatMap(([x, y], place) => points.slice(place + 1).map(([later, value]) => (value - y) / (later - x))).sort((a, b) => a - b);
      const middle = ((slopes[Math.floor((slopes.length - 1) / 2)] ?? 0) + (slopes[Math.floor(slopes.length / 2)] ?? 0)) / 2;
      const trend = trendAt(follow(samples, { window }), now, { window });
      expect(trend?.points).toBe(points.length < 10 ? undefined : points.length);
      if (trend !== undefined) expect(trend.perHour).toBeCloseTo(middle * 60, 6);
    }), { numRuns: 100 });
  });

  it('goes on after being written down at any point, and does not grow', () => {
    fc.assert(fc.property(streams, (samples) => {
      let restarted = EMPTY_TREND;
      for (const [at, value] of samples) restarted = followTrend(JSON.parse(JSON.stringify(restarted)) as TrendState, at, value);
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(samples)));
      expect(restarted.buckets.length).toBeLessThanOrEqual(60);
    }), { numRuns: 50 });
    expect(follow(minutely(line(500, 1)), { window: 10_000 }).buckets).toHaveLength(120);
  });
});
