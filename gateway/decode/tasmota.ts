/**
 * Tasmota (https://tasmota.github.io/docs/MQTT/). A full topic holds one of the prefixes `tele`, `stat` and `cmnd` somewhere; what
 * is left of it names the device, and nothing is left when the connection is the device:
 *
 *     tele/[<address>/]SENSOR · [<address>/]tele/SENSOR · [<address>/]SENSOR
 *                              {"Time":"2018-03-02T18:25:03","AM2301":{"Temperature":22.6},"TempUnit":"C"}
 *     …/STATE                  Vcc, Battery…, POWER… and Wifi.RSSI, Wifi.Signal of {"Time":…,"Vcc":3.2,"POWER":"OFF","Wifi":{…}}
 *     …/STATUS8, …/STATUS10    {"StatusSNS":{…}}, as SENSOR, when it was asked for
 *     …/LWT                    Online · Offline
 *     cmnd/…, other tele and stat       no readings
 *
 * A channel is `<sensor>.<key>`, or the key of what has no sensor (`Switch1`). Numbers are read, ON and OFF of switches are 1 and
 * 0; null is a sensor that did not answer. `TempUnit` and `PressureUnit` hold for the whole message.
 *
 * The temperature of an ESP32 is that of the chip: `ESP32.ChipTemperature`. Devices behind a Zigbee bridge (`ZbReceived`) are
 * rejected: their values must not pass for those of the bridge. Lists (meters of three phases) are no channels.
 *
 * `Time` is local without an offset, unless `SetOption52 1` adds one.
 */

import { DecodeError } from '../errors.ts';
import type { Decoded, Decoder, DecoderInput, Notice } from './decoder.ts';
import { addressFrom, instantOf, isObject, memberOf, parseObject, sortFindings, textOf, type Finding, type JsonObject } from './json-text.ts';

/** Status → message → sensor → value, and as much again for what is not read. */
const MAX_DEPTH = 8;

const NOTHING: Decoded = { channels: [], rejected: [], notices: [] };

export const tasmota: Decoder = {
  name: 'tasmota',
  version: 1,
  decode: (input) => {
    const { prefix, names, kind } = readTopic(input.topic);
    const read = prefix === 'cmnd' ? undefined : READERS.get(kind);
    if (read !== undefined) return { ...NOTHING, ...addressFrom(names), ...read(input) };
    if (prefix !== undefined) return NOTHING;
    throw new DecodeError('unknown_topic', 'the topic is none of Tasmota: [tele/]<topic>/SENSOR');
  },
};

type Topic = Readonly<{ prefix: string | undefined; names: readonly string[]; kind: string }>;

const PREFIXES: ReadonlySet<string> = new Set(['tele', 'stat', 'cmnd']);

/** `FullTopic` may put the prefix anywhere before the last level. */
function readTopic(topic: string): Topic {
  const levels = topic.split('/');
  const names = levels.slice(0, -1);
  const place = names.findIndex((level) => PREFIXES.has(level));
  return { prefix: names[place], names: names.filter((_, i) => i !== place), kind: levels.at(-1) ?? '' };
}

const READERS: ReadonlyMap<string, (input: DecoderInput) => Partial<Decoded>> = new Map([
  ['SENSOR', (input: DecoderInput) => message(parseObject(input.payload, MAX_DEPTH), sensorFindings, input)],
  ['STATE', (input: DecoderInput) => message(parseObject(input.payload, MAX_DEPTH), stateFindings, input)],
  ['STATUS8', status],
  ['STATUS10', status],
  ['LWT', ({ payload }: DecoderInput) => ({ notices: [will(payload)] })],
]);

function status(input: DecoderInput): Partial<Decoded> {
  const sensors = memberOf(parseObject(input.payload, MAX_DEPTH), 'StatusSNS');
  if (!isObject(sensors)) throw new DecodeError('wrong_shape', 'the status has no object "StatusSNS"');
  return message(sensors, sensorFindings, input);
}

function will(payload: Uint8Array): Notice {
  const text = textOf(payload);
  if (text === 'Online') return 'online';
  if (text === 'Offline') return 'offline';
  throw new DecodeError('wrong_shape', 'the will of a device must be Online or Offline');
}

function message(members: JsonObject, findings: (members: JsonObject) => Iterable<Finding>, { timeZone }: DecoderInput): Partial<Decoded> {
  const { channels, rejected } = sortFindings(findings(members));
  const text = memberOf(members, 'Time');
  const time = typeof text === 'string' ? instantOf(text, timeZone) : undefined;
  if (time instanceof DecodeError) return { channels, rejected: [...rejected, time] };
  return { channels, rejected, ...(time === undefined ? {} : { deviceTime: time }) };
}

// SENSOR

const ABOUT_MESSAGE: ReadonlySet<string> = new Set(['Time', 'TempUnit', 'PressureUnit']);
const OF_BRIDGE: ReadonlySet<string> = new Set(['ZbReceived', 'ZbInfo', 'ZbState']);

