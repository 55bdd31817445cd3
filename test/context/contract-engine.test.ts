import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askRules, compileContracts, rulesDue, type RuleSet, type RuleStates } from '../../gateway/context/contract-engine.ts';
import type { Contract, ContractRule } from '../../gateway/context/contract.ts';
import { factsOf, NOBODY_KNOWN, takeValue, type SubjectState } from '../../gateway/context/subject-state.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';

const LOW_OXYGEN: ContractRule = {
  id: 'low-oxygen', when: 'spo2 < 92', clear: 'spo2 >= 94', unless: 'activity == "walk"', for: Seconds(40), clearFor: Seconds(0), atMostEvery: Millis(0),
  priority: 'high', kind: 'physiological', message: 'SpO2 {spo2} %', source: 'test',
};
const FAST: ContractRule = { ...LOW_OXYGEN, id: 'fast', when: 'heart_rate > 130 || pulse_rate > 130', clear: undefined, unless: undefined, for: Millis(0), priority: 'medium' };
const pack = (...rules: readonly ContractRule[]): Contract => ({ pack: 'test', version: 1, rules });
const compiledOf = (contract: Contract): RuleSet => compileContracts([{ contract, hash: '00' }]);

type Told = readonly [second: number, measurement: string, value: number];

/** What happens while values come, and at instants in between when nothing does (`tick`). */
function story(contract: Contract, told: readonly Told[]): string[] {
  const compiled = compiledOf(contract);
  let [person, states]: [SubjectState, RuleStates] = [NOBODY_KNOWN, {}];
  const happened: string[] = [];
  for (const [second, measurement, value] of told) {
    const at = Seconds(second);
    if (measurement !== 'tick') person = takeValue(person, { measurement, value, frame: Sequence(second) }, { at }, compiled.needs);
    const facts = factsOf(person, { at });
    const asked = measurement === 'tick' ? compiled.rules : (compiled.naming.get(measurement) ?? []);
    const { states: next, changes } = askRules(asked, JSON.parse(JSON.stringify(states)) as RuleStates, facts, at, measurement === 'tick' ? undefined : second);
    states = next;
    for (const { compiled: { rule, measurements }, phase, held, from } of changes) {
      const values = Object.fromEntries(measurements.map((name) => [name, facts.value(name)]));
      happened.push(`${rule.id} ${phase} at ${second} after ${held / 1000} s from ${String(from)} with ${JSON.stringify(values)}`);
    }
  }
  return happened;
}

describe('a contract', () => {
  it('raises a rule whose condition held long enough, also when only time went on, and names what decided', () => {
    expect(story(pack(LOW_OXYGEN), [[0, 'spo2', 90], [20, 'spo2', 91], [40, 'tick', 0], [60, 'spo2', 93], [70, 'spo2', 95]])).toEqual([
      'low-oxygen raised at 40 after 40 s from 0 with {"spo2":91}', 'low-oxygen cleared at 70 after 0 s from 70 with {"spo2":95}',
    ]);
  });

  it('raises nothing on the strength of a value that stopped coming, and clears nothing by its absence', () => {
    const slow = { ...LOW_OXYGEN, for: Seconds(400) };
    expect(story(pack(slow), [[0, 'spo2', 90], [450, 'tick', 0]])).toEqual([]);
    expect(story(pack(LOW_OXYGEN), [[0, 'spo2', 90], [40, 'tick', 0], [2000, 'tick', 0]])).toEqual(['low-oxygen raised at 40 after 40 s from 0 with {"spo2":90}']);
  });

  it('does not raise while an exception holds, and raises when nobody can tell whether it does', () => {
    const walking: Told[] = Array.from({ length: 30 }, (_, i) => [i * 5, 'steps', i * 10]);
    const breathless: Told[] = Array.from({ length: 30 }, (_, i) => [i * 5, 'spo2', 90]);
    const both = [...walking, ...breathless].toSorted(([a], [b]) => a - b);
    // Not known to walk before a minute of counting and its dwell; from then on the dwell of the rule is interrupted.
    expect(story(pack({ ...LOW_OXYGEN, for: Seconds(100) }), both)).toEqual([]);
    const unknowable = { ...LOW_OXYGEN, unless: 'minutes_since("motion") < 5', for: Millis(0) };
    expect(story(pack(unknowable), [[0, 'spo2', 90]])).toHaveLength(1);
  });

  it('decides by what is known where the rest does not matter', () => {
    expect(story(pack(FAST), [[0, 'pulse_rate', 150], [1, 'pulse_rate', 90], [2, 'heart_rate', 80]])).toEqual([
      'fast raised at 0 after 0 s from 0 with {"pulse_rate":150}', 'fast cleared at 2 after 0 s from 2 with {"heart_rate":80,"pulse_rate":90}',
    ]);
  });

  it('says when it has to be asked again though nothing comes', () => {
    const compiled = compiledOf(pack(FAST, LOW_OXYGEN));
    const person = takeValue(NOBODY_KNOWN, { measurement: 'spo2', value: 90, frame: Sequence(7) }, { at: Seconds(5) }, compiled.needs);
    const { states } = askRules(compiled.rules, {}, factsOf(person, { at: Seconds(5) }), Seconds(5));
    expect(rulesDue(compiled, states)).toBe(45_000);
    expect(rulesDue(compiled, {})).toBeUndefined();
    expect(rulesDue(compiledOf(pack(FAST)), states)).toBeUndefined();
  });

  it('gives the very same states back when nothing changed', () => {
    const compiled = compiledOf(pack(FAST, LOW_OXYGEN));
    const states: RuleStates = { 'test/fast': { raised: true, raisedAt: Seconds(1) } };
    expect(askRules(compiled.rules, states, factsOf(NOBODY_KNOWN, { at: Seconds(9) }), Seconds(9))).toEqual({ states, changes: [] });
    expect(askRules(compiled.rules, states, factsOf(NOBODY_KNOWN, { at: Seconds(9) }), Seconds(9)).states).toBe(states);
  });

  it('raises and clears each rule in turns, beginning with raised, whatever is told', () => {
    const told = fc.array(fc.tuple(fc.nat(120), fc.constantFrom('spo2', 'heart_rate', 'pulse_rate', 'steps', 'tick'), fc.integer({ min: 40, max: 180 })), { maxLength: 80 });
    fc.assert(fc.property(told, (steps) => {
      let second = 0;
      const happened = story(pack(FAST, LOW_OXYGEN), steps.map(([passed, name, value]): Told => [(second += passed), name, value]));
      for (const id of ['fast', 'low-oxygen']) {
        const phases = happened.filter((each) => each.startsWith(`${id} `)).map((each) => each.split(' ')[1]);
        expect(phases).toEqual(phases.map((_, i) => (i % 2 === 0 ? 'raised' : 'cleared')));
      }
    }));
  });
});
