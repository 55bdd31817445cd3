import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEVELS_OF_CONSCIOUSNESS, news2, PARAMETERS, responseTo, type News2, type Observations, type Parameter } from '../../gateway/context/news2.ts';
import { Millis, Minutes } from '../../gateway/quantity.ts';

const LIMIT = Minutes(60);
const staleAfter = Object.fromEntries(PARAMETERS.map((parameter) => [parameter, LIMIT])) as Readonly<Record<Parameter, Millis>>;

type Values = { [Each in keyof Observations]?: NonNullable<Observations[Each]>['value'] };
const WELL: Required<Values> = {
  respiration_rate: 16, oxygen_saturation: 98, air_or_oxygen: 'air', systolic_pressure: 120, pulse: 70, consciousness: 'A', temperature: 37,
};
const observed = (values: Values, age = Millis(0)): Observations =>
  Object.fromEntries(Object.entries(values).map(([parameter, value]) => [parameter, { value, age }]));
const score = (values: Values, scale?: 1 | 2): News2 =>
  news2(observed({ ...WELL, ...values }), scale === undefined ? { staleAfter } : { staleAfter, scale });
function total(result: News2): number {
  if (!result.complete) throw new Error('incomplete');
  return result.total;
}

describe('a parameter, on both sides of every edge of chart 1,', () => {
  const numeric: readonly [name: string, parameter: Parameter, rest: Values, scale: 1 | 2, edges: readonly [value: number, score: number][]][] = [
    ['respiration', 'respiration_rate', {}, 1,
      [[1, 3], [8, 3], [9, 1], [11, 1], [12, 0], [20, 0], [21, 2], [24, 2], [25, 3], [60, 3]]],
    ['SpO2 on scale 1', 'oxygen_saturation', {}, 1, [[50, 3], [91, 3], [92, 2], [93, 2], [94, 1], [95, 1], [96, 0], [100, 0]]],
    ['SpO2 on scale 1 with oxygen', 'oxygen_saturation', { air_or_oxygen: 'oxygen' }, 1, [[91, 3], [92, 2], [95, 1], [96, 0], [100, 0]]],
    ['SpO2 on scale 2 on air', 'oxygen_saturation', {}, 2,
      [[50, 3], [83, 3], [84, 2], [85, 2], [86, 1], [87, 1], [88, 0], [92, 0], [93, 0], [94, 0], [95, 0], [96, 0], [97, 0], [100, 0]]],
    ['SpO2 on scale 2 with oxygen', 'oxygen_saturation', { air_or_oxygen: 'oxygen' }, 2,
      [[50, 3], [83, 3], [84, 2], [85, 2], [86, 1], [87, 1], [88, 0], [92, 0], [93, 1], [94, 1], [95, 2], [96, 2], [97, 3], [100, 3]]],
    ['systolic pressure', 'systolic_pressure', {}, 1,
      [[50, 3], [90, 3], [91, 2], [100, 2], [101, 1], [110, 1], [111, 0], [219, 0], [220, 3], [290, 3]]],
    ['pulse', 'pulse', {}, 1, [[20, 3], [40, 3], [41, 1], [50, 1], [51, 0], [90, 0], [91, 1], [110, 1], [111, 2], [130, 2], [131, 3], [250, 3]]],
    ['temperature', 'temperature', {}, 1, [[30, 3], [35, 3], [35.1, 1], [36, 1], [36.1, 0], [38, 0], [38.1, 1], [39, 1], [39.1, 2], [42, 2]]],
  ];
  for (const [name, parameter, rest, scale, edges] of numeric) {
    it(`scores as printed: ${name}`, () => {
      for (const [value, expected] of edges) {
        const result = score({ ...rest, [parameter]: value }, scale);
        expect([value, result.scores[parameter]]).toEqual([value, expected]);
        expect(total(result)).toBe(expected + (rest.air_or_oxygen === 'oxygen' ? 2 : 0));
        expect(result.red).toEqual(expected === 3 ? [parameter] : []);
      }
    });
  }

  it('scores 2 for oxygen and 0 for air, which is no red score', () => {
    expect(total(score({}))).toBe(0);
    expect(score({ air_or_oxygen: 'oxygen' })).toMatchObject({ total: 2, red: [], response: { risk: 'low' } });
  });

  it('scores 3 for everything but alert, new confusion too', () => {
    expect(LEVELS_OF_CONSCIOUSNESS.map((consciousness) => total(score({ consciousness })))).toEqual([0, 3, 3, 3, 3]);
  });
});

