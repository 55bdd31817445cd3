import { step } from '../../gateway/alarm/alarms.ts';
import { NO_ALARMS, type Alarm, type AlarmState } from '../../gateway/alarm/alarm.ts';
import { AlarmId, type Actor, type AlarmInput, type Condition } from '../../gateway/alarm/condition.ts';
import { type AlarmPolicy, type Course } from '../../gateway/alarm/policy.ts';
import type { Step } from '../../gateway/alarm/step.ts';
import { Seconds } from '../../gateway/quantity.ts';

const course = (given: Partial<Course>): Course => ({
  delay: Seconds(0),
  levels: [{ to: ['nurse'], within: Seconds(60) }, { to: ['doctor'], within: Seconds(120) }],
  realarm: Seconds(600),
  snooze: Seconds(90),
  episode: Seconds(30),
  latched: false,
  ...given,
});

/** Round numbers: a nurse has a minute, then the doctor two, again and again. */
export const POLICY: AlarmPolicy = {
  people: [{ name: 'ann', roles: ['nurse'] }, { name: 'ben', roles: ['nurse', 'technician'] }, { name: 'cho', roles: ['doctor'] }],
  physiological: {
    high: course({ latched: true, levels: [{ to: ['nurse'], within: Seconds(20) }, { to: ['doctor'], within: Seconds(40) }] }),
    medium: course({}),
    low: course({ delay: Seconds(10), levels: [{ to: ['nurse'], within: Seconds(300) }] }),
  },
  technical: {
    high: course({}),
    medium: course({ levels: [{ to: ['technician'], within: Seconds(60) }, { to: ['everyone'], within: Seconds(120) }] }),
    low: course({ levels: [{ to: ['technician'], within: Seconds(300) }] }),
  },
  technicalHighest: 'medium',
  quiet: { timeZone: 'UTC', hours: [], mediumDelay: Seconds(100), watchLimit: Seconds(50) },
  most: 16,
};

export const ANN: Actor = { id: 'ann', role: 'nurse' };
export const BEN: Actor = { id: 'ben', role: 'nurse' };

export const condition = (given: Partial<Condition> = {}): Condition => ({
  subject: { kind: 'patient', id: 'anna' }, rule: 'slow-pulse', kind: 'physiological', priority: 'medium', message: 'Pulse is slow',
  evidence: { condition: 'heart_rate < 40', values: [{ measurement: 'heart_rate', value: 38, unit: '/min', limit: 40 }], frames: [1] }, ...given,
});

export const raised = (given: Partial<Condition> = {}): AlarmInput => ({ type: 'raised', condition: condition(given) });
export const cleared = (given: Partial<Condition> = {}): AlarmInput => {
  const { subject, rule } = condition(given);
  return { type: 'cleared', key: { subject, rule } };
};
export const withdrawn = (given: Partial<Condition> = {}): AlarmInput => ({ ...cleared(given), withdrawn: true }) as AlarmInput;
export const ack = (revision = 1, alarm = 1, by = ANN): AlarmInput => ({ type: 'acknowledge', alarm: AlarmId(alarm), revision, by });
export const pause = (seconds: number, revision = 1, alarm = 1, by = ANN): AlarmInput => ({ type: 'snooze', alarm: AlarmId(alarm), revision, time: Seconds(seconds), by });
export const quiet = (on: boolean): AlarmInput => ({ type: 'quiet', quiet: on });
export const timer: AlarmInput = { type: 'timer' };

/** Things that happen, each with its second. */
export type Scene = readonly (readonly [second: number, input: AlarmInput])[];

export function play(scene: Scene, policy: AlarmPolicy = POLICY, from: AlarmState = NO_ALARMS): Readonly<{ state: AlarmState; steps: readonly Step[] }> {
  let state = from;
  const steps: Step[] = [];
  for (const [second, input] of scene) {
    const stepped = step(state, input, Seconds(second), policy);
    state = stepped.state;
    steps.push(...stepped.steps);
  }
  return { state, steps };
}

/** A step in a line: `second #alarm from>to why`, then who did it, why it was refused, and who is told or why nobody is. */
function line({ at, alarm, from, to, why, by, refusal, told, untold }: Step): string {
  const missed = told?.unobserved === undefined ? '' : ` unobserved ${told.unobserved / 1000}`;
  return [
    `${at / 1000} #${alarm} ${from}>${to} ${why}`,
    by === undefined ? '' : ` by ${by.id}`,
    refusal === undefined ? '' : ` ${refusal}`,
    told === undefined ? '' : ` → ${told.level}/${told.levels} ${told.to.join('+')}${missed}`,
    untold === undefined ? '' : ` (${untold})`,
  ].join('');
}

export const lines = (scene: Scene, policy?: AlarmPolicy): readonly string[] => play(scene, policy).steps.map(line);

/** The live or remembered alarm of this number. */
export function alarmOf(state: AlarmState, id = 1): Alarm {
  const found = state.alarms.find((alarm) => alarm.id === id);
  if (found === undefined) throw new Error(`no alarm ${id}`);
  return found;
}
