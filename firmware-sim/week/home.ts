/** The rooms of one home through days: air that remembers who breathed, washed and heated, and who moved before a sensor. */

import { HOUR, hourOfDay } from '../activity.ts';
import type { Random } from '../random.ts';
import type { Person, RoomKind } from './cast.ts';
import type { Doing, Stay } from './daily-life.ts';
import { clamp, Drift, settle } from './drift.ts';
import { roomId, type ScriptedEvent } from './script.ts';

export type WeekRoom = Readonly<{
  kind: RoomKind;
  id: string;
  /** Degrees Celsius, percent relative humidity, parts per million. */
  temperature: number;
  humidity: number;
  co2: number;
  motion: boolean;
  doorOpen: boolean;
}>;

const OUTDOOR_CO2 = 420;
/** Litres of carbon dioxide a second (Persily and de Jonge 2017). */
const BREATHED: Readonly<Record<Doing, number>> = {
  asleep: 0.0034, lying: 0.0038, sitting: 0.0046, standing: 0.0055, washing: 0.0055, bathing: 0.0046, walking: 0.0075, running: 0.012, on_floor: 0.0044,
};
/** Chance a second that a movement sensor sees somebody. */
const SEEN: Readonly<Record<Doing, number>> = {
  asleep: 0.0006, lying: 0.002, sitting: 0.008, standing: 0.15, washing: 0.12, bathing: 0.003, walking: 0.6, running: 0.6, on_floor: 0.0003,
};
/** Who has just fallen still tries to get up. */
const STRUGGLES_FOR = 900;
const SEEN_STRUGGLING = 0.002;
/** Seconds for which a movement sensor stays on after it last saw somebody. */
const MOTION_HOLD = 45;
const VOLUME: Readonly<Record<RoomKind, number>> = { bedroom: 34, bathroom: 14, kitchen: 28, living_room: 52, hall: 16 };
const AIR_EVERY = 30;

type Air = { readonly id: string; temperature: number; humidity: number; co2: number; motionUntil: number; doorUntil: number };
/** Somebody in the home at the moment. */
export type Presence = Readonly<{ doing: Doing; room: Stay['room']; since: number }>;

export class WeekHome {
  readonly #person: Person;
  readonly #events: readonly ScriptedEvent[];
  readonly #chance: Random;
  readonly #weather: Drift;
  readonly #airing: ReadonlyMap<RoomKind, Drift>;
  readonly #air = new Map<RoomKind, Air>();
  readonly #hasHeating: number;
  #before: readonly Presence[] = [];
  #now: number;
  #airAt: number;

  constructor(person: Person, events: readonly ScriptedEvent[], start: number, random: Random) {
    this.#person = person;
    this.#events = events;
    this.#now = start;
    this.#airAt = start;
    this.#chance = random.split('movement');
    this.#weather = new Drift(1.6, 86_400, random.split('weather'));
    this.#airing = new Map(person.rooms.map((room) => [room, new Drift(0.35, 3 * HOUR, random.split(`airing ${room}`))]));
    this.#hasHeating = random.split('heating').between(20.6, 22.2);
    for (const room of person.rooms) this.#air.set(room, { id: roomId(person.id, room), temperature: this.#hasHeating, humidity: 44, co2: 650, motionUntil: -Infinity, doorUntil: -Infinity });
  }

