/**
 * Values of Bluetooth characteristics, byte for byte: the flags say which fields follow. Layouts: GATT Specification
 * Supplement and the services named below. Numbers come as words of ieee11073.ts, so that a caller can send NaN as a device does.
 */

import type { WallClock } from '../wall-clock.ts';
import { dateTime, uint16, uint24, uint32 } from './ieee11073.ts';

type Bytes = readonly number[];

/** One optional field: its flag, and its bytes when it is there. */
type Field = Readonly<{ flag: number; bytes: Bytes | undefined }>;

const field = <T>(flag: number, value: T | undefined, encode: (value: T) => Bytes): Field => ({ flag, bytes: value === undefined ? undefined : encode(value) });

/** Flags, then the fields that always come, then the optional ones in order. */
function valueOf(always: Bytes, fields: readonly Field[], flags = 0): Uint8Array {
  const present = fields.filter(({ bytes }) => bytes !== undefined);
  const all = present.reduce((bits, { flag }) => bits | flag, flags);
  return Uint8Array.from([all, ...always, ...present.flatMap(({ bytes }) => bytes ?? [])]);
}

const set = (flag: number, on: boolean | undefined): number => (on === true ? flag : 0);

export type HeartRate = Readonly<{
  /** Per minute; above 255 it takes two bytes. */
  rate: number;
  /** Absent: the sensor cannot tell. */
  contact?: boolean;
  /** Kilojoules since they were reset. */
  energy?: number;
  /** 1/1024 s each, oldest first. */
  intervals?: readonly number[];
}>;

/** 2A37, Heart Rate Service 1.0 §3.1: bit 0 two bytes, 1 contact, 2 contact is told, 3 energy, 4 RR intervals. */
export function heartRate({ rate, contact, energy, intervals }: HeartRate): Uint8Array {
  const wide = rate > 0xff;
  const flags = set(0x01, wide) | set(0x02, contact) | set(0x04, contact !== undefined);
  return valueOf(wide ? uint16(rate) : [rate], [field(0x08, energy, uint16), field(0x10, intervals, (all) => all.flatMap(uint16))], flags);
}

/** SpO2 (%) and pulse rate (/min) as SFLOAT words. */
type Pair = Readonly<{ spo2: number; pulse: number }>;
const pair = ({ spo2, pulse }: Pair): Bytes => [...uint16(spo2), ...uint16(pulse)];

export type PlxStatus = Readonly<{
  /** Measurement Status, 16 bits (Pulse Oximeter Service 1.0.1 table 3.4). */
  measurement?: number;
  /** Device and Sensor Status, 24 bits (table 3.5). */
  device?: number;
  /** Pulse Amplitude Index, an SFLOAT word. */
  amplitude?: number;
}>;

/** 2A5E: bit 0 time stamp, 1 and 2 the statuses, 3 amplitude, 4 the clock was never set. */
export function plxSpotCheck(measured: Pair & PlxStatus & Readonly<{ clock?: WallClock; clockNotSet?: boolean }>): Uint8Array {
  const { clock, clockNotSet, measurement, device, amplitude } = measured;
  const fields = [field(0x01, clock, dateTime), field(0x02, measurement, uint16), field(0x04, device, uint24), field(0x08, amplitude, uint16)];
  return valueOf(pair(measured), fields, set(0x10, clockNotSet));
}

/** 2A5F: bit 0 and 1 the same pair with fast and slow response, 2 and 3 the statuses, 4 amplitude. */
export function plxContinuous(measured: Pair & PlxStatus & Readonly<{ fast?: Pair; slow?: Pair }>): Uint8Array {
  const { fast, slow, measurement, device, amplitude } = measured;
  return valueOf(pair(measured), [
    field(0x01, fast, pair), field(0x02, slow, pair), field(0x04, measurement, uint16), field(0x08, device, uint24), field(0x10, amplitude, uint16),
  ]);
}

/** 2A1C, Health Thermometer Service 1.0 §3.1: FLOAT word; bit 0 °F, 1 time stamp, 2 temperature type. */
export function temperature(measured: Readonly<{ degrees: number; fahrenheit?: boolean; clock?: WallClock; type?: number }>): Uint8Array {
  const { degrees, fahrenheit, clock, type } = measured;
  return valueOf(uint32(degrees), [field(0x02, clock, dateTime), field(0x04, type, (each) => [each])], set(0x01, fahrenheit));
}

export type Pressure = Readonly<{
  /** SFLOAT words, all in the same unit. */
  systolic: number;
  diastolic: number;
  mean: number;
  kilopascals?: boolean;
  clock?: WallClock;
  /** Per minute, an SFLOAT word. */
  pulse?: number;
  user?: number;
  /** Measurement Status, 16 bits. */
  status?: number;
}>;

/** 2A35, Blood Pressure Service 1.1.1 §3.1: bit 0 kPa, 1 time stamp, 2 pulse, 3 user, 4 status. */
export function bloodPressure({ systolic, diastolic, mean, kilopascals, clock, pulse, user, status }: Pressure): Uint8Array {
  return valueOf([systolic, diastolic, mean].flatMap(uint16), [
    field(0x02, clock, dateTime), field(0x04, pulse, uint16), field(0x08, user, (each) => [each]), field(0x10, status, uint16),
  ], set(0x01, kilopascals));
}

/** 0xFFFF: measurement unsuccessful (Weight Scale Service 1.0 §3.2). */
export const NO_WEIGHT = 0xffff;

export type Weight = Readonly<{
  steps: number;
  pounds?: boolean;
  clock?: WallClock;
  user?: number;
  bmi?: readonly [index: number, height: number];
}>;

/** 2A9D: steps of 0.005 kg, or 0.01 lb with bit 0; 1 time stamp, 2 user, 3 body mass index (0.1) and height (mm). */
export function weight({ steps, pounds, clock, user, bmi }: Weight): Uint8Array {
  const fields = [field(0x02, clock, dateTime), field(0x04, user, (each) => [each]), field(0x08, bmi, (both) => both.flatMap(uint16))];
  return valueOf(uint16(steps), fields, set(0x01, pounds));
}

export type Glucose = Readonly<{
  sequence: number;
  base: WallClock;
  /** Minutes that the meter's clock was put forward since its base time. */
  offset?: number;
  /** An SFLOAT word, in kg/L or mol/L; `type` 1 is capillary whole blood, `location` 1 a finger. */
  concentration?: Readonly<{ amount: number; type: number; location: number }>;
  moles?: boolean;
  /** Sensor Status Annunciation, 16 bits. */
  status?: number;
}>;

/** 2A18, Glucose Service 1.0.1 §3.1: sequence, base time; bit 0 time offset, 1 concentration, 2 in mol/L, 3 status. */
export function glucose({ sequence, base, offset, concentration, moles, status }: Glucose): Uint8Array {
  return valueOf([...uint16(sequence), ...dateTime(base)], [
    field(0x01, offset, uint16),
    // Type in the low nibble, sample location in the high one.
    field(0x02, concentration, ({ amount, type, location }) => [...uint16(amount), (location << 4) | type]),
    field(0x08, status, uint16),
  ], set(0x04, moles));
}

/** 2A19, Battery Service 1.1 §3.1: one byte, percent. */
export const batteryLevel = (percent: number): Uint8Array => Uint8Array.of(percent);
