/**
 * A device profile: data that says which decoder reads a topic, what its channels are, and which of the things behind a
 * connection are known. A device of a known family needs nothing else.
 */

import { DecodeError } from '../errors.ts';
import type { Millis } from '../quantity.ts';
import type { DeviceId, Reading } from '../reading.ts';
import type { Channel, Decoded } from './decoder.ts';
import { MEASUREMENTS, type Measurement } from './measurements.ts';
import type { Message } from './native-json.ts';
import { conversion } from './units.ts';

/** What a channel of a source is: `value × scale + offset` in `unit`, then converted to the unit of the measurement. */
export type Mapping = Readonly<{
  /** A name of measurements.ts. */
  measurement: string;
  /** UCUM; what the source counts in when it does not say so itself. Absent: the unit of the measurement. */
  unit?: string;
  scale?: number;
  offset?: number;
}>;

/** By channel name, or by its last part (`Temperature` for `AM2301.Temperature`). `ignore`: nothing we measure. */
export type ChannelMap = Readonly<Record<string, Mapping | 'ignore'>>;

/** What is expected of one measurement of a device. */
export type Expectation = Readonly<{
  /** How often a value comes at least while the device is in use, in ms: it is missed after three times as long. */
  every?: Millis;
  /** The values this device can truthfully report, inside what anybody can (measurements.ts), in the measurement's unit. */
  between?: readonly [lowest: number, highest: number];
}>;

/** By measurement. */
export type Expectations = Readonly<Record<string, Expectation>>;

/** What a device is made for: `clinical` is measurement-grade, `wellness` is a consumer's wearable, `room` measures no person. */
export const DEVICE_CLASSES = ['clinical', 'wellness', 'room'] as const;
export type DeviceClass = (typeof DEVICE_CLASSES)[number];

/** One of several devices behind a connection. */
export type KnownDevice = Readonly<{
  /** As the source calls it: a friendly name, a hardware address. */
  address: string;
  /** As we call it: what is bound to a patient or a room. */
  device: DeviceId;
  channels?: ChannelMap;
  /** Beside or instead of what its profile expects. */
  expect?: Expectations;
  class?: DeviceClass;
}>;

export type Profile = Readonly<{
  name: string;
  /** A name of families.ts. */
  decoder: string;
  /** MQTT topic filter (§4.7). What `#` stands for is the topic the decoder sees; without `#` it is the last level. */
  topic: string;
  /** IANA name, for families that give local time without an offset. */
  timeZone?: string;
  /** Beside or instead of those of the family. */
  channels?: ChannelMap;
  devices?: readonly KnownDevice[];
  expect?: Expectations;
  class?: DeviceClass;
}>;

/** What a decoder found, as readings. Channels that no map names are no readings, and no mistake either. */
export function messageFrom(decoded: Decoded<unknown>, maps: readonly (ChannelMap | undefined)[]): Message {
  const readings: Reading[] = [];
  const rejected = [...decoded.rejected];
  for (const channel of decoded.channels) {
    const mapping = mappingFor(channel.name, maps);
    if (mapping === undefined || mapping === 'ignore') continue;
    try {
      readings.push(readingFrom(channel, mapping, decoded));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      rejected.push(error);
    }
  }
  const { sequence, deviceTime } = decoded;
  return { ...(sequence === undefined ? {} : { sequence }), ...(deviceTime === undefined ? {} : { deviceTime }), readings, rejected };
}

/** The first map that knows the channel decides; the whole name goes before its last part. */
function mappingFor(name: string, maps: readonly (ChannelMap | undefined)[]): Mapping | 'ignore' | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1);
  for (const map of maps) {
    if (map === undefined) continue;
    if (Object.hasOwn(map, name)) return map[name];
    if (Object.hasOwn(map, last)) return map[last];
  }
  return undefined;
}

function readingFrom(channel: Channel, mapping: Mapping, decoded: Decoded<unknown>): Reading {
  const measurement = MEASUREMENTS.get(mapping.measurement);
  if (measurement === undefined) throw new DecodeError('unknown_measurement', `unknown measurement "${mapping.measurement}"`);
  const convert = converter(channel, mapping, measurement);
  const value = typeof channel.value === 'number' ? convert(channel.value) : channel.value.map(convert);
  const deviceTime = channel.deviceTime ?? decoded.deviceTime;
  return {
    measurement: mapping.measurement,
    value,
    unit: measurement.unit,
    ...(channel.rateHz === undefined ? {} : { rateHz: channel.rateHz }),
    ...(deviceTime === undefined ? {} : { deviceTime }),
    ...(channel.doubt === undefined ? {} : { doubt: channel.doubt }),
  };
}

/** What the source says goes before what the profile expects: a thermometer switched to Fahrenheit says so. */
function converter(channel: Channel, { measurement: name, unit, scale = 1, offset = 0 }: Mapping, measurement: Measurement): (value: number) => number {
  const from = channel.unit ?? unit ?? measurement.unit;
  const convert = conversion(from, measurement.unit);
  if (convert === undefined) throw new DecodeError('wrong_unit', `${name} is measured in "${measurement.unit}", which "${from.slice(0, 16)}" cannot be converted to`);
  return (value) => {
    const converted = convert(value * scale + offset);
    if (!Number.isFinite(converted)) throw new DecodeError('not_a_number', `the value of ${name} must be a finite number`);
    if (measurement.integer === true && !Number.isInteger(converted)) throw new DecodeError('not_a_number', `${name} must be a whole number`);
    return converted;
  };
}

/** Whether an MQTT topic filter (§4.7) matches, and what its `#`, or without one its last level, stands for. */
export function relativeTopic(filter: string, topic: string): string | undefined {
  const [wanted, given] = [filter.split('/'), topic.split('/')];
  for (const [i, level] of wanted.entries()) {
    // `#` stands for the parent level, too [MQTT-4.7.1-2].
    if (level === '#') return given.slice(i).join('/');
    const part = given[i];
    if (part === undefined || (level !== '+' && level !== part)) return undefined;
  }
  return given.length === wanted.length ? given.at(-1) : undefined;
}
