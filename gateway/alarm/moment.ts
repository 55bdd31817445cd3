import type { Millis } from '../quantity.ts';
import type { Alarm, AlarmState } from './alarm.ts';
import { AlarmId, rank, sameKey, sameSubject, type Key } from './condition.ts';
import { courseOf, type AlarmPolicy, type Course } from './policy.ts';
import type { About, Details, Step, Why } from './step.ts';

/** One instant: the alarms as they change in it, and the steps they make. Everything in it happens at `now`. */
export class Moment {
  readonly now: Millis;
  readonly policy: AlarmPolicy;
  readonly #before: AlarmState;
  readonly #alarms: Map<AlarmId, Alarm>;
  readonly #steps: Step[] = [];
  #quiet: boolean;
  #lastAlarm: number;
  #changed = false;

  constructor(state: AlarmState, now: Millis, policy: AlarmPolicy) {
    this.now = now;
    this.policy = policy;
    this.#before = state;
    this.#alarms = new Map(state.alarms.map((alarm) => [alarm.id, alarm]));
    this.#quiet = state.quiet;
    this.#lastAlarm = state.lastAlarm;
  }

  /** The state afterwards: the same object when nothing changed. */
  get state(): AlarmState {
    if (!this.#changed) return this.#before;
    return { now: this.now, lastStep: this.#lastStep, lastAlarm: this.#lastAlarm, quiet: this.#quiet, alarms: [...this.#alarms.values()] };
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  get #lastStep(): number {
    return this.#before.lastStep + this.#steps.length;
  }

  get quiet(): boolean {
    return this.#quiet;
  }

  set quiet(quiet: boolean) {
    if (quiet === this.#quiet) return;
    this.#quiet = quiet;
    this.#changed = true;
  }

  /** By id, which is by age. */
  get alarms(): readonly Alarm[] {
    return [...this.#alarms.values()];
  }

  find(key: Key): Alarm | undefined {
    return this.alarms.find((alarm) => sameKey(alarm, key));
  }

  get(id: AlarmId): Alarm | undefined {
    return this.#alarms.get(id);
  }

  courseOf(alarm: Alarm): Course {
    return courseOf(this.policy, alarm);
  }

  newId(): AlarmId {
    this.#changed = true;
    return AlarmId(++this.#lastAlarm);
  }

  /** Without a step: for what nobody has to know. */
  keep(alarm: Alarm): void {
    this.#alarms.set(alarm.id, alarm);
    this.#changed = true;
  }

  forget(alarm: Alarm): void {
    this.#alarms.delete(alarm.id);
    this.#changed = true;
  }

  /** The alarm is now as `after` says. One that becomes active, or more urgent, ends the pauses of less urgent ones. */
  change(before: Alarm | undefined, after: Alarm, why: Why, details: Details = {}): void {
    this.keep(after);
    this.note({ alarm: after.id, about: aboutOf(after), from: before?.phase ?? 'none', to: after.phase, why, revision: after.revision, next: nextOf(after), ...details });
    const speaksUp = before?.phase !== 'active' || rank(after.priority) > rank(before.priority);
    if (after.phase === 'active' && speaksUp) this.#breakSnoozes(after);
  }

  note(step: Omit<Step, 'number' | 'at'>): void {
    this.#changed = true;
    this.#steps.push({ number: this.#lastStep + 1, at: this.now, ...step });
  }

  /** They go on as if they had not been paused. */
  #breakSnoozes({ subject, priority }: Alarm): void {
    for (const paused of this.alarms) {
      if (paused.snooze === null || !sameSubject(paused.subject, subject) || rank(paused.priority) >= rank(priority)) continue;
      const dueAt = dueWithoutPause(paused, this.courseOf(paused), this.now);
      this.change(paused, { ...paused, nextLevel: paused.level + 1, snooze: null, dueAt }, 'snooze_broken', { untold: 'already_told' });
    }
  }
}

/** When somebody would be told next had nobody paused it. */
function dueWithoutPause({ level, toldAt }: Alarm, { levels }: Course, now: Millis): Millis {
  const within = levels[Math.min(level, levels.length) - 1]?.within;
  return toldAt === null || within === undefined ? now : (Math.max(now, toldAt + within) as Millis);
}

export const aboutOf = ({ subject, rule, kind, priority, message, evidence, count, raisedAt }: Alarm): About =>
  ({ subject, rule, kind, priority, message, evidence, count, raisedAt });

/** Forgetting is nothing to hear of. */
const nextOf = ({ phase, dueAt }: Alarm): Millis | null => (phase === 'cleared' ? null : dueAt);
