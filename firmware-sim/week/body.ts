/**
 * A body through days and nights, in strides of some seconds. The physiology is that of patient.ts: the pulse falls in sleep, is
 * highest in the afternoon, rises with effort by a share of the reserve below 208 − 0.7 × age (Tanaka), and follows with a lag;
 * the core is warmest in the late afternoon and the skin at the wrist at night.
 */

import { HOUR, hourOfDay } from '../activity.ts';
import type { Random } from '../random.ts';
import { strainAt, type Strain } from './ailments.ts';
import type { Person } from './cast.ts';
import type { Doing, Stay } from './daily-life.ts';
import { clamp, Drift, settle } from './drift.ts';
import type { ScriptedEvent } from './script.ts';

/** What instruments would read if they were perfect and worn. */
export type Body = Readonly<{
  /** Per minute. */
  heartRate: number;
  respiratoryRate: number;
  /** Percent. */
  saturation: number;
  /** Degrees Celsius. */
  core: number;
  skin: number;
  /** Millimetres of mercury. */
  systolic: number;
  diastolic: number;
  /** Since local midnight. */
  steps: number;
}>;

/** Part of the pulse's reserve that something takes. */
const EFFORT: Readonly<Record<Doing, number>> = {
  asleep: 0, lying: 0, sitting: 0.02, standing: 0.11, washing: 0.14, bathing: 0.08, walking: 0.3, running: 0.74, on_floor: 0.05,
};
/** Share of seconds in which somebody walks. */
const ON_FOOT: Readonly<Record<Doing, number>> = { asleep: 0, lying: 0, sitting: 0.002, standing: 0.1, washing: 0.04, bathing: 0, walking: 1, running: 1, on_floor: 0 };
const RUNNING_CADENCE = 158;

/** 1 at the hour of the peak, −1 twelve hours away. */
const circadian = (hour: number, peak: number): number => Math.cos(((hour - peak) * Math.PI) / 12);
/** How often what ails somebody is asked, in seconds. */
const STRAIN_EVERY = 60;

type Dip = Readonly<{ from: number; until: number; depth: number }>;

/** The promise: everything here MUST depend only on the person, the events, the random's seed and the strides taken. */
export class WeekBody {
  readonly #person: Person;
  readonly #events: readonly ScriptedEvent[];
  readonly #chance: Random;
  readonly #drifts: Readonly<Record<'heart' | 'beat' | 'breath' | 'saturation' | 'skin' | 'core' | 'pressure' | 'mood', Drift>>;
  #now: number;
  #strain: Strain;
  #strainAt = -Infinity;
  #heartRate: number;
  #respiratoryRate: number;
  #saturation: number;
  #core: number;
  #skin: number;
  #steps = 0;
  #stepsOn = 0;
  #dip: Dip | undefined;
  #nextDip: number;
  #doing: Doing = 'asleep';
  #moves = false;

