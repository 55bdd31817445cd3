import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileCondition, ConditionProblem } from '../../gateway/context/condition.ts';
import type { Facts } from '../../gateway/context/facts.ts';

const NOTHING: Facts = {
  value: () => undefined, activity: 'unknown', room: undefined, hour: undefined, mean: () => undefined, lowest: () => undefined, highest: () => undefined,
  slope: () => undefined, usual: () => undefined, deviation: () => undefined, minutesSince: () => undefined, derived: () => undefined, within: () => NOTHING,
};
const facts = (values: Readonly<Record<string, number>>, more: Partial<Facts> = {}): Facts => ({ ...NOTHING, value: (name) => values[name], ...more });
const holds = (text: string, about: Facts): boolean | undefined => compileCondition(text).holds(about);

function problemOf(text: string): Readonly<{ message: string; at: string }> {
  try {
    compileCondition(text);
  } catch (error) {
    if (error instanceof ConditionProblem) return { message: error.message, at: text.slice(error.start, error.end) };
    throw error;
  }
  throw new Error('nothing is wrong with it');
}

describe('a condition', () => {
  const cases: readonly [text: string, about: Facts, expected: boolean | undefined][] = [
    ['spo2 < 92', facts({ spo2: 91.5 }), true],
    ['spo2 < 92', facts({ spo2: 92 }), false],
    ['heart_rate > 100 && activity == "rest"', facts({ heart_rate: 110 }, { activity: 'rest' }), true],
    ['heart_rate > 100 && activity == "rest"', facts({ heart_rate: 110 }, { activity: 'walk' }), false],
    ['activity in ["rest", "sleep"]', facts({}, { activity: 'sleep' }), true],
    ['hour >= 22.0 || hour < 6.0', facts({}, { hour: 23.5 }), true],
    ['room == "bath" && minutes_since("motion") > 30', facts({}, { room: 'bath', minutesSince: () => 31 }), true],
    ['mean("heart_rate", "5min") > 100', facts({}, { mean: (name, window) => (name === 'heart_rate' && window === 300_000 ? 101 : 0) }), true],
    ['deviation("steps") < -3.5', facts({}, { deviation: () => -4 }), true],
    ['heart_rate - usual("heart_rate") > 20.0', facts({ heart_rate: 95 }, { usual: () => 70 }), true],
  ];
  it.each(cases)('%s', (text, about, expected) => {
    expect(holds(text, about)).toBe(expected);
  });

  it('is neither true nor false while it depends on what is not known', () => {
    expect(holds('spo2 < 92', NOTHING)).toBeUndefined();
    expect(holds('!(spo2 < 92)', NOTHING)).toBeUndefined();
    expect(holds('hour < 6.0', NOTHING)).toBeUndefined();
    expect(holds('room == "bath"', NOTHING)).toBeUndefined();
    for (const call of ['mean("spo2", "1h")', 'lowest("spo2", "1h")', 'highest("spo2", "1h")', 'slope("spo2", "1h")', 'usual("spo2")', 'deviation("spo2")', 'minutes_since("spo2")']) {
      expect(holds(`${call} > 1.0`, NOTHING)).toBeUndefined();
    }
  });

  it('holds, or does not, where what is known decides', () => {
    expect(holds('heart_rate > 130 || pulse_rate > 130', facts({ pulse_rate: 140 }))).toBe(true);
    expect(holds('heart_rate > 130 && pulse_rate > 130', facts({ pulse_rate: 90 }))).toBe(false);
    expect(holds('heart_rate > 130 || pulse_rate > 130', facts({ pulse_rate: 90 }))).toBeUndefined();
    expect(holds('usual("spo2") > 1.0 || spo2 < 92', facts({ spo2: 80 }))).toBe(true);
  });

  it('names the measurements it is about, those in functions included', () => {
    expect(compileCondition('spo2 < 92 && mean("heart_rate", "5min") > 90 && spo2 > 50').measurements).toEqual(['heart_rate', 'spo2']);
  });

  it('says over which times it looks back, and of what it asks what is usual: nothing else has to be kept', () => {
    const { windows, baselines } = compileCondition('mean("spo2", "5min") < 90 && lowest("spo2", "300s") < 85 || slope("body_weight", "2d") > 0.02 && usual("heart_rate") > 60');
    expect(windows).toEqual([{ measurement: 'spo2', window: 300_000 }, { measurement: 'body_weight', window: 172_800_000 }]);
    expect(baselines).toEqual(['heart_rate']);
  });

  it('does not keep what it was told before', () => {
    const condition = compileCondition('mean("spo2", "1h") < 90');
    expect(condition.holds(facts({}, { mean: () => 85 }))).toBe(true);
    expect(condition.holds(NOTHING)).toBeUndefined();
  });

  it('never fails, whatever is known', () => {
    const value = fc.option(fc.double(), { nil: undefined });
    const condition = compileCondition('(spo2 < 92 || heart_rate > 130 && activity != "walk") && !(hour > 6.0 && mean("spo2", "1min") > 90) || room == "bath"');
    fc.assert(fc.property(value, value, value, value, fc.option(fc.string(), { nil: undefined }), fc.constantFrom('walk', 'rest', 'sleep', 'unknown'), (spo2, rate, hour, mean, room, activity) => {
      const about: Facts = { ...NOTHING, value: (name) => (name === 'spo2' ? spo2 : rate), hour, mean: () => mean, room, activity };
      expect([true, false, undefined]).toContain(condition.holds(about));
    }));
  });
});