describe('a value finer than the chart', () => {
  const table: readonly [parameter: Parameter, value: number, score: number, rest?: Values, scale?: 1 | 2][] = [
    ['temperature', 38.04, 0], ['temperature', 38.05, 1], ['temperature', 38.06, 1], ['temperature', 39.05, 2],
    ['temperature', 35.04, 3], ['temperature', 35.05, 3], ['temperature', 35.06, 1], ['temperature', 36.05, 1], ['temperature', 36.06, 0],
    ['oxygen_saturation', 95.4, 1], ['oxygen_saturation', 95.5, 1], ['oxygen_saturation', 95.6, 0], ['oxygen_saturation', 91.5, 3],
    ['oxygen_saturation', 92.5, 1, { air_or_oxygen: 'oxygen' }, 2], ['oxygen_saturation', 92.4, 0, { air_or_oxygen: 'oxygen' }, 2],
    ['oxygen_saturation', 87.5, 1, {}, 2], ['oxygen_saturation', 87.6, 0, {}, 2],
    ['respiration_rate', 20.5, 2], ['respiration_rate', 20.4, 0], ['respiration_rate', 11.5, 1],
    ['pulse', 130.5, 3], ['pulse', 130.4, 2], ['pulse', 40.5, 3], ['pulse', 40.6, 1],
    ['systolic_pressure', 219.5, 3], ['systolic_pressure', 219.4, 0], ['systolic_pressure', 90.5, 3], ['systolic_pressure', 110.5, 1],
  ];
  it('is rounded to the nearest step, half way to the side that scores more', () => {
    for (const [parameter, value, expected, rest, scale] of table) {
      expect([parameter, value, score({ ...rest, [parameter]: value }, scale).scores[parameter]]).toEqual([parameter, value, expected]);
    }
  });
});

/** Inputs and results of the GDL2 tests of NEWS2 (openEHR, gdl-lang/common-clinical-models, NEWS2.v1). */
describe('published cases', () => {
  const base: Values = { systolic_pressure: 111, pulse: 78, temperature: 37, respiration_rate: 20 };
  const oxygen: Values = { ...base, oxygen_saturation: 98, air_or_oxygen: 'oxygen' };
  const table: readonly [name: string, values: Values, scale: 1 | 2, total: number, risk: string][] = [
    ['score 0', { ...base, oxygen_saturation: 98 }, 1, 0, 'low'],
    ['score 1', { ...base, oxygen_saturation: 95 }, 1, 1, 'low'],
    ['score 2', { ...base, oxygen_saturation: 93 }, 1, 2, 'low'],
    ['score 3 in one parameter', { ...base, oxygen_saturation: 91 }, 1, 3, 'low-medium'],
    ['low pressure', { ...base, systolic_pressure: 70 }, 1, 3, 'low-medium'],
    ['hypercapnic, too much oxygen', oxygen, 2, 5, 'medium'],
    ['hypercapnic on air', { ...base, oxygen_saturation: 98 }, 2, 0, 'low'],
    ['hypercapnic, low', { ...base, oxygen_saturation: 82 }, 2, 3, 'low-medium'],
    ['unconscious', { ...oxygen, consciousness: 'U' }, 2, 8, 'high'],
    ['and cold', { ...oxygen, consciousness: 'V', temperature: 34 }, 2, 11, 'high'],
    ['and warm', { ...oxygen, consciousness: 'P', temperature: 39 }, 2, 9, 'high'],
    ['and hot', { ...oxygen, consciousness: 'C', temperature: 40 }, 2, 10, 'high'],
    ['and slow', { ...oxygen, consciousness: 'U', temperature: 40, pulse: 48 }, 2, 11, 'high'],
    ['and fast', { ...oxygen, consciousness: 'U', temperature: 40, pulse: 150 }, 2, 13, 'high'],
    ['everything at its worst', { respiration_rate: 30, oxygen_saturation: 80, air_or_oxygen: 'oxygen', systolic_pressure: 80, pulse: 150,
      consciousness: 'U', temperature: 34 }, 1, 20, 'high'],
  ];
  for (const [name, values, scale, expected, risk] of table) {
    it(`${name}: ${expected}, ${risk}`, () => {
      expect(score(values, scale)).toMatchObject({ complete: true, total: expected, response: { risk } });
    });
  }
});

describe('the response', () => {
  const table: readonly [total: number, red: boolean, risk: string, monitoring: string][] = [
    [0, false, 'low', 'every 12 hours'], [1, false, 'low', 'every 4 to 6 hours'], [4, false, 'low', 'every 4 to 6 hours'],
    [3, true, 'low-medium', 'every hour'], [4, true, 'low-medium', 'every hour'],
    [5, false, 'medium', 'every hour'], [5, true, 'medium', 'every hour'], [6, true, 'medium', 'every hour'],
    [7, false, 'high', 'continuous'], [20, true, 'high', 'continuous'],
  ];
  it('follows charts 2 and 4, a red score weighing only below 5', () => {
    for (const [sum, red, risk, monitoring] of table) expect(responseTo(sum, red)).toMatchObject({ risk, monitoring });
  });
});

