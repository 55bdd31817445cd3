import { Millis, Seconds } from '../quantity.ts';
import type { Alarm } from './alarm.ts';
import type { Moment } from './moment.ts';
import { peopleOf, type AlarmPolicy, type Level } from './policy.ts';
import type { Details, Notification, Why } from './step.ts';

/** A timer comes a little late: only what is more than this says that the gateway was away. */
const UNNOTICED = Seconds(30);

/**
 * Tells the people of the level that is next. In quiet hours what can wait is held back instead, once:
 * what has been held back already is told. `late`: how long ago that should have happened.
 */
export function tell(moment: Moment, before: Alarm | undefined, after: Alarm, why: Why, late: Millis = Millis(0), details: Details = {}): void {
  const { now, policy } = moment;
  const wait = moment.quiet && !after.held ? quietHold(policy, after) : Millis(0);
  if (wait !== 0) return moment.change(before, { ...after, held: true, dueAt: laterBy(now, wait) }, why, { ...details, untold: 'quiet' });
  const { levels } = moment.courseOf(after);
  const level = Math.min(after.nextLevel, levels.length);
  const { to, within } = levels[level - 1] as Level;
  const told: Notification = { level, levels: levels.length, to: peopleOf(policy, to), ...(late > UNNOTICED ? { unobserved: late } : {}) };
  moment.change(before, { ...after, held: false, level, nextLevel: level + 1, toldAt: now, dueAt: Millis(now + within) }, why, { ...details, told });
}

/** How long quiet hours hold back a notification; null: until they end. */
export function quietHold({ quiet }: AlarmPolicy, { priority, watched }: Pick<Alarm, 'priority' | 'watched'>): Millis | null {
  if (priority === 'high') return Millis(0);
  const usual = priority === 'medium' ? quiet.mediumDelay : null;
  return watched ? earlier(usual, quiet.watchLimit) : usual;
}

/** Null: never. */
export function earlier(a: Millis | null, b: Millis | null): Millis | null {
  if (a === null || b === null) return a ?? b;
  return Millis(Math.min(a, b));
}

/** `wait` null: never by itself. */
export const laterBy = (now: Millis, wait: Millis | null): Millis | null => (wait === null ? null : Millis(now + wait));
