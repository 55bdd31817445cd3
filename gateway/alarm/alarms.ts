import { Millis } from '../quantity.ts';
import type { AlarmState } from './alarm.ts';
import { acknowledge, escalate, snooze } from './answer.ts';
import { clear } from './clear.ts';
import type { AlarmInput } from './condition.ts';
import { Moment } from './moment.ts';
import type { AlarmPolicy } from './policy.ts';
import { raise } from './raise.ts';
import type { Step } from './step.ts';
import { endQuiet, fireTimers } from './timers.ts';

/**
 * Takes one input at the steady instant `now`: first whatever was due before it, then the input, then what it made due at once. Pure: the
 * same state, input, instant and policy give the same steps and the same state, which is `state` itself when nothing changed. An instant
 * before the last one counts as the last one, and only whole milliseconds count. Never throws; an answer that cannot be taken is a
 * step that says why.
 *
 * Whoever calls MUST keep the new state together with the steps, and SHOULD call with a `timer` input when {@link dueIn} has passed;
 * later is safe, earlier is for nothing.
 */
export function step(state: AlarmState, input: AlarmInput, now: Millis, policy: AlarmPolicy): Readonly<{ state: AlarmState; steps: readonly Step[] }> {
  const moment = new Moment(state, Millis(Math.max(Math.floor(now), state.now)), policy);
  fireTimers(moment);
  apply(moment, input);
  fireTimers(moment);
  return { state: moment.state, steps: moment.steps };
}

function apply(moment: Moment, input: AlarmInput): void {
  switch (input.type) {
    case 'raised':
      return raise(moment, input.condition);
    case 'cleared':
      return clear(moment, input.key, input.withdrawn === true ? 'withdrawn' : 'cleared');
    case 'acknowledge':
      return acknowledge(moment, input);
    case 'snooze':
      return snooze(moment, input);
    case 'escalate':
      return escalate(moment, input);
    case 'quiet':
      moment.quiet = input.quiet;
      return input.quiet ? undefined : endQuiet(moment);
    case 'timer':
      return undefined;
  }
}
