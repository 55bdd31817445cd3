import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLATLINE_LIMITS, followFlatline, isFlat, type FlatlineLimit, type FlatlineState } from '../../gateway/context/flatline.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

const LIMIT: FlatlineLimit = { resolution: 0.1, lasting: Minutes(10), least: 20 };
type Sample = readonly [at: Millis, value: number];
const follow = (samples: readonly Sample[], limit = LIMIT): FlatlineState | undefined =>
  samples.reduce<FlatlineState | undefined>((state, [at, value]) => followFlatline(state, at, value, limit), undefined);
const flat = (samples: readonly Sample[], limit = LIMIT): boolean => {
  const state = follow(samples, limit);
  return state !== undefined && isFlat(state, limit);
};
/** A value every 30 s. */
const steadily = (values: readonly number[], from = 0): Sample[] => values.map((value, index) => [Seconds(from + index * 30), value]);
const same = (length: number, value = 36.6): number[] => Array<number>(length).fill(value);

describe('a flat line', () => {
  const table: readonly [name: string, samples: readonly Sample[], flat: boolean][] = [
    ['is not one value', steadily(same(1)), false],
    ['is the same value for as long as the limit', steadily(same(21)), true],
    ['is nothing shorter', steadily(same(20)), false],
    ['is ended by a change of the resolution', steadily([...same(20), 36.7, ...same(19)]), false],
    ['is not ended by less', steadily([...same(10), 36.65, 36.55, ...same(9)]), true],
    ['is no slow drift', steadily(same(40).map((value, index) => value + index * 0.02)), false],
    ['needs values enough', Array.from({ length: 19 }, (_, index): Sample => [Minutes(index), 36.6]), false],
    ['is broken by a silence', [...steadily(same(15)), ...steadily(same(15), 15 * 30 + 150)], false],
  ];
  for (const [name, samples, expected] of table) {
    it(`${name}: ${expected ? 'flat' : 'alive'}`, () => {
      expect(flat(samples)).toBe(expected);
    });
  }

  it('is over with the first value that moves', () => {
    expect(flat(steadily([...same(100), 36.8]))).toBe(false);
  });

  it('has limits for measurements there are, each reachable', () => {
    for (const [measurement, { resolution, lasting, least }] of Object.entries(FLATLINE_LIMITS)) {
      expect(MEASUREMENTS.has(measurement)).toBe(true);
      expect(Math.min(resolution, lasting, least - 1)).toBeGreaterThan(0);
    }
  });

  it('is found where a twin that looks back over all values finds it, also after being written down at any point', () => {
    const streams = fc.array(fc.tuple(fc.oneof({ weight: 30, arbitrary: fc.constantFrom(5, 60, 150) }, { weight: 1, arbitrary: fc.constant(151) }),
      fc.oneof({ weight: 30, arbitrary: fc.constantFrom(36.6, 36.65) }, { weight: 1, arbitrary: fc.constant(36.7) })), { minLength: 1, maxLength: 80 });
    const limit: FlatlineLimit = { resolution: 0.1, lasting: Minutes(10), least: 8 };
    let found = 0;
    fc.assert(fc.property(streams, (steps) => {
      let at = 0;
      const samples = steps.map(([later, value]): Sample => [Seconds(at += later), value]);
      // The runs one after the other: each goes on while its values are near its first and no silence is too long.
      const runs: Sample[][] = [];
      for (const sample of samples) {
        const run = runs.at(-1);
        const [first, last] = [run?.[0], run?.at(-1)];
        const goesOn = first !== undefined && last !== undefined && sample[0] - last[0] <= 150_000 && Math.abs(sample[1] - first[1]) < 0.0999;
        if (goesOn) run?.push(sample); else runs.push([sample]);
      }
      const newest = runs.at(-1) ?? [];
      const expected = newest.length >= 8 && (newest.at(-1)?.[0] ?? 0) - (newest[0]?.[0] ?? 0) >= 600_000;
      let restarted: FlatlineState | undefined;
      for (const [when, value] of samples) {
        restarted = followFlatline(restarted && JSON.parse(JSON.stringify(restarted)) as FlatlineState, when, value, limit);
      }
      expect(restarted).toEqual(follow(samples, limit));
      expect(restarted !== undefined && isFlat(restarted, limit)).toBe(expected);
      found += expected ? 1 : 0;
    }), { numRuns: 300 });
    expect(found).toBeGreaterThan(5);
  });

  it('does not mind where steady time begins', () => {
    expect(flat(steadily(same(21)).map(([at, value]) => [Millis(at + 1e12), value]))).toBe(true);
  });
});
