import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalHour } from '../../gateway/context/local-hour.ts';
import { EMPTY_NIGHT_RATE, followNightRate, nightShift, type NightRateState } from '../../gateway/context/resting-night-rate.ts';

type Sample = Readonly<{ when: LocalHour; rate: number; still: boolean }>;
const at = (day: number, minuteOfDay: number): LocalHour => ({ day, hour: Math.floor(minuteOfDay / 60), past: minuteOfDay % 60, minute: day * 1440 + minuteOfDay });
const still = (day: number, minuteOfDay: number, rate: number): Sample => ({ when: at(day, minuteOfDay), rate, still: true });

/** A night of `minutes` minutes from 01:00 on, and a value at 08:00. */
const nightOf = (day: number, rate: number, minutes = 90): Sample[] =>
  [...Array.from({ length: minutes }, (_, minute) => still(day, 60 + minute, rate)), still(day, 480, 120)];
const follow = (samples: readonly Sample[], from = EMPTY_NIGHT_RATE): NightRateState =>
  samples.reduce((state, { when, rate, still: rests }) => followNightRate(state, when, rate, rests), from);
/** One night a day from day 0 on; `undefined`: none. */
const nights = (...rates: readonly (number | undefined)[]): NightRateState =>
  follow(rates.flatMap((rate, day) => (rate === undefined ? [] : nightOf(day, rate))));

const MONTH = Array<number>(10).fill(60);

describe('the shift of the resting night rate', () => {
  const table: readonly [name: string, rates: readonly (number | undefined)[], level: string | undefined][] = [
    ['is unknown without a night', [], undefined],
    ['is unknown before seven nights', [60, 60, 60, 60, 60, 70], undefined],
    ['is none of the seventh night, which has none judged before it', [60, 60, 60, 60, 60, 70, 70], 'none'],
    ['is none of ordinary nights', MONTH, 'none'],
    ['is none of one night', [...MONTH, 70], 'none'],
    ['is red after two nights of 4 /min more', [...MONTH, 64, 64], 'red'],
    ['is yellow after two nights of 3 /min more', [...MONTH, 63, 63], 'yellow'],
    ['is as high as the lower of the two nights', [...MONTH, 70, 63], 'yellow'],
    ['is none where one of them is less than 3 /min more', [...MONTH, 70, 62.9], 'none'],
    ['is yellow just below red', [...MONTH, 63.99, 64], 'yellow'],
    ['is none where a night between is missing', [...MONTH, 64, undefined, 64], 'none'],
    ['stays while it lasts', [...MONTH, 64, 64, 64, 64], 'red'],
    ['ends with one ordinary night', [...MONTH, 64, 64, 60], 'none'],
    ['is none downwards', [...MONTH, 50, 50], 'none'],
  ];
  for (const [name, rates, level] of table) {
    it(`${name}: ${level ?? 'unknown'}`, () => {
      expect(nightShift(nights(...rates), rates.length - 1)?.level).toBe(level);
    });
  }

  it('tells the nights it rests on', () => {
    expect(nightShift(nights(...MONTH, 64, 65), 11)).toEqual({
      level: 'red', night: { day: 11, mean: 65, excess: 5 }, before: { day: 10, mean: 64, excess: 4 },
    });
  });

  it('is told on the day of the night and the day after, not later and not before', () => {
    const state = nights(...MONTH, 64, 64);
    expect([10, 11, 12, 13].map((day) => nightShift(state, day)?.level)).toEqual([undefined, 'red', 'red', undefined]);
  });
});

describe('a night', () => {
  it('is 00:00 to 06:59, and the first value of the day ends it', () => {
    const long = Array.from({ length: 420 }, (_, minute) => still(0, minute, 60));
    expect(follow(long).nights).toEqual([]);
    expect(follow([...long, still(0, 420, 150)]).nights).toEqual([{ day: 0, mean: 60 }]);
    expect(follow([...long, still(0, 1439, 150), still(1, 0, 150)]).nights).toEqual([{ day: 0, mean: 60 }]);
    expect(follow([...long, still(1, 0, 150)]).nights).toEqual([{ day: 0, mean: 60 }]);
  });

  it('needs sixty minutes', () => {
    expect(follow(nightOf(0, 60, 59)).nights).toEqual([]);
    expect(follow(nightOf(0, 60, 60)).nights).toHaveLength(1);
  });

  it('leaves out a minute in which something moved', () => {
    const walk: Sample[] = Array.from({ length: 30 }, (_, minute) => [still(0, minute, 110), { when: at(0, minute), rate: 110, still: false }]).flat();
    expect(follow([...walk, ...nightOf(0, 60)]).nights).toEqual([{ day: 0, mean: 60 }]);
  });

  it('counts a minute once, however many values it has', () => {
    const talkative = Array.from({ length: 600 }, () => still(0, 0, 100));
    expect(follow([...talkative, ...nightOf(0, 60, 99)]).nights).toEqual([{ day: 0, mean: 60.4 }]);
  });

  it('is not held against nights older than 60 days', () => {
    const later = follow(nightOf(100, 80), nights(...MONTH));
    expect(later.nights.at(-1)).toEqual({ day: 100, mean: 80 });
  });
});

describe('any row of nights', () => {
  const rows = fc.array(fc.option(fc.integer({ min: 50, max: 75 }), { nil: undefined, freq: 8 }), { maxLength: 40 });

  it('has the level that a twin finds that looks at all nights again', () => {
    const middle = (values: readonly number[]): number => {
      const sorted = values.toSorted((a, b) => a - b);
      return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.floor(sorted.length / 2)] ?? 0)) / 2;
    };
    const excessOf = (rates: readonly (number | undefined)[], day: number): number | undefined => {
      const rate = rates[day];
      const known = rates.slice(0, day + 1).filter((each) => each !== undefined).slice(-29);
      return rate === undefined || known.length < 7 ? undefined : rate - middle(known);
    };
    fc.assert(fc.property(rows, (rates) => {
      const day = rates.length - 1;
      const both = [excessOf(rates, day), excessOf(rates, day - 1)];
      const above = (limit: number): boolean => both.every((excess) => excess !== undefined && excess >= limit);
      const expected = both[0] === undefined ? undefined : above(4) ? 'red' : above(3) ? 'yellow' : 'none';
      if (rates[day] !== undefined) expect(nightShift(nights(...rates), day)?.level).toBe(expected);
    }), { numRuns: 100 });
  });

  it('goes on after being written down at any point, and keeps 28 nights', () => {
    fc.assert(fc.property(rows, (rates) => {
      const samples = rates.flatMap((rate, day) => (rate === undefined ? [] : nightOf(day, rate + 1 / 3, 61)));
      let restarted = EMPTY_NIGHT_RATE;
      for (const { when, rate, still: rests } of samples) {
        restarted = followNightRate(JSON.parse(JSON.stringify(restarted)) as NightRateState, when, rate, rests);
      }
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(samples)));
      expect(restarted.nights.length).toBeLessThanOrEqual(28);
    }), { numRuns: 10 });
  });
});
