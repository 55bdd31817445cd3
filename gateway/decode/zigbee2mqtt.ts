/**
 * Zigbee2MQTT 1.x and 2.x (https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html): one connection carries all
 * devices of a Zigbee network, each under its friendly name, which may hold `/` and blanks. Below the base topic:
 *
 *     <friendly name>                {"temperature":21.4,"occupancy":true,"linkquality":92,"last_seen":"2025-01-07T10:49:36.461Z"}
 *     <friendly name>/availability   online | offline (1.x), {"state":"online"} (2.x)
 *     bridge/state                   the same, of the bridge itself: a notice without address
 *     bridge/…, group/…, <friendly name>/set[/…], …/get[/…], …/action      no readings
 *
 * A channel is called as its property; members of an object are `<property>.<member>`. Numbers and booleans are read, words for
 * on and off where the property is known to be a switch, digits in a text for `battery` only; null is absent. Three names do
 * not mean what they seem to:
 *
 * - `illuminance` beside `illuminance_lux` (1.x) is the raw number of the Zigbee cluster, 10,000 × log10(lux) + 1: it becomes
 *   `illuminance_raw`. Alone it is lux in 2.x, and may be raw in 1.x: it has no unit, the profile must know the version.
 * - `device_temperature` is the chip's temperature, and keeps that name.
 * - `contact` is true when closed. It is passed on as 1; a profile makes it a door.
 *
 * A message repeats the last value of every property, so that `last_seen` is the time of the message and not of each value.
 * With `output: attribute`, values come as plain text under topics that cannot be told from friendly names: not read.
 */

import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Decoded, Decoder, DecoderInput, Notice } from './decoder.ts';
import {
  addressFrom, instantAt, instantOf, isObject, memberOf, parseObject, sortFindings, textOf, type Finding, type JsonObject,
} from './json-text.ts';

/** Message → property → member → and as much again for what is not read (schedules, colours). */
const MAX_DEPTH = 8;

const NOTHING: Decoded = { channels: [], rejected: [], notices: [] };

export const zigbee2mqtt: Decoder = {
  name: 'zigbee2mqtt',
  version: 1,
  decode: (input) => {
    const levels = input.topic.split('/');
    const [first, last] = [levels[0], levels.at(-1)];
    if (input.topic === 'bridge/state') return { ...NOTHING, notices: [stateIn(input.payload)] };
    if (first === 'bridge' || first === 'group' || isNoReport(levels)) return NOTHING;
    if (levels.length > 1 && last === 'availability') {
      return { ...NOTHING, ...addressFrom(levels.slice(0, -1)), notices: [stateIn(input.payload)] };
    }
    return report(addressFrom(levels), input);
  },
};

/** What others ask a device (`set`, `get`), and its buttons, which are told a second time as plain text (`action`). */
function isNoReport([, ...below]: readonly string[]): boolean {
  return below.includes('set') || below.includes('get') || below.at(-1) === 'action';
}

function stateIn(payload: Uint8Array): Notice {
  const text = textOf(payload).trim();
  const state = text.startsWith('{') ? memberOf(parseObject(payload, MAX_DEPTH), 'state') : text;
  if (state === 'online' || state === 'offline') return state;
  throw new DecodeError('wrong_shape', 'the state of a device or of the bridge must be online or offline');
}

function report({ address }: { address?: string }, { payload, timeZone }: DecoderInput): Decoded {
  if (address === undefined) throw new DecodeError('unknown_topic', 'the topic names no device');
  const properties = parseObject(payload, MAX_DEPTH);
  const time = lastSeen(memberOf(properties, 'last_seen'), timeZone);
  const { channels, rejected } = sortFindings(findings(properties));
  const isLow = channels.some(({ name, value }) => name === 'battery_low' && value === 1);
  return {
    address,
    channels,
    rejected: time instanceof DecodeError ? [...rejected, time] : rejected,
    notices: isLow ? ['battery_low'] : [],
    ...(time === undefined || time instanceof DecodeError ? {} : { deviceTime: time }),
  };
}

/** As text (`ISO_8601`, `ISO_8601_local`) or in milliseconds (`epoch`), whatever the setting `advanced.last_seen` says. */
function lastSeen(value: unknown, timeZone: string | undefined): UnixMillis | DecodeError | undefined {
  if (typeof value === 'number') return instantAt(value);
  return typeof value === 'string' ? instantOf(value, timeZone) : undefined;
}

/** The radio's own business: colours of lamps, firmware updates, what the device is; and the time, which is no reading. */
const NO_CHANNELS: ReadonlySet<string> = new Set(['color', 'update', 'device', 'last_seen']);

function* findings(properties: JsonObject): Generator<Finding> {
  for (const [property, value] of Object.entries(properties)) {
    if (NO_CHANNELS.has(property)) continue;
    if (isObject(value)) yield* membersOf(property, value);
    else yield* channelIn(property, value, properties);
  }
}

function* membersOf(property: string, members: JsonObject): Generator<Finding> {
  for (const [member, value] of Object.entries(members)) {
    const number = plainNumber(value);
    if (number !== undefined) yield { name: `${property}.${member}`, value: number };
  }
}

function* channelIn(property: string, value: unknown, properties: JsonObject): Generator<Finding> {
  const number = numberIn(property, value);
  const name = property === 'illuminance' && Object.hasOwn(properties, 'illuminance_lux') ? 'illuminance_raw' : property;
  // It may be told under its own name, too (option `illuminance_raw` of 2.x).
  if (number === undefined || (name !== property && Object.hasOwn(properties, name))) return;
  const unit = name === 'voltage' ? unitOfVoltage(properties) : UNITS.get(name);
  yield { name, value: number, ...(unit === undefined ? {} : { unit }) };
}

/** Units that zigbee-herdsman-converters gives these properties for every device. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['temperature', 'Cel'], ['device_temperature', 'Cel'], ['humidity', '%'], ['battery', '%'], ['co2', '[ppm]'],
  ['illuminance_lux', 'lx'], ['pressure', 'hPa'], ['linkquality', '1'],
]);

/** Batteries are told in millivolts, the mains in volts, both as `voltage`: without a battery beside it nobody knows. */
function unitOfVoltage(properties: JsonObject): string | undefined {
  const has = (name: string): boolean => Object.hasOwn(properties, name);
  const isOfBattery = (has('battery') || has('battery_low')) && !has('power') && !has('current');
  return isOfBattery ? 'mV' : undefined;
}

/** Switches; besides these `state` and, of devices with several, `state_left` and the like. */
const SWITCHES: ReadonlySet<string> = new Set([
  'occupancy', 'presence', 'contact', 'water_leak', 'smoke', 'vibration', 'tamper', 'battery_low', 'state',
]);
const SWITCH_WORDS: ReadonlyMap<string, number> = new Map([['on', 1], ['true', 1], ['off', 0], ['false', 0]]);
/** A battery's charge in digits. */
const PERCENTAGE = /^\d{1,3}(?:\.\d{1,9})?$/;

function numberIn(property: string, value: unknown): number | undefined {
  if (typeof value !== 'string') return plainNumber(value);
  if (property === 'battery') return PERCENTAGE.test(value) ? Number(value) : undefined;
  const isSwitch = SWITCHES.has(property) || property.startsWith('state_');
  return isSwitch ? SWITCH_WORDS.get(value.toLowerCase()) : undefined;
}

function plainNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' ? value : undefined;
}
