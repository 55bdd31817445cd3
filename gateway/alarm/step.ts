import type { Priority } from '../context/finding.ts';
import type { Millis } from '../quantity.ts';
import type { Alarm, Phase } from './alarm.ts';
import type { Actor, AlarmId } from './condition.ts';

/** Why something happened to an alarm. The words are in the chain: a word may be added, never renamed. */
export type Why =
  /** A condition was raised: for the first time; while its alarm lives; after it was over, in the same episode; with a higher priority. */
  | 'raised'
  | 'repeated'
  | 'raised_again'
  | 'priority_raised'
  /** A time was over: the notification delay; the level's time to answer; the same at the last level; the quiet hold; a relapse's wait. */
  | 'delay_over'
  | 'escalated'
  | 'told_again'
  | 'hold_over'
  | 'episode_over'
  /** It persists for so long after it was acknowledged that it alarms once more. */
  | 'realarm'
  | 'acknowledged'
  | 'snoozed'
  | 'snooze_ended'
  /** Somebody asked for another chain of people. */
  | 'rerouted'
  /** A condition of higher priority for the same subject ended the pause. */
  | 'snooze_broken'
  | 'cleared'
  | 'withdrawn'
  /** An answer that came too late or was meant for something else. */
  | 'refused'
  /** Out of the list, to make room for something more urgent. */
  | 'dropped'
  /** Not taken into the list: all that is there is as urgent. */
  | 'no_room';

/**
 * Why nobody is told although a condition was raised or a time was over: the notification delay runs; somebody was told and has time to
 * answer; so it was before a relapse; a person took it over; a person paused it; quiet hours; the list is full.
 */
export type Untold = 'delay' | 'already_told' | 'same_episode' | 'acknowledged' | 'snoozed' | 'quiet' | 'no_room';

/**
 * Why an answer was refused. `unknown_alarm`: none of this id is remembered. `unknown_revision`: from the future. `not_active`: pending.
 * `priority_raised`, `outdated`: the person saw an earlier one. `no_time_left`: a pause may not last until then.
 */
export type Refusal =
  | 'unknown_alarm' | 'unknown_revision' | 'not_active' | 'already_acknowledged' | 'already_cleared' | 'priority_raised' | 'outdated' | 'no_time_left';

/** What is to be delivered. */
export type Notification = Readonly<{
  /** The level that is told, from 1, of so many. */
  level: number;
  levels: number;
  /** Names of people in the policy, each once. Empty where it names nobody: then it is for whoever looks at the pages. */
  to: readonly string[];
  /** How long it was due with nobody there to tell it, because the gateway was away. Absent up to half a minute: timers are always late. */
  unobserved?: Millis;
}>;

/** What a person has to know of the alarm at that moment. */
export type About = Pick<Alarm, 'subject' | 'rule' | 'kind' | 'priority' | 'message' | 'evidence' | 'count' | 'raisedAt'>;

/** One thing that happened to one alarm: an entry of the chain, and where it has `told`, a notification to deliver. */
export type Step = Readonly<{
  /** Among all steps, from 1, without gaps: their order. */
  number: number;
  /** Steady time. Never less than that of the step before. */
  at: Millis;
  alarm: AlarmId;
  /** Null: no such alarm. */
  about: About | null;
  from: Phase | 'none';
  to: Phase | 'none';
  why: Why;
  /** After the step: an answer has to name it. */
  revision: number;
  /** When it is heard of again unless something happens; null: not by itself. */
  next: Millis | null;
  by?: Actor;
  told?: Notification;
  untold?: Untold;
  refusal?: Refusal;
  /** The priority it was raised with, where it is not the alarm's: an alarm keeps its highest, and its kind may have a limit. */
  asked?: Priority;
}>;

/** What the reason of a step may add. */
export type Details = Pick<Step, 'by' | 'told' | 'untold' | 'asked'>;
