import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../gateway/context/condition.ts';
import type { Facts } from '../../gateway/context/facts.ts';

/** The naive twin: the library alone, asked for the whole text, with what is not known left out. */
const library = new Environment({ unlistedVariablesAreDyn: false })
  .registerVariable('spo2', 'double').registerVariable('heart_rate', 'double').registerVariable('news2', 'double')
  .registerVariable('news2_red', 'bool').registerVariable('activity', 'string').registerVariable('room_kind', 'string')
  .registerOperator('double == int', (left: number, right: bigint) => left === Number(right))
  .registerFunction('mean(string, string): double', () => looked(current.mean))
  .registerFunction('usual(string): double', () => looked(current.usual));

/** What the functions of the twin answer from. */
let current: Known = { activity: 'rest' };
function looked(value: number | undefined): number {
  if (value === undefined) throw Object.assign(new Error('not known'), { code: 'not_known' });
  return value;
}

type Known = Readonly<{ spo2?: number; heart_rate?: number; news2?: number; news2_red?: boolean; activity: 'walk' | 'rest'; room_kind?: string; mean?: number; usual?: number }>;

function twin(text: string, known: Known): boolean | undefined {
  current = known;
  try {
    const { mean: _, usual: __, ...named } = known;
    return library.parse(text)(named) as boolean;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === 'string') return undefined;
    throw error;
  }
}

function factsOf({ activity, mean, usual, ...known }: Known): Facts {
  const all = known as Readonly<Record<string, number | boolean | string | undefined>>;
  const nothing = (): undefined => undefined;
  const facts: Facts = {
    value: (name) => all[name] as number | undefined, derived: (name) => all[name], activity, room: undefined, hour: undefined,
    mean: () => mean, lowest: nothing, highest: nothing, slope: nothing, usual: () => usual, deviation: nothing, minutesSince: nothing, within: () => facts,
  };
  return facts;
}

const operator = fc.constantFrom('<', '<=', '>', '>=', '==', '!=');
const comparison = fc.oneof(
  fc.tuple(fc.constantFrom('spo2', 'heart_rate'), operator, fc.constantFrom('90', '90.0', '100', '95.5')).map((parts) => parts.join(' ')),
  fc.tuple(fc.constantFrom('90', '100.0'), fc.constantFrom('<', '<=', '>', '>='), fc.constantFrom('spo2', 'heart_rate')).map((parts) => parts.join(' ')),
  fc.tuple(fc.constant('news2'), operator, fc.constantFrom('5', '7.0')).map((parts) => parts.join(' ')),
  fc.constantFrom('news2_red', 'news2_red == false', 'activity == "walk"', '"rest" != activity', 'room_kind == "bathroom"', 'activity in ["rest", "sleep"]', 'heart_rate - spo2 > 5.0',
    '(heart_rate + spo2) * 2.0 > 390.0', 'spo2 in [90.0, 95.5]', '(news2_red ? spo2 : heart_rate) > 95.0', 'mean("spo2", "5min") >= usual("spo2") + 5.0',
    'heart_rate * 1.5 < 2.0 * mean("heart_rate", "30s") - -1.0', '95.0 <= usual("spo2")', 'usual("spo2") in [90.0, 95.5]', 'true == news2_red', 'activity + room_kind == "restbathroom"', 'spo2 / 2.0 < 47.0'),
);
const condition = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof({ depthSize: 'small', withCrossShrink: true }, comparison,
    fc.tuple(tie('all'), fc.constantFrom('&&', '||'), tie('all')).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    fc.tuple(tie('all'), fc.constantFrom('&&', '||'), comparison).map(([a, op, b]) => `${a} ${op} ${b}`),
    tie('all').map((a) => `!(${a})`)),
})).all;
const number = fc.constantFrom(89, 90, 95.5, 100, 101);
const known: fc.Arbitrary<Known> = fc.record({
  spo2: number, heart_rate: number, news2: fc.constantFrom(4, 5, 7), news2_red: fc.boolean(), activity: fc.constantFrom('walk' as const, 'rest' as const), room_kind: fc.constantFrom('bathroom', 'hall'), mean: number, usual: number,
}, { requiredKeys: ['activity'] });

describe('asking a condition', () => {
  it('gives the answer of the library, whatever is known', () => {
    let [answered, open] = [0, 0];
    fc.assert(fc.property(condition, known, (text, about) => {
      const expected = twin(text, about);
      if (expected === undefined) open += 1;
      else answered += 1;
      expect([text, compileCondition(text).holds(factsOf(about))]).toEqual([text, expected]);
    }), { numRuns: 2000 });
    expect(answered).toBeGreaterThan(300);
    expect(open).toBeGreaterThan(100);
  });

  it('is not known where CEL cannot compute it, and stops nobody', () => {
    expect(compileCondition('[1.0, 2.0][int(spo2)] > 0.0').holds(factsOf({ spo2: 90, activity: 'rest' }))).toBeUndefined();
    expect(compileCondition('[1.0, 2.0][int(spo2)] > 0.0 || heart_rate > 90').holds(factsOf({ spo2: 90, heart_rate: 95, activity: 'rest' }))).toBe(true);
  });

  it('may compare a state with a whole number', () => {
    expect(compileCondition('spo2_scale == 2').holds({ ...factsOf({ activity: 'rest' }), derived: () => 2 })).toBe(true);
    expect(compileCondition('fall == 1').holds({ ...factsOf({ activity: 'rest' }), value: () => 0 })).toBe(false);
    expect(() => compileCondition('spo2_scale == 3')).toThrow('from 1 to 2');
  });
});
