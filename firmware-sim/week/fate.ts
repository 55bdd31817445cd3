/** What an event makes of somebody's day: the life they would have had, with what happens to them instead. */

import { hourOfDay } from '../activity.ts';
import type { Random } from '../random.ts';
import { subdued, withInstead, type Doing, type Stay } from './daily-life.ts';
import type { RoomKind } from './cast.ts';
import type { ScriptedEvent } from './script.ts';

const MINUTE = 60;

/** The life with all that happens in it. */
export function livedWith(stays: readonly Stay[], events: readonly ScriptedEvent[], random: Random): readonly Stay[] {
  return events.reduce((life, event) => change(life, event, random.split(`${event.kind} ${event.from}`)), stays);
}

type Part = readonly [seconds: number, doing: Doing, room: RoomKind];

/** One after the other from `from` on. */
function chain(from: number, parts: readonly Part[]): readonly Stay[] {
  let now = from;
  return parts.map(([seconds, doing, room]): Stay => {
    const begins = now;
    now = Math.round(now + seconds);
    return { from: begins, until: now, doing, room };
  });
}

function change(life: readonly Stay[], event: ScriptedEvent, random: Random): readonly Stay[] {
  const { kind, from, until, room = 'living_room' } = event;
  const lasts = until - from;
  switch (kind) {
    case 'fall_long_lie':
    case 'fall_up_again':
      return withInstead(life, chain(from - 20, [[20, 'walking', room], [lasts, 'on_floor', room], [20 * MINUTE, 'sitting', 'living_room']]));
    case 'bathroom_collapse':
      return withInstead(life, chain(from - 4 * MINUTE, [[20, 'walking', 'hall'], [4 * MINUTE - 20, 'standing', room], [lasts, 'on_floor', room], [30 * MINUTE, 'lying', 'bedroom']]));
    case 'night_wandering':
      return withInstead(life, wander(from, until, random));
    case 'tachycardia_at_rest':
    case 'bradycardia':
    case 'stale_air':
      return withInstead(life, chain(from, [[lasts, 'sitting', 'living_room']]));
    case 'respiratory_depression':
      return withInstead(life, chain(from, [[lasts, 'asleep', 'bedroom']]));
    case 'fever':
    case 'deterioration':
    case 'copd_exacerbation':
      return subdued(life, from, until);
    default:
      return life;
  }
}

/** Up and about in the dark, from room to room, and at last back to bed. */
function wander(from: number, until: number, random: Random): readonly Stay[] {
  const rooms: readonly RoomKind[] = ['hall', 'kitchen', 'living_room', 'bathroom'];
  const parts: Part[] = [];
  for (let left = until - from; left > 6 * MINUTE;) {
    const room = rooms[Math.floor(random.between(0, rooms.length))] ?? 'hall';
    const seconds = Math.min(left, random.between(1.5, 6) * MINUTE);
    parts.push([seconds, random.chance(0.6) ? 'walking' : 'standing', room]);
    left -= seconds;
  }
  return chain(from, [...parts, [10 * MINUTE, 'lying', 'bedroom']]);
}

/** When others come to see somebody: an hour or two in the afternoon. Nobody comes while they lie on the floor. */
export function drawVisits(chance: number, days: number, events: readonly ScriptedEvent[], random: Random): readonly Stay[] {
  const alone = events.filter(({ kind }) => kind === 'fall_long_lie' || kind === 'bathroom_collapse');
  const visits: Stay[] = [];
  for (let day = 0; day < days; day++) {
    const from = Math.round(day * 86_400 + random.between(14, 16.5) * 3600);
    const until = Math.round(from + random.between(50, 120) * MINUTE);
    const comes = random.chance(chance);
    if (comes && !alone.some((event) => event.from < until && event.until > from)) visits.push({ from, until, doing: 'sitting', room: 'living_room' });
  }
  return visits;
}

/** Whether it is night for whoever sleeps from `bedtime` to `wakeTime`, hours of the day, with an hour before and after. */
export function isNight(now: number, { bedtime, wakeTime }: Readonly<{ bedtime: number; wakeTime: number }>): boolean {
  const hour = hourOfDay(now);
  return hour >= bedtime - 1 || hour < wakeTime + 1;
}
