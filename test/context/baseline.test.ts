import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baselineAt, deviation, EMPTY_BASELINE, followBaseline, hourSoFar, type Baseline, type BaselineState } from '../../gateway/context/baseline.ts';
import type { LocalHour } from '../../gateway/context/local-hour.ts';

type Sample = Readonly<{ when: LocalHour; value: number }>;
const at = (day: number, hour: number, minute: number): LocalHour => ({ day, hour, past: minute, minute: (day * 24 + hour) * 60 + minute });

/** `minutes` minutes of one hour with one value each. */
const hourOf = (day: number, hour: number, value: number, minutes = 60): Sample[] =>
  Array.from({ length: minutes }, (_, minute) => ({ when: at(day, hour, minute), value }));
const follow = (samples: readonly Sample[], from = EMPTY_BASELINE): BaselineState =>
  samples.reduce((state, { when, value }) => followBaseline(state, when, value), from);
/** One value for an hour of every day from 0 on, then a value of another hour, which ends the last. */
const daily = (values: readonly number[], hour = 3): BaselineState =>
  follow([...values.flatMap((value, day) => hourOf(day, hour, value)), { when: at(values.length, hour + 1, 0), value: 0 }]);

describe('a personal baseline', () => {
  it('does not judge before it has seen an hour on seven days', () => {
    expect(baselineAt(daily([60, 61, 62, 63, 64, 65]), at(6, 3, 0))).toBeUndefined();
    expect(baselineAt(daily([60, 61, 62, 63, 64, 65, 66]), at(7, 3, 0))).toMatchObject({ median: 63, mad: 2, days: 7 });
  });

  it('knows each hour of the day for itself', () => {
    const state = daily([60, 60, 60, 60, 60, 60, 60, 60]);
    expect(baselineAt(state, at(8, 3, 0))).toEqual({ median: 60, mad: 0, ewma: 60, days: 8 });
    for (let hour = 0; hour < 24; hour++) if (hour !== 3) expect(baselineAt(state, at(8, hour, 0))).toBeUndefined();
  });

  it('keeps the last fourteen days', () => {
    const state = daily([...Array<number>(7).fill(200), ...Array<number>(14).fill(60)]);
    expect(baselineAt(state, at(21, 3, 0))).toMatchObject({ median: 60, mad: 0, days: 14 });
  });

  it('forgets what is older than 28 days, and is not told by days to come', () => {
    const state = daily(Array<number>(10).fill(60));
    expect(baselineAt(state, at(31, 3, 0))?.days).toBe(7);
    expect(baselineAt(state, at(32, 3, 0))).toBeUndefined();
    expect(baselineAt(state, at(7, 3, 0))?.days).toBe(7);
    expect(baselineAt(state, at(6, 3, 0))).toBeUndefined();
  });

  it('is not moved by one odd day', () => {
    expect(baselineAt(daily([60, 62, 61, 180, 60, 62, 61]), at(7, 3, 0))).toMatchObject({ median: 61, mad: 1 });
  });

  it('moves its weighted mean by a fifth a day', () => {
    expect(baselineAt(daily([60, 60, 60, 60, 60, 60, 60, 70]), at(8, 3, 0))?.ewma).toBeCloseTo(62);
  });

  it('counts a minute once, however many values it has', () => {
    const talkative = Array.from({ length: 100 }, (): Sample => ({ when: at(0, 3, 0), value: 200 }));
    expect(hourSoFar(follow([...talkative, ...hourOf(0, 3, 60).slice(1)]))).toBe(60);
  });

  it('has no value of an hour with fewer than ten minutes', () => {
    expect(hourSoFar(EMPTY_BASELINE)).toBeUndefined();
    expect(hourSoFar(follow(hourOf(0, 3, 60, 9)))).toBeUndefined();
    expect(hourSoFar(follow(hourOf(0, 3, 60, 10)))).toBe(60);
    const short = follow(Array.from({ length: 9 }, (_, day) => hourOf(day, 3, 60, 9)).flat());
    expect(baselineAt(short, at(9, 3, 0))).toBeUndefined();
  });

  it('counts a day once where an hour begins again', () => {
    const week = Array.from({ length: 6 }, (_, day) => hourOf(day, 3, 60)).flat();
    const twice = follow([...week, ...hourOf(6, 3, 90), { when: at(6, 2, 59), value: 0 }, ...hourOf(6, 3, 70), { when: at(6, 4, 0), value: 0 }]);
    const once = follow([...week, ...hourOf(6, 3, 70), { when: at(6, 4, 0), value: 0 }]);
    expect(baselineAt(twice, at(7, 3, 0))).toEqual(baselineAt(once, at(7, 3, 0)));
  });
});

