import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY, courseOf, peopleOf, type AlarmPolicy } from '../../gateway/alarm/policy.ts';
import { readPolicy } from '../../gateway/alarm/read-policy.ts';
import { POLICY } from './scenes.ts';

describe('the people of a level', () => {
  const table: readonly [to: readonly string[], names: readonly string[]][] = [
    [['cho'], ['cho']],
    [['nurse'], ['ann', 'ben']],
    [['nurse', 'technician', 'ben'], ['ann', 'ben']],
    [['doctor', 'ann'], ['ann', 'cho']],
    [['everyone'], ['ann', 'ben', 'cho']],
    [['nobody'], []],
  ];
  for (const [to, names] of table) it(`called ${to.join(' and ')} are ${names.join(', ') || 'none'}`, () => expect(peopleOf(POLICY, to)).toEqual(names));
});

describe('the policy that is in force before there is another', () => {
  it('is one that can be followed', () => {
    expect(readPolicy(JSON.parse(JSON.stringify(DEFAULT_POLICY)))).toEqual(DEFAULT_POLICY);
  });

  it('gives technical alarms medium priority at most', () => {
    expect(DEFAULT_POLICY.technicalHighest).toBe('medium');
  });

  it('tells high priority first, and again soonest', () => {
    for (const kind of ['physiological', 'technical'] as const) {
      const [high, medium, low] = (['high', 'medium', 'low'] as const).map((priority) => courseOf(DEFAULT_POLICY, { kind, priority }));
      for (const of of ['delay', 'realarm', 'snooze', 'episode'] as const) {
        expect(high?.[of]).toBeLessThanOrEqual(medium?.[of] ?? 0);
        expect(medium?.[of]).toBeLessThanOrEqual(low?.[of] ?? 0);
      }
    }
  });
});

describe('a policy from the journal', () => {
  type Changed = { -readonly [K in keyof AlarmPolicy]: unknown };
  const changed = (change: (policy: Changed) => void): unknown => {
    const policy = JSON.parse(JSON.stringify(POLICY)) as Changed;
    change(policy);
    return policy;
  };
  const high = (fields: object): unknown => changed((policy) => (policy.physiological = { ...POLICY.physiological, high: { ...POLICY.physiological.high, ...fields } }));
  const hours = (...all: readonly unknown[]): unknown => changed((policy) => (policy.quiet = { ...POLICY.quiet, hours: all }));

  it('is read as it was written', () => {
    expect(readPolicy(JSON.parse(JSON.stringify(POLICY)))).toEqual(POLICY);
    expect(readPolicy(hours({ from: 1320, until: 360, days: ['fri', 'sat'] }))).toMatchObject({ quiet: { hours: [{ from: 1320, until: 360, days: ['fri', 'sat'] }] } });
  });

  it('may have members of later versions', () => {
    expect(readPolicy(changed((policy) => Object.assign(policy, { siren: true })))).toEqual(POLICY);
    expect(readPolicy(high({ siren: true }))).toEqual(POLICY);
  });

  const broken: readonly [what: string, policy: unknown][] = [
    ['nothing', null],
    ['text', 'policy'],
    ['nothing in it', {}],
    ['people that are no list', changed((policy) => (policy.people = {}))],
    ['a person without a name', changed((policy) => (policy.people = [{ roles: [] }]))],
    ['a role that is no text', changed((policy) => (policy.people = [{ name: 'ann', roles: [7] }]))],
    ['an unknown highest priority', changed((policy) => (policy.technicalHighest = 'utmost'))],
    ['no technical courses', changed((policy) => (policy.technical = undefined))],
    ['a priority without a course', changed((policy) => (policy.physiological = { high: POLICY.physiological.high }))],
    ['no room for an alarm', changed((policy) => (policy.most = 0))],
    ['half an alarm', changed((policy) => (policy.most = 1.5))],
    ['no level', high({ levels: [] })],
    ['a level that names nobody', high({ levels: [{ to: [], within: 1000 }] })],
    ['a level of strangers', high({ levels: [{ to: ['zoe'], within: 1000 }] })],
    ['a level without time', high({ levels: [{ to: ['ann'], within: 0 }] })],
    ['a level that may be silent for too long', high({ levels: [{ to: ['ann'], within: 600_001 }] })],
    ['a pause that may be too long', high({ snooze: 600_001 })],
    ['a delay that may be too long', high({ delay: 600_001 })],
    ['an episode that may be too long', high({ episode: 600_001 })],
    ['a negative delay', high({ delay: -1 })],
    ['no time to alarm again', high({ realarm: 0, delay: 0, snooze: 0, episode: 0 })],
    ['a duration as text', high({ realarm: '10min' })],
    ['an endless time', high({ realarm: Infinity })],
    ['latched as text', high({ latched: 'yes' })],
    ['no quiet hours', changed((policy) => (policy.quiet = undefined))],
    ['quiet hours after the day', hours({ from: 1440, until: 360, days: [] })],
    ['quiet hours of no length', hours({ from: 60, until: 60, days: [] })],
    ['quiet hours on a day there is not', hours({ from: 60, until: 90, days: ['someday'] })],
  ];
  for (const [what, policy] of broken) {
    it(`is refused with ${what}`, () => expect(() => readPolicy(policy)).toThrow(expect.objectContaining({ code: 'VG_DECODE', reason: 'wrong_shape' })));
  }
});
