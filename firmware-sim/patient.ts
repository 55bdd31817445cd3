/**
 * A virtual patient: plausible vital signs that respond to what the person does and to the time of day.
 *
 * Ranges and shapes follow common physiology: adults at rest breathe 12 to 20 times a minute; heart rate falls by 10 to 20 %
 * in sleep, is highest in the afternoon, rises with effort by a share of the reserve below 208 − 0.7 × age (Tanaka) with a
 * time constant near half a minute, and comes down more slowly; it quickens with each breath in (sinus arrhythmia); skin
 * at the wrist is warmest at night, opposite to the body's core; saturation dips a point in sleep.
 */

import { type Activity, HOUR, hourOfDay, isBedtime, nextWhereabouts, type Whereabouts } from './activity.ts';
import { type Episode, strength } from './episodes.ts';
import type { PatientProfile } from './profile.ts';
import { approach, type Random, Wander } from './random.ts';

/** What instruments would read if they were perfect and worn. */
export type Vitals = Readonly<{
  /** Per minute. */
  heartRate: number;
  /** Percent of arterial haemoglobin. */
  spo2: number;
  /** Per minute. */
  respiratoryRate: number;
  /** Degrees Celsius at the wrist. */
  skinTemperature: number;
  /** Whole steps since local midnight. */
  steps: number;
}>;

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** 1 at the hour of the peak, −1 twelve hours away. */
const circadian = (hour: number, peak: number): number => Math.cos(((hour - peak) * Math.PI) / 12);

/**
 * The person at `now`. The promise: everything here MUST depend only on the profile, the random's seed, the rooms, the start,
 * the episodes and `now`, never on how often or in which steps the patient was advanced.
 */
export class VirtualPatient {
  readonly profile: PatientProfile;
  readonly #rooms: readonly string[];
  readonly #behaviour: Random;
  readonly #luck: Random;
  readonly #wander: Readonly<Record<'heart' | 'breath' | 'saturation' | 'skin', Wander>>;
  #episodes: readonly Episode[];
  #now: number;
  #whereabouts: Whereabouts;
  #effort = 1;
  #heartRate: number;
  #respiratoryRate: number;
  #saturation: number;
  #skinTemperature: number;
  #steps = 0;
  #breathPhase = 0;
  #vitals: Vitals;

