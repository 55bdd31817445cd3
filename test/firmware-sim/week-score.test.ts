import { describe, expect, it } from 'vitest';
import { eventLines, familyOf, ruleLines, score, totalsOf, type Answers, type RaisedAlarm } from '../../firmware-sim/week/score.ts';
import { EVENT_KINDS, type ScriptedEvent } from '../../firmware-sim/week/script.ts';

const DAY = 86_400;
const HOUR = 3600;

const nothing = { ought: [], may: [], after: 0 };
const ANSWERS = {
  ...(Object.fromEntries(EVENT_KINDS.map((kind) => [kind, nothing])) as unknown as Answers),
  fever: { ought: ['ill/fever'], may: ['ill/news*'], after: 1 },
  drop_out: { ought: ['no-data *'], may: [], after: 1 },
  fall_up_again: { ought: [], may: ['fall/fell'], after: 0.5 },
} satisfies Answers;

const fever: ScriptedEvent = { kind: 'fever', need: 'emergency', patient: 'anna', subjects: ['patient/anna'], from: DAY, until: DAY + 10 * HOUR, seenWithin: 6 * HOUR };
const dropOut: ScriptedEvent = { kind: 'drop_out', need: 'attention', patient: 'anna', subjects: ['patient/anna', 'room/anna-hall'], from: DAY + 20 * HOUR, until: DAY + 23 * HOUR, seenWithin: HOUR };
const fell: ScriptedEvent = { ...fever, kind: 'fall_up_again', need: 'none', from: DAY + 15 * HOUR, until: DAY + 15 * HOUR + 60, seenWithin: HOUR };

const raised = (hour: number, rule = 'ill/fever', more: Partial<RaisedAlarm> = {}): RaisedAlarm =>
  ({ at: DAY + hour * HOUR, subject: 'patient/anna', rule, kind: rule.includes('/') ? 'physiological' : 'technical', priority: 'medium', ...more });

const scored = (alarms: readonly RaisedAlarm[], script: readonly ScriptedEvent[] = [fever]): ReturnType<typeof score> =>
  score({ alarms, script, answers: ANSWERS, rules: [{ rule: 'ill/fever', kind: 'physiological' }], isGiven: (_, patient) => patient === 'anna', from: DAY, until: 3 * DAY, people: 2 });
const ruleOf = (result: ReturnType<typeof score>, rule: string): unknown => {
  const { hits, repeats, misses, falseAlarms } = result.rules.find((each) => each.rule === rule) ?? {};
  return [hits, repeats, misses, falseAlarms];
};

