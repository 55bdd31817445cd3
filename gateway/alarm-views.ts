/** What people and programs are told about alarms: as they are now, and what happened to them. Instants are ISO 8601 in UTC. */

import { liveAlarms, type Alarm, type AlarmState, type Phase } from './alarm/alarm.ts';
import type { Actor } from './alarm/condition.ts';
import { courseOf, peopleOf, type AlarmPolicy, type Course } from './alarm/policy.ts';
import type { Notification, Refusal, Step, Untold, Why } from './alarm/step.ts';
import { whyNext } from './alarm/timers.ts';
import type { Evidence, Kind, Priority } from './context/finding.ts';
import type { Millis, UnixMillis } from './quantity.ts';
import type { Subject } from './reading.ts';

/** A live or remembered alarm. */
export type AlarmView = Readonly<{
  id: number;
  /** An answer names it: it says what its author saw. */
  revision: number;
  /** Null: the gateway itself. */
  subject: Subject | null;
  rule: string;
  kind: Kind;
  priority: Priority;
  phase: Phase;
  message: string;
  evidence: Evidence | null;
  /** How often it was raised in this episode. */
  count: number;
  raisedAt: string;
  /** Who was told last; null: nobody since it became active. */
  told: Readonly<{ level: number; levels: number; people: readonly string[]; at: string }> | null;
  /** What happens when nobody does anything. `at` null: when quiet hours end. The whole null: nothing. */
  next: Readonly<{ what: Why; at: string | null; level: number; people: readonly string[] }> | null;
  snooze: Readonly<{ until: string; by: Actor }> | null;
  acknowledgedBy: Actor | null;
}>;

/** One thing that happened to one alarm. The same whether it is told as it happens or read from the chain later. */
export type StepView = Readonly<{
  /** Among all steps, from 1, without gaps. */
  step: number;
  time: string;
  alarm: number;
  revision: number;
  why: Why;
  from: Phase | 'none';
  to: Phase | 'none';
  /** Null, as `rule` to `evidence`: there is no such alarm. */
  subject: Subject | null;
  rule: string | null;
  kind: Kind | null;
  priority: Priority | null;
  message: string | null;
  count: number | null;
  evidence: Evidence | null;
  told: Notification | null;
  untold: Untold | null;
  by: Actor | null;
  refusal: Refusal | null;
}>;

/** The live alarms, the most urgent first. Both kinds stand apart (IEC 60601-1-8). */
export type AlarmLists = Readonly<Record<Kind, readonly AlarmView[]>>;

/** What it takes to show an alarm: who is told when, and what a steady instant is on the wall clock. */
export type Shown = Readonly<{ policy: AlarmPolicy; wallAt: (steady: Millis) => UnixMillis }>;

export const alarmLists = (state: AlarmState, shown: Shown): AlarmLists => ({
  physiological: liveAlarms(state, 'physiological').map((alarm) => alarmView(alarm, shown)),
  technical: liveAlarms(state, 'technical').map((alarm) => alarmView(alarm, shown)),
});

export function alarmView(alarm: Alarm, { policy, wallAt }: Shown): AlarmView {
  const { id, revision, subject, rule, kind, priority, phase, message, evidence, count, raisedAt, snooze, acknowledgedBy } = alarm;
  const iso = (steady: Millis): string => isoOf(wallAt(steady));
  return {
    id, revision, subject, rule, kind, priority, phase, message, evidence, count, raisedAt: iso(raisedAt),
    told: toldOf(alarm, policy, iso),
    next: nextOf(alarm, policy, iso),
    snooze: snooze === null ? null : { until: iso(snooze.until), by: snooze.by },
    acknowledgedBy,
  };
}

function toldOf(alarm: Alarm, policy: AlarmPolicy, iso: (steady: Millis) => string): AlarmView['told'] {
  const { level, toldAt } = alarm;
  if (level === 0 || toldAt === null) return null;
  const course = courseOf(policy, alarm);
  return { level, levels: course.levels.length, people: peopleAt(course, level, policy), at: iso(toldAt) };
}

function nextOf(alarm: Alarm, policy: AlarmPolicy, iso: (steady: Millis) => string): AlarmView['next'] {
  const { phase, held, dueAt } = alarm;
  if (phase === 'cleared' || (dueAt === null && !held)) return null;
  const course = courseOf(policy, alarm);
  // What was acknowledged begins anew.
  const level = phase === 'acknowledged' ? 1 : Math.min(alarm.nextLevel, course.levels.length);
  return { what: whyNext(alarm, course), at: dueAt === null ? null : iso(dueAt), level, people: peopleAt(course, level, policy) };
}

const peopleAt = ({ levels }: Course, level: number, policy: AlarmPolicy): readonly string[] => peopleOf(policy, levels[level - 1]?.to ?? []);

export function stepView({ number, alarm, revision, why, from, to, about, told, untold, by, refusal }: Step, time: UnixMillis): StepView {
  return {
    step: number, time: isoOf(time), alarm, revision, why, from, to,
    subject: about?.subject ?? null,
    rule: about?.rule ?? null,
    kind: about?.kind ?? null,
    priority: about?.priority ?? null,
    message: about?.message ?? null,
    count: about?.count ?? null,
    evidence: about?.evidence ?? null,
    told: told ?? null, untold: untold ?? null, by: by ?? null, refusal: refusal ?? null,
  };
}

const isoOf = (instant: UnixMillis): string => new Date(instant).toISOString();
