import { DecodeError } from '../errors.ts';
import { Millis } from '../quantity.ts';
import { isDeviceId } from '../reading.ts';
import { BUILT_IN_PROFILES, FAMILIES } from './families.ts';
import type { Family } from './family.ts';
import { DEVICE_CLASSES, relativeTopic, type ChannelMap, type Expectation, type Expectations, type KnownDevice, type Mapping, type Profile } from './profile.ts';

/** How one topic is read. */
export type Reader = Readonly<{ family: Family; profile: Profile; relative: string }>;

/** Topics come from devices: those beyond this many are looked up anew each time. */
const MOST_TOPICS_KEPT = 4096;

/** The profiles in force, the configured ones before the built-in. The first whose topic filter matches reads a topic. */
export class ProfileTable {
  readonly #profiles: readonly Profile[];
  readonly #readers = new Map<string, Reader | undefined>();

  constructor(configured: readonly Profile[]) {
    this.#profiles = [...configured, ...BUILT_IN_PROFILES];
  }

  readerFor(topic: string): Reader | undefined {
    const kept = this.#readers.get(topic);
    if (kept !== undefined || this.#readers.has(topic)) return kept;
    const reader = this.#find(topic);
    if (this.#readers.size < MOST_TOPICS_KEPT) this.#readers.set(topic, reader);
    return reader;
  }

  #find(topic: string): Reader | undefined {
    for (const profile of this.#profiles) {
      const relative = relativeTopic(profile.topic, topic);
      const family = FAMILIES.get(profile.decoder);
      if (relative !== undefined && family !== undefined) return { family, profile, relative };
    }
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The profiles of an `operator` frame. A journal outlives the program that wrote it, so what stands there is checked before it
 * is applied. Throws {@link DecodeError} `wrong_shape` for the first profile that this version cannot apply.
 */
export function readProfiles(values: readonly unknown[]): readonly Profile[] {
  return values.map((value, index) => {
    const profile = readProfile(fieldsOf(value));
    if (profile === undefined) throw new DecodeError('wrong_shape', `profile ${index + 1} is no profile of this version`);
    return profile;
  });
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const isText = (value: unknown): value is string => typeof value === 'string';
const isTextOrAbsent = (value: unknown): value is string | undefined => value === undefined || isText(value);
const isNumberOrAbsent = (value: unknown): value is number | undefined => value === undefined || Number.isFinite(value);

function readProfile(fields: Fields): Profile | undefined {
  const { name, decoder, topic, timeZone, channels, devices } = fields;
  const [map, known, more] = [readChannels(channels), readDevices(devices), readExpected(fields)];
  if (!isText(name) || !isText(decoder) || !FAMILIES.has(decoder) || !isText(topic) || !isTextOrAbsent(timeZone)) return undefined;
  if (map === undefined || known === undefined || more === undefined) return undefined;
  return { name, decoder, topic, channels: map, devices: known, ...(timeZone === undefined ? {} : { timeZone }), ...more };
}

function readExpected({ expect, class: given }: Fields): Pick<Profile, 'expect' | 'class'> | undefined {
  const deviceClass = DEVICE_CLASSES.find((each) => each === given);
  const expectations = readExpectations(expect);
  if ((given !== undefined && deviceClass === undefined) || expectations === undefined) return undefined;
  return { ...(Object.keys(expectations).length === 0 ? {} : { expect: expectations }), ...(deviceClass === undefined ? {} : { class: deviceClass }) };
}

function readExpectations(value: unknown): Expectations | undefined {
  const expectations: [string, Expectation][] = [];
  for (const [measurement, each] of Object.entries(fieldsOf(value))) {
    const { every, between } = fieldsOf(each);
    const range = between === undefined ? undefined : readRange(between);
    if (!isNumberOrAbsent(every) || (between !== undefined && range === undefined)) return undefined;
    expectations.push([measurement, { ...(every === undefined ? {} : { every: Millis(every) }), ...(range === undefined ? {} : { between: range }) }]);
  }
  return Object.fromEntries(expectations);
}

function readRange(value: unknown): readonly [number, number] | undefined {
  const [lowest, highest] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  return typeof lowest === 'number' && typeof highest === 'number' && Number.isFinite(lowest) && Number.isFinite(highest) ? [lowest, highest] : undefined;
}

function readChannels(value: unknown): ChannelMap | undefined {
  const channels: [string, Mapping | 'ignore'][] = [];
  for (const [name, mapping] of Object.entries(fieldsOf(value))) {
    const read = mapping === 'ignore' ? mapping : readMapping(fieldsOf(mapping));
    if (read === undefined) return undefined;
    channels.push([name, read]);
  }
  return Object.fromEntries(channels);
}

function readMapping({ measurement, unit, scale, offset }: Fields): Mapping | undefined {
  if (!isText(measurement) || !isTextOrAbsent(unit) || !isNumberOrAbsent(scale) || !isNumberOrAbsent(offset)) return undefined;
  return {
    measurement,
    ...(unit === undefined ? {} : { unit }),
    ...(scale === undefined ? {} : { scale }),
    ...(offset === undefined ? {} : { offset }),
  };
}

function readDevices(value: unknown): readonly KnownDevice[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return undefined;
  const devices: KnownDevice[] = [];
  for (const each of value) {
    const { address, device, channels } = fieldsOf(each);
    const [map, more] = [readChannels(channels), readExpected(fieldsOf(each))];
    if (!isText(address) || !isText(device) || !isDeviceId(device) || map === undefined || more === undefined) return undefined;
    devices.push({ address, device, channels: map, ...more });
  }
  return devices;
}
