import { DecodeError } from '../errors.ts';
import { isDeviceId } from '../reading.ts';
import { BUILT_IN_PROFILES, FAMILIES } from './families.ts';
import type { Family } from './family.ts';
import { relativeTopic, type ChannelMap, type KnownDevice, type Mapping, type Profile } from './profile.ts';

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

function readProfile({ name, decoder, topic, timeZone, channels, devices }: Fields): Profile | undefined {
  const [map, known] = [readChannels(channels), readDevices(devices)];
  if (!isText(name) || !isText(decoder) || !FAMILIES.has(decoder) || !isText(topic) || !isTextOrAbsent(timeZone)) return undefined;
  if (map === undefined || known === undefined) return undefined;
  return { name, decoder, topic, channels: map, devices: known, ...(timeZone === undefined ? {} : { timeZone }) };
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
    const map = readChannels(channels);
    if (!isText(address) || !isText(device) || !isDeviceId(device) || map === undefined) return undefined;
    devices.push({ address, device, channels: map });
  }
  return devices;
}