  /**
   * @param rooms ids of the person's rooms, the bedroom first. @param start simulated seconds since a local midnight.
   * @param episodes those certain to come; others come by chance, at the profile's rates.
   */
  constructor(profile: PatientProfile, rooms: readonly string[], random: Random, start: number, episodes: readonly Episode[] = []) {
    this.profile = profile;
    this.#rooms = rooms;
    this.#episodes = episodes;
    this.#now = Math.floor(start);
    this.#behaviour = random.split('behaviour');
    this.#luck = random.split('episodes');
    this.#wander = {
      heart: new Wander(2.2, 90, random.split('heart')),
      breath: new Wander(0.8, 60, random.split('breath')),
      saturation: new Wander(0.5, 240, random.split('saturation')),
      skin: new Wander(0.2, 1800, random.split('skin')),
    };
    const night = isBedtime(hourOfDay(start), profile);
    this.#whereabouts = { activity: night ? 'asleep' : 'resting', room: rooms[0] };
    this.#heartRate = this.#heartRateTarget();
    this.#respiratoryRate = this.#respiratoryRateTarget();
    this.#saturation = this.#saturationTarget();
    this.#skinTemperature = this.#skinTarget();
    this.#vitals = this.#read();
  }

  /** Simulated whole seconds since a local midnight. */
  get now(): number {
    return this.#now;
  }

  get vitals(): Vitals {
    return this.#vitals;
  }

  get whereabouts(): Whereabouts {
    return this.#whereabouts;
  }

  /** One second passes. */
  step(): void {
    this.#now += 1;
    this.#meetFate();
    this.#behave();
    this.#walk();
    const heartRateTarget = this.#heartRateTarget();
    this.#heartRate = approach(this.#heartRate, heartRateTarget, heartRateTarget > this.#heartRate ? 30 : 70);
    this.#respiratoryRate = approach(this.#respiratoryRate, this.#respiratoryRateTarget(), 40);
    this.#saturation = approach(this.#saturation, this.#saturationTarget(), 8);
    this.#skinTemperature = approach(this.#skinTemperature, this.#skinTarget(), 900);
    this.#vitals = this.#read();
  }

  get #activity(): Activity {
    return this.#whereabouts.activity;
  }

  /** The episode of this kind that acts now, and how strongly: magnitude × strength. */
  #acting(kind: Episode['kind']): number {
    let sum = 0;
    for (const episode of this.#episodes) {
      if (episode.kind === kind) sum += episode.magnitude * strength(episode, this.#now);
    }
    return sum;
  }

  #meetFate(): void {
    const draw = this.#luck.next();
    if (this.#episodes.length > 0) this.#episodes = this.#episodes.filter(({ startsAt, duration }) => startsAt + duration > this.#now);
    const rate = this.#activity === 'asleep' ? this.profile.desaturationsPerHour : this.profile.tachycardiasPerHour;
    if (this.#activity === 'walking' || draw >= rate / HOUR) return;
    this.#episodes = [...this.#episodes, this.#drawEpisode(this.#activity === 'asleep' ? 'desaturation' : 'tachycardia')];
  }

  #drawEpisode(kind: Episode['kind']): Episode {
    const startsAt = this.#now;
    return kind === 'desaturation'
      ? { kind, startsAt, duration: this.#luck.between(40, 100), magnitude: this.#luck.between(3, 8) }
      : { kind, startsAt, duration: this.#luck.between(120, 900), magnitude: this.#luck.between(35, 60) };
  }

  /** An episode holds the person where it can happen: asleep for a desaturation, at rest for a fast pulse. */
  #behave(): void {
    const held = this.#episodes.find((episode) => strength(episode, this.#now) > 0)?.kind;
    const free = nextWhereabouts(this.#whereabouts, this.#now, this.profile, this.#rooms, this.#behaviour);
    if (held === 'desaturation') this.#whereabouts = { activity: 'asleep', room: this.#rooms[0] };
    else if (held === 'tachycardia') this.#whereabouts = { activity: 'resting', room: this.#whereabouts.room };
    else {
      if (free.activity === 'walking' && this.#activity !== 'walking') this.#effort = this.#behaviour.between(0.75, 1.2);
      this.#whereabouts = free;
    }
  }

  #walk(): void {
    if (hourOfDay(this.#now) === 0) this.#steps = 0;
    if (this.#activity === 'walking') this.#steps += (this.profile.cadence * Math.min(1, this.#effort)) / 60;
  }

  #heartRateTarget(): number {
    const { age, restingHeartRate } = this.profile;
    const resting = restingHeartRate + 3 * circadian(hourOfDay(this.#now), 15) + this.#acting('tachycardia');
    const rescue = 0.6 * this.#acting('desaturation');
    if (this.#activity === 'asleep') return resting - 0.13 * restingHeartRate + rescue;
    if (this.#activity === 'resting') return resting + rescue;
    return resting + 0.32 * this.#effort * (208 - 0.7 * age - restingHeartRate);
  }

  #respiratoryRateTarget(): number {
    const { restingRespiratoryRate } = this.profile;
    if (this.#activity === 'asleep') return restingRespiratoryRate - 1.2;
    return this.#activity === 'walking' ? restingRespiratoryRate + 7 * this.#effort : restingRespiratoryRate;
  }

  #saturationTarget(): number {
    return this.profile.saturation - (this.#activity === 'asleep' ? 0.9 : 0) - this.#acting('desaturation');
  }

  #skinTarget(): number {
    return this.profile.skinTemperature + 0.9 * circadian(hourOfDay(this.#now), 3) - (this.#activity === 'walking' ? 0.5 : 0);
  }

  #read(): Vitals {
    const respiratoryRate = clamp(this.#respiratoryRate + this.#wander.breath.step(), 4, 60);
    this.#breathPhase = (this.#breathPhase + respiratoryRate / 60) % 1;
    const sinusArrhythmia = (this.#activity === 'walking' ? 0.6 : 2) * Math.sin(2 * Math.PI * this.#breathPhase);
    return {
      heartRate: clamp(this.#heartRate + sinusArrhythmia + this.#wander.heart.step(), 30, 220),
      spo2: clamp(this.#saturation + this.#wander.saturation.step(), 50, 100),
      respiratoryRate,
      skinTemperature: this.#skinTemperature + this.#wander.skin.step(),
      steps: Math.floor(this.#steps),
    };
  }
}