describe('scoring a week', () => {
  it('counts the first alarm about an event as a hit and the others as repeats', () => {
    const result = scored([raised(5), raised(2), raised(4)]);
    expect(ruleOf(result, 'ill/fever')).toEqual([1, 2, 0, 0]);
    expect(result.events).toMatchObject([{ after: 2 * HOUR, inTime: true }]);
    expect(totalsOf(result)).toEqual({ nonActionable: 0, physiological: 0, technical: 0, caught: 1, emergencies: 1 });
  });

  it('counts what nobody scripted as false alarms, per patient and day', () => {
    const result = scored([raised(2), raised(2, 'ill/fever', { subject: 'patient/otto' }), raised(14), raised(2, 'no-data spo2 ring')]);
    expect(ruleOf(result, 'ill/fever')).toEqual([1, 0, 0, 2]);
    expect(ruleOf(result, 'no-data spo2')).toEqual([0, 0, 0, 1]);
    expect(totalsOf(result)).toMatchObject({ nonActionable: 3 / 4, physiological: 2 / 4, technical: 1 / 4 });
  });

  it('misses an event that nobody was told of, and one that was told too late', () => {
    expect(ruleOf(scored([]), 'ill/fever')).toEqual([0, 0, 1, 0]);
    const late = scored([raised(7)]);
    expect(ruleOf(late, 'ill/fever')).toEqual([1, 0, 1, 0]);
    expect(late).toMatchObject({ emergencies: 1, emergenciesCaught: 0, events: [{ inTime: false, after: 7 * HOUR }] });
  });

  it('takes an alarm that comes soon after an event for one about it, and none from before', () => {
    expect(ruleOf(scored([raised(10.9)]), 'ill/fever')).toEqual([1, 0, 1, 0]);
    expect(ruleOf(scored([raised(11.1)]), 'ill/fever')).toEqual([0, 0, 1, 1]);
    expect(ruleOf(scored([raised(-0.1), raised(0)]), 'ill/fever')).toEqual([1, 0, 0, 0]);
  });

  it('is content when a rule that may answer does, but for the rule that ought to have', () => {
    const result = scored([raised(1, 'ill/news2-high')]);
    expect(result.emergenciesCaught).toBe(1);
    expect(ruleOf(result, 'ill/news2-high')).toEqual([1, 0, 0, 0]);
    expect(ruleOf(result, 'ill/fever')).toEqual([0, 0, 1, 0]);
  });

  it('expects nothing of a rule that is not asked for somebody', () => {
    const other = { ...fever, patient: 'otto', subjects: ['patient/otto'] };
    expect(ruleOf(scored([], [other]), 'ill/fever')).toEqual([0, 0, 0, 0]);
  });

  it('takes names with a star for all that begin or end alike', () => {
    const answers = { ...ANSWERS, fever: { ought: ['*/fever'], may: [], after: 0 } };
    const options = { alarms: [raised(1), raised(2, 'ill/news')], script: [fever], answers, rules: [], isGiven: () => true, from: DAY, until: 2 * DAY, people: 1 };
    expect(score(options).rules.map(({ rule, hits, falseAlarms }) => [rule, hits, falseAlarms])).toEqual([['ill/fever', 1, 0], ['ill/news', 0, 1]]);
  });

  it('expects nothing of what needs nobody, and forgives who tells it', () => {
    expect(scored([], [fell]).emergencies).toBe(0);
    expect(ruleOf(scored([raised(15.01, 'fall/fell')], [fell]), 'fall/fell')).toEqual([1, 0, 0, 0]);
  });

  it('looks at the scored days only', () => {
    const result = scored([raised(-1), raised(49)]);
    expect(result.falseAlarms).toEqual([]);
    expect(result.patientDays).toBe(4);
  });

  it('puts technical alarms of one kind together, whatever device they are about', () => {
    expect(familyOf({ rule: 'no-data spo2 greta-ring', kind: 'technical' })).toBe('no-data spo2');
    expect(familyOf({ rule: 'low-battery greta-ring', kind: 'technical' })).toBe('low-battery');
    expect(familyOf({ rule: 'home/stale-air', kind: 'technical' })).toBe('home/stale-air');
  });

  it('matches rooms of the home as well as the person', () => {
    const result = scored([raised(20.5, 'no-data motion hall-1', { subject: 'room/anna-hall' }), raised(21, 'no-data spo2 ring')], [dropOut]);
    expect(result.rules.map(({ rule, hits, falseAlarms }) => [rule, hits, falseAlarms])).toEqual([['ill/fever', 0, 0], ['no-data motion', 1, 0], ['no-data spo2', 1, 0]]);
  });

  it('prints a line for each rule and for each event', () => {
    const result = scored([raised(2), raised(14)], [fever, dropOut, fell]);
    expect(ruleLines(result)).toEqual([
      'rule       hits  repeats  misses  false  false/patient-day',
      'ill/fever     1        0       0      1              0.250',
    ]);
    const lines = eventLines(result, DAY);
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^fever +anna +day 1 00:00 +emergency +6\.0 h +2\.0 h +in time +ill\/fever$/);
    expect(lines[2]).toMatch(/^drop_out .* MISSED$/);
    expect(lines[3]).toMatch(/^fall_up_again .* not told$/);
  });
});
