/** Arbitrary states of person, room and device, as a simulated device may meet them. */

import fc from 'fast-check';
import type { Snapshot } from '../../../firmware-sim/source.ts';
import { UnixMillis } from '../../../gateway/quantity.ts';

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });

const body = (samples: number): fc.Arbitrary<Snapshot['body']> => fc.record({
  heartRate: number(31, 250),
  rrIntervals: fc.array(number(240, 1990), { minLength: 0, maxLength: 5 }),
  spo2: number(50, 100),
  perfusion: number(0.1, 20),
  respiratoryRate: number(4, 60),
  skinTemperature: number(20, 42),
  bodyTemperature: number(30, 43),
  systolic: number(60, 250),
  diastolic: number(30, 150),
  mean: number(40, 190),
  weight: number(2, 300),
  glucose: number(20, 600),
  pleth: fc.array(number(-0.2, 1.3), { minLength: samples, maxLength: samples }),
});

const room: fc.Arbitrary<Snapshot['room']> = fc.record({
  temperature: number(-20, 45),
  humidity: number(0, 100),
  co2: number(380, 9000),
  illuminance: number(1, 90_000),
  motion: fc.boolean(),
  doorOpen: fc.boolean(),
});

/** @param samples how many of the pulse wave. */
export function snapshots(samples: number): fc.Arbitrary<Snapshot> {
  return fc.record({
    sequence: fc.integer({ min: 1, max: 1_000_000 }),
    time: fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2099, 11, 31) }).map(UnixMillis),
    body: body(samples),
    room,
    battery: fc.integer({ min: 0, max: 100 }),
    sensorOff: fc.boolean(),
  });
}

/** What is true of a snapshot, by measurement: what a device that tells it must have told, within what its format resolves. */
export const TRUTH: ReadonlyMap<string, Readonly<{ of: (snapshot: Snapshot) => number; within: number }>> = new Map([
  ['heart_rate', { of: ({ body: { heartRate } }: Snapshot) => heartRate, within: 0.5 }],
  ['pulse_rate', { of: ({ body: { heartRate } }: Snapshot) => heartRate, within: 0.5 }],
  ['spo2', { of: ({ body: { spo2 } }: Snapshot) => spo2, within: 0.5 }],
  ['perfusion_index', { of: ({ body: { perfusion } }: Snapshot) => perfusion, within: 0.05 }],
  ['respiratory_rate', { of: ({ body: { respiratoryRate } }: Snapshot) => respiratoryRate, within: 0.5 }],
  ['skin_temperature', { of: ({ body: { skinTemperature } }: Snapshot) => skinTemperature, within: 0.05 }],
  ['body_temperature', { of: ({ body: { bodyTemperature } }: Snapshot) => bodyTemperature, within: 0.05 / 1.8 }],
  ['systolic_pressure', { of: ({ body: { systolic } }: Snapshot) => systolic, within: 0.5 }],
  ['diastolic_pressure', { of: ({ body: { diastolic } }: Snapshot) => diastolic, within: 0.5 }],
  ['mean_pressure', { of: ({ body: { mean } }: Snapshot) => mean, within: 0.5 }],
  ['body_weight', { of: ({ body: { weight } }: Snapshot) => weight, within: 0.0025 }],
  ['glucose', { of: ({ body: { glucose } }: Snapshot) => glucose, within: 0.91 }],
  ['battery', { of: ({ battery }: Snapshot) => battery, within: 0 }],
  ['room_temperature', { of: ({ room: { temperature } }: Snapshot) => temperature, within: 0.05 }],
  ['humidity', { of: ({ room: { humidity } }: Snapshot) => humidity, within: 0.05 }],
  ['co2', { of: ({ room: { co2 } }: Snapshot) => co2, within: 0.5 }],
  ['illuminance', { of: ({ room: { illuminance } }: Snapshot) => illuminance, within: 0.5 }],
  ['motion', { of: ({ room: { motion } }: Snapshot) => (motion ? 1 : 0), within: 0 }],
  ['door', { of: ({ room: { doorOpen } }: Snapshot) => (doorOpen ? 1 : 0), within: 0 }],
]);
