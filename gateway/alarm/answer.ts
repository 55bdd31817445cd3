import { Millis } from '../quantity.ts';
import type { Alarm } from './alarm.ts';
import { end } from './clear.ts';
import type { Actor, AlarmId, AlarmInput } from './condition.ts';
import { aboutOf, type Moment } from './moment.ts';
import { courseOf, sameLevels, type AlarmPolicy, type Course, type Level } from './policy.ts';
import type { Refusal } from './step.ts';
import { tell } from './tell.ts';

type Acknowledge = Extract<AlarmInput, { type: 'acknowledge' }>;
type Escalate = Extract<AlarmInput, { type: 'escalate' }>;
type Snooze = Extract<AlarmInput, { type: 'snooze' }>;

/** A person takes over what they saw. It does not end the condition: of one that persists it stops the telling, one that is over leaves the list. */
export function acknowledge(moment: Moment, { alarm: id, revision, by }: Acknowledge): void {
  const found = answerable(moment.get(id), revision);
  if (typeof found === 'string') return refuse(moment, id, by, found);
  if (found.phase === 'latched') return end(moment, found, 'acknowledged', { by });
  const dueAt = Millis(moment.now + moment.courseOf(found).realarm);
  moment.change(found, { ...found, phase: 'acknowledged', held: false, snooze: null, acknowledgedBy: by, dueAt }, 'acknowledged', { by });
}

/**
 * A person pauses one alarm; others are not affected (IEC 60601-1-8 6.8.1). The pause is as long as asked, but MUST NOT be longer than the
 * policy's limit from the first pause in a row on, nor keep the alarm silent for longer than its re-alarm time.
 */
export function snooze(moment: Moment, { alarm: id, revision, time, by }: Snooze): void {
  const found = answerable(moment.get(id), revision);
  if (typeof found === 'string') return refuse(moment, id, by, found);
  const { now } = moment;
  const since = found.snooze?.since ?? now;
  const until = endOfPause(found, time, now, moment.courseOf(found));
  if (until === undefined) return refuse(moment, id, by, 'no_time_left');
  // Nobody has answered, but the time of the level is paused: it is told again and has all of it.
  const nextLevel = Math.max(1, found.level);
  moment.change(found, { ...found, nextLevel, held: false, snooze: { by, since, until }, dueAt: until }, 'snoozed', { by });
}

/** Undefined: there is no time left for a pause. */
function endOfPause({ snooze: paused, toldAt }: Alarm, time: Millis, now: Millis, { snooze: longest, realarm }: Course): Millis | undefined {
  const until = Millis(Math.min(now + Math.floor(time), (paused?.since ?? now) + longest, (toldAt ?? now) + realarm));
  // Not a number is no time, either.
  return until > now ? until : undefined;
}

/**
 * Other people are told of an alarm that nobody has answered, from the first on. What was asked for already goes on where it is, so that
 * whoever does not know whether they were heard may ask again. One that is pending waits for the end of its delay.
 */
export function escalate(moment: Moment, { alarm: id, revision, levels, by }: Escalate): void {
  const alarm = moment.get(id);
  if (isAskedAgain(alarm, levels)) return;
  if (alarm?.phase === 'pending') return moment.change(alarm, { ...alarm, levels }, 'rerouted', { by, untold: 'delay' });
  const found = answerable(alarm, revision);
  if (typeof found === 'string') return refuse(moment, id, by, found);
  tell(moment, found, { ...found, levels, level: 0, nextLevel: 1, held: false, snooze: null }, 'rerouted', Millis(0), { by });
}

type Answer = Pick<Acknowledge, 'type' | 'revision'> | Pick<Escalate, 'type' | 'revision' | 'levels'> | Pick<Snooze, 'type' | 'revision' | 'time'>;

/** Why an answer would be refused as things stand; undefined: it would be taken. */
export function refusalOf(answer: Answer, alarm: Alarm | undefined, now: Millis, policy: AlarmPolicy): Refusal | undefined {
  if (answer.type === 'escalate' && (alarm?.phase === 'pending' || isAskedAgain(alarm, answer.levels))) return undefined;
  const found = answerable(alarm, answer.revision);
  if (typeof found === 'string') return found;
  return answer.type === 'snooze' && endOfPause(found, answer.time, now, courseOf(policy, found)) === undefined ? 'no_time_left' : undefined;
}

const isAskedAgain = (alarm: Alarm | undefined, levels: readonly Level[]): boolean => alarm !== undefined && alarm.phase !== 'cleared' && sameLevels(alarm.levels, levels);

/** The alarm, if this is an answer to it as it is now; else why not. */
function answerable(alarm: Alarm | undefined, revision: number): Alarm | Refusal {
  if (alarm === undefined) return 'unknown_alarm';
  if (alarm.phase === 'cleared') return 'already_cleared';
  if (alarm.phase === 'pending') return 'not_active';
  if (revision < alarm.prioritySince) return 'priority_raised';
  if (revision < alarm.revision) return 'outdated';
  if (revision !== alarm.revision) return 'unknown_revision';
  return alarm.phase === 'acknowledged' ? 'already_acknowledged' : alarm;
}

function refuse(moment: Moment, id: AlarmId, by: Actor, refusal: Refusal): void {
  const alarm = moment.get(id);
  const phase = alarm?.phase ?? 'none';
  const about = alarm === undefined ? null : aboutOf(alarm);
  const next = alarm === undefined || alarm.phase === 'cleared' ? null : alarm.dueAt;
  moment.note({ alarm: id, about, from: phase, to: phase, why: 'refused', revision: alarm?.revision ?? 0, next, by, refusal });
}
