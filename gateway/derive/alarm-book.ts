import { NO_ALARMS, dueIn, type Alarm, type AlarmState } from '../alarm/alarm.ts';
import { step } from '../alarm/alarms.ts';
import { sameSubject, type AlarmInput, type Key } from '../alarm/condition.ts';
import { DEFAULT_POLICY, type AlarmPolicy } from '../alarm/policy.ts';
import type { Step } from '../alarm/step.ts';
import type { Millis, UnixMillis } from '../quantity.ts';
import type { DeviceId, Subject } from '../reading.ts';

/** A step of an alarm, and when it happened on the gateway's wall clock. */
export type TimedStep = Readonly<{ step: Step; time: UnixMillis }>;

/** The alarms as they stand, and who is told of them. */
export class AlarmBook {
  #state: AlarmState;
  #policy: AlarmPolicy;
  #changed = false;

  constructor(state: AlarmState = NO_ALARMS, policy: AlarmPolicy = DEFAULT_POLICY) {
    this.#state = state;
    this.#policy = policy;
  }

  follow(policy: AlarmPolicy): void {
    this.#policy = policy;
  }

  /** Takes one input at the steady instant `now`. Returns what happened to which alarms, in order. */
  take(input: AlarmInput, now: Millis): readonly Step[] {
    const { state, steps } = step(this.#state, input, now, this.#policy);
    if (state !== this.#state) this.#changed = true;
    this.#state = state;
    return steps;
  }

  /** Does what time alone brought about by `now`. */
  passTime(now: Millis): readonly Step[] {
    return this.dueIn(now) === 0 ? this.take({ type: 'timer' }, now) : [];
  }

  dueIn(now: Millis): Millis | undefined {
    return dueIn(this.#state, now);
  }

  /** The alarm of a condition that persists, as far as anybody knows. */
  persisting({ subject, rule }: Key): Alarm | undefined {
    return this.#state.alarms.find((alarm) => alarm.rule === rule && sameSubject(alarm.subject, subject) && persists(alarm));
  }

  /** Conditions of a subject that persist and are about one of its devices: their names end with it. */
  aboutDevice(subject: Subject, device: DeviceId): readonly string[] {
    const meant = this.#state.alarms.filter((alarm) => persists(alarm) && alarm.kind === 'technical' && sameSubject(alarm.subject, subject) && alarm.rule.endsWith(` ${device}`));
    return meant.map(({ rule }) => rule);
  }

  /** Conditions of a subject that persist. */
  about(subject: Subject): readonly string[] {
    return this.#state.alarms.filter((alarm) => persists(alarm) && sameSubject(alarm.subject, subject)).map(({ rule }) => rule);
  }

  /** Forgets all alarms of a subject, of which none persists any more. */
  forget(subject: Subject): void {
    this.#state = { ...this.#state, alarms: this.#state.alarms.filter((alarm) => !sameSubject(alarm.subject, subject)) };
    this.#changed = true;
  }

  /** The state, if it changed since the last call. */
  takeChange(): AlarmState | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return this.#state;
  }
}

const persists = ({ phase }: Alarm): boolean => phase === 'pending' || phase === 'active' || phase === 'acknowledged';
