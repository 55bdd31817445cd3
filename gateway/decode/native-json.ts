import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Reading } from '../reading.ts';
import { MEASUREMENTS, type Measurement } from './measurements.ts';

/**
 * The gateway's own JSON, for devices whose firmware can be written for it. One payload is one of
 *
 *     {"seq":41,"time":1764000000123,"measurement":"spo2","value":97,"unit":"%"}
 *     {"seq":42,"time":1764000000123,"readings":[{"measurement":"spo2","value":97,"unit":"%"},…]}
 *     {"seq":43,"time":1764000000123,"waveform":{"measurement":"ppg","unit":"1","rate":50,"samples":[0.12,…]}}
 *     [{"measurement":"spo2","value":97,"unit":"%"},…]
 *
 * where a reading in an array may be a waveform too. `seq` (a whole number from 0) and `time` (the device's clock, Unix
 * milliseconds) are optional. Unknown members are ignored, so that firmware may grow.
 */
export type Message = Readonly<{
  /** The device's own counter. */
  sequence?: number;
  deviceTime?: UnixMillis;
  readings: readonly Reading[];
  /** Readings of the message that could not be understood; the others stand. */
  rejected: readonly DecodeError[];
}>;

/** Version of this decoder, kept with what it rejected so that a correction can be applied later. */
export const NATIVE_JSON_VERSION = 1;

const MAX_READINGS = 256;
const MAX_SAMPLES = 8192;
/** No value nests deeper than message → readings → reading → waveform → samples. */
const MAX_DEPTH = 5;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes one payload. Throws {@link DecodeError} when nothing of it can be used. */
export function decodeNativeJson(payload: Uint8Array): Message {
  return messageOf(jsonOf(payload));
}

/** What a value of that shape says, whatever text or bytes it was read from. Throws as {@link decodeNativeJson} does. */
export function messageOf(value: unknown): Message {
  if (Array.isArray(value)) return collect({}, value);
  if (!isObject(value)) throw new DecodeError('wrong_shape', `expected an object or an array, got ${describe(value)}`);
  const envelope = decodeEnvelope(value);
  if (value['readings'] !== undefined) return collect(envelope, value['readings']);
  return { ...envelope, readings: [decodeOne(value, envelope.deviceTime)], rejected: [] };
}

type Envelope = { sequence?: number; deviceTime?: UnixMillis };
type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a wrong value is, for a message: never the value itself, which may be about a patient. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? `an array of ${value.length}` : `a ${typeof value}`;
}

/** The value of a JSON text that nests no deeper than any message here. Throws {@link DecodeError} for anything else. */
export function jsonOf(payload: Uint8Array): unknown {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the payload has no bytes');
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch (cause) {
    throw new DecodeError('invalid_utf8', 'the payload is not UTF-8', { cause });
  }
  refuseDeepNesting(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('invalid_json', 'the payload is not JSON (NaN and Infinity are not JSON either)', { cause });
  }
}

/** A payload of 60,000 brackets would cost the parser more than any reading: refused before it is parsed. */
function refuseDeepNesting(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i += 1;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new DecodeError('too_complex', `the payload nests deeper than ${MAX_DEPTH} levels`);
    } else if (c === 0x7d || c === 0x5d) depth -= 1;
  }
}

function decodeEnvelope(value: JsonObject): Envelope {
  const envelope: Envelope = {};
  const { seq, time } = value;
  if (seq !== undefined) {
    if (!Number.isSafeInteger(seq) || (seq as number) < 0) throw new DecodeError('wrong_shape', `"seq" must be a whole number from 0, got ${describe(seq)}`);
    envelope.sequence = seq as number;
  }
  if (time !== undefined) envelope.deviceTime = decodeTime(time);
  return envelope;
}

function decodeTime(time: unknown): UnixMillis {
  if (typeof time !== 'number' || !Number.isFinite(time)) {
    throw new DecodeError('wrong_shape', `"time" must be a number of Unix milliseconds, got ${describe(time)}`);
  }
  return UnixMillis(time);
}

function collect(envelope: Envelope, items: unknown): Message {
  if (!Array.isArray(items) || items.length === 0) {
    throw new DecodeError('wrong_shape', `expected an array of at least one reading, got ${describe(items)}`);
  }
  if (items.length > MAX_READINGS) throw new DecodeError('too_complex', `${items.length} readings in one message; at most ${MAX_READINGS}`);
  const readings: Reading[] = [];
  const rejected: DecodeError[] = [];
  for (const item of items as unknown[]) {
    try {
      if (!isObject(item)) throw new DecodeError('wrong_shape', `expected a reading, got ${describe(item)}`);
      readings.push(decodeOne(item, envelope.deviceTime));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      rejected.push(error);
    }
  }
  return { ...envelope, readings, rejected };
}

function decodeOne(item: JsonObject, envelopeTime: UnixMillis | undefined): Reading {
  const time = item['time'] === undefined ? envelopeTime : decodeTime(item['time']);
  const reading = item['waveform'] === undefined ? decodeValue(item) : decodeWaveform(item['waveform']);
  return time === undefined ? reading : { ...reading, deviceTime: time };
}

function measurementOf(item: JsonObject): readonly [string, Measurement] {
  const name = item['measurement'];
  if (typeof name !== 'string') throw new DecodeError('wrong_shape', `"measurement" must be a name, got ${describe(name)}`);
  const measurement = MEASUREMENTS.get(name);
  if (measurement === undefined) throw new DecodeError('unknown_measurement', `unknown measurement "${name.slice(0, 64)}"`);
  if (item['unit'] !== measurement.unit) {
    const got = typeof item['unit'] === 'string' ? `"${item['unit'].slice(0, 16)}"` : describe(item['unit']);
    throw new DecodeError('wrong_unit', `${name} is measured in "${measurement.unit}" (UCUM), got ${got}`);
  }
  return [name, measurement];
}

function decodeValue(item: JsonObject): Reading {
  const [name, measurement] = measurementOf(item);
  return { measurement: name, value: decodeNumber(name, measurement, item['value']), unit: measurement.unit };
}

function decodeNumber(name: string, measurement: Measurement, value: unknown): number {
  // JSON.parse turns 1e999 into Infinity.
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new DecodeError('not_a_number', `the value of ${name} must be a finite number, got ${describe(value)}`);
  }
  if (measurement.integer === true && !Number.isInteger(value)) throw new DecodeError('not_a_number', `${name} must be a whole number`);
  return value;
}

function decodeWaveform(waveform: unknown): Reading {
  if (!isObject(waveform)) throw new DecodeError('wrong_shape', `"waveform" must be an object, got ${describe(waveform)}`);
  const [name, measurement] = measurementOf(waveform);
  const { rate, samples } = waveform;
  if (typeof rate !== 'number' || !(rate > 0 && rate <= 10_000)) {
    throw new DecodeError('wrong_shape', `"rate" of ${name} must be samples per second, above 0 and at most 10000`);
  }
  if (!Array.isArray(samples) || samples.length === 0) throw new DecodeError('wrong_shape', `"samples" of ${name} must be an array of numbers`);
  if (samples.length > MAX_SAMPLES) throw new DecodeError('too_complex', `${samples.length} samples in one block; at most ${MAX_SAMPLES}`);
  const value = samples.map((sample) => decodeNumber(name, measurement, sample));
  return { measurement: name, value, unit: measurement.unit, rateHz: rate };
}
