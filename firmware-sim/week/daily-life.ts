/** What somebody does from day to day, as a list of stays without gaps: sleep, the toilet at night, meals, walks, visits. */

import { DAY, HOUR } from '../activity.ts';
import type { Random } from '../random.ts';
import type { Person, RoomKind } from './cast.ts';
import { drawCount } from './drift.ts';

export type Doing = 'asleep' | 'lying' | 'sitting' | 'standing' | 'washing' | 'bathing' | 'walking' | 'running' | 'on_floor';

/** One thing done in one place. Seconds since the first local midnight; `until` is excluded. */
export type Stay = Readonly<{ from: number; until: number; doing: Doing; room: RoomKind | 'out' }>;

export type Habits = Pick<Person, 'bedtime' | 'wakeTime' | 'nightToilet' | 'goesOut' | 'runs' | 'naps' | 'longBaths' | 'kind'>;

const MINUTE = 60;
/** How many steps of it a minute of being about takes, in parts of a walk. */
export const isUp = (doing: Doing): boolean => doing !== 'asleep' && doing !== 'lying' && doing !== 'on_floor';

/** Stays that follow each other without gaps, told one by one. */
class Diary {
  readonly #stays: Stay[] = [];
  readonly #random: Random;
  now: number;
  room: Stay['room'];

  constructor(now: number, room: Stay['room'], random: Random) {
    this.now = now;
    this.room = room;
    this.#random = random;
  }

  /** Goes there through the hall, if it is elsewhere, and does something for `seconds`. */
  spend(seconds: number, doing: Doing, room: Stay['room'] = this.room): void {
    if (room !== this.room) this.#go(room);
    this.#add(seconds, doing, room);
  }

  until(end: number, doing: Doing, room: Stay['room'] = this.room): void {
    if (room !== this.room && end - this.now > 120) this.#go(room);
    this.#add(end - this.now, doing, this.room);
  }

  #go(room: Stay['room']): void {
    this.#add(this.#random.between(10, 40), 'walking', 'hall');
    this.room = room;
  }

  #add(seconds: number, doing: Doing, room: Stay['room']): void {
    if (seconds < 1) return;
    const from = this.now;
    this.now = Math.round(from + seconds);
    const last = this.#stays.at(-1);
    if (last !== undefined && last.doing === doing && last.room === room) this.#stays[this.#stays.length - 1] = { ...last, until: this.now };
    else this.#stays.push({ from, until: this.now, doing, room });
  }

  get stays(): readonly Stay[] {
    return this.#stays;
  }
}

/** `days` days from local midnight on. Each day is drawn from a stream of its own. */
export function liveDays(habits: Habits, days: number, random: Random): readonly Stay[] {
  const stays: Stay[] = [];
  let now = 0;
  for (let day = 0; day < days; day++) {
    const diary = new Diary(now, 'bedroom', random.split(`day ${day}`));
    liveDay(diary, habits, day * DAY, random.split(`choices ${day}`));
    stays.push(...diary.stays);
    now = diary.now;
  }
  return stays;
}

/** From wherever the night before ended to about midnight after this one's bedtime. */
function liveDay(diary: Diary, habits: Habits, midnight: number, random: Random): void {
  const at = (hour: number): number => midnight + hour * HOUR;
  const wake = at(habits.wakeTime) + 15 * MINUTE * random.gaussian();
  const bedtime = at(habits.bedtime) + 20 * MINUTE * random.gaussian();
  sleepUntil(diary, habits, wake, random);
  diary.spend(random.between(5, 20) * MINUTE, 'lying', 'bedroom');
  diary.spend(random.between(12, 25) * MINUTE, 'washing', 'bathroom');
  diary.spend(random.between(4, 8) * MINUTE, 'standing', 'bedroom');
  eat(diary, random, random.between(8, 15));
  spendUntil(diary, habits, at(12) + 15 * MINUTE * random.gaussian(), random, random.chance(habits.goesOut), random.chance(habits.runs / 10));
  eat(diary, random, random.between(15, 35));
  if (random.chance(habits.naps)) diary.spend(random.between(35, 80) * MINUTE, random.chance(0.6) ? 'asleep' : 'lying', random.chance(0.5) ? 'bedroom' : 'living_room');
  spendUntil(diary, habits, at(18) + 20 * MINUTE * random.gaussian(), random, random.chance(habits.goesOut / 2), false);
  eat(diary, random, random.between(10, 25));
  if (random.chance(habits.longBaths / 10)) diary.spend(random.between(62, 85) * MINUTE, 'bathing', 'bathroom');
  spendUntil(diary, habits, bedtime - 15 * MINUTE, random, false, false);
  diary.spend(random.between(6, 14) * MINUTE, 'standing', 'bathroom');
  diary.until(Math.max(bedtime, diary.now + 5 * MINUTE) + random.between(5, 25) * MINUTE, 'lying', 'bedroom');
  // The rest of the night belongs to the next day; up to midnight it must be filled.
  sleepUntil(diary, { ...habits, nightToilet: 0 }, at(24), random);
}

