import { describe, expect, it } from 'vitest';
import { conversion } from '../../gateway/decode/units.ts';

describe('converting units', () => {
  // Worked out by hand, with the definitions of SI Brochure and NIST SP 811.
  it.each<[number, string, number, string]>([
    [98.6, '[degF]', 37, 'Cel'],
    [-40, '[degF]', -40, 'Cel'],
    [310.15, 'K', 37, 'Cel'],
    [16, 'kPa', 120.00984, 'mm[Hg]'],
    [185, '[lb_av]', 83.9145885, 'kg'],
    [71_500, 'g', 71.5, 'kg'],
    [5.5, 'mmol/L', 99.0858, 'mg/dL'],
    [101_325, 'Pa', 1013.25, 'hPa'],
    [760, 'mm[Hg]', 1013.25, 'hPa'],
    [29.921, "[in_i'Hg]", 1013.241, 'hPa'],
    [0.97, '1', 97, '%'],
    [1500, '[ppb]', 1.5, '[ppm]'],
    [0.8, 's', 800, 'ms'],
  ])('%d %s are %d %s', (value, from, expected, to) => {
    const [, decimals = ''] = String(expected).split('.');
    expect(conversion(from, to)?.(value)).toBeCloseTo(expected, Math.max(decimals.length - 1, 3));
  });

  it('adds no binary noise', () => {
    expect(conversion('1', '%')?.(0.55)).toBe(55);
    expect(conversion('1', '%')?.(0.07)).toBe(7);
    expect(conversion('[degF]', 'Cel')?.(100.4)).toBe(38);
  });

  it('leaves a number as it is when the unit is the same', () => {
    expect(conversion('/min', '/min')?.(0.1 + 0.2)).toBe(0.1 + 0.2);
  });

  it.each([['C', 'Cel'], ['mmol/L', 'mm[Hg]'], ['%', '1'], ['degF', 'Cel'], ['constructor', 'Cel']])('refuses %s for %s', (from, to) => {
    expect(conversion(from, to)).toBeUndefined();
  });
});
