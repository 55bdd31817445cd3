import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Reading } from '../reading.ts';
import { describe, isObject, parseJson, type JsonObject } from './json-text.ts';
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

/** Decodes one payload. Throws {@link DecodeError} when nothing of it can be used. */
export function decodeNativeJson(payload: Uint8Array): Message {
  return messageOf(parseJson(payload, MAX_DEPTH));
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
