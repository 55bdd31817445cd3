/**
 * Nonin oximeters, 9600 8N1, after "Onyx II Model 9560 Specification and Technical Information" (6470-000-01).
 *
 * Formats 2 and 7 send 75 frames a second; 25 of them, a third of a second, are a packet:
 *
 *     format 2   01      STATUS      PLETH      FLOAT   CHK: sum of the four before it, modulo 256
 *     format 7   STATUS  PLETH high  PLETH low  FLOAT   CHK
 *     STATUS     1 | - | ARTF | OOT | SNSA | RPRF | GPRF | SYNC (in frame 1 only); RPRF with GPRF is yellow
 *     FLOAT      by frame: 1 HR MSB, 2 HR LSB, 3 SpO2, 4 firmware, 8 STAT2 (bit 0: low battery), 9 SpO2 for display, 10 fast,
 *                11 beat to beat, 14-15 E-HR, 16 E-SpO2, 17 E-SpO2 for display, 20-21 HR for display, 22-23 E-HR for display
 *
 * A heart rate has 9 bits, two in its MSB and seven in its LSB. Missing: 511 and 127. Values for display go on for 10 s after
 * the finger was removed; here they are those of now, or missing.
 */

import { Millis, Seconds } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import { wallClockAt } from '../wall-clock.ts';
import { type Family, messageOf, rounded, type SerialTraits, type Told, told } from './family.ts';

const SERIAL: SerialTraits = { baudRate: 9600, parity: 'none', framings: ['own'] };
const FRAMES = 25;
const PLETH = { samples: FRAMES, rate: 75 } as const;
const NO_HEART_RATE = 511;
const NO_SPO2 = 127;
const LOW_BATTERY = 10;

export const nonin2: Family = {
  name: 'nonin-2',
  summary: 'Nonin oximeter, data format 2: 75 frames a second with an 8-bit pulse wave',
  every: Millis(333),
  variants: ['values'],
  mqtt: false,
  serial: SERIAL,
  pleth: PLETH,
  speaker: () => ({ say: (snapshot) => [packet(snapshot, 0xff, (status, pleth, value) => [0x01, status, pleth, value])] }),
};

export const nonin7: Family = {
  name: 'nonin-7',
  summary: 'Nonin oximeter, data format 7: as 2, with a 16-bit pulse wave',
  every: Millis(333),
  variants: ['values'],
  mqtt: false,
  serial: SERIAL,
  pleth: PLETH,
  speaker: () => ({ say: (snapshot) => [packet(snapshot, 0xffff, (status, pleth, value) => [status, pleth >> 8, pleth & 0xff, value])] }),
};

type Frame = (status: number, pleth: number, value: number) => readonly number[];

function packet(snapshot: Snapshot, fullScale: number, frame: Frame): ReturnType<typeof messageOf> {
  const { heartRate, spo2, tells } = numbersOf(snapshot);
  const values = floatBytes(heartRate, spo2, snapshot.battery <= LOW_BATTERY);
  const wave = snapshot.body.pleth.slice(0, FRAMES).map((sample) => (snapshot.sensorOff ? 0 : scaled(sample, fullScale)));
  const bytes = wave.flatMap((pleth, i) => withChecksum(frame(statusOf(i, snapshot), pleth, values.get(i + 1) ?? 0)));
  const curve = snapshot.sensorOff ? [] : [told('ppg', wave.map((count) => count / fullScale))];
  return messageOf('', Uint8Array.from(bytes), [...tells, ...curve]);
}

const scaled = (sample: number, fullScale: number): number => Math.round(Math.min(1, Math.max(0, sample)) * fullScale);
const sumOf = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
const withChecksum = (bytes: readonly number[]): readonly number[] => [...bytes, sumOf(bytes)];

/** A good pulse is shown green for the first 12 frames; without a finger SNSA is set. */
function statusOf(i: number, { sensorOff }: Snapshot): number {
  const sync = i === 0 ? 0x01 : 0;
  const perfusion = !sensorOff && i < 12 ? 0x02 : 0;
  return 0x80 | (sensorOff ? 0x08 : 0) | perfusion | sync;
}

type Numbers = Readonly<{ heartRate: number; spo2: number; tells: readonly Told[] }>;