describe('an incomplete score', () => {
  for (const parameter of PARAMETERS) {
    it(`has no total without ${parameter}, be it absent, stale or not a number`, () => {
      const { [parameter]: _, ...rest } = WELL;
      const absent = news2(observed(rest), { staleAfter });
      const stale = news2({ ...observed(WELL), [parameter]: { value: WELL[parameter], age: LIMIT + 1 } }, { staleAfter });
      const ageless = news2({ ...observed(WELL), [parameter]: { value: WELL[parameter], age: Number.NaN } }, { staleAfter });
      expect(absent).toMatchObject({ complete: false, atLeast: 0, missing: [{ parameter, why: 'absent' }] });
      expect(stale).toMatchObject({ complete: false, atLeast: 0, missing: [{ parameter, why: 'stale' }] });
      expect(ageless).toEqual(stale);
      if (typeof WELL[parameter] === 'number') expect(score({ [parameter]: Number.NaN })).toEqual(absent);
      for (const result of [absent, stale]) {
        expect(result).not.toHaveProperty('total');
        expect(result).not.toHaveProperty('response');
        expect(result).not.toHaveProperty('responseAtLeast');
        expect(result.scores).not.toHaveProperty(parameter);
      }
    });
  }

  it('takes each parameter by its own limit, and a value exactly as old as it', () => {
    const own = { ...staleAfter, pulse: Millis(1000) };
    expect(news2(observed(WELL, LIMIT), { staleAfter }).complete).toBe(true);
    expect(news2(observed(WELL, Millis(1001)), { staleAfter: own })).toMatchObject({ missing: [{ parameter: 'pulse', why: 'stale' }] });
  });

  it('says what is known already: the sum as a lower bound, and the response that nothing can take back', () => {
    const { temperature: _, ...rest } = WELL;
    const known = (values: Values): News2 => news2(observed({ ...rest, ...values }), { staleAfter });
    expect(known({ pulse: 100 })).toMatchObject({ atLeast: 1, red: [] });
    expect(known({ pulse: 135 })).toMatchObject({ atLeast: 3, red: ['pulse'], responseAtLeast: { risk: 'low-medium' } });
    expect(known({ pulse: 135, respiration_rate: 30, consciousness: 'C' })).toMatchObject({ atLeast: 9, responseAtLeast: { risk: 'high' } });
  });

  it('leaves SpO2 on scale 2 open where it depends on oxygen and nobody said', () => {
    const { air_or_oxygen: _, ...rest } = WELL;
    const at = (oxygen_saturation: number): News2 => news2(observed({ ...rest, oxygen_saturation }), { staleAfter, scale: 2 });
    expect(at(92).scores.oxygen_saturation).toBe(0);
    expect(at(83).scores.oxygen_saturation).toBe(3);
    for (const value of [93, 95, 97, 100]) {
      expect(at(value).scores).not.toHaveProperty('oxygen_saturation');
      expect(at(value)).toMatchObject({ complete: false, atLeast: 0, missing: [{ parameter: 'air_or_oxygen', why: 'absent' }] });
    }
  });

  it('of nothing at all is everything missing', () => {
    expect(news2({}, { staleAfter })).toEqual({
      complete: false, scores: {}, atLeast: 0, red: [], missing: PARAMETERS.map((parameter) => ({ parameter, why: 'absent' })),
    });
  });
});

describe('of any observations', () => {
  const values = fc.record({
    respiration_rate: fc.integer({ min: 1, max: 60 }), oxygen_saturation: fc.integer({ min: 60, max: 100 }),
    air_or_oxygen: fc.constantFrom('air' as const, 'oxygen' as const), systolic_pressure: fc.integer({ min: 40, max: 280 }),
    pulse: fc.integer({ min: 20, max: 220 }), consciousness: fc.constantFrom(...LEVELS_OF_CONSCIOUSNESS),
    temperature: fc.double({ min: 30, max: 43, noNaN: true }),
  });

  it('leaving some out never raises the bound above the total, and adding them reaches it', () => {
    fc.assert(fc.property(values, fc.constantFrom<1 | 2>(1, 2), fc.subarray([...PARAMETERS]), (all, scale, kept) => {
      const full = news2(observed(all), { staleAfter, scale });
      const part = news2(observed(Object.fromEntries(kept.map((parameter) => [parameter, all[parameter]]))), { staleAfter, scale });
      expect(part.complete).toBe(kept.length === PARAMETERS.length);
      expect(total(full)).toBe(Object.values(full.scores).reduce((sum, each) => sum + each, 0));
      if (!part.complete) expect(part.atLeast).toBeLessThanOrEqual(total(full));
      if (!part.complete) expect(part.missing.map(({ parameter }) => parameter)).toEqual(PARAMETERS.filter((each) => !kept.includes(each)));
    }));
  });

  it('scale 2 is taken only when it is given', () => {
    fc.assert(fc.property(values, (all) => {
      expect(news2(observed(all), { staleAfter })).toEqual(news2(observed(all), { staleAfter, scale: 1 }));
    }));
  });
});
