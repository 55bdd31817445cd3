import type { Evidence, Kind, Priority } from '../context/finding.ts';
import type { Millis } from '../quantity.ts';
import { nameOf, type Subject } from '../reading.ts';
import type { Level } from './policy.ts';

/** Frames that are kept of the evidence; of more the last are. */
export const MOST_FRAMES = 16;

/** Something that is wrong, as the room before found it. Subject and rule are its key: there is one alarm for them at a time. */
export type Condition = Readonly<{
  /** Null: the gateway itself (disk, links, clock). */
  subject: Subject | null;
  /** What tells it from other conditions of the subject, for example `low-oxygen` or `no-data spo2 wrist-7`. */
  rule: string;
  kind: Kind;
  priority: Priority;
  /** For people: what is wrong. */
  message: string;
  /** Because of it a person under watch is not seen, as when a sensor is lost. Quiet hours do not hold it back for long. */
  watched?: true;
  evidence: Evidence | null;
  /** Who is told one after the other, instead of whom the policy names. */
  levels?: readonly Level[];
}>;

export type Key = Pick<Condition, 'subject' | 'rule'>;

const about = (subject: Subject | null): string => (subject === null ? '' : nameOf(subject));
export const sameSubject = (a: Subject | null, b: Subject | null): boolean => about(a) === about(b);
export const sameKey = (a: Key, b: Key): boolean => a.rule === b.rule && sameSubject(a.subject, b.subject);

/** Higher is more urgent. */
const RANKS: Readonly<Record<Priority, number>> = { low: 0, medium: 1, high: 2 };
export const rank = (priority: Priority): number => RANKS[priority];
export const lower = (a: Priority, b: Priority): Priority => (rank(a) < rank(b) ? a : b);

/** Who did something, as the journal says it: whoever lets people in has checked it. */
export type Actor = Readonly<{ id: string; role: string }>;

/** An episode of a condition: counted from 1, never given twice. */
export type AlarmId = number & { readonly [brand]: 'AlarmId' };
declare const brand: unique symbol;
export const AlarmId = (n: number): AlarmId => n as AlarmId;

/** All that can happen to alarms. Each is, or comes from, a frame of the journal. */
export type AlarmInput =
  | Readonly<{ type: 'raised'; condition: Condition }>
  /** `withdrawn`: nobody can say any more whether it persists (its rule was removed, its device has another subject). */
  | Readonly<{ type: 'cleared'; key: Key; withdrawn?: true }>
  /** `revision`: of the alarm as the person saw it. */
  | Readonly<{ type: 'acknowledge'; alarm: AlarmId; revision: number; by: Actor }>
  /** Audio paused (IEC 60601-1-8), for at most as long as the policy allows. */
  | Readonly<{ type: 'snooze'; alarm: AlarmId; revision: number; time: Millis; by: Actor }>
  /** From now on these people are told, one level after the other, and the first at once. Asked for again, it changes nothing. */
  | Readonly<{ type: 'escalate'; alarm: AlarmId; revision: number; levels: readonly Level[]; by: Actor }>
  /** Quiet hours began or ended. */
  | Readonly<{ type: 'quiet'; quiet: boolean }>
  /** Nothing but time passed. */
  | Readonly<{ type: 'timer' }>;
