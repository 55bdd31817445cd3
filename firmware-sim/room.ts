/**
 * A virtual room: air that remembers who breathed it, a movement sensor that sees who moves, and a door.
 *
 * Carbon dioxide follows the mass balance of one well-mixed zone, dC/dt = G/V − n·(C − C_out): an adult gives off about
 * 0.0034 L/s asleep, 0.0046 L/s sitting and 0.0075 L/s walking (Persily and de Jonge 2017), a closed bedroom changes its
 * air about half a time an hour, an open door several times that.
 */

import { type Activity, HOUR, hourOfDay } from './activity.ts';
import { approach, type Random, Wander } from './random.ts';

export type RoomProfile = Readonly<{
  id: string;
  /** Cubic metres of air. */
  volume: number;
  /** Degrees Celsius the heating keeps by day; by night 2 less. */
  setPoint: number;
  /** Percent relative humidity without anybody in the room. */
  humidity: number;
}>;

export type RoomState = Readonly<{
  /** Degrees Celsius. */
  temperature: number;
  /** Percent relative humidity. */
  humidity: number;
  /** Parts per million. */
  co2: number;
  /** Lux. */
  illuminance: number;
  motion: boolean;
  doorOpen: boolean;
}>;

export const OUTDOOR_CO2 = 420;
/** Air changes per hour. */
export const AIR_CHANGES = { doorClosed: 0.5, doorOpen: 2.5 } as const;
/** Litres of carbon dioxide per second. */
const BREATHED: Readonly<Record<Activity, number>> = { asleep: 0.0034, resting: 0.0046, walking: 0.0075 };
/** Chance per second that a movement sensor sees somebody: people turn in bed a few times an hour. */
const SEEN: Readonly<Record<Activity, number>> = { asleep: 0.0015, resting: 0.03, walking: 0.9 };
/** Seconds a movement sensor stays on after it last saw somebody. */
const MOTION_HOLD = 30;

export function drawRoomProfile(id: string, random: Random): RoomProfile {
  return { id, volume: random.between(28, 42), setPoint: random.between(20, 22), humidity: random.between(38, 50) };
}

/**
 * The room after some seconds. The promise: its state MUST depend only on the profile, the random's seed, the start and the
 * sequence of occupants, second by second.
 */
export class VirtualRoom {
  readonly profile: RoomProfile;
  readonly #behaviour: Random;
  readonly #motion: Random;
  readonly #wander: Readonly<Record<'temperature' | 'humidity' | 'light', Wander>>;
  #now: number;
  /** Unknown until the first second, so that a run does not begin with a door that opens by itself. */
  #occupied: boolean | undefined;
  #co2 = 600;
  #temperature: number;
  #humidity: number;
  #motionUntil = -Infinity;
  #doorClosesAt = -Infinity;
  #state: RoomState;

  /** @param start simulated seconds since a local midnight. */
  constructor(profile: RoomProfile, random: Random, start: number) {
    this.profile = profile;
    this.#now = Math.floor(start);
    this.#behaviour = random.split('door');
    this.#motion = random.split('motion');
    this.#wander = {
      temperature: new Wander(0.15, 1800, random.split('temperature')),
      humidity: new Wander(0.8, 2400, random.split('humidity')),
      light: new Wander(0.25, 1200, random.split('light')),
    };
    this.#temperature = this.#temperatureTarget(undefined);
    this.#humidity = profile.humidity;
    this.#state = this.#read(undefined);
  }

  get state(): RoomState {
    return this.#state;
  }

  /** One second passes. @param occupant what the person in the room does; undefined when nobody is there. */
  step(occupant: Activity | undefined): void {
    this.#now += 1;
    this.#useDoor(occupant !== undefined);
    this.#detectMotion(occupant);
    this.#co2 = this.#nextCo2(occupant);
    this.#temperature = approach(this.#temperature, this.#temperatureTarget(occupant), 1.5 * HOUR);
    this.#humidity = approach(this.#humidity, this.profile.humidity + (occupant === undefined ? 0 : 6), HOUR);
    this.#state = this.#read(occupant);
  }

  get #doorOpen(): boolean {
    return this.#now < this.#doorClosesAt;
  }

  /** A door opens when somebody passes it, and is mostly closed behind them; one time in five it stays open for a while. */
  #useDoor(occupied: boolean): void {
    const before = this.#occupied;
    this.#occupied = occupied;
    if (before === undefined || before === occupied) return;
    const forgotten = this.#behaviour.chance(0.2);
    this.#doorClosesAt = this.#now + 1 + (forgotten ? this.#behaviour.exponential(900) : this.#behaviour.between(4, 40));
    this.#motionUntil = this.#now + MOTION_HOLD;
  }

  #detectMotion(occupant: Activity | undefined): void {
    const draw = this.#motion.next();
    if (occupant !== undefined && draw < SEEN[occupant]) this.#motionUntil = this.#now + MOTION_HOLD;
  }

  #nextCo2(occupant: Activity | undefined): number {
    const { volume } = this.profile;
    const airChanges = this.#doorOpen ? AIR_CHANGES.doorOpen : AIR_CHANGES.doorClosed;
    const breathed = occupant === undefined ? 0 : BREATHED[occupant];
    const settled = OUTDOOR_CO2 + (breathed * HOUR * 1e3) / (volume * airChanges);
    return approach(this.#co2, settled, HOUR / airChanges);
  }

  #temperatureTarget(occupant: Activity | undefined): number {
    const hour = hourOfDay(this.#now);
    const setBack = hour < 6 || hour >= 22 ? 2 : 0;
    return this.profile.setPoint - setBack + (occupant === undefined ? 0 : 0.5);
  }

  /** Daylight through a window from 6 to 20 h, and a lamp while somebody is awake in the dark. */
  #illuminance(occupant: Activity | undefined): number {
    const daylight = 350 * Math.max(0, Math.sin(((hourOfDay(this.#now) - 6) / 14) * Math.PI)) * Math.exp(this.#wander.light.step());
    const lamp = daylight < 60 && (occupant === 'resting' || occupant === 'walking') ? 90 : 0;
    return 0.2 + daylight + lamp;
  }

  #read(occupant: Activity | undefined): RoomState {
    return {
      temperature: this.#temperature + this.#wander.temperature.step(),
      humidity: this.#humidity + this.#wander.humidity.step(),
      co2: this.#co2,
      illuminance: this.#illuminance(occupant),
      motion: this.#now < this.#motionUntil,
      doorOpen: this.#doorOpen,
    };
  }
}
