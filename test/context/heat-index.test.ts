import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heatCategory, heatIndex, type HeatCategory } from '../../gateway/context/heat-index.ts';

const celsius = (fahrenheit: number): number => (fahrenheit - 32) / 1.8;
const fahrenheit = (index: number | undefined): number => (index ?? Number.NaN) * 1.8 + 32;
const felt = (t: number, humidity: number): number => fahrenheit(heatIndex(celsius(t), humidity));

/** The NWS heat index chart: °F for air in °F (rows) and a humidity of 40, 45 … 100 % (columns), as far as it is printed. */
const CHART: readonly (readonly [air: number, ...felt: number[]])[] = [
  [80, 80, 80, 81, 81, 82, 82, 83, 84, 84, 85, 86, 86, 87],
  [82, 81, 82, 83, 84, 84, 85, 86, 88, 89, 90, 91, 93, 95],
  [84, 83, 84, 85, 86, 88, 89, 90, 92, 94, 96, 98, 100, 103],
  [86, 85, 87, 88, 89, 91, 93, 95, 97, 100, 102, 105, 108, 112],
  [88, 88, 89, 91, 93, 95, 98, 100, 103, 106, 110, 113, 117, 121],
  [90, 91, 93, 95, 97, 100, 103, 106, 109, 113, 117, 122, 127, 132],
  [92, 94, 96, 99, 101, 105, 108, 112, 116, 121, 126, 131],
  [94, 97, 100, 103, 106, 110, 114, 119, 124, 129, 135],
  [96, 101, 104, 108, 112, 116, 121, 126, 132],
  [98, 105, 109, 113, 117, 123, 128, 134],
  [100, 109, 114, 118, 124, 129, 136],
  [102, 114, 119, 124, 130, 137],
  [104, 119, 124, 131, 137],
  [106, 124, 130, 137],
  [108, 130, 137],
  [110, 136],
];

describe('the heat index', () => {
  it('is what the NWS chart prints, within a degree Fahrenheit, and above it where the chart leaves out the damp adjustment', () => {
    for (const [air, ...row] of CHART) {
      row.forEach((printed, column) => {
        const humidity = 40 + 5 * column;
        const leftOut = humidity > 85 && air <= 87 ? ((humidity - 85) / 10) * ((87 - air) / 5) : 0;
        const apart = felt(air, humidity) - printed - leftOut;
        expect([air, humidity, Math.abs(apart) <= 1]).toEqual([air, humidity, true]);
      });
    }
  });

  const computed: readonly [air: number, humidity: number, felt: number, by: string][] = [
    [90, 70, 105.92, 'the regression'],
    [90, 50, 94.6, 'the regression'],
    [96, 65, 121.03, 'the regression'],
    [84, 90, 98.34, 'the regression and the damp adjustment'],
    [100, 10, 94.12, 'the regression and the dry adjustment'],
    [75, 50, 74.78, 'the simple formula'],
    [80, 40, 79.79, 'the simple formula, just below 80 °F'],
  ];
  for (const [air, humidity, expected, by] of computed) {
    it(`of ${air} °F at ${humidity} % is ${expected} °F by ${by}`, () => {
      expect(felt(air, humidity)).toBeCloseTo(expected, 2);
    });
  }

  it('meets itself where an adjustment begins or ends', () => {
    for (const t of [80.5, 84, 95, 111.9]) expect(felt(t, 13 - 1e-9)).toBeCloseTo(felt(t, 13), 5);
    for (const t of [82, 86.9]) expect(felt(t, 85 + 1e-9)).toBeCloseTo(felt(t, 85), 5);
    expect(felt(112, 5)).toBeCloseTo(felt(112 + 1e-9, 5), 5);
    expect(felt(87, 95)).toBeCloseTo(felt(87 + 1e-9, 95), 5);
  });

  it('takes and gives Cel', () => {
    expect(heatIndex(32.2222222222, 70)).toBeCloseTo(41.07, 2);
    expect(heatIndex(20, 50)).toBeCloseTo(19.68, 2);
  });

  it('is never cooler than the air beyond the table it was fitted to, and a number everywhere', () => {
    fc.assert(fc.property(fc.double({ min: -40, max: 80, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }), (air, humidity) => {
      const index = heatIndex(air, humidity) as number;
      expect(Number.isFinite(index)).toBe(true);
      if (air > 50) expect(index).toBeGreaterThanOrEqual(air);
    }));
  });

  it('of air that cannot be is undefined', () => {
    for (const [air, humidity] of [[Number.NaN, 50], [30, Number.NaN], [Infinity, 50], [30, -0.1], [30, 100.1]] as const) {
      expect(heatIndex(air, humidity)).toBeUndefined();
    }
  });
});

describe('the category', () => {
  const bands: readonly [fahrenheit: number, category: HeatCategory][] = [
    [-20, 'none'], [79, 'none'], [79.4, 'none'], [79.6, 'caution'], [80, 'caution'], [89, 'caution'], [90, 'extreme caution'],
    [102, 'extreme caution'], [103, 'danger'], [124, 'danger'], [124.4, 'danger'], [125, 'extreme danger'], [200, 'extreme danger'],
  ];
  it('follows the bands of the NWS in whole degrees Fahrenheit', () => {
    expect(bands.map(([index]) => heatCategory(celsius(index)))).toEqual(bands.map(([, category]) => category));
  });
});