  /** Some seconds pass with these people at home. */
  advance(now: number, present: readonly Presence[]): void {
    if (this.#air.size === 0) return;
    const passed = now - this.#now;
    this.#now = now;
    this.#useDoors(present);
    for (const [room, air] of this.#air) this.#seeMotion(room, air, present, passed);
    if (now - this.#airAt < AIR_EVERY) return;
    const since = now - this.#airAt;
    this.#airAt = now;
    for (const [room, air] of this.#air) this.#breathe(room, air, present, since);
  }

  get rooms(): readonly WeekRoom[] {
    return [...this.#air].map(([kind, { id, temperature, humidity, co2, motionUntil, doorUntil }]) => ({
      kind, id, temperature, humidity, co2, motion: this.#now < motionUntil, doorOpen: this.#now < doorUntil,
    }));
  }

  /** The front door is the hall's, every other room has its own. */
  #useDoors(present: readonly Presence[]): void {
    if (present.length === this.#before.length && present.every(({ room }, i) => room === this.#before[i]?.room)) return;
    const before = new Set(this.#before.map(({ room }) => room));
    const after = new Set(present.map(({ room }) => room));
    this.#before = present;
    const passes = (room: Stay['room']): boolean => before.has(room) !== after.has(room);
    for (const [room, air] of this.#air) {
      if (passes(room === 'hall' ? 'out' : room)) air.doorUntil = this.#now + this.#chance.between(5, 30);
    }
  }

  #seeMotion(room: RoomKind, air: Air, present: readonly Presence[], passed: number): void {
    for (const { doing, room: where, since } of present) {
      if (where !== room) continue;
      const struggling = doing === 'on_floor' && this.#now - since < STRUGGLES_FOR;
      const seen = struggling ? SEEN_STRUGGLING : SEEN[doing];
      if (this.#chance.chance(1 - (1 - seen) ** passed)) air.motionUntil = this.#now + MOTION_HOLD;
    }
  }

  #breathe(room: RoomKind, air: Air, present: readonly Presence[], passed: number): void {
    const here = present.filter(({ room: where }) => where === room);
    const closed = this.#acting('stale_air', room) ? 0.5 : 0;
    const guests = this.#acting('stale_air', room) ? 5 : 0;
    // Windows are opened when it is stuffy, doors stand open by day.
    const asleep = here.some(({ doing }) => doing === 'asleep');
    const airing = closed > 0 ? closed : clamp((asleep ? 0.9 : 1.6) * Math.exp(this.#airing.get(room)?.at(this.#now) ?? 0), 0.3, 6);
    const breathed = here.reduce((sum, { doing }) => sum + BREATHED[doing], 0) + guests * BREATHED.sitting;
    air.co2 = settle(air.co2, OUTDOOR_CO2 + (breathed * 3.6e6) / (VOLUME[room] * airing), passed, HOUR / airing);
    const steam = here.some(({ doing }) => doing === 'bathing') ? 42 : here.some(({ doing }) => doing === 'washing') ? 30 : 0;
    const wet = room === 'bathroom' ? steam : here.length > 0 ? 4 : 0;
    air.humidity = settle(air.humidity, clamp(this.#dampness + wet, 15, 99), passed, steam > 0 ? 500 : 2400);
    const warmed = room === 'bathroom' && steam > 0 ? 4 : 0;
    air.temperature = settle(air.temperature, this.#warmth(room) + warmed, passed, warmed > 0 ? 900 : 4 * HOUR);
  }

  get #dampness(): number {
    return this.#acting('heatwave') ? 47 : 44 + 1.5 * this.#weather.at(this.#now);
  }

  #acting(kind: ScriptedEvent['kind'], room?: RoomKind): boolean {
    return this.#events.some((event) => event.kind === kind && this.#now >= event.from && this.#now < event.until && (room === undefined || event.room === room));
  }

  /** Where the temperature of a room goes. Homes need not stand in one place: each has a weather of its own. */
  #warmth(room: RoomKind): number {
    const hour = hourOfDay(this.#now);
    const swing = Math.cos(((hour - 15.5) * Math.PI) / 12);
    const weather = this.#weather.at(this.#now);
    if (this.#acting('heatwave')) {
      // 24 to 37 °C outside; under the roof the sun comes on top of it.
      const outside = 30.5 + 6.5 * swing + 0.4 * weather;
      return this.#person.attic ? outside + 0.5 + Math.max(0, swing) : 0.5 * outside + 12;
    }
    // Without heating the rooms go to what walls and weather make of 4 °C outside.
    if (this.#acting('cold_home')) return 9 + swing + 0.5 * weather;
    const setBack = hour < 6 || hour >= 22 ? 1.5 : 0;
    return this.#hasHeating - setBack + 0.2 * weather + (room === 'bathroom' ? 0.8 : 0);
  }
}
