import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockPlausible, implausible } from '../../gateway/context/plausibility.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { CLOCK_TRUSTS } from '../../gateway/reading.ts';

const NOW = UnixMillis(1_790_000_000_000);
const MINUTE = 60_000;

describe('a value', () => {
  for (const [measurement, { unit, plausible: [lowest, highest] }] of MEASUREMENTS) {
    it(`of ${measurement} is plausible from ${lowest} to ${highest} ${unit}, both included, and nowhere else`, () => {
      const reasonOf = (value: number | number[]): string | undefined => implausible({ measurement, unit, value })?.reason;
      const beside = (highest - lowest) * 1e-9;
      expect(lowest).toBeLessThan(highest);
      for (const value of [lowest, highest, (lowest + highest) / 2]) expect(reasonOf(value)).toBeUndefined();
      for (const value of [lowest - beside, highest + beside, -1e308, 1e308, Number.NaN]) expect(reasonOf(value)).toBe('implausible_value');
      expect(reasonOf([lowest, highest])).toBeUndefined();
      expect(reasonOf([lowest, highest + beside, lowest])).toBe('implausible_value');
    });
  }

  it('of a measurement nobody knows is refused', () => {
    expect(implausible({ measurement: '__proto__', unit: '1', value: 1 })?.reason).toBe('unknown_measurement');
  });

  it('is not repeated in the reason', () => {
    expect(implausible({ measurement: 'heart_rate', unit: '/min', value: 987 })?.message).not.toContain('987');
  });
});

describe('a device clock', () => {
  const cases: readonly [name: string, time: number, plausible: boolean][] = [
    ['of the gateway\'s own time', NOW, true],
    ['five minutes ahead', NOW + 5 * MINUTE, true],
    ['more than five minutes ahead', NOW + 5 * MINUTE + 1, false],
    ['a month behind, as after a month offline', NOW - 30 * 24 * 60 * MINUTE, true],
    ['at the beginning of 2020', Date.UTC(2020, 0, 1), true],
    ['before 2020', Date.UTC(2020, 0, 1) - 1, false],
    ['in 1970', 0, false],
    ['before 1970', -1, false],
    ['in 2100', Date.UTC(2100, 0, 1), false],
  ];
  for (const [name, time, plausible] of cases) {
    it(`${name} is ${plausible ? 'plausible' : 'not plausible'} beside a gateway clock that can be believed`, () => {
      for (const trust of ['synchronised', 'unverified'] as const) expect(clockPlausible(UnixMillis(time), NOW, trust)).toBe(plausible);
    });
  }

  it('is judged by the earliest date alone while the gateway\'s own clock is implausible', () => {
    for (const [time, plausible] of [[NOW, true], [Date.UTC(2100, 0, 1), true], [0, false]] as const) {
      expect(clockPlausible(UnixMillis(time), UnixMillis(5000), 'implausible')).toBe(plausible);
    }
  });

  it('that is plausible stays so as the gateway\'s clock goes on', () => {
    fc.assert(fc.property(fc.maxSafeNat(), fc.nat(), fc.constantFrom(...CLOCK_TRUSTS), (time, later, trust) => {
      if (clockPlausible(UnixMillis(time), NOW, trust)) expect(clockPlausible(UnixMillis(time), UnixMillis(NOW + later), trust)).toBe(true);
    }));
  });
});
