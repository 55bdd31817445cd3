/**
 * Pulse oximeters with a serial line, decoded from what the framing of the same name hands over.
 *
 * SpO2 and pulse rate are given once for each payload and never averaged: the device has averaged over several beats already,
 * repeats the result 60 or 75 times a second, and is judged by the value it shows. The last valid one is given, because it is
 * the newest; it is none when the sensor was taken off after it.
 *
 * Channels: `spo2` (%), `pulse_rate` (/min), `ppg` (the pleth counts as sent, 8 or 16 bits, of no physical unit),
 * `signal_strength` (0 to 8, Contec) and `perfusion_index` (%, Contec).
 *
 * Sources: Nonin "Onyx II Model 9560 Specification and Technical Information" 6470-000-01; status bit 6 is of Nonin's OEM
 * modules and reserved there. Contec "Communication protocol of pulse oximeter V7.0".
 */

import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Doubt } from '../reading.ts';
import type { Channel, Decoded, Decoder, DecoderInput, Notice } from './decoder.ts';
import { localTime } from './local-time.ts';

const byteAt = (bytes: Uint8Array, i: number): number => bytes[i] as number;

function refuseEmpty(payload: Uint8Array): void {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the packet has no bytes');
}

const withDoubt = (channel: Channel, doubt: Doubt | undefined): Channel => (doubt === undefined ? channel : { ...channel, doubt });
const spo2Channel = (value: number, doubt?: Doubt): Channel => withDoubt({ name: 'spo2', value, unit: '%' }, doubt);
const pulseChannel = (value: number, doubt?: Doubt): Channel => withDoubt({ name: 'pulse_rate', value, unit: '/min' }, doubt);
const perfusionChannel = (value: number, doubt?: Doubt): Channel => withDoubt({ name: 'perfusion_index', value, unit: '%' }, doubt);
const ppgChannel = (value: readonly number[], rateHz: number, doubt?: Doubt): Channel =>
  withDoubt({ name: 'ppg', value, unit: '1', rateHz }, doubt);

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return sum & 0xff;
}

/** "For missing data, the HR equals 511 and the SpO2 equals 127." */
const NONIN_NO_PULSE = 511;
const NONIN_NO_SPO2 = 127;
const NONIN_RATE = 75;
const FRAME_LENGTH = 5;
const FRAMES = 25;

/** Status bits of a frame in formats 2 and 7, all active high. Red without green is low perfusion, with it ("yellow") marginal. */
const SYNC = 0x01;
const GREEN = 0x02;
const RED = 0x04;
const SENSOR_ALARM = 0x08;
const OUT_OF_TRACK = 0x10;
const ARTIFACT = 0x20;
const DISCONNECTED = 0x40;

type NoninValues = Readonly<{ pulse: number; spo2: number }>;

/** Values of a Nonin packet as channels: what is missing is absent, what the format has no meaning for is rejected. */
function noninChannels({ pulse, spo2 }: NoninValues, doubt: Doubt | undefined): Pick<Decoded, 'channels' | 'rejected'> {
  const pulses = pulse === NONIN_NO_PULSE ? [] : [pulseChannel(pulse, doubt)];
  if (spo2 === NONIN_NO_SPO2) return { channels: pulses, rejected: [] };
  if (spo2 <= 100) return { channels: [spo2Channel(spo2, doubt), ...pulses], rejected: [] };
  return { channels: pulses, rejected: [new DecodeError('implausible_value', 'an SpO2 above 100 % that is not the mark of a missing one')] };
}

const NO_VALUES: Pick<Decoded, 'channels' | 'rejected'> = { channels: [], rejected: [] };

type FrameLayout = Readonly<{
  /** Whether a start byte 0x01 comes before the status. */
  startByte: boolean;
  plethOf: (frame: Uint8Array) => number;
}>;

const FORMAT_2: FrameLayout = { startByte: true, plethOf: (frame) => byteAt(frame, 2) };
const FORMAT_7: FrameLayout = { startByte: false, plethOf: (frame) => byteAt(frame, 1) * 256 + byteAt(frame, 2) };

