import type { Kind, Priority } from '../context/finding.ts';
import { Millis, Minutes, Seconds } from '../quantity.ts';

const Hours = (n: number): Millis => Minutes(60 * n);

export type Person = Readonly<{ name: string; roles: readonly string[] }>;

/** Who is told together, and how long they have to acknowledge before the next level is told, or at the last one they again. */
export type Level = Readonly<{
  /** Names and roles of people; {@link EVERYONE}. */
  to: readonly string[];
  within: Millis;
}>;

export const EVERYONE = 'everyone';

/**
 * How alarms of one kind and priority go. Nothing may silence an alarm for longer than `realarm`: `delay`, `snooze`, `episode` and every
 * `within` MUST NOT be longer, and every `within` and `realarm` MUST be longer than nothing.
 */
export type Course = Readonly<{
  /** Alarm signal generation delay (IEC 60601-1-8): it is told when it has persisted for so long. 0: at once. */
  delay: Millis;
  /** At least one. */
  levels: readonly Level[];
  /** An acknowledged alarm whose condition still persists after this time is told from the first level on. */
  realarm: Millis;
  /** Longest audio pause. 0: none. IEC 60601-1-8 6.8.5 leaves it to the responsible organization. */
  snooze: Millis;
  /** A condition that comes back within this time is the same episode. 0: never. */
  episode: Millis;
  /** Stays until somebody acknowledges it, also when its condition is over. IEC 60601-1-8 6.10 leaves it to the responsible organization. */
  latched: boolean;
}>;

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];

/** A part of the day, in minutes after local midnight; `until` (excluded) before `from`: of the next day. */
export type QuietWindow = Readonly<{ from: number; until: number; /** On which it begins. */ days: readonly Day[] }>;

export type QuietHours = Readonly<{
  /** IANA name. */
  timeZone: string;
  /** Empty: never quiet. */
  hours: readonly QuietWindow[];
  /** How long they hold back a notification of medium priority at most. High is never held back, low until they end. */
  mediumDelay: Millis;
  /** How long they hold back at most, at any priority, that a person under watch is not seen. */
  watchLimit: Millis;
}>;

export type AlarmPolicy = Readonly<{
  people: readonly Person[];
  quiet: QuietHours;
  /** The highest priority a technical alarm can have; what asks for more gets this. */
  technicalHighest: Priority;
  /** Alarms, live or remembered, that are kept at a time. */
  most: number;
}> & Readonly<Record<Kind, Readonly<Record<Priority, Course>>>>;

/** Of an alarm that has a chain of people of its own, with that; nobody in it has longer to answer than nothing may silence the alarm. */
export function courseOf(policy: AlarmPolicy, { kind, priority, levels }: Readonly<{ kind: Kind; priority: Priority; levels?: readonly Level[] }>): Course {
  const course = policy[kind][priority];
  if (levels === undefined) return course;
  return { ...course, levels: levels.map(({ to, within }) => ({ to, within: Millis(Math.min(within, course.realarm)) })) };
}

/** What a chain of people may be: a choice of this project. */
const MOST_LEVELS = 10;
const MOST_PEOPLE_OF_A_LEVEL = 50;

/** From a frame of the journal: a chain of people, bounded; undefined for what is none. */
export function readLevels(value: unknown): readonly Level[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_LEVELS) return undefined;
  const levels = value.map(readLevel);
  return levels.every((each) => each !== undefined) ? levels : undefined;
}

function readLevel(value: unknown): Level | undefined {
  const { to, within } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(to) || to.length === 0 || to.length > MOST_PEOPLE_OF_A_LEVEL || !to.every((each) => typeof each === 'string')) return undefined;
  return Number.isSafeInteger(within) && (within as number) > 0 ? { to, within: Millis(within as number) } : undefined;
}

export const sameLevels = (a: readonly Level[] | undefined, b: readonly Level[]): boolean =>
  a !== undefined && a.length === b.length && a.every(({ to, within }, i) => within === b[i]?.within && to.join('\n') === b[i].to.join('\n'));

/** The people of a level by name, each once, in the policy's order. */
export function peopleOf({ people }: AlarmPolicy, to: readonly string[]): readonly string[] {
  const meant = (person: Person): boolean => to.includes(EVERYONE) || to.includes(person.name) || person.roles.some((role) => to.includes(role));
  return people.filter(meant).map(({ name }) => name);
}

const everyone = (within: Millis): readonly Level[] => [{ to: [EVERYONE], within }];

/**
 * In force until there is another. Every number is a choice of this project: IEC 60601-1-8 leaves them to the responsible organization,
 * but for the priorities and that conditions of the equipment stand apart.
 */
export const DEFAULT_POLICY: AlarmPolicy = {
  people: [],
  physiological: {
    high: { delay: Millis(0), levels: everyone(Minutes(2)), realarm: Minutes(10), snooze: Minutes(2), episode: Minutes(1), latched: true },
    medium: { delay: Millis(0), levels: everyone(Minutes(10)), realarm: Minutes(30), snooze: Minutes(10), episode: Minutes(5), latched: false },
    low: { delay: Minutes(1), levels: everyone(Hours(8)), realarm: Hours(24), snooze: Hours(8), episode: Minutes(30), latched: false },
  },
  technical: {
    high: { delay: Millis(0), levels: everyone(Minutes(5)), realarm: Minutes(15), snooze: Minutes(5), episode: Minutes(5), latched: false },
    medium: { delay: Seconds(30), levels: everyone(Minutes(15)), realarm: Hours(1), snooze: Minutes(30), episode: Minutes(10), latched: false },
    low: { delay: Minutes(2), levels: everyone(Hours(8)), realarm: Hours(24), snooze: Hours(8), episode: Minutes(30), latched: false },
  },
  technicalHighest: 'medium',
  quiet: { timeZone: 'UTC', hours: [], mediumDelay: Minutes(30), watchLimit: Minutes(15) },
  most: 256,
};
