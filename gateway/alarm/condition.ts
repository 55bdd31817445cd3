import type { Priority } from '../context/rules.ts';
import type { Millis } from '../quantity.ts';
import { nameOf, type Subject } from '../reading.ts';

/** IEC 60601-1-8 tells conditions of the patient from those of the equipment; each kind has its own list and its own policy. */
export const KINDS = ['physiological', 'technical'] as const;
export type Kind = (typeof KINDS)[number];

/** What decided it (IEC 60601-1-8 6.12.2: the limit and the data behind an alarm), in the measurement's own unit. */
export type Evidence = Readonly<{
  measurement: string;
  value: number;
  limit: number;
  /** UCUM. */
  unit: string;
  /** Journal frames it rests on; of more than {@link MOST_FRAMES} the last are kept. */
  frames: readonly number[];
}>;

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
  /** Quiet hours began or ended. */
  | Readonly<{ type: 'quiet'; quiet: boolean }>
  /** Nothing but time passed. */
  | Readonly<{ type: 'timer' }>;
