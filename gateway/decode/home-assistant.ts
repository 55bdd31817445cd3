/**
 * Home Assistant's MQTT discovery (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery), read as what it tells about the
 * devices of others: which topic has which value in which unit. Nothing of it is a reading.
 *
 *     <prefix>/<component>/[<node id>/]<object id>/config       {"name":…,"unique_id":…,"state_topic":…,"device":{…}}
 *     <prefix>/device/[<node id>/]<object id>/config            {"dev":{…},"o":{…},"cmps":{"t":{"p":"sensor","stat_t":…},…}}
 *
 * Names may be abbreviated; `~` at an end of a topic stands for the member `~`. What a message says replaces all that was said
 * under its topic; one without a payload takes it back, as a component with nothing but its `p` takes back itself.
 *
 * Templates are never executed: those that only name a member are understood, all others are a reason and no field.
 */

import { DecodeError } from '../errors.ts';
import type { DecoderInput } from './decoder.ts';
import { describe, isObject, parseObject, type JsonObject } from './json-text.ts';

const MAX_DEPTH = 8;
const MAX_COMPONENTS = 256;
const MAX_NAME_LENGTH = 128;
/** Longest topic of a state, as long as MQTT allows for one [MQTT-1.5.3]. */
const MAX_TOPIC_LENGTH = 65_535;

/** One value that a device announces. */
export type Announced = Readonly<{
  /** `unique_id`, or when there is none, what the discovery topic calls it. */
  uniqueId: string;
  /** Its own name, or the device's when it is the device's main value. */
  name: string;
  stateTopic: string;
  /** `sensor`, `binary_sensor`, … */
  component: string;
  /** `temperature`, `door`, … */
  deviceClass?: string;
  /** UCUM; absent when none was said or it is not one of ours, see `foreignUnit`. */
  unit?: string;
  /** A unit was said which is not one of ours: the value must not be taken for one of any other unit. */
  foreignUnit?: true;
  /** The member of the JSON payload that has the value; empty when the payload itself is the value. */
  valueField?: string;
  /** Why there is no `valueField`. */
  valueReason?: string;
  /** The value says false when the thing is on, as Zigbee2MQTT's `contact` does of an open door. */
  inverted?: true;
  availabilityTopic?: string;
  deviceName?: string;
  manufacturer?: string;
  model?: string;
}>;

export type Discovery = Readonly<{
  /** `[<node id>/]<object id>` of the topic. */
  id: string;
  /** No payload: whatever was announced under this topic is gone. */
  removed: boolean;
  announced: readonly Announced[];
  /** Components that could not be understood; the others stand. */
  rejected: readonly DecodeError[];
}>;

/**
 * What one discovery message announces. Components without a state (buttons) and those that are taken back are left out. Throws
 * {@link DecodeError}: `unknown_topic` when the topic is no discovery topic, else when nothing of the payload can be used.
 */
export function readDiscovery({ topic, payload }: Pick<DecoderInput, 'topic' | 'payload'>): Discovery {
  const { component, id } = readTopic(topic);
  if (payload.length === 0) return { id, removed: true, announced: [], rejected: [] };
  const config = withFullNames(parseObject(payload, MAX_DEPTH), NAMES);
  const components = component === 'device' ? componentsOf(config, id) : [{ component, fallbackId: id, config }];
  return { id, removed: false, ...collect(components) };
}

const SEGMENT = /^[A-Za-z0-9_-]{1,128}$/;

function readTopic(topic: string): { component: string; id: string } {
  const [prefix, component = '', ...rest] = topic.split('/');
  const [ids, last] = [rest.slice(0, -1), rest.at(-1)];
  const areIds = (ids.length === 1 || ids.length === 2) && ids.every((id) => SEGMENT.test(id));
  const isDiscovery = prefix !== '' && /^\w{1,64}$/.test(component) && areIds;
  if (!isDiscovery || last !== 'config') {
    throw new DecodeError('unknown_topic', 'no discovery topic: <prefix>/<component>/[<node id>/]<object id>/config');
  }
  return { component, id: ids.join('/') };
}

// Members by their full names

/** Members by name: a map, since names come from strangers. */
type Members = ReadonlyMap<string, unknown>;

const NAMES: ReadonlyMap<string, string> = new Map([
  ['stat_t', 'state_topic'], ['unit_of_meas', 'unit_of_measurement'], ['dev_cla', 'device_class'], ['val_tpl', 'value_template'],
  ['dev', 'device'], ['uniq_id', 'unique_id'], ['avty_t', 'availability_topic'], ['o', 'origin'], ['p', 'platform'],
  ['cmps', 'components'], ['pl_on', 'payload_on'], ['pl_off', 'payload_off'],
]);
const DEVICE_NAMES: ReadonlyMap<string, string> = new Map([['mf', 'manufacturer'], ['mdl', 'model']]);