function numbersOf({ body, sensorOff }: Snapshot): Numbers {
  if (sensorOff) return { heartRate: NO_HEART_RATE, spo2: NO_SPO2, tells: [] };
  const [heartRate, spo2] = [rounded(body.heartRate), rounded(body.spo2)];
  return { heartRate, spo2, tells: [told('spo2', spo2), told('pulse_rate', heartRate)] };
}

const FIRMWARE = 58;

/** FLOAT bytes by the number of their frame; reserved ones are left out. */
function floatBytes(heartRate: number, spo2: number, lowBattery: boolean): ReadonlyMap<number, number> {
  const [high, low] = [heartRate >> 7, heartRate & 0x7f];
  return new Map([
    [1, high], [2, low], [3, spo2], [4, FIRMWARE], [8, lowBattery ? 1 : 0], [9, spo2], [10, spo2], [11, spo2],
    [14, high], [15, low], [16, spo2], [17, spo2], [20, high], [21, low], [22, high], [23, low],
  ]);
}

/**
 * Format 8, four bytes once a second; bit 7 marks the first:
 *
 *     0  1 | SNSD | OOT | LPRF | MPRF | ARTF | HR8 HR7
 *     1  0 | HR6-0
 *     2  0 | SpO2
 *     3  0 | - | SPA | - | SNSA | - | - | LOW BAT
 */
export const nonin8: Family = {
  name: 'nonin-8',
  summary: 'Nonin oximeter, data format 8: four bytes a second',
  every: Seconds(1),
  variants: ['values'],
  mqtt: false,
  serial: SERIAL,
  speaker: () => ({
    say: (snapshot) => {
      const { heartRate, spo2, tells } = numbersOf(snapshot);
      const status = (snapshot.sensorOff ? 0x08 : 0) | (snapshot.battery <= LOW_BATTERY ? 0x01 : 0);
      return [messageOf('', Uint8Array.of(0x80 | (heartRate >> 7), heartRate & 0x7f, spo2, status), tells)];
    },
  }),
};

const SMART_POINT = 0x0200;
const NO_MEASUREMENT = 0x0100;
const FROM_MEMORY = 0x0010;
const BATTERY_IS_LOW = 0x0001;
const ETX = 0x03;

/**
 * Format 13, one spot check:
 *
 *      0  6  00 02 00 0D, length of the data (2, high byte first): 14
 *      6  8  year (2), month, day, hours, minutes, seconds, hundredths: BCD, local time
 *     14  2  status, high byte first: bit 9 SPA, bit 8 NOM, bit 4 from memory, bit 0 low battery
 *     16  4  pulse rate (2, high byte first, 9 bits), reserved, SpO2
 *     20  2  sum of the 14 bytes modulo 256, ETX (03)
 */
export const nonin13: Family = {
  name: 'nonin-13',
  summary: 'Nonin oximeter, data format 13: one spot check with the local time',
  every: Seconds(30),
  variants: ['now', 'memory'],
  mqtt: false,
  serial: SERIAL,
  speaker: ({ variant, timeZone }) => ({
    say: (snapshot) => {
      const { heartRate, spo2, tells } = numbersOf(snapshot);
      const low = snapshot.battery <= LOW_BATTERY ? BATTERY_IS_LOW : 0;
      const status = (snapshot.sensorOff ? NO_MEASUREMENT : SMART_POINT) | (variant === 'memory' ? FROM_MEMORY : 0) | low;
      const data = [...bcdTime(snapshot, timeZone), status >> 8, status & 0xff, heartRate >> 8, heartRate & 0xff, 0, spo2];
      return [messageOf('', Uint8Array.of(0x00, 0x02, 0x00, 0x0d, 0x00, data.length, ...data, sumOf(data), ETX), tells)];
    },
  }),
};

const bcd = (value: number): number => (Math.floor(value / 10) << 4) | value % 10;

function bcdTime({ time }: Snapshot, timeZone: string | undefined): readonly number[] {
  const { year, month, day, hour, minute, second } = wallClockAt(time, timeZone);
  const hundredths = Math.floor((((time % 1000) + 1000) % 1000) / 10);
  return [Math.floor(year / 100), year % 100, month, day, hour, minute, second, hundredths].map(bcd);
}
