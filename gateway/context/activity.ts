/**
 * What a person is doing, as far as a step counter, motion in the rooms and a bed sensor tell: `walk`, `rest`, `sleep` or
 * `unknown`. The same pulse is a reason to call somebody at rest and none on the stairs. In a home with more than one
 * person motion may be somebody else's: it can only keep this one from resting, never make them walk.
 *
 * - **walk**: 40 steps a minute or more, from 60 s of counting; below are "incidental" and "sporadic" movement, above
 *   "purposeful steps" and all walking (cadence bands of Tudor-Locke, Sports Medicine 2012;42:381).
 * - **sleep**: in bed between 20:00 and 09:59 local time, and neither steps nor motion for 15 min.
 * - **rest**: no steps and no motion for 5 min.
 * - **unknown**: no step counter and no bed sensor said anything for 30 min, or none of the above yet.
 *
 * A change must hold for its dwell before it is one: 20 s for walk, 60 s for rest and sleep; `unknown` and the end of rest
 * by a step or a motion come at once, for resting limits must not be applied to somebody who moved. Apart from the
 * cadence these numbers are choices of this project.
 */

import { Minutes, Seconds, type Millis } from '../quantity.ts';

export type Activity = 'walk' | 'rest' | 'sleep' | 'unknown';

/** What was told, at a steady instant; `time` when nothing was, and time went on. */
export type ActivityEvent = Readonly<{
  at: Millis;
  /** Local hour, 0 to 23; absent while the wall clock or the zone cannot be believed: nobody is then known to sleep. */
  hour?: number;
}> & (
  /** A step counter that goes up, and begins again at zero now and then. */
  | Readonly<{ kind: 'steps'; count: number }>
  /** Motion seen (`on`) or no more. */
  | Readonly<{ kind: 'motion'; on: boolean }>
  | Readonly<{ kind: 'bed'; occupied: boolean }>
  | Readonly<{ kind: 'time' }>
);

const WALKING_CADENCE = 40;
const CADENCE_WINDOW = Seconds(60);
/** Less time than this says nothing about a cadence. */
const LEAST_CADENCE_SPAN = Seconds(20);
/** Counts closer together than this are one, so that the window holds few. */
const COUNTS_APART = Seconds(5);
const STILL_FOR_REST = Minutes(5);
const STILL_FOR_SLEEP = Minutes(15);
const SILENT = Minutes(30);
/** A motion whose end was never told has ended by now. */
const LONGEST_MOTION = Minutes(30);
const NIGHT_BEGINS = 20;
const NIGHT_ENDS = 10;

const DWELL: Readonly<Record<Activity, Millis>> = { walk: Seconds(20), rest: Seconds(60), sleep: Seconds(60), unknown: Seconds(0) };

type Count = Readonly<{ at: Millis; count: number }>;

/** Plain JSON, at most 26 counts. */
export type ActivityState = Readonly<{
  activity: Activity;
  /** Since when it has been that. */
  since: Millis;
  /** What it may become, and since when that has held. */
  next?: Readonly<{ activity: Activity; since: Millis }>;
  /** Counts of the last 60 s and one before, oldest first. */
  counts: readonly Count[];
  /** The last step or motion; or when listening began. */
  movedAt: Millis;
  /** The last word of the step counter or the bed sensor. */
  toldAt?: Millis;
  inBed: boolean;
  /** Motion that was seen and has not ended. Of several sensors the last word counts. */
  motion: boolean;
}>;

/** Nothing is known, from steady instant `at` on. */
export const unknownActivity = (at: Millis): ActivityState =>
  ({ activity: 'unknown', since: at, counts: [], movedAt: at, inBed: false, motion: false });

/** The state after one more event. Events are to come in order of steady time. */
export function followActivity(state: ActivityState, event: ActivityEvent): ActivityState {
  const heard = hear(state, event);
  return settle(heard, candidate(heard, event), event.at);
}

function hear(state: ActivityState, event: ActivityEvent): ActivityState {
  const { at } = event;
  switch (event.kind) {
    case 'steps': return withCount(state, { at, count: event.count });
    // A motion lasts until its end: whoever moved for an hour did not rest for the last five minutes.
    case 'motion': return { ...state, motion: event.on, movedAt: event.on || state.motion ? at : state.movedAt };
    case 'bed': return { ...state, inBed: event.occupied, toldAt: at, movedAt: event.occupied === state.inBed ? state.movedAt : at };
    case 'time': return state;
    default: return event satisfies never;
  }
}

function withCount(state: ActivityState, told: Count): ActivityState {
  const { at } = told;
  const last = state.counts.at(-1);
  // A counter that began again has no past.
  const moved = last === undefined ? false : told.count !== last.count;
  const past = last !== undefined && told.count < last.count ? [] : state.counts;
  const spaced = past.length > 1 && at - (past.at(-2)?.at ?? at) < COUNTS_APART ? past.slice(0, -1) : past;
  const first = spaced.findLastIndex((each) => each.at <= at - CADENCE_WINDOW);
  return { ...state, counts: [...spaced.slice(Math.max(first, 0)), told], toldAt: at, movedAt: moved ? at : state.movedAt };
}

/** Steps a minute over the last 60 s as far as they were counted; 0 where nobody can say. */
function cadence({ counts }: ActivityState, now: Millis): number {
  const [first, last] = [counts[0], counts.at(-1)];
  if (first === undefined || last === undefined || now - last.at > CADENCE_WINDOW || last.at - first.at < LEAST_CADENCE_SPAN) return 0;
  return ((last.count - first.count) * Minutes(1)) / (last.at - first.at);
}

/** What it would be if nothing had to dwell. */
function candidate(state: ActivityState, { at, hour }: ActivityEvent): Activity {
  if (state.toldAt === undefined || at - state.toldAt > SILENT) return 'unknown';
  if (cadence(state, at) >= WALKING_CADENCE) return 'walk';
  const still = state.motion && at - state.movedAt < LONGEST_MOTION ? 0 : at - state.movedAt;
  const night = hour !== undefined && (hour >= NIGHT_BEGINS || hour < NIGHT_ENDS);
  if (state.inBed && night && still >= STILL_FOR_SLEEP) return 'sleep';
  return still >= STILL_FOR_REST ? 'rest' : 'unknown';
}

function settle(state: ActivityState, activity: Activity, at: Millis): ActivityState {
  if (activity === state.activity && state.next === undefined) return state;
  const { next, ...rest } = state;
  if (activity === state.activity) return rest;
  const since = next?.activity === activity ? next.since : at;
  if (at - since >= DWELL[activity]) return { ...rest, activity, since: at };
  // Who steps does not rest any more, walking or not yet.
  const ended = activity === 'walk' && state.activity !== 'unknown';
  return { ...rest, ...(ended ? { activity: 'unknown', since: at } : {}), next: { activity, since } };
}
