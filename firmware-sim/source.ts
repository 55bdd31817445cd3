/** Where the values of a lone device come from: one patient in one room, moment by moment, with all that any family can carry. */

import type { UnixMillis } from '../gateway/quantity.ts';
import { HOUR, hourOfDay } from './activity.ts';
import { Household } from './household.ts';
import { Ppg } from './ppg.ts';
import { profileOf } from './profile.ts';
import { type Random, Wander } from './random.ts';
import type { RoomState } from './room.ts';

/** What instruments would read if they were perfect and in place. */
export type Body = Readonly<{
  /** Per minute. */
  heartRate: number;
  /** Times between beats, oldest first, milliseconds. */
  rrIntervals: readonly number[];
  /** Percent. */
  spo2: number;
  /** Percent. */
  perfusion: number;
  /** Per minute. */
  respiratoryRate: number;
  /** Degrees Celsius at the wrist. */
  skinTemperature: number;
  /** Degrees Celsius at the body's core. */
  bodyTemperature: number;
  /** Millimetres of mercury. */
  systolic: number;
  diastolic: number;
  mean: number;
  /** Kilograms. */
  weight: number;
  /** Milligrams per decilitre of capillary blood. */
  glucose: number;
  /** The pulse wave, each sample 0 to 1; as many as the family sends at a time. */
  pleth: readonly number[];
}>;

/** What a device has to say at one moment. */
export type Snapshot = Readonly<{
  /** Counts from 1. */
  sequence: number;
  /** What the device's own clock shows. */
  time: UnixMillis;
  body: Body;
  room: RoomState;
  /** Whole percent. */
  battery: number;
  /** No finger, cuff or skin in the sensor. */
  sensorOff: boolean;
}>;

export type SourceOptions = Readonly<{
  random: Random;
  /** Simulated seconds since a local midnight at which it begins. */
  start: number;
  /** Simulated seconds from one snapshot to the next, at least 1. */
  step: number;
  /** Samples of the pulse wave in a snapshot, and how many a second. Default none. */
  pleth?: Readonly<{ samples: number; rate: number }>;
}>;

/** A battery that lasts so many snapshots from full to empty, and is then full again. */
const BATTERY_LASTS = 5000;

/** The promise: snapshots MUST depend only on the options and on how many were taken before. */
export class Source {
  readonly #household: Household;
  readonly #options: SourceOptions;
  readonly #ppg: Ppg;
  readonly #beat: Random;
  readonly #wander: Readonly<Record<'pressure' | 'glucose' | 'weight' | 'perfusion', Wander>>;
  readonly #charge: number;
  #sequence = 0;

  constructor(options: SourceOptions) {
    const { random, start, pleth } = options;
    this.#options = options;
    this.#household = new Household(profileOf(0, random), ['bedroom'], random, start);
    this.#ppg = new Ppg(pleth?.rate ?? 1, random.split('ppg'));
    this.#beat = random.split('beat');
    this.#wander = {
      pressure: new Wander(4, 600, random.split('pressure')),
      glucose: new Wander(9, 900, random.split('glucose')),
      weight: new Wander(0.2, 3600, random.split('weight')),
      perfusion: new Wander(0.4, 120, random.split('perfusion')),
    };
    this.#charge = random.split('battery').between(0.4, 1);
  }

  /** The next snapshot, as a device sees it whose clock shows `time`. */
  next(time: UnixMillis): Snapshot {
    const { start, step } = this.#options;
    this.#household.advanceTo(start + this.#sequence * step);
    this.#sequence += 1;
    const [room] = this.#household.rooms;
    const used = this.#charge + this.#sequence / BATTERY_LASTS;
    return {
      sequence: this.#sequence,
      time,
      body: this.#body(),
      room: (room ?? noRoom()).state,
      battery: Math.round(100 * (1 - (used % 1))),
      sensorOff: false,
    };
  }

  #body(): Body {
    const { vitals, now, profile } = this.#household.patient;
    const [pressure, glucose, weight, perfusion] = [this.#wander.pressure.step(), this.#wander.glucose.step(), this.#wander.weight.step(), this.#wander.perfusion.step()];
    // Pressure rises with age and effort; a third of the pulse pressure above the diastolic is the usual estimate of the mean.
    const systolic = 104 + 0.3 * profile.age + 0.3 * (vitals.heartRate - profile.restingHeartRate) + pressure;
    const diastolic = 0.42 * systolic + 26;
    return {
      heartRate: vitals.heartRate,
      rrIntervals: this.#rrIntervals(vitals.heartRate),
      spo2: vitals.spo2,
      perfusion: Math.min(20, Math.max(0.3, 3 + perfusion)),
      respiratoryRate: vitals.respiratoryRate,
      skinTemperature: vitals.skinTemperature,
      // The core is warmest in the late afternoon and half a degree colder before dawn.
      bodyTemperature: 36.8 + 0.25 * Math.cos(((hourOfDay(now) - 17) * Math.PI) / 12),
      systolic,
      diastolic,
      mean: diastolic + (systolic - diastolic) / 3,
      weight: 71 + weight,
      glucose: Math.max(55, 104 + 14 * Math.sin((now / (4 * HOUR)) * Math.PI) + glucose),
      pleth: this.#ppg.next(this.#options.pleth?.samples ?? 0, vitals.heartRate, vitals.respiratoryRate),
    };
  }

  /** The beats of about one second, each a little off the mean. */
  #rrIntervals(heartRate: number): readonly number[] {
    const count = Math.max(1, Math.round(heartRate / 60));
    return Array.from({ length: count }, () => 60_000 / heartRate + 18 * this.#beat.gaussian());
  }
}

function noRoom(): never {
  throw new RangeError('a household has at least one room');
}