function eat(diary: Diary, random: Random, cooking: number): void {
  diary.spend(cooking * MINUTE, 'standing', 'kitchen');
  diary.spend(random.between(15, 35) * MINUTE, 'sitting', random.chance(0.6) ? 'kitchen' : 'living_room');
}

/** Asleep until `end`, but for the toilet and for lying awake. */
function sleepUntil(diary: Diary, { nightToilet }: Habits, end: number, random: Random): void {
  const start = diary.now;
  if (end - start < 10 * MINUTE) return;
  const times = Array.from({ length: drawCount(nightToilet, random) }, () => random.between(start, end - 20 * MINUTE)).sort((a, b) => a - b);
  for (const time of times) {
    if (time < diary.now + 20 * MINUTE) continue;
    diary.until(time, 'asleep', 'bedroom');
    diary.spend(random.between(1, 4) * MINUTE, 'lying', 'bedroom');
    diary.spend(random.between(3, 9) * MINUTE, 'standing', 'bathroom');
    diary.spend(random.between(3, 20) * MINUTE, 'lying', 'bedroom');
  }
  if (end > diary.now) diary.until(end, 'asleep', 'bedroom');
}

/** Sits, gets up, goes about, visits the toilet; and goes out or runs once if so decided. */
function spendUntil(diary: Diary, { kind }: Habits, end: number, random: Random, goesOut: boolean, runs: boolean): void {
  const restless = kind === 'well' ? 0.5 : 1;
  const leavesAt = goesOut || runs ? random.between(diary.now, Math.max(diary.now, end - 1.2 * HOUR)) : Infinity;
  let toiletAt = diary.now + random.between(1, 3) * HOUR;
  let left = false;
  while (diary.now < end - 4 * MINUTE) {
    if (!left && diary.now >= leavesAt) {
      left = true;
      goOut(diary, random, runs);
    } else if (diary.now >= toiletAt) {
      diary.spend(random.between(3, 10) * MINUTE, 'standing', 'bathroom');
      toiletAt = diary.now + random.between(1.8, 3.5) * HOUR;
    } else {
      idle(diary, random, restless);
    }
  }
}

function goOut(diary: Diary, random: Random, runs: boolean): void {
  if (runs) {
    diary.spend(random.between(28, 48) * MINUTE, 'running', 'out');
    diary.spend(random.between(10, 20) * MINUTE, 'washing', 'bathroom');
    return;
  }
  diary.spend(random.between(10, 30) * MINUTE, 'walking', 'out');
  diary.spend(random.between(15, 60) * MINUTE, 'sitting', 'out');
  diary.spend(random.between(10, 30) * MINUTE, 'walking', 'out');
}

function idle(diary: Diary, random: Random, restless: number): void {
  const draw = random.next();
  if (draw < 0.62) diary.spend(random.between(15, 70) * MINUTE * restless, 'sitting', random.chance(0.85) ? 'living_room' : 'kitchen');
  else if (draw < 0.8) diary.spend(random.between(2, 9) * MINUTE, 'walking', random.chance(0.6) ? 'hall' : 'living_room');
  else diary.spend(random.between(4, 18) * MINUTE, 'standing', random.chance(0.55) ? 'kitchen' : random.chance(0.5) ? 'bedroom' : 'living_room');
}

/** The same life with other things done from `from` to `until`; afterwards it goes on as it would have. */
export function withInstead(stays: readonly Stay[], instead: readonly Stay[]): readonly Stay[] {
  const [first, last] = [instead[0], instead.at(-1)];
  if (first === undefined || last === undefined) return stays;
  const before = stays.filter(({ from }) => from < first.from).map((stay) => ({ ...stay, until: Math.min(stay.until, first.from) }));
  const after = stays.filter(({ until }) => until > last.until).map((stay) => ({ ...stay, from: Math.max(stay.from, last.until) }));
  return [...before, ...instead, ...after];
}

/** The same life of somebody who is too ill to go out or about: what was that is sitting at home, with a step now and then. */
export function subdued(stays: readonly Stay[], from: number, until: number): readonly Stay[] {
  return stays.map((stay): Stay => {
    const ill = stay.from >= from && stay.until <= until;
    if (!ill || (stay.room !== 'out' && stay.doing !== 'running' && stay.until - stay.from < 3 * MINUTE)) return stay;
    if (stay.room === 'out' || stay.doing === 'walking' || stay.doing === 'running') return { ...stay, doing: 'sitting', room: 'living_room' };
    return stay.doing === 'bathing' ? { ...stay, doing: 'lying', room: 'bedroom' } : stay;
  });
}