/**
 * Serial data format 2: 25 frames of `01 status pleth value checksum`, 1/3 s. The value is, by frame from 1: 1-2 pulse rate
 * (2 and 7 bits), 3 SpO2, 8 STAT2 (bit 0: low battery), and others that are not used: the averages over 8 beats, and those
 * "for display", which go on for 10 seconds after the finger was removed.
 */
export const nonin2: Decoder = { name: 'nonin-2', version: 1, decode: ({ payload }) => decodeNonin25(payload, FORMAT_2) };

/** Serial data format 7: as format 2 with frames of `status pleth-high pleth-low value checksum`. */
export const nonin7: Decoder = { name: 'nonin-7', version: 1, decode: ({ payload }) => decodeNonin25(payload, FORMAT_7) };

function decodeNonin25(payload: Uint8Array, layout: FrameLayout): Decoded {
  const frames = framesOf(payload, layout);
  const statuses = frames.map((frame) => statusOf(frame, layout));
  const any = statuses.reduce((bits, status) => bits | status, 0);
  const off = (any & SENSOR_ALARM) !== 0;
  const doubt = statuses.some(isPoor) ? 'poor_signal' : undefined;
  const valueOf = (frame: number): number => byteAt(frames[frame - 1] as Uint8Array, 3);
  const { channels, rejected } = off ? NO_VALUES : noninChannels({ pulse: ((valueOf(1) & 0x03) << 7) + valueOf(2), spo2: valueOf(3) }, doubt);
  // Without a finger in any frame there is no waveform; with one in some it is a waveform of its removal.
  const isFlat = statuses.every((status) => (status & SENSOR_ALARM) !== 0);
  const ppg = isFlat ? [] : [ppgChannel(frames.map(layout.plethOf), NONIN_RATE, off ? 'poor_signal' : doubt)];
  const notices = noninNotices({ off, disconnected: (any & DISCONNECTED) !== 0, lowBattery: (valueOf(8) & 0x01) !== 0 });
  return { channels: [...channels, ...ppg], rejected, notices };
}

/** Checks again what the framing checked: the same bytes may have come another way. */
function framesOf(payload: Uint8Array, layout: FrameLayout): readonly Uint8Array[] {
  refuseEmpty(payload);
  const expected = FRAMES * FRAME_LENGTH;
  if (payload.length !== expected) throw new DecodeError('wrong_shape', `expected ${expected} bytes, got ${payload.length}`);
  const frames = Array.from({ length: FRAMES }, (_, i) => payload.subarray(i * FRAME_LENGTH, (i + 1) * FRAME_LENGTH));
  const broken = frames.findIndex((frame, i) => !isFrame(frame, i, layout));
  if (broken !== -1) throw new DecodeError('wrong_shape', `frame ${broken + 1} breaks a rule of the format or fails its checksum`);
  return frames;
}

/** Bit 7 of pulse rate and SpO2 is always clear; that of the firmware revision, also documented so, is not. */
function isFrame(frame: Uint8Array, i: number, layout: FrameLayout): boolean {
  const status = statusOf(frame, layout);
  if (layout.startByte && frame[0] !== 0x01) return false;
  if (status < 0x80 || ((status & SYNC) !== 0) !== (i === 0)) return false;
  if (i < 3 && byteAt(frame, 3) >= 0x80) return false;
  return sumOf(frame.subarray(0, -1)) === frame.at(-1);
}

const statusOf = (frame: Uint8Array, { startByte }: FrameLayout): number => byteAt(frame, startByte ? 1 : 0);

function isPoor(status: number): boolean {
  const lowPerfusion = (status & (RED | GREEN)) === RED;
  return lowPerfusion || (status & (ARTIFACT | OUT_OF_TRACK)) !== 0;
}

type NoninState = Readonly<{
  /** No finger in the sensor, which Nonin calls sensor alarm. */
  off: boolean;
  /** No sensor at the module. */
  disconnected: boolean;
  lowBattery: boolean;
}>;