/** Where both forms stand, the abbreviation wins, as it does in Home Assistant. */
function withFullNames(object: JsonObject, names: ReadonlyMap<string, string>): Members {
  const members = new Map(Object.entries(object));
  for (const [short, full] of names) if (members.has(short)) members.set(full, members.get(short));
  return members;
}

// Components

type Component = Readonly<{ component: string; fallbackId: string; config: Members }>;

/** What holds for every component that does not say otherwise. */
const SHARED: ReadonlySet<string> = new Set(['device', 'state_topic', 'availability_topic', '~']);
/** They only act: a state that is shared is not theirs. */
const WITHOUT_STATE: ReadonlySet<string> = new Set(['button', 'scene', 'notify', 'tag', 'device_automation']);

/** The device form. `dev` and `o` are mandatory in it. */
function componentsOf(config: Members, id: string): readonly (Component | DecodeError)[] {
  const components = config.get('components');
  for (const part of ['device', 'origin', 'components']) {
    const value = config.get(part);
    if (!isObject(value)) throw new DecodeError('wrong_shape', `"${part}" of a device must be an object, got ${describe(value)}`);
  }
  const entries = isObject(components) ? Object.entries(components) : [];
  if (entries.length > MAX_COMPONENTS) {
    throw new DecodeError('too_complex', `${entries.length} components in one message; at most ${MAX_COMPONENTS}`);
  }
  const shared = [...config].filter(([name]) => SHARED.has(name));
  return entries.map(([key, value]) => {
    const own = isObject(value) ? withFullNames(value, NAMES) : undefined;
    const component = own?.get('platform');
    if (own === undefined || typeof component !== 'string') return new DecodeError('wrong_shape', 'a component without a platform');
    // A component with nothing but its platform is taken back: what is shared must not bring it to life.
    const isTakenBack = [...own.keys()].every((name) => name === 'platform' || name === 'p');
    const merged = isTakenBack ? new Map<string, unknown>() : new Map([...shared, ...own]);
    return { component, fallbackId: `${id}/${key}`, config: merged };
  });
}

function collect(components: readonly (Component | DecodeError)[]): Pick<Discovery, 'announced' | 'rejected'> {
  const announced: Announced[] = [];
  const rejected: DecodeError[] = [];
  for (const each of components) {
    try {
      if (each instanceof DecodeError) throw each;
      if (each.config.has('state_topic') && !WITHOUT_STATE.has(each.component)) announced.push(announcedIn(each));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      rejected.push(error);
    }
  }
  return { announced, rejected };
}

function announcedIn({ component, fallbackId, config }: Component): Announced {
  const device = config.get('device');
  const about = isObject(device) ? withFullNames(device, DEVICE_NAMES) : new Map<string, unknown>();
  const uniqueId = textIn(config, 'unique_id') ?? fallbackId;
  const [deviceName, deviceClass] = [textIn(about, 'name'), textIn(config, 'device_class')];
  const [manufacturer, model] = [textIn(about, 'manufacturer'), textIn(about, 'model')];
  const [stateTopic, availabilityTopic] = [topicIn(config, 'state_topic'), topicIn(config, 'availability_topic')];
  if (stateTopic === undefined) throw new DecodeError('wrong_shape', '"state_topic" must be a topic, got null');
  return {
    uniqueId: bounded(uniqueId),
    name: textIn(config, 'name') ?? deviceName ?? uniqueId,
    stateTopic,
    component: bounded(component),
    ...(deviceClass === undefined ? {} : { deviceClass }),
    ...unitIn(config),
    ...valueIn(config.get('value_template')),
    ...(config.get('payload_on') === false && config.get('payload_off') === true ? { inverted: true } : {}),
    ...(availabilityTopic === undefined ? {} : { availabilityTopic }),
    ...(deviceName === undefined ? {} : { deviceName }),
    ...(manufacturer === undefined ? {} : { manufacturer }),
    ...(model === undefined ? {} : { model }),
  };
}

/** Null and an empty text are none: `"name": null` says that the device's name is enough. */
function textIn(members: Members, name: string): string | undefined {
  const value = members.get(name);
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new DecodeError('wrong_shape', `"${name}" must be a text, got ${describe(value)}`);
  return bounded(value);
}

function bounded(name: string): string {
  if (name.length > MAX_NAME_LENGTH) throw new DecodeError('too_complex', `a name of ${name.length} characters; at most ${MAX_NAME_LENGTH}`);
  return name;
}

