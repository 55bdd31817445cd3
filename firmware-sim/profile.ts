/** Who the virtual patients are: the constants of a person, everything that changes lives in patient.ts. */

import type { Random } from './random.ts';

export type PatientProfile = Readonly<{
  /** Lower case; the first part of the person's device ids. */
  id: string;
  /** Years. */
  age: number;
  /** Awake at rest at midday, per minute. Usual for adults: 60 to 100. */
  restingHeartRate: number;
  /** Awake at rest, per minute. Usual for adults: 12 to 20. */
  restingRespiratoryRate: number;
  /** Awake, in percent. Usual in health: 95 to 99, a point lower asleep. */
  saturation: number;
  /** Wrist skin by day, degrees Celsius; usually 31 to 35 depending on blood flow. */
  skinTemperature: number;
  /** Hour of day, 0 to 24, at which the person usually goes to bed. */
  bedtime: number;
  /** Hour of day at which the person usually gets up. */
  wakeTime: number;
  /** Walks begun per waking hour. */
  walksPerHour: number;
  /** Steps per minute on a walk; about 100 is moderate effort for adults, frail people take fewer. */
  cadence: number;
  /** Desaturations begun per hour asleep; more than 5 of at least 4 points is regarded as abnormal. */
  desaturationsPerHour: number;
  /** Bouts of fast pulse begun per waking hour at rest. */
  tachycardiasPerHour: number;
}>;

const KNOWN: readonly PatientProfile[] = [
  {
    id: 'anna', age: 81, restingHeartRate: 70, restingRespiratoryRate: 16, saturation: 96.8, skinTemperature: 33,
    bedtime: 22, wakeTime: 6.75, walksPerHour: 0.7, cadence: 84, desaturationsPerHour: 0.6, tachycardiasPerHour: 0.01,
  },
  {
    id: 'ben', age: 67, restingHeartRate: 64, restingRespiratoryRate: 15, saturation: 97.2, skinTemperature: 33.4,
    bedtime: 23, wakeTime: 7, walksPerHour: 1.1, cadence: 100, desaturationsPerHour: 2.5, tachycardiasPerHour: 0.005,
  },
  {
    id: 'clara', age: 45, restingHeartRate: 62, restingRespiratoryRate: 14, saturation: 98, skinTemperature: 33.2,
    bedtime: 22.75, wakeTime: 6.25, walksPerHour: 1.6, cadence: 112, desaturationsPerHour: 0.1, tachycardiasPerHour: 0.02,
  },
];

/** Anna, Ben and Clara always as written here; further patients are drawn from `random` and called `patient-4`, `patient-5`, … */
export function profileOf(index: number, random: Random): PatientProfile {
  return KNOWN[index] ?? drawProfile(`patient-${index + 1}`, random.split('profile'));
}

function drawProfile(id: string, random: Random): PatientProfile {
  return {
    id,
    age: Math.round(random.between(35, 90)),
    restingHeartRate: random.between(58, 78),
    restingRespiratoryRate: random.between(13, 17.5),
    saturation: random.between(96, 98.5),
    skinTemperature: random.between(32.6, 33.8),
    bedtime: random.between(21.5, 23.75),
    wakeTime: random.between(5.75, 8),
    walksPerHour: random.between(0.5, 1.8),
    cadence: random.between(80, 115),
    desaturationsPerHour: random.between(0, 3),
    tachycardiasPerHour: random.between(0, 0.02),
  };
}
