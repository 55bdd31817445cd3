/**
 * Shelly of the second generation and later, RPC over MQTT (https://shelly-api-docs.shelly.cloud/gen2/General/Notifications). Below
 * the device's topic prefix, by default its id, or below what several devices have in common:
 *
 *     [<id>/]events/rpc                  {"src":…,"method":"NotifyStatus","params":{"ts":1680962879.62,"temperature:0":{"id":0,"tC":19.8}}}
 *     [<id>/]status/<component>:<n>      {"id":0,"tC":19.8,"tF":67.6}
 *     [<id>/]online                      true · false, the will
 *     [<id>/]rpc, …/command…, …/debug/…, NotifyEvent       no readings
 *
 * The address is `<id>` of the topic, when it is there: what stands in `src` is the same by default, but only the topic is said
 * by all messages of a device. `NotifyStatus` has only what changed, and only that becomes channels.
 *
 * A channel is `<component>:<n>.<property>[.<member>]`, of numbers and booleans (1, 0); null is absent. Components without a
 * number (`sys`, `wifi`, `mqtt`, …) and scripts are the device's own business. Temperatures in Fahrenheit repeat those in Celsius
 * and are left out. A relay's `temperature` is that of the device: `switch:0.device_temperature`.
 */

import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Decoded, Decoder, Notice } from './decoder.ts';
import { addressFrom, instantAt, isObject, memberOf, parseObject, sortFindings, textOf, type Finding, type JsonObject } from './json-text.ts';

/** Notification → params → component → property → member, and as much again for what is not read. */
const MAX_DEPTH = 8;

const NOTHING: Decoded = { channels: [], rejected: [], notices: [] };

export const shelly: Decoder = {
  name: 'shelly',
  version: 1,
  decode: ({ topic, payload }) => {
    const levels = topic.split('/');
    const [last = '', above] = levels.toReversed();
    if (last === 'online') return { ...NOTHING, ...addressFrom(levels.slice(0, -1)), notices: [online(payload)] };
    const address = addressFrom(levels.slice(0, -2));
    if (above === 'events' && last === 'rpc') return { ...NOTHING, ...address, ...notification(parseObject(payload, MAX_DEPTH)) };
    if (above === 'status' && !isSensor(last)) return NOTHING;
    if (above === 'status') return { ...NOTHING, ...address, ...status({ [last]: parseObject(payload, MAX_DEPTH) }) };
    if (last === 'rpc' || levels.includes('command') || levels.includes('debug')) return NOTHING;
    throw new DecodeError('unknown_topic', 'the topic is none of Shelly: events/rpc, status/<component>:<n>, online');
  },
};

function online(payload: Uint8Array): Notice {
  const text = textOf(payload);
  if (text === 'true') return 'online';
  if (text === 'false') return 'offline';
  throw new DecodeError('wrong_shape', 'whether a device is online must be true or false');
}

function notification(frame: JsonObject): Partial<Decoded> {
  const [method, params] = [memberOf(frame, 'method'), memberOf(frame, 'params')];
  if (typeof method !== 'string') throw new DecodeError('wrong_shape', 'a notification without a method');
  if (method !== 'NotifyStatus' && method !== 'NotifyFullStatus') return {};
  if (!isObject(params)) throw new DecodeError('wrong_shape', 'a notification of a status without one');
  const decoded = status(params);
  const time = timeIn(memberOf(params, 'ts'));
  if (time instanceof DecodeError) return { ...decoded, rejected: [...decoded.rejected, time] };
  return { ...decoded, ...(time === undefined ? {} : { deviceTime: time }) };
}

/** `ts`, seconds since 1970 with a fraction. */
function timeIn(ts: unknown): UnixMillis | DecodeError | undefined {
  return typeof ts === 'number' ? instantAt(ts * 1000) : undefined;
}

function status(components: JsonObject): Omit<Decoded, 'address'> {
  const hasFault = Object.entries(components).some(([component, state]) => isSensor(component) && isObject(state) && isFaulty(state));
  return { ...sortFindings(findings(components)), notices: hasFault ? ['sensor_fault'] : [] };
}

/** `errors` says why a value is null: `out_of_range`, `read`. */
function isFaulty(state: JsonObject): boolean {
  const errors = memberOf(state, 'errors');
  return Array.isArray(errors) && errors.length > 0;
}

const COMPONENT = /^([a-z][a-z0-9_]*):\d{1,9}$/;

function isSensor(component: string): boolean {
  const kind = COMPONENT.exec(component)?.[1];
  return kind !== undefined && kind !== 'script';
}

function* findings(components: JsonObject): Generator<Finding> {
  for (const [component, state] of Object.entries(components)) {
    if (!isSensor(component) || !isObject(state)) continue;
    for (const [property, value] of Object.entries(state)) {
      if (!isObject(value)) yield* channel(component, property, value);
      else if (property === 'temperature') yield* deviceTemperature(component, value);
      else for (const [member, each] of Object.entries(value)) yield* channel(component, `${property}.${member}`, each);
    }
  }
}

/** Not the room's, and not under a name that could pass for it. */
function* deviceTemperature(component: string, value: JsonObject): Generator<Finding> {
  const celsius = memberOf(value, 'tC');
  if (typeof celsius === 'number') yield { name: `${component}.device_temperature`, value: celsius, unit: 'Cel' };
}

/** Which of them it is, and the clock of a counter: no values of their own. */
const NO_CHANNELS: ReadonlySet<string> = new Set(['id', 'aenergy.minute_ts', 'ret_aenergy.minute_ts']);
/** A temperature, which only a thermometer may give under this name: that of a device must not pass for that of a room. */
const TEMPERATURE = /(?:^|\.)t[CF]$/;
const isThermometer = (component: string): boolean => component.startsWith('temperature:');

/** The same in every component that has them (Status of each component in the documentation named above). */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['tC', 'Cel'], ['rh', '%'], ['battery.percent', '%'], ['battery.V', 'V'], ['lux', 'lx'],
  ['apower', 'W'], ['act_power', 'W'], ['voltage', 'V'], ['current', 'A'],
]);

function* channel(component: string, property: string, value: unknown): Generator<Finding> {
  if (NO_CHANNELS.has(property) || (TEMPERATURE.test(property) && !(isThermometer(component) && property === 'tC'))) return;
  const unit = UNITS.get(property);
  if (typeof value === 'number') yield { name: `${component}.${property}`, value, ...(unit === undefined ? {} : { unit }) };
  else if (typeof value === 'boolean') yield { name: `${component}.${property}`, value: value ? 1 : 0 };
}
