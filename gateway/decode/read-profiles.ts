import { DecodeError } from '../errors.ts';
import { Millis } from '../quantity.ts';
import { isDeviceId } from '../reading.ts';
import { FAMILY_NAMES } from './family-names.ts';
import { DEVICE_CLASSES, type ChannelMap, type Expectation, type Expectations, type KnownDevice, type Mapping, type Profile } from './profile.ts';

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
  if (!isText(name) || !isText(decoder) || !FAMILY_NAMES.includes(decoder) || !isText(topic) || !isTextOrAbsent(timeZone)) return undefined;
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