function noninNotices({ off, disconnected, lowBattery }: NoninState): readonly Notice[] {
  const notices: Notice[] = [];
  if (off) notices.push('sensor_off');
  if (disconnected) notices.push('sensor_fault');
  if (lowBattery) notices.push('battery_low');
  return notices;
}

/**
 * Serial data format 8, once a second:
 *
 *     0  1 | disconnected | out of track | low perfusion | marginal perfusion | artifact | pulse rate, bits 8-7
 *     1  0 | pulse rate, bits 6-0
 *     2  0 | SpO2
 *     3  0 | - | SmartPoint | - | sensor alarm | - | - | low battery
 *
 * Its values are those for display: they go on for 10 seconds after the finger was removed, with the sensor alarm set, so with
 * it they are not of now and absent.
 */
export const nonin8: Decoder = {
  name: 'nonin-8',
  version: 1,
  decode: ({ payload }) => {
    refuseEmpty(payload);
    const [status, low, spo2, status2] = payload;
    const whole = status !== undefined && low !== undefined && spo2 !== undefined && status2 !== undefined && payload.length === 4;
    if (!whole) throw new DecodeError('wrong_shape', `expected 4 bytes, got ${payload.length}`);
    if (status < 0x80 || (low | spo2 | status2) >= 0x80) throw new DecodeError('wrong_shape', 'bit 7 belongs to the first byte of a packet only');
    const off = (status2 & 0x08) !== 0;
    const doubt = (status & 0x34) === 0 ? undefined : 'poor_signal';
    const { channels, rejected } = off ? NO_VALUES : noninChannels({ pulse: ((status & 0x03) << 7) + low, spo2 }, doubt);
    const notices = noninNotices({ off, disconnected: (status & 0x40) !== 0, lowBattery: (status2 & 0x01) !== 0 });
    return { channels, rejected, notices };
  },
};

const SPOT_CHECK_HEADER = [0x00, 0x02, 0x00, 0x0d];
const SPOT_CHECK_DATA_AT = 6;
const SPOT_CHECK_LEAST = 14;
const SPOT_CHECK_MOST = 64;

/**
 * Data format 13, one spot check:
 *
 *      0  4  00 02 00 0D
 *      4  2  length n of the data, high byte first: 14, or more with parameters this version does not know
 *      6  8  year (two bytes), month, day, hour, minute, second, fraction of it: BCD, local time
 *     14  2  status: bit 9 the SmartPoint algorithm was completed, bit 8 no measurement, bit 4 from memory, bit 0 low battery
 *     16  2  pulse rate, 9 bits
 *     18  1  reserved
 *     19  1  SpO2
 *      …  1  sum of the data modulo 256, then 03
 *
 * Without the SmartPoint algorithm the reading is not of high quality: `poor_signal`. From memory: `stored`, which says more.
 */
export const nonin13: Decoder = { name: 'nonin-13', version: 1, decode: decodeSpotCheck };

function decodeSpotCheck(input: DecoderInput): Decoded {
  const data = spotCheckData(input.payload);
  const status = byteAt(data, 8) * 256 + byteAt(data, 9);
  const pulse = (byteAt(data, 10) & 0x01) * 256 + byteAt(data, 11);
  const fromMemory = (status & 0x0010) !== 0;
  const highQuality = (status & 0x0200) !== 0;
  const measured = (status & 0x0100) === 0;
  const doubt = fromMemory ? 'stored' : highQuality ? undefined : 'poor_signal';
  const { channels, rejected } = measured ? noninChannels({ pulse, spo2: byteAt(data, 13) & 0x7f }, doubt) : NO_VALUES;
  const deviceTime = input.timeZone === undefined ? undefined : spotCheckTime(data, input.timeZone);
  return {
    channels,
    rejected,
    notices: (status & 0x0001) === 0 ? [] : ['battery_low'],
    ...(deviceTime === undefined ? {} : { deviceTime }),
  };
}