describe('a condition that cannot be meant', () => {
  const wrong: readonly [text: string, at: string, message: RegExp][] = [
    ['sp02 < 92', 'sp02', /Unknown variable: sp02/],
    ['spo2 <', '', /Unexpected token/],
    ['spo2 < "92"', 'spo2 < "92"', /no such overload: double < string/],
    ['spo2', 'spo2', /must be true or false, this is double/],
    ['mean("sp02", "5min") < 92', '"sp02"', /unknown measurement "sp02"/],
    ['mean("spo2", "5 weeks") < 92', '"5 weeks"', /"5 weeks" is no duration/],
    ['mean("spo2", "1s") < 92', '"1s"', /too short or too long to look back on/],
    ['mean(room, "5min") < 92', 'room', /name of a measurement in quotes/],
    ['mean("spo2") < 92', 'mean("spo2")', /mean/],
    ['activity == "resting"', '"resting"', /one of walk, rest, sleep, unknown/],
    ['"reading" != activity', '"reading"', /one of walk, rest, sleep, unknown/],
    ['body_temperature > 101', 'body_temperature > 101', /is from 20 to 45 Cel: this is the same whatever is measured/],
    ['0.92 > spo2', '0.92 > spo2', /spo2 is from 30 to 100 %/],
    ['process.exit()', 'process', /Unknown variable: process/],
    ['', '', /./],
    ['spo2 == null', 'spo2 == null', /no such overload/],
  ];
  it.each(wrong)('%s is refused, with the place', (text, at, message) => {
    const problem = problemOf(text);
    expect(problem.message).toMatch(message);
    expect(problem.at).toBe(at);
  });

  it('is refused when it is too long or too deep to be read by anybody', () => {
    expect(problemOf(`spo2 < 92${' && spo2 < 92'.repeat(100)}`).message).toMatch(/characters; at most 1000/);
    expect(problemOf(`${'('.repeat(200)}spo2 < 92${')'.repeat(200)}`).message).toMatch(/./);
  });

  it('never makes the compiler fail in another way', () => {
    const piece = fc.constantFrom('spo2', 'heart_rate', '<', '&&', '||', '(', ')', '92', '"x"', 'mean(', ',', '!', 'in', '[', ']', '?', ':', '.', 'activity', '==', 'null', '-', '\u{1f600}');
    fc.assert(fc.property(fc.oneof(fc.array(piece, { maxLength: 20 }).map((all) => all.join(' ')), fc.string()), (text) => {
      try {
        compileCondition(text).holds(NOTHING);
      } catch (error) {
        expect(error).toBeInstanceOf(ConditionProblem);
      }
    }), { numRuns: 2000 });
  });
});
