/** Four devices on serial lines that never pause, for the bench and its test in small: what they say and what it must become. */

import { encodePacket } from '../../gateway/ingest/cobs.ts';
import type { DeviceId } from '../../gateway/reading.ts';

export type SerialDevice = Readonly<{
  /** Also the patient it is bound to. */
  name: DeviceId;
  /** Of its line in the configuration. */
  settings: Readonly<{ decoder: string; framing?: 'cobs' }>;
  /** Frame `i`, from 0, as it goes on the wire. */
  wire: (i: number) => Uint8Array;
  /** What the journal keeps of it, alone or with its neighbours. */
  payload: (i: number) => Uint8Array;
  /** A measurement of which every frame holds exactly one value. */
  counted: string;
}>;

const FIRST_TIME = 1_800_000_000_000;
/** 60 to 99: no rule raises an event for a pulse or, from 92 on, a saturation of that. */
const pulseAt = (i: number): number => 60 + (i % 40);
const spo2At = (i: number): number => 95 + (i % 5);

const text = (content: string): Uint8Array => Buffer.from(content, 'utf8');
const line = (payload: Uint8Array): Uint8Array => Buffer.concat([payload, Buffer.of(0x0a)]);

/** Several readings in a packet: 8 packets unanswered are then 400 ms of the line, and a disk has time. */
const boardPayload = (i: number): Uint8Array => text(JSON.stringify({
  seq: i,
  time: FIRST_TIME + i,
  readings: [
    { measurement: 'spo2', value: spo2At(i), unit: '%' },
    { measurement: 'pulse_rate', value: pulseAt(i), unit: '/min' },
    { measurement: 'perfusion_index', value: 4.5, unit: '%' },
    { measurement: 'skin_temperature', value: 33.25, unit: 'Cel' },
    { measurement: 'body_temperature', value: 36.8, unit: 'Cel' },
    { measurement: 'respiratory_rate', value: 15, unit: '/min' },
    { measurement: 'battery', value: 80, unit: '%' },
    { measurement: 'ppg', value: (i % 128) / 128, unit: '1' },
  ],
}));

const jsonPayload = (i: number): Uint8Array =>
  text(JSON.stringify({ seq: i, time: FIRST_TIME + i, measurement: 'heart_rate', value: pulseAt(i), unit: '/min' }));

const csvPayload = (i: number): Uint8Array => text(`spo2,${spo2At(i)},%,${FIRST_TIME + i},${i}`);

/** One sample of a CMS50 (decode/oximeter.ts): SpO2 99 %, pulse 60 /min, no perfusion index, the waveform a saw. */
const oximeterPacket = (i: number): Uint8Array => Uint8Array.of(0x01, 0xe0, 0x84, 0x80 | (i % 0x80), 0x92, 0xbc, 0xe3, 0xff, 0xff);

export const SERIAL_DEVICES: readonly SerialDevice[] = [
  {
    name: 'board' as DeviceId,
    settings: { decoder: 'native-json', framing: 'cobs' },
    wire: (i) => encodePacket({ type: 'data', sequence: i % 0x1_0000, payload: boardPayload(i) }),
    payload: boardPayload,
    counted: 'spo2',
  },
  { name: 'printer' as DeviceId, settings: { decoder: 'native-json' }, wire: (i) => line(jsonPayload(i)), payload: jsonPayload, counted: 'heart_rate' },
  { name: 'logger' as DeviceId, settings: { decoder: 'csv-line' }, wire: (i) => line(csvPayload(i)), payload: csvPayload, counted: 'spo2' },
  { name: 'oximeter' as DeviceId, settings: { decoder: 'contec-9' }, wire: oximeterPacket, payload: oximeterPacket, counted: 'ppg' },
];