function spotCheckData(payload: Uint8Array): Uint8Array {
  refuseEmpty(payload);
  const length = payload.length - SPOT_CHECK_DATA_AT - 2;
  if (length < SPOT_CHECK_LEAST || length > SPOT_CHECK_MOST) throw new DecodeError('wrong_shape', `a spot check of ${payload.length} bytes`);
  const data = payload.subarray(SPOT_CHECK_DATA_AT, SPOT_CHECK_DATA_AT + length);
  const header = SPOT_CHECK_HEADER.every((byte, i) => payload[i] === byte) && payload[4] === 0 && payload[5] === length;
  const footer = payload.at(-2) === sumOf(data) && payload.at(-1) === 0x03;
  if (!header || !footer) throw new DecodeError('wrong_shape', 'the spot check breaks a rule of the format or fails its checksum');
  return data;
}

/** The time of a spot check; undefined when it is no date. */
function spotCheckTime(data: Uint8Array, timeZone: string): UnixMillis | undefined {
  const [century = NaN, year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN, second = NaN] = [...data.subarray(0, 7)].map(fromBcd);
  return localTime({ year: century * 100 + year, month, day, hour, minute, second }, timeZone);
}

/** Two decimal digits in a byte; NaN when they are none. */
function fromBcd(byte: number): number {
  const [high, low] = [byte >> 4, byte & 0x0f];
  return high > 9 || low > 9 ? NaN : high * 10 + low;
}

const CONTEC_RATE = 60;
/** "Valid data range (0, 254]" and "(0, 100]": what is over the range "is disposed as invalid data". */
const CONTEC_MOST_PULSE = 254;
const CONTEC_MOST_SPO2 = 100;
/** "(0.00, 22.0] %", sent times 100. */
const CONTEC_MOST_PERFUSION = 2200;
const CONTEC_MOST_SIGNAL = 8;

/** One sample, 1/60 s, of a Contec oximeter. */
type ContecSample = Readonly<{
  wave: number;
  signal: number;
  /** The host is to show "Finger Out". */
  probeError: boolean;
  searching: boolean;
  searchingTooLong: boolean;
  pulse: number;
  spo2: number;
  /** Hundredths of a per cent; absent when the packet has none. */
  perfusion?: number;
}>;

/**
 * CMS50D+ (firmware from 4.6), CMS50E and others, 1 to 60 packets of 9 bytes:
 *
 *     0  01
 *     1  1 | bit 7 of the seven bytes below, from bit 0
 *     2  probe error | beep | low SpO2 | searching too long | signal strength, 0 to 8 (more counts as 8)
 *     3  searching | waveform, 7 bits
 *     4  0 | 0 | 0 | perfusion index invalid | bar graph
 *     5  pulse rate
 *     6  SpO2
 *     7  perfusion index times 100, low byte, then high byte
 *
 * shown with bit 7 put back. Searching makes a value `ongoing`, searching too long `poor_signal`.
 */
export const contec9: Decoder = { name: 'contec-9', version: 1, decode: ({ payload }) => decodeSamples(packetsOf(payload, 9).map(readContec9)) };

/**
 * CMS50D and others before, 1 to 60 packets of 5 bytes; bit 7 is set in the first only:
 *
 *     0  1 | beep | low SpO2 | searching too long | signal strength
 *     1  0 | waveform
 *     2  0 | pulse rate, bit 7 | searching | probe error | bar graph
 *     3  0 | pulse rate, bits 6-0
 *     4  0 | SpO2
 */
export const contec5: Decoder = { name: 'contec-5', version: 1, decode: ({ payload }) => decodeSamples(packetsOf(payload, 5).map(readContec5)) };

function packetsOf(payload: Uint8Array, length: number): readonly Uint8Array[] {
  refuseEmpty(payload);
  const count = payload.length / length;
  if (!Number.isInteger(count)) throw new DecodeError('wrong_shape', `${payload.length} bytes are no whole packets of ${length}`);
  if (count > CONTEC_RATE) throw new DecodeError('too_complex', `${count} packets in one frame; at most ${CONTEC_RATE}`);
  return Array.from({ length: count }, (_, i) => payload.subarray(i * length, (i + 1) * length));
}