describe('a deviation', () => {
  const usual: Baseline = { median: 60, mad: 2, ewma: 60, days: 14 };
  it('is in robust standard deviations, either way', () => {
    expect(deviation(usual, 60 + 2 * 1.4826, 1)).toBeCloseTo(1);
    expect(deviation(usual, 60 - 3 * 2 * 1.4826, 1)).toBeCloseTo(-3);
  });
  it('believes in no spread below the floor', () => {
    expect(deviation({ ...usual, mad: 0 }, 63, 1.5)).toBe(2);
    expect(deviation({ ...usual, mad: 1 }, 63, 3)).toBe(1);
  });
});

/** Batch twin: groups all samples by hour, then looks at the hours of one hour of the day. Samples in order of time. */
function naive(samples: readonly Sample[], day: number, hour: number): Omit<Baseline, 'ewma'> | undefined {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = (values: readonly number[]): number => {
    const sorted = values.toSorted((a, b) => a - b);
    return mean(sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1));
  };
  const newest = samples.at(-1);
  const hours = Object.values(Object.groupBy(samples, ({ when }) => `${when.day} ${when.hour}`)).flatMap((group = []) => {
    const when = group[0]?.when;
    const minutes = Object.values(Object.groupBy(group, (sample) => sample.when.minute)).map((each = []) => mean(each.map(({ value }) => value)));
    const ended = when !== undefined && (when.day !== newest?.when.day || when.hour !== newest.when.hour);
    return ended && minutes.length >= 10 ? [{ ...when, value: middle(minutes) }] : [];
  });
  const values = hours.filter((each) => each.hour === hour).sort((a, b) => a.day - b.day).slice(-14)
    .filter((each) => each.day < day && day - each.day <= 28).map(({ value }) => value);
  if (values.length < 7) return undefined;
  const centre = middle(values);
  return { median: centre, mad: middle(values.map((value) => Math.abs(value - centre))), days: values.length };
}

describe('the streaming baseline', () => {
  const hours = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom(3, 4), fc.integer({ min: 8, max: 14 }),
    fc.array(fc.double({ min: 40, max: 120, noNaN: true }), { minLength: 1, maxLength: 3 })), { minLength: 24, maxLength: 48 });
  const streams = hours.map((all) => {
    let day = 0;
    return all.flatMap(([later, hour, minutes, values]) => {
      day += later;
      return Array.from({ length: minutes }, (_, minute) => values.map((value): Sample => ({ when: at(day, hour, minute), value: value + minute }))).flat();
    });
  });

  it('agrees with a batch twin that sees every value', () => {
    let judged = 0;
    fc.assert(fc.property(streams, (samples) => {
      const state = follow(samples);
      const day = (samples.at(-1)?.when.day ?? 0) + 1;
      for (const hour of [3, 4]) {
        const baseline = baselineAt(state, at(day, hour, 0));
        const expected = naive(samples, day, hour);
        judged += expected === undefined ? 0 : 1;
        expect(baseline?.days).toBe(expected?.days);
        expect(baseline?.median ?? 0).toBeCloseTo(expected?.median ?? 0, 9);
        expect(baseline?.mad ?? 0).toBeCloseTo(expected?.mad ?? 0, 9);
      }
    }), { numRuns: 60 });
    expect(judged).toBeGreaterThan(10);
  });

  it('goes on after being written down at any point as if nothing had happened, and does not grow', () => {
    fc.assert(fc.property(streams, (samples) => {
      let restarted = EMPTY_BASELINE;
      for (const { when, value } of samples) restarted = followBaseline(JSON.parse(JSON.stringify(restarted)) as BaselineState, when, value);
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(samples)));
    }), { numRuns: 20 });
    const year = Array.from({ length: 60 * 24 }, (_, hour) => hourOf(Math.floor(hour / 24), hour % 24, 60.123456789 + hour, 12)).flat();
    expect(JSON.stringify(follow(year)).length).toBeLessThan(20_000);
    const stuck = Array.from({ length: 1000 }, (_, minute): Sample => ({ when: { day: 0, hour: 2, past: minute % 60, minute }, value: minute }));
    expect(follow(stuck).open?.means.length).toBeLessThan(120);
  });
});
