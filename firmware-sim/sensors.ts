/**
 * What devices see of a household: probes that are read at fixed intervals, each through its own imperfect contact.
 */

import type { Household } from './household.ts';
import { measured, type Measurement, type Sample, UNITS, type Value } from './message.ts';
import { Ppg } from './ppg.ts';
import type { Random } from './random.ts';
import type { VirtualRoom } from './room.ts';

export type Probe = Readonly<{
  /** Simulated seconds between two readings at the normal rate. */
  every: number;
  /** Blocks of a continuous signal follow each other without overlap, so a rate multiplier does not apply. Default false. */
  continuous?: boolean;
  /** Reads the household as it is at `seconds` (simulated); undefined when there is nothing to say. Called in ascending time. */
  sample: (seconds: number) => Sample | undefined;
}>;

const readings = (...values: readonly Value[]): Sample | undefined => (values.length === 0 ? undefined : { readings: values });

/** Whether a sensor touches the skin: two states that change by chance. A sensor off the skin gives no value, never a made-up one. */
export class SkinContact {
  readonly #random: Random;
  readonly #meanOn: number;
  readonly #meanOff: number;
  #changesAt: number | undefined;
  #on = true;

  /** @param meanOn seconds a contact lasts on average. @param meanOff seconds a drop-out lasts on average. */
  constructor(meanOn: number, meanOff: number, random: Random) {
    this.#meanOn = meanOn;
    this.#meanOff = meanOff;
    this.#random = random;
  }

  /** Whether it touches at `seconds`, which MUST NOT go back between calls. */
  touches(seconds: number): boolean {
    this.#changesAt ??= seconds + this.#random.exponential(this.#meanOn);
    while (this.#changesAt <= seconds) {
      this.#on = !this.#on;
      this.#changesAt += this.#random.exponential(this.#on ? this.#meanOn : this.#meanOff);
    }
    return this.#on;
  }
}

/** A charge that lasts `lifetime` seconds; the wearer recharges it when 5 % are left. Percent. */
function batteryAt(seconds: number, start: number, lifetime: number, initial: number): number {
  const used = initial + (seconds - start) / lifetime;
  return Math.round(100 - 95 * (used % 1));
}

/** A wrist wearable: pulse, skin temperature, steps and its own battery every 5 s. */
export function wristProbes({ patient }: Household, random: Random, start: number): Probe[] {
  const contact = new SkinContact(5 * 3600, 180, random.split('contact'));
  const used = random.split('battery').between(0, 0.6);
  const sample = (seconds: number): Sample | undefined => {
    const { heartRate, skinTemperature, steps } = patient.vitals;
    const onSkin = contact.touches(seconds) ? [measured('heart_rate', heartRate), measured('skin_temperature', skinTemperature, 1)] : [];
    return readings(...onSkin, measured('steps', steps), measured('battery', batteryAt(seconds, start, 6 * 86_400, used)));
  };
  return [{ every: 5, sample }];
}

const PPG_RATE = 50;

/** A finger clip: saturation and pulse every 2 s, and with `ppg` the curve itself, 50 samples a second in blocks of one second. */
export function oximeterProbes({ patient }: Household, random: Random, ppg: boolean): Probe[] {
  const contact = new SkinContact(5400, 75, random.split('contact'));
  const vitals: Probe = {
    every: 2,
    sample: (seconds) => {
      const { spo2, heartRate } = patient.vitals;
      return contact.touches(seconds) ? readings(measured('spo2', spo2), measured('heart_rate', heartRate)) : undefined;
    },
  };
  if (!ppg) return [vitals];
  const curve = new Ppg(PPG_RATE, random.split('ppg'));
  const waveform: Probe = {
    every: 1,
    continuous: true,
    sample: (seconds) => {
      const samples = curve.nextSecond(patient.vitals.heartRate, patient.vitals.respiratoryRate);
      return contact.touches(seconds) ? { waveform: { measurement: 'ppg', unit: UNITS.ppg, rate: PPG_RATE, samples } } : undefined;
    },
  };
  return [vitals, waveform];
}

/** A chest band: breaths per minute every 10 s. */
export function chestProbes({ patient }: Household, random: Random): Probe[] {
  const contact = new SkinContact(4 * 3600, 120, random.split('contact'));
  const sample = (seconds: number): Sample | undefined =>
    contact.touches(seconds) ? readings(measured('respiratory_rate', patient.vitals.respiratoryRate)) : undefined;
  return [{ every: 10, sample }];
}

/** Temperature, humidity and carbon dioxide every 30 s; the gas sensor scatters by a few ppm. */
export function climateProbes(room: VirtualRoom, random: Random): Probe[] {
  const noise = random.split('co2');
  const sample = (): Sample | undefined => {
    const { temperature, humidity, co2 } = room.state;
    return readings(
      measured('room_temperature', temperature, 1),
      measured('humidity', humidity),
      measured('co2', co2 + 8 * noise.gaussian()),
    );
  };
  return [{ every: 30, sample }];
}

/** Speaks when what it watches changes, and once a minute all the same, so that silence means a fault. */
function onChange(measurement: Measurement, read: () => boolean, more: () => readonly Value[]): Probe {
  let last: boolean | undefined;
  let lastAt = -Infinity;
  const sample = (seconds: number): Sample | undefined => {
    const now = read();
    if (now === last && seconds - lastAt < 60) return undefined;
    last = now;
    lastAt = seconds;
    return readings(measured(measurement, now ? 1 : 0), ...more());
  };
  return { every: 1, sample };
}

/** Movement (0 or 1) with the light in the room. */
export function motionProbes(room: VirtualRoom): Probe[] {
  return [onChange('motion', () => room.state.motion, () => [measured('illuminance', room.state.illuminance)])];
}

/** A door contact: 0 closed, 1 open. */
export function doorProbes(room: VirtualRoom): Probe[] {
  return [onChange('door', () => room.state.doorOpen, () => [])];
}