function readContec9(packet: Uint8Array): ContecSample {
  if (packet[0] !== 0x01 || packet.subarray(1).some((byte) => byte < 0x80)) throw new DecodeError('wrong_shape', 'a packet is no real-time data');
  const high = byteAt(packet, 1);
  const data = (i: number): number => (byteAt(packet, 2 + i) & 0x7f) | (((high >> i) & 0x01) << 7);
  return {
    wave: data(1) & 0x7f,
    signal: data(0) & 0x0f,
    probeError: (data(0) & 0x80) !== 0,
    searching: (data(1) & 0x80) !== 0,
    searchingTooLong: (data(0) & 0x10) !== 0,
    pulse: data(3),
    spo2: data(4),
    ...((data(2) & 0x10) === 0 ? { perfusion: data(5) + data(6) * 256 } : {}),
  };
}

function readContec5(packet: Uint8Array): ContecSample {
  if (byteAt(packet, 0) < 0x80 || packet.subarray(1).some((byte) => byte >= 0x80)) {
    throw new DecodeError('wrong_shape', 'bit 7 belongs to the first byte of a packet only');
  }
  return {
    wave: byteAt(packet, 1),
    signal: byteAt(packet, 0) & 0x0f,
    probeError: (byteAt(packet, 2) & 0x10) !== 0,
    searching: (byteAt(packet, 2) & 0x20) !== 0,
    searchingTooLong: (byteAt(packet, 0) & 0x10) !== 0,
    pulse: ((byteAt(packet, 2) & 0x40) << 1) | byteAt(packet, 3),
    spo2: byteAt(packet, 4),
  };
}

function decodeSamples(samples: readonly ContecSample[]): Decoded {
  // Nothing from before the finger was out may stand for now.
  const present = samples.slice(samples.findLastIndex(({ probeError }) => probeError) + 1);
  const last = samples.at(-1);
  return {
    channels: [...valueChannels(present), ...waveChannel(samples)],
    rejected: [],
    notices: last?.probeError === true ? ['sensor_off'] : [],
  };
}

function valueChannels(samples: readonly ContecSample[]): Channel[] {
  const spo2 = samples.findLast(({ spo2: value }) => value > 0 && value <= CONTEC_MOST_SPO2);
  const pulse = samples.findLast(({ pulse: value }) => value > 0 && value <= CONTEC_MOST_PULSE);
  const perfusion = samples.findLast(({ perfusion: value = 0 }) => value > 0 && value <= CONTEC_MOST_PERFUSION);
  const last = samples.at(-1);
  return [
    ...(spo2 === undefined ? [] : [spo2Channel(spo2.spo2, doubtOf(spo2))]),
    ...(pulse === undefined ? [] : [pulseChannel(pulse.pulse, doubtOf(pulse))]),
    ...(perfusion?.perfusion === undefined ? [] : [perfusionChannel(perfusion.perfusion / 100, doubtOf(perfusion))]),
    ...(last === undefined ? [] : [{ name: 'signal_strength', value: Math.min(last.signal, CONTEC_MOST_SIGNAL), unit: '1' }]),
  ];
}

function doubtOf({ searching, searchingTooLong }: ContecSample): Doubt | undefined {
  if (searchingTooLong) return 'poor_signal';
  return searching ? 'ongoing' : undefined;
}

/** With the finger out the device sends a flat line (0x40): none if that is all, a doubtful one if it is a part. */
function waveChannel(samples: readonly ContecSample[]): Channel[] {
  if (samples.every(({ probeError }) => probeError)) return [];
  const disturbed = samples.some(({ probeError, searchingTooLong }) => probeError || searchingTooLong);
  const doubt = disturbed ? 'poor_signal' : samples.some(({ searching }) => searching) ? 'ongoing' : undefined;
  return [ppgChannel(samples.map(({ wave }) => wave), CONTEC_RATE, doubt)];
}