  constructor(person: Person, events: readonly ScriptedEvent[], start: number, random: Random) {
    this.#person = person;
    this.#events = events;
    this.#now = start;
    this.#chance = random.split('chance');
    this.#drifts = {
      heart: new Drift(2, 600, random.split('heart')),
      beat: new Drift(1.6, 8, random.split('beat')),
      breath: new Drift(0.8, 90, random.split('breath')),
      saturation: new Drift(0.45, 240, random.split('saturation')),
      skin: new Drift(0.25, 1800, random.split('skin')),
      core: new Drift(0.08, 3600, random.split('core')),
      pressure: new Drift(5, 1800, random.split('pressure')),
      // How a whole day goes.
      mood: new Drift(1.2, 86_400, random.split('mood')),
    };
    this.#strain = strainAt(events, start);
    this.#nextDip = start + random.split('first dip').exponential(HOUR);
    this.#heartRate = this.#heartRateTarget();
    this.#respiratoryRate = this.#respiratoryRateTarget();
    this.#saturation = person.saturation;
    this.#core = this.#coreTarget();
    this.#skin = this.#skinTarget();
  }

  /** Some seconds pass in which somebody is doing one thing. */
  advance(now: number, { doing }: Pick<Stay, 'doing'>): void {
    const passed = now - this.#now;
    this.#now = now;
    this.#doing = doing;
    if (now - this.#strainAt >= STRAIN_EVERY) {
      this.#strain = strainAt(this.#events, now);
      this.#strainAt = now;
    }
    this.#step(passed);
    this.#dipNow(passed);
    const target = this.#heartRateTarget();
    this.#heartRate = settle(this.#heartRate, target, passed, target > this.#heartRate ? 30 : 75);
    this.#respiratoryRate = settle(this.#respiratoryRate, this.#respiratoryRateTarget(), passed, 45);
    this.#saturation = settle(this.#saturation, this.#saturationTarget(), passed, 9);
    this.#core = settle(this.#core, this.#coreTarget(), passed, 1200);
    this.#skin = settle(this.#skin, this.#skinTarget(), passed, 900);
  }

  /** Whether arms and legs moved in the last stride. */
  get moves(): boolean {
    return this.#moves;
  }

  #step(passed: number): void {
    const day = Math.floor(this.#now / (24 * HOUR));
    if (day !== this.#stepsOn) this.#steps = 0;
    this.#stepsOn = day;
    const onFoot = ON_FOOT[this.#doing];
    const walks = onFoot === 1 || (onFoot > 0 && this.#chance.chance(onFoot));
    const cadence = this.#doing === 'running' ? RUNNING_CADENCE : this.#person.cadence;
    if (walks) this.#steps += (cadence * passed * this.#chance.between(0.9, 1.08)) / 60;
    this.#moves = walks || (this.#doing === 'washing' && this.#chance.chance(0.3));
  }

  /** Desaturations come in sleep only. */
  #dipNow(passed: number): void {
    if (this.#dip !== undefined && this.#now >= this.#dip.until) this.#dip = undefined;
    if (this.#doing !== 'asleep') {
      this.#nextDip = Math.max(this.#nextDip, this.#now + passed);
      return;
    }
    if (this.#dip !== undefined || this.#now < this.#nextDip) return;
    const { desaturationsPerHour, deepest } = this.#strain;
    const depth = this.#chance.between(3, Math.max(5, deepest));
    this.#dip = { from: this.#now, until: this.#now + this.#chance.between(25, 55), depth };
    this.#nextDip = this.#dip.until + this.#chance.exponential(HOUR / (this.#person.desaturationsPerHour + desaturationsPerHour));
  }

  #heartRateTarget(): number {
    const { restingHeartRate, age } = this.#person;
    const strain = this.#strain;
    const resting = restingHeartRate + 3 * circadian(hourOfDay(this.#now), 15) + strain.heartRate;
    const reserve = Math.max(20, 208 - 0.7 * age - resting);
    const needed = resting + EFFORT[this.#doing] * reserve - (this.#doing === 'asleep' ? 0.12 * restingHeartRate : 0) + (this.#dip === undefined ? 0 : 0.5 * this.#dip.depth);
    return needed * (1 - strain.heartLed) + (strain.heartAt + 0.2 * EFFORT[this.#doing] * reserve) * strain.heartLed;
  }

  #respiratoryRateTarget(): number {
    const { respiratoryRate } = this.#person;
    const strain = this.#strain;
    const needed = respiratoryRate + strain.respiratoryRate + 22 * EFFORT[this.#doing] - (this.#doing === 'asleep' ? 1.4 : 0);
    return needed * (1 - strain.breathLed) + strain.breathAt * strain.breathLed;
  }

  #saturationTarget(): number {
    const { saturation, kind } = this.#person;
    const effort = EFFORT[this.#doing];
    // Lungs that are ill do not keep up with a walk.
    const walked = kind === 'copd' ? 8 * effort : effort;
    return saturation - (this.#doing === 'asleep' ? 0.8 : 0) - walked + this.#strain.saturation - (this.#dip?.depth ?? 0);
  }

  #coreTarget(): number {
    return this.#person.coreTemperature + 0.28 * circadian(hourOfDay(this.#now), 17) + this.#strain.core + (this.#doing === 'running' ? 1 : 0);
  }

  #skinTarget(): number {
    const effort = this.#doing === 'walking' || this.#doing === 'running' ? -0.6 : 0;
    return 33 + 0.9 * circadian(hourOfDay(this.#now), 3) + effort + 0.7 * this.#strain.core + (this.#doing === 'bathing' ? 1.5 : 0);
  }

  /** As it is at the last stride. Reading draws chance: at most once per stride. */
  read(): Body {
    const now = this.#now;
    const strain = this.#strain;
    const drifts = this.#drifts;
    const irregular = strain.irregular * strain.heartLed * this.#chance.gaussian();
    const heartRate = this.#heartRate + (drifts.heart.at(now) + drifts.mood.at(now)) * (1 - strain.heartLed) + drifts.beat.at(now) + irregular;
    const effort = EFFORT[this.#doing];
    const systolic = this.#person.systolic + strain.systolic + drifts.pressure.at(now) + 40 * effort - (this.#doing === 'asleep' ? 12 : 0);
    return {
      heartRate: clamp(heartRate, 25, 220),
      respiratoryRate: clamp(this.#respiratoryRate + drifts.breath.at(now), 3, 60),
      saturation: clamp(this.#saturation + drifts.saturation.at(now), 50, 100),
      core: this.#core + drifts.core.at(now),
      skin: this.#skin + drifts.skin.at(now),
      systolic,
      diastolic: 0.42 * systolic + 26,
      steps: Math.floor(this.#steps),
    };
  }
}
