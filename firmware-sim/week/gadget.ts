/** What all devices of the week have in common: a clock that is off, a counter, a battery, a link; and what they look at. */

import { type Millis, UnixMillis } from '../../gateway/quantity.ts';
import { type ClockError, DeviceClock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { Body } from './body.ts';
import type { Stay } from './daily-life.ts';
import type { WeekRoom } from './home.ts';
import { Link, type Outbox } from './post.ts';
import type { EventKind, ScriptedEvent } from './script.ts';

/** What a device can look at in one stride. */
export type Scene = Readonly<{
  /** Seconds since the first local midnight. */
  now: number;
  /** Length of a stride in seconds. */
  stride: number;
  stay: Stay;
  /** Asked for at most once in a stride, however many look. */
  body: () => Body;
  /** Whether arms and legs move. */
  moves: boolean;
  rooms: () => readonly WeekRoom[];
  /** The event of this kind that is going on. */
  acting: (kind: EventKind) => ScriptedEvent | undefined;
}>;

export type Gadget = Readonly<{ device: string; /** `patient/edith` or `room/edith-bathroom`. */ subject: string; look: (scene: Scene) => void }>;

/** Units of the gateway's own JSON, UCUM. */
const UNITS = {
  heart_rate: '/min', respiratory_rate: '/min', skin_temperature: 'Cel', body_temperature: 'Cel', steps: '{steps}', battery: '%',
  room_temperature: 'Cel', humidity: '%', co2: '[ppm]', motion: '1', door: '1', usage: '1', fall: '1',
} as const;
type Measurement = keyof typeof UNITS;
export type Value = readonly [measurement: Measurement, value: number];

/** Rounded as a device rounds. */
export const rounded = (value: number, decimals = 0): number => Number(value.toFixed(decimals));

export type Wire = Readonly<{ epoch: UnixMillis; outbox: Outbox; random: Random }>;

/** Some firmware sets no clock at all; it then counts from 1970, when the battery was put in. */
const NEVER_SET = 0.06;
/** Some clocks were set by hand, minutes off. */
const BADLY_SET = 0.08;

function drawClock(epoch: UnixMillis, random: Random): DeviceClock {
  const draw = random.next();
  const error = (offset: number): ClockError => ({ offset: Math.round(offset) as Millis, driftPpm: random.between(-20, 20) });
  if (draw < NEVER_SET) return new DeviceClock(epoch, error(random.between(1e6, 1e8) - epoch));
  if (draw < NEVER_SET + BADLY_SET) return new DeviceClock(epoch, error(random.between(-3.6e6, 2e5)));
  return new DeviceClock(epoch, error(1500 * random.gaussian()));
}

/** A device that speaks the gateway's JSON, or forwards Bluetooth values. */
export class Speaker {
  readonly #device: string;
  readonly #link: Link;
  readonly #clock: DeviceClock;
  readonly #epoch: UnixMillis;
  readonly #phase: number;
  #sequence = 0;

  constructor(device: string, { epoch, outbox, random }: Wire, link: Readonly<{ lostEvery: number; keeps: boolean }>) {
    const own = random.split(device);
    this.#device = device;
    this.#epoch = epoch;
    this.#link = new Link(outbox, link, own);
    this.#clock = drawClock(epoch, own.split('clock'));
    this.#phase = own.split('phase').next();
  }

  /** Whether something that is done every so many seconds is due in this stride. What comes with every so many of `base` is a multiple of it. */
  due({ now, stride }: Pick<Scene, 'now' | 'stride'>, every: number, base = every): boolean {
    const phase = Math.floor((this.#phase * base) / stride) * stride;
    return now >= phase && (now - phase) % every < stride;
  }

  /** When in the stride it is done, in ms. */
  #at({ now, stride }: Pick<Scene, 'now' | 'stride'>): number {
    return Math.round((now + this.#phase * stride) * 1000);
  }

  say(scene: Pick<Scene, 'now' | 'stride'>, values: readonly Value[]): void {
    if (values.length === 0) return;
    const at = this.#at(scene);
    const readings = values.map(([measurement, value]) => ({ measurement, value, unit: UNITS[measurement] }));
    this.#sequence += 1;
    const head = { seq: this.#sequence, time: this.#clock.read(UnixMillis(this.#epoch + at)) };
    const payload = Buffer.from(JSON.stringify(readings.length === 1 ? { ...head, ...readings[0] } : { ...head, readings }));
    this.#link.send({ at, device: this.#device, topic: `devices/${this.#device}/readings`, payload });
  }

  /** A Bluetooth characteristic as it came from the device. */
  forward(scene: Pick<Scene, 'now' | 'stride'>, characteristic: string, value: Uint8Array): void {
    this.#link.send({ at: this.#at(scene), device: this.#device, topic: `devices/${this.#device}/gatt/${characteristic}`, payload: value });
  }
}

/** A battery that is charged when it is low and its wearer washes; while it is, the device is not worn. */
export class Charge {
  readonly #lasts: number;
  readonly #takes: number;
  #level: number;
  #at: number | undefined;
  #charging = false;

  /** @param lasts seconds from full to empty. @param takes seconds from empty to full. */
  constructor(lasts: number, takes: number, random: Random) {
    this.#lasts = lasts;
    this.#takes = takes;
    this.#level = random.between(40, 100);
  }

  /** Percent at this moment. A charge that somebody forgets goes on falling. */
  follow({ now, stay, acting }: Scene): Readonly<{ level: number; worn: boolean }> {
    const passed = now - (this.#at ?? now);
    this.#at = now;
    const forgotten = acting('battery_low');
    if (forgotten !== undefined) return { level: this.#runOut(forgotten, now), worn: true };
    if (this.#charging) {
      this.#level = Math.min(100, this.#level + (100 * passed) / this.#takes);
      if (this.#level >= 100) this.#charging = false;
    } else {
      this.#level = Math.max(0, this.#level - (100 * passed) / this.#lasts);
      if (this.#level < 35 && (stay.doing === 'washing' || this.#level < 12)) this.#charging = true;
    }
    return { level: this.#level, worn: !this.#charging };
  }

  /** From what is left to nothing in nine tenths of the time. */
  #runOut({ from, until }: ScriptedEvent, now: number): number {
    const left = Math.min(18, this.#level);
    const level = Math.max(0, left * (1 - (now - from) / (0.9 * (until - from))));
    if (now + 60 >= until) this.#level = 5;
    return level;
  }
}
