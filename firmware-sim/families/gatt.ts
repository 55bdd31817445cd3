/**
 * Bluetooth health devices behind a bridge that forwards characteristics: as bytes, as hexadecimal digits, or as lines of
 * `<address> <characteristic> <hexadecimal>` on a serial line. One message for each characteristic; a variant chooses one.
 */

import { Seconds } from '../../gateway/quantity.ts';
import type { Body, Snapshot } from '../source.ts';
import { type WallClock, wallClockAt } from '../wall-clock.ts';
import { type Family, messageOf, rounded, type Speaker, type Told, told, topicOf, type Who } from './family.ts';
import { batteryLevel, bloodPressure, glucose, heartRate, NO_WEIGHT, plxContinuous, plxSpotCheck, temperature, weight } from './gatt-values.ts';
import { FLOAT, float, SFLOAT, sfloat } from './ieee11073.ts';

/** What a characteristic says of a snapshot, `clock` being what its device's clock shows. */
type Value = Readonly<{ bytes: Uint8Array; tells: readonly Told[] }>;
type Characteristic = (snapshot: Snapshot, clock: WallClock) => Value;

const CHARACTERISTICS: ReadonlyMap<string, Characteristic> = new Map<string, Characteristic>([
  ['2a37', strap], ['2a5f', oximeter], ['2a5e', spotCheck], ['2a1c', thermometer], ['2a35', cuff], ['2a9d', scale], ['2a18', meter], ['2a19', battery],
]);
const VARIANTS = ['all', ...CHARACTERISTICS.keys(), 'imperial'] as const;

export const gatt: Family = {
  name: 'gatt',
  summary: 'Bluetooth characteristics as bytes: heart rate, oximeter, thermometer, cuff, scale, glucose meter, battery',
  every: Seconds(1),
  variants: VARIANTS,
  mqtt: true,
  speaker: (who) => speaker(who, (characteristic, { bytes, tells }) => messageOf(topicOf(who.name, characteristic), bytes, tells)),
};

export const gattHex: Family = {
  name: 'gatt-hex',
  summary: 'the same as hexadecimal digits',
  every: Seconds(1),
  variants: VARIANTS,
  mqtt: true,
  speaker: (who) => speaker(who, (characteristic, { bytes, tells }) => messageOf(topicOf(who.name, `0x${characteristic.toUpperCase()}`), spaced(bytes), tells)),
};

export const gattLine: Family = {
  name: 'gatt-line',
  summary: 'the same as lines of a serial Bluetooth bridge; --name is the hardware address',
  every: Seconds(1),
  variants: VARIANTS,
  mqtt: false,
  serial: { baudRate: 115_200, parity: 'none', framings: ['line', 'cobs'] },
  speaker: (who) => speaker(who, (characteristic, { bytes, tells }) =>
    messageOf('', `${who.name ?? 'C0:FF:EE:00:00:01'} ${characteristic} ${Buffer.from(bytes).toString('hex')}`, tells)),
};

const spaced = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(' ');

function speaker({ variant, timeZone }: Who, forward: (characteristic: string, value: Value) => ReturnType<typeof messageOf>): Speaker {
  return {
    say: (snapshot) => {
      const clock = wallClockAt(snapshot.time, timeZone);
      return chosen(variant).map(([uuid, valueOf]) => forward(uuid, valueOf(snapshot, clock)));
    },
  };
}

function chosen(variant: string): readonly (readonly [string, Characteristic])[] {
  if (variant === 'all') return [...CHARACTERISTICS];
  if (variant === 'imperial') return [['2a1c', feverThermometer], ['2a35', kilopascalCuff], ['2a9d', poundScale], ['2a18', moleMeter]];
  return [...CHARACTERISTICS].filter(([uuid]) => uuid === variant);
}

/** A chest strap that feels the skin: without it there is a flag, and what it says of the heart is noise. */
function strap({ body, sensorOff }: Snapshot): Value {
  if (sensorOff) return { bytes: heartRate({ rate: 0, contact: false }), tells: [] };
  const rate = rounded(body.heartRate);
  const intervals = body.rrIntervals.map((each) => Math.round((each * 1024) / 1000));
  return {
    bytes: heartRate({ rate, contact: true, intervals }),
    tells: [told('heart_rate', rate), ...intervals.map((each) => told('rr_interval', (each * 1000) / 1024))],
  };
}

/** Bits of table 3.5 and 3.4: the sensor is displaced; the measurement goes on. */
const DISPLACED = 1 << 13;
const ONGOING = 1 << 5;

function oximetry({ spo2, heartRate: pulse, perfusion }: Body): Readonly<{ words: { spo2: number; pulse: number; amplitude: number }; tells: readonly Told[] }> {
  const [saturation, rate, index] = [rounded(spo2, 1), rounded(pulse), rounded(perfusion, 1)];
  return {
    words: { spo2: sfloat(Math.round(saturation * 10), -1), pulse: sfloat(rate, 0), amplitude: sfloat(Math.round(index * 10), -1) },
    tells: [told('spo2', saturation), told('pulse_rate', rate), told('perfusion_index', index)],
  };
}

const NOTHING = { spo2: SFLOAT.nan, pulse: SFLOAT.nan } as const;

function oximeter({ body, sensorOff }: Snapshot): Value {
  if (sensorOff) return { bytes: plxContinuous({ ...NOTHING, measurement: ONGOING, device: DISPLACED }), tells: [] };
  const { words, tells } = oximetry(body);
  return { bytes: plxContinuous({ ...words, measurement: ONGOING, device: 0 }), tells };
}

