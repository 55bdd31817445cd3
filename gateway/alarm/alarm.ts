import type { Evidence, Kind, Priority } from '../context/finding.ts';
import { Millis } from '../quantity.ts';
import type { Subject } from '../reading.ts';
import { rank, type Actor, type AlarmId } from './condition.ts';
import type { Level } from './policy.ts';

/**
 * Where an alarm is in its life.
 *
 * | phase          | the condition | a person                | who is told                                      |
 * | -------------- | ------------- | ----------------------- | ------------------------------------------------ |
 * | `pending`      | persists      | cannot answer yet       | nobody, until its notification delay is over     |
 * | `active`       | persists      | has not answered        | one level after the other, then the last again   |
 * | `acknowledged` | persists      | has taken it over       | nobody, until its re-alarm time is over          |
 * | `latched`      | is over       | has not answered        | as `active`                                      |
 * | `cleared`      | is over       | need not answer         | nobody; remembered, so that a relapse is the same episode |
 *
 * All but the last are live. The words are in the chain: a word may be added, never renamed.
 */
export const PHASES = ['pending', 'active', 'acknowledged', 'latched', 'cleared'] as const;
export type Phase = (typeof PHASES)[number];

/** One alarm. JSON; instants are steady time. */
export type Alarm = Readonly<{
  id: AlarmId;
  subject: Subject | null;
  rule: string;
  kind: Kind;
  /** The highest of its episode. */
  priority: Priority;
  message: string;
  watched: boolean;
  /** Of the last time it was raised. */
  evidence: Evidence | null;
  /** How often it was raised in this episode. */
  count: number;
  raisedAt: Millis;
  phase: Phase;
  /** Grows whenever an answer to what was there before would be an answer to something else. */
  revision: number;
  /** The revision that brought the present priority. */
  prioritySince: number;
  /** Who is told one after the other, instead of whom the policy names: somebody asked for that. */
  levels?: readonly Level[];
  /** The level that was told last, from 1; 0: nobody was told since it became active. */
  level: number;
  /** The level that is told next; where there are fewer, the last one. */
  nextLevel: number;
  toldAt: Millis | null;
  /** When time alone moves it on; null: never. */
  dueAt: Millis | null;
  /** Held back by quiet hours, until `dueAt` or until they end. */
  held: boolean;
  snooze: Readonly<{ by: Actor; since: Millis; until: Millis }> | null;
  acknowledgedBy: Actor | null;
  /** Cleared: how it goes on if it is raised again in time. `at`: its `dueAt` then. */
  resume: Readonly<{ phase: 'pending' | 'active'; at: Millis | null }> | null;
}>;

/** Everything the room remembers. JSON; its size is bounded by the policy's `most` and the texts of the conditions. */
export type AlarmState = Readonly<{
  /** Steady time of the last change. */
  now: Millis;
  lastStep: number;
  lastAlarm: number;
  quiet: boolean;
  /** By id. */
  alarms: readonly Alarm[];
}>;

export const NO_ALARMS: AlarmState = { now: Millis(0), lastStep: 0, lastAlarm: 0, quiet: false, alarms: [] };

/** The live alarms of one kind, as a list for people: the most urgent first, of equals the unanswered, then the oldest. */
export function liveAlarms({ alarms }: AlarmState, kind: Kind): readonly Alarm[] {
  return alarms.filter((alarm) => alarm.kind === kind && alarm.phase !== 'cleared').sort(byUrgency);
}

const byUrgency = (a: Alarm, b: Alarm): number =>
  rank(b.priority) - rank(a.priority) || Number(a.phase === 'acknowledged') - Number(b.phase === 'acknowledged') || a.id - b.id;

/**
 * How long after `now` a timer is due, so that somebody asks for one; undefined: never. Forgetting an episode changes nothing that
 * anybody sees, so it waits for whatever comes next.
 */
export function dueIn({ alarms }: AlarmState, now: Millis): Millis | undefined {
  const due = alarms.flatMap(({ phase, dueAt }) => (phase === 'cleared' || dueAt === null ? [] : [dueAt]));
  return due.length === 0 ? undefined : Millis(Math.max(0, Math.min(...due) - now));
}
