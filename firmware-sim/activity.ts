/**
 * What a person is doing and where: a Markov chain over asleep, resting and walking whose rates follow the time of day.
 */

import type { PatientProfile } from './profile.ts';
import type { Random } from './random.ts';

export type Activity = 'asleep' | 'resting' | 'walking';

/** Where somebody is: one of their rooms, or nowhere that has sensors. */
export type Whereabouts = Readonly<{
  activity: Activity;
  /** Room id; absent when elsewhere. */
  room: string | undefined;
}>;

export const HOUR = 3600;
export const DAY = 24 * HOUR;

/** Hour of day, 0 to 24, of a simulated time in seconds since a local midnight. */
export function hourOfDay(seconds: number): number {
  return (((seconds % DAY) + DAY) % DAY) / HOUR;
}

export function isBedtime(hour: number, profile: Pick<PatientProfile, 'bedtime' | 'wakeTime'>): boolean {
  const { bedtime, wakeTime } = profile;
  return bedtime > wakeTime ? hour >= bedtime || hour < wakeTime : hour >= bedtime && hour < wakeTime;
}

/** Transitions begun per hour. By night 15 min to fall asleep, about two awakenings, a short walk now and then. */
function ratesPerHour(from: Activity, night: boolean, profile: PatientProfile): readonly (readonly [Activity, number])[] {
  switch (from) {
    case 'asleep':
      return [['resting', night ? 0.25 : 4]];
    case 'resting':
      return night ? [['asleep', 4], ['walking', 0.25]] : [['walking', profile.walksPerHour], ['asleep', 0.03]];
    case 'walking':
      return [['resting', night ? 20 : 8]];
  }
}

function drawActivity(now: Activity, night: boolean, profile: PatientProfile, random: Random): Activity {
  let left = random.next();
  for (const [to, perHour] of ratesPerHour(now, night, profile)) {
    left -= perHour / HOUR;
    if (left < 0) return to;
  }
  return now;
}

/** People sleep in their first room; by day they sit in any of theirs, or elsewhere, where no sensor sees them. */
function drawRoom(
  activity: Activity,
  night: boolean,
  here: string | undefined,
  rooms: readonly string[],
  random: Random,
): string | undefined {
  const draw = random.next();
  if (activity === 'asleep') return rooms[0];
  if (activity === 'walking') return draw < 0.8 ? undefined : here;
  if (night) return rooms[0];
  return rooms[Math.floor(draw * (rooms.length + 1))];
}

/**
 * Where somebody is one second later. Draws nothing but from `random`, once or twice per call depending only on the outcome.
 * @param seconds simulated time since a local midnight. @param rooms the person's rooms, the bedroom first.
 */
export function nextWhereabouts(
  now: Whereabouts,
  seconds: number,
  profile: PatientProfile,
  rooms: readonly string[],
  random: Random,
): Whereabouts {
  const night = isBedtime(hourOfDay(seconds), profile);
  const wanted = drawActivity(now.activity, night, profile, random);
  if (wanted === now.activity) return now;
  // Whoever goes to bed from elsewhere walks there first, so that the door and the motion sensor see it.
  const activity = wanted === 'asleep' && now.room !== rooms[0] ? 'walking' : wanted;
  if (now.activity === 'asleep') return { activity, room: now.room };
  return { activity, room: drawRoom(activity, night, now.room, rooms, random) };
}