/** With `~` at its beginning, else at its end, replaced by the base topic. */
function topicIn(config: Members, name: string): string | undefined {
  const [topic, base] = [config.get(name), config.get('~')];
  if (topic === undefined || topic === null) return undefined;
  if (typeof topic !== 'string' || topic === '') throw new DecodeError('wrong_shape', `"${name}" must be a topic, got ${describe(topic)}`);
  const full = typeof base === 'string' ? withBase(topic, base) : topic;
  if (full.length > MAX_TOPIC_LENGTH) throw new DecodeError('too_complex', `a topic of ${full.length} characters`);
  return full;
}

function withBase(topic: string, base: string): string {
  if (topic.startsWith('~')) return `${base}${topic.slice(1)}`;
  return topic.endsWith('~') ? `${topic.slice(0, -1)}${base}` : topic;
}

// Units and values

/** Home Assistant's units, as UCUM. A unit that is not here is not guessed: a bare `C` is none of them. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['°C', 'Cel'], ['°F', '[degF]'], ['K', 'K'], ['%', '%'], ['ppm', '[ppm]'], ['ppb', '[ppb]'], ['lx', 'lx'],
  ['hPa', 'hPa'], ['mbar', 'hPa'], ['kPa', 'kPa'], ['Pa', 'Pa'], ['mmHg', 'mm[Hg]'], ['inHg', "[in_i'Hg]"], ['bpm', '/min'],
  ['kg', 'kg'], ['g', 'g'], ['lb', '[lb_av]'], ['V', 'V'], ['mV', 'mV'], ['W', 'W'], ['kW', 'kW'],
  // The micro sign and the Greek letter look the same, and both are in use.
  ['\u00b5g/m³', 'ug/m3'], ['\u03bcg/m³', 'ug/m3'],
]);

function unitIn(config: Members): Pick<Announced, 'unit' | 'foreignUnit'> {
  const said = textIn(config, 'unit_of_measurement');
  if (said === undefined) return {};
  const unit = UNITS.get(said);
  return unit === undefined ? { foreignUnit: true } : { unit };
}

const WHOLE_PAYLOAD = /^\{\{\s*value\s*\}\}$/;
const BY_DOT = /^\{\{\s*value_json\.([A-Za-z_]\w*)\s*\}\}$/;
const BY_NAME = /^\{\{\s*value_json\[(?:'([^'\\]+)'|"([^"\\]+)")\]\s*\}\}$/;
/** Longest template that is looked at: a member's name and what surrounds it. */
const MAX_TEMPLATE_LENGTH = 256;

function valueIn(template: unknown): Pick<Announced, 'valueField' | 'valueReason'> {
  if (template === undefined || template === null || template === '') return { valueField: '' };
  if (typeof template !== 'string') return { valueReason: `the template must be a text, got ${describe(template)}` };
  if (template.length > MAX_TEMPLATE_LENGTH) return { valueReason: `a template of ${template.length} characters is not read` };
  const text = template.trim();
  if (WHOLE_PAYLOAD.test(text)) return { valueField: '' };
  const [, plain, single] = BY_DOT.exec(text) ?? [];
  const [, quoted = single, doublyQuoted] = BY_NAME.exec(text) ?? [];
  const field = plain ?? quoted ?? doublyQuoted;
  if (field === undefined) return { valueReason: 'the template does more than name a member, and templates are never executed' };
  return field.length > MAX_NAME_LENGTH ? { valueReason: `a member's name of ${field.length} characters` } : { valueField: field };
}

// What it may measure

/** By component and device class. Left out is whatever is no measurement of ours, or could be several. */
const SUGGESTIONS: ReadonlyMap<string, string> = new Map([
  ['sensor temperature', 'room_temperature'], ['sensor humidity', 'humidity'], ['sensor carbon_dioxide', 'co2'],
  ['sensor illuminance', 'illuminance'], ['sensor battery', 'battery'], ['sensor atmospheric_pressure', 'air_pressure'],
  ['sensor pm25', 'particulates_2_5'], ['sensor volatile_organic_compounds_parts', 'volatile_organic'], ['sensor power', 'power'],
  ['binary_sensor motion', 'motion'], ['binary_sensor occupancy', 'motion'], ['binary_sensor presence', 'motion'],
  ['binary_sensor door', 'door'], ['binary_sensor window', 'door'], ['binary_sensor opening', 'door'],
  ['binary_sensor moisture', 'water_leak'], ['binary_sensor smoke', 'smoke'],
]);

/**
 * The measurement (measurements.ts) that a person who approves the device may be offered first; undefined when nothing is honest:
 * the class `temperature` may as well be that of a freezer, and `battery` of a binary sensor is on when it is low.
 */
export function suggestedMeasurement({ component, deviceClass }: Pick<Announced, 'component' | 'deviceClass'>): string | undefined {
  return deviceClass === undefined ? undefined : SUGGESTIONS.get(`${component} ${deviceClass}`);
}
