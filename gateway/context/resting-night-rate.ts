/**
 * Heart rate at rest in the night, and whether it has shifted: the NightSignal rule (Alavi et al., Nature Medicine 2022;28:175,
 * doi 10.1038/s41591-021-01593-2). A night is 00:00 to 06:59 local time without steps; its mean is compared with the
 * median of the means of all nights so far, itself included. Two nights one after the other that are at least 3 /min
 * above it are a yellow shift, at least 4 /min a red one.
 *
 * Different from the published program, by choice of this project: a night is the mean of its minute means and is not cut
 * to a whole number; the median looks back over 28 nights and says nothing before there are 7; a night needs an hour of
 * minutes; a missing night is not filled in, so it always parts the nights beside it.
 */

import type { LocalHour } from './local-hour.ts';
import { median } from './robust.ts';

const FIRST_HOUR_AFTER = 7;
const YELLOW = 3;
const RED = 4;
const NIGHTS_KEPT = 28;
const WARM_UP_NIGHTS = 7;
const OLDEST_NIGHT = 60;
const LEAST_MINUTES = 60;

type Minute = Readonly<{ minute: number; sum: number; count: number; still: boolean }>;
type OpenNight = Readonly<{ day: number; sum: number; minutes: number; last: Minute }>;

/** One night that is over. */
export type Night = Readonly<{
  /** The local day it ended on, in days since 1970-01-01. */
  day: number;
  /** Mean of its minutes, per minute. */
  mean: number;
  /** Mean less the median of the nights up to it; absent while there were fewer than 7. */
  excess?: number;
}>;

/** Plain JSON; at most 28 nights, oldest first. */
export type NightRateState = Readonly<{ open?: OpenNight; nights: readonly Night[] }>;

export const EMPTY_NIGHT_RATE: NightRateState = { nights: [] };

/**
 * The state with one more heart rate in /min. `still`: no step and no motion in that minute, as far as anybody knows; one
 * sample that is not still takes its whole minute out. Values that bear a doubt MUST NOT come here, nor any while the
 * wall clock cannot be believed. Values of the day are to come too: the first one ends the night.
 */
export function followNightRate(state: NightRateState, when: LocalHour, rate: number, still: boolean): NightRateState {
  const { open } = state;
  const minute: Minute = { minute: when.minute, sum: rate, count: 1, still };
  if (when.hour >= FIRST_HOUR_AFTER) return open === undefined ? state : ended(state);
  if (open === undefined || open.day !== when.day) return { ...ended(state), open: { day: when.day, sum: 0, minutes: 0, last: minute } };
  const { last } = open;
  if (last.minute !== when.minute) return { ...state, open: { ...withMinute(open), last: minute } };
  return { ...state, open: { ...open, last: { ...last, sum: last.sum + rate, count: last.count + 1, still: last.still && still } } };
}

function withMinute(open: OpenNight): OpenNight {
  const { sum, count, still } = open.last;
  return still ? { ...open, sum: open.sum + sum / count, minutes: open.minutes + 1 } : open;
}

function ended({ open, nights }: NightRateState): NightRateState {
  const night = open && withMinute(open);
  if (night === undefined || night.minutes < LEAST_MINUTES) return { nights };
  const { day } = night;
  const mean = night.sum / night.minutes;
  // A night of which there is one already: clocks were set back, and what was measured last stands.
  const others = nights.filter((each) => each.day !== day);
  const means = others.filter((each) => each.day < day && each.day >= day - OLDEST_NIGHT).map((each) => each.mean);
  const usual = means.length + 1 < WARM_UP_NIGHTS ? undefined : median([...means, mean]);
  return { nights: [...others, { day, mean, ...(usual === undefined ? {} : { excess: mean - usual }) }].slice(-NIGHTS_KEPT) };
}

/** The median that the next night will be compared with, and on how many nights it rests. Undefined before there are 7. */
export function usualNightRate({ nights }: NightRateState, day: number): Readonly<{ median: number; nights: number }> | undefined {
  const means = nights.filter((each) => each.day <= day && each.day >= day - OLDEST_NIGHT).map(({ mean }) => mean);
  const centre = median(means);
  return means.length < WARM_UP_NIGHTS || centre === undefined ? undefined : { median: centre, nights: means.length };
}

export type NightShift = Readonly<{ level: 'none' | 'yellow' | 'red'; night: Night; before?: Night }>;

/** How the last night stands on local day `day`. Undefined in the warm-up, and when neither this day nor the one before it had a night. */
export function nightShift({ nights }: NightRateState, day: number): NightShift | undefined {
  const night = nights.at(-1);
  if (night?.excess === undefined || night.day > day || night.day < day - 1) return undefined;
  const before = nights.at(-2);
  if (before?.excess === undefined || before.day !== night.day - 1) return { level: 'none', night };
  return { level: levelOf(Math.min(night.excess, before.excess)), night, before };
}

function levelOf(excess: number): NightShift['level'] {
  if (excess >= RED) return 'red';
  return excess >= YELLOW ? 'yellow' : 'none';
}