function* sensorFindings(members: JsonObject): Generator<Finding> {
  const units = { temperature: memberOf(members, 'TempUnit'), pressure: memberOf(members, 'PressureUnit') };
  for (const [name, value] of Object.entries(members)) {
    if (ABOUT_MESSAGE.has(name)) continue;
    if (OF_BRIDGE.has(name)) yield new DecodeError('unknown_measurement', 'devices behind a Zigbee bridge are not read');
    else if (isObject(value)) yield* sensor(name, value, units);
    else yield* single(name, value);
  }
}

/** As the message says them; anything may stand there. */
type Units = Readonly<{ temperature: unknown; pressure: unknown }>;

function* sensor(sensorName: string, values: JsonObject, units: Units): Generator<Finding> {
  for (const [key, value] of Object.entries(values)) {
    const number = numberIn(value);
    if (number === undefined) continue;
    const unit = unitOf(sensorName, key, units);
    const name = sensorName === 'ESP32' && key === 'Temperature' ? 'ESP32.ChipTemperature' : `${sensorName}.${key}`;
    yield unit instanceof DecodeError ? unit : { name, value: number, ...(unit === undefined ? {} : { unit }) };
  }
}

/** Switches and counters, of no sensor. */
function* single(name: string, value: unknown): Generator<Finding> {
  const number = numberIn(value) ?? (/^Switch\d*$/.test(name) ? onOrOff(value) : undefined);
  if (number !== undefined) yield { name, value: number };
}

const onOrOff = (value: unknown): number | undefined => (value === 'ON' || value === 'OFF' ? Number(value === 'ON') : undefined);

function numberIn(value: unknown): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' ? value : undefined;
}

const TEMPERATURE_UNITS: ReadonlyMap<unknown, string> = new Map([['C', 'Cel'], ['F', '[degF]'], ['K', 'K']]);
const PRESSURE_UNITS: ReadonlyMap<unknown, string> = new Map([['hPa', 'hPa'], ['mmHg', 'mm[Hg]'], ['inHg', "[in_i'Hg]"]]);
/** Keys whose unit is always the same; `PM2.5` and its like stand for a size in micrometres. */
const FIXED_UNITS: readonly (readonly [key: RegExp, unit: string])[] = [
  [/^Humidity\d*$/, '%'],
  [/^(?:CarbonDioxide|eCO2)$/, '[ppm]'],
  [/^TVOC$/, '[ppb]'],
  [/^Illuminance\d*$/, 'lx'],
  [/^(?:PM|CF)\d+(?:\.\d+)?$/, 'ug/m3'],
];
const ENERGY_UNITS: ReadonlyMap<string, string> = new Map([['Power', 'W'], ['Voltage', 'V'], ['Current', 'A']]);

function unitOf(sensorName: string, key: string, units: Units): string | DecodeError | undefined {
  if (/^(?:Temperature|DewPoint)\d*$/.test(key)) return said(units.temperature, TEMPERATURE_UNITS);
  if (/^(?:Sea)?Pressure\d*$/.test(key)) return said(units.pressure, PRESSURE_UNITS);
  if (sensorName === 'ENERGY') return ENERGY_UNITS.get(key);
  return FIXED_UNITS.find(([pattern]) => pattern.test(key))?.[1];
}

/** Absent when the message says none. One that is not known (the language of the device decides) must not be guessed. */
function said(unit: unknown, known: ReadonlyMap<unknown, string>): string | DecodeError | undefined {
  if (unit === undefined) return undefined;
  return known.get(unit) ?? new DecodeError('wrong_unit', 'the unit of a temperature or a pressure is not known');
}

// STATE

/** Of what a device says of itself: its supply, its radio, its relays. */
function* stateFindings(members: JsonObject): Generator<Finding> {
  for (const [name, value] of Object.entries(members)) {
    const number = numberIn(value);
    if (name === 'Vcc' && number !== undefined) yield { name, value: number, unit: 'V' };
    else if (name === 'BatteryPercentage' && number !== undefined) yield { name, value: number, unit: '%' };
    else if (name.startsWith('Battery') && number !== undefined) yield { name, value: number };
    else if (/^POWER\d*$/.test(name)) yield* relay(name, value);
    else if (name === 'Wifi' && isObject(value)) yield* radio(value);
  }
}

function* relay(name: string, value: unknown): Generator<Finding> {
  const number = onOrOff(value);
  if (number !== undefined) yield { name, value: number };
}

/** `RSSI` is a quality in percent, `Signal` the level in dBm, for which UCUM has no symbol. */
function* radio(values: JsonObject): Generator<Finding> {
  const [quality, level] = [numberIn(memberOf(values, 'RSSI')), numberIn(memberOf(values, 'Signal'))];
  if (quality !== undefined) yield { name: 'Wifi.RSSI', value: quality, unit: '%' };
  if (level !== undefined) yield { name: 'Wifi.Signal', value: level };
}