function spotCheck({ body, sensorOff }: Snapshot, clock: WallClock): Value {
  if (sensorOff) return { bytes: plxSpotCheck({ spo2: SFLOAT.notAtThisResolution, pulse: SFLOAT.nan, clock }), tells: [] };
  const { words, tells } = oximetry(body);
  return { bytes: plxSpotCheck({ ...words, clock }), tells };
}

/** Temperature type 1 is the armpit (ISO/IEEE 11073-10408). */
const ARMPIT = 1;

function thermometer({ body, sensorOff }: Snapshot, clock: WallClock): Value {
  if (sensorOff) return { bytes: temperature({ degrees: FLOAT.nan, clock, type: ARMPIT }), tells: [] };
  const degrees = rounded(body.bodyTemperature, 2);
  return { bytes: temperature({ degrees: float(Math.round(degrees * 100), -2), clock, type: ARMPIT }), tells: [told('body_temperature', degrees)] };
}

function feverThermometer({ body, sensorOff }: Snapshot): Value {
  if (sensorOff) return { bytes: temperature({ degrees: FLOAT.notAtThisResolution, fahrenheit: true }), tells: [] };
  const tenths = Math.round((body.bodyTemperature * 1.8 + 32) * 10);
  return { bytes: temperature({ degrees: float(tenths, -1), fahrenheit: true }), tells: [told('body_temperature', (tenths / 10 - 32) / 1.8)] };
}

/** Measurement Status of a cuff, bit 1: it is too loose. */
const LOOSE = 1 << 1;
const PASCALS_PER_MMHG = 133.322387415;

function cuff({ body, sensorOff }: Snapshot, clock: WallClock): Value {
  const none = { systolic: SFLOAT.nan, diastolic: SFLOAT.nan, mean: SFLOAT.nan };
  if (sensorOff) return { bytes: bloodPressure({ ...none, clock, status: LOOSE }), tells: [] };
  const [systolic, diastolic, mean, pulse] = [body.systolic, body.diastolic, body.mean, body.heartRate].map((each) => rounded(each)) as [number, number, number, number];
  return {
    bytes: bloodPressure({ systolic: sfloat(systolic, 0), diastolic: sfloat(diastolic, 0), mean: sfloat(mean, 0), clock, pulse: sfloat(pulse, 0), user: 1, status: 0 }),
    tells: [told('systolic_pressure', systolic), told('diastolic_pressure', diastolic), told('mean_pressure', mean), told('pulse_rate', pulse)],
  };
}

function kilopascalCuff({ body }: Snapshot): Value {
  const tenths = [body.systolic, body.diastolic, body.mean].map((each) => Math.round((each * PASCALS_PER_MMHG) / 100)) as [number, number, number];
  const [systolic, diastolic, mean] = tenths.map((each) => sfloat(each, -1)) as [number, number, number];
  const names = ['systolic_pressure', 'diastolic_pressure', 'mean_pressure'] as const;
  const tells = names.map((name, i) => told(name, ((tenths[i] ?? 0) * 100) / PASCALS_PER_MMHG));
  return { bytes: bloodPressure({ systolic, diastolic, mean, kilopascals: true }), tells };
}

function scale({ body, sensorOff }: Snapshot, clock: WallClock): Value {
  if (sensorOff) return { bytes: weight({ steps: NO_WEIGHT, clock }), tells: [] };
  const steps = Math.round(body.weight * 200);
  return { bytes: weight({ steps, clock, user: 1, bmi: [245, 1700] }), tells: [told('body_weight', steps / 200)] };
}

const KILOGRAMS_PER_POUND = 0.45359237;

function poundScale({ body, sensorOff }: Snapshot): Value {
  if (sensorOff) return { bytes: weight({ steps: NO_WEIGHT, pounds: true }), tells: [] };
  const steps = Math.round((body.weight / KILOGRAMS_PER_POUND) * 100);
  // 655.34 lb is the most that it can say.
  if (steps >= NO_WEIGHT) return { bytes: weight({ steps: NO_WEIGHT, pounds: true }), tells: [] };
  return { bytes: weight({ steps, pounds: true }), tells: [told('body_weight', (steps / 100) * KILOGRAMS_PER_POUND)] };
}

/** Capillary whole blood of a finger. */
const CAPILLARY = { type: 1, location: 1 } as const;
/** Sensor Status Annunciation: bit 0 battery low, bit 3 strip inserted wrongly. */
const STRIP_INSERTION = 1 << 3;

/** 1 mg/dL is 10^-5 kg/L. */
function meter({ sequence, body, battery: charge, sensorOff }: Snapshot, clock: WallClock): Value {
  const low = charge <= 10 ? 1 : 0;
  const head = { sequence: sequence & 0xffff, base: clock, offset: 0 };
  if (sensorOff) return { bytes: glucose({ ...head, status: STRIP_INSERTION | low }), tells: [] };
  const milligrams = rounded(body.glucose);
  return {
    bytes: glucose({ ...head, concentration: { amount: sfloat(milligrams, -5), ...CAPILLARY }, status: low }),
    tells: [told('glucose', milligrams)],
  };
}

/** g/mol of glucose: 1 mmol/L are 18.0156 mg/dL. */
const MOLAR_MASS = 180.156;

/** 0.1 mmol/L is 10^-4 mol/L. */
function moleMeter({ sequence, body }: Snapshot, clock: WallClock): Value {
  const tenths = Math.round((body.glucose / MOLAR_MASS) * 100);
  const amount = sfloat(tenths, -4);
  const bytes = glucose({ sequence: sequence & 0xffff, base: clock, concentration: { amount, ...CAPILLARY }, moles: true });
  return { bytes, tells: [told('glucose', (tenths * MOLAR_MASS) / 100)] };
}

function battery({ battery: charge }: Snapshot): Value {
  return { bytes: batteryLevel(charge), tells: [told('battery', charge)] };
}
