/** What a person may say about one device of a family, as words of a command line, and the run that they mean. */

import { readFileSync } from 'node:fs';

import { messageOf, UsageError } from '../gateway/errors.ts';
import { parseDuration } from '../gateway/quantity.ts';
import { isDeviceId } from '../gateway/reading.ts';
import { readCredentials } from './credentials.ts';
import { FAMILIES } from './families/catalogue.ts';
import type { Family, Framing, Who } from './families/family.ts';
import type { FamilyRunOptions, Place } from './family-run.ts';
import { parseFaults } from './faults.ts';

/** Beside `broker`, `credentials` and `seed`, which runs of every kind have. */
export const FAMILY_OPTIONS = {
  family: { type: 'string', value: 'NAME', help: 'One device of that family instead of patients' },
  device: { type: 'string', value: 'ID', help: 'Its device id, and user name at the broker' },
  'password-file': { type: 'string', value: 'FILE', help: 'First line is its password (or --credentials; a broker of others may need none)' },
  prefix: { type: 'string', value: 'TOPIC', help: 'Topic before its own, as on a broker of others: "zigbee2mqtt", or "" (default devices/ID/FAMILY)' },
  serial: { type: 'string', value: 'PATH', help: 'Speak on this serial port or pseudo-terminal instead' },
  framing: { type: 'string', value: 'NAME', help: 'On the serial line: line, or cobs, which is acknowledged' },
  baud: { type: 'string', value: 'N', help: 'Speed of the serial line in bit/s (default: that of the family)' },
  name: { type: 'string', value: 'TEXT', help: 'What the format calls it: friendly name, node, edge node, hardware address' },
  variant: { type: 'string', value: 'NAME', help: 'Another manner of speaking, as --families lists them' },
  'time-zone': { type: 'string', value: 'ZONE', help: 'Where its clock hangs, for example Europe/Berlin (default: here)' },
  discovery: { type: 'string', value: 'TOPIC', help: 'Announce it to Home Assistant below this topic (zigbee2mqtt, esphome)' },
  every: { type: 'string', value: 'DURATION', help: 'Time between two readings, for example 250ms (default: as the real thing)' },
  count: { type: 'string', value: 'N', help: 'End after so many readings' },
  faults: { type: 'string', value: 'LIST', help: 'garbage=0.01,half=0.01,flip=0.01,duplicate=0.02,sensorOff=0.1,clock=1970|jump|local,battery=low,storm=10s' },
} as const;

type Word = keyof typeof FAMILY_OPTIONS | 'broker' | 'credentials' | 'seed';
/** The text of an option, undefined when it was not given. */
export type Words = (word: Word) => string | undefined;

/** One line for each family, for people. */
export function familyLines(): readonly string[] {
  const width = Math.max(...Array.from(FAMILIES.keys(), ({ length }) => length));
  return Array.from(FAMILIES.values(), ({ name, summary, variants }) => {
    const others = variants.length > 1 ? ` (--variant ${variants.join(', ')})` : '';
    return `${name.padEnd(width)}  ${summary}${others}`;
  });
}

/** Throws {@link UsageError}, or another of gateway/errors.ts, that says what is missing or cannot be. */
export function familyRunOf(words: Words): Omit<FamilyRunOptions, 'signal' | 'log' | 'time'> {
  const family = familyOf(words);
  const device = deviceOf(words);
  const [every, faults, count] = [words('every'), words('faults'), wholeNumber(words, 'count')];
  return {
    family,
    who: whoOf(words, family, device),
    place: placeOf(words, device),
    seed: words('seed') ?? '1',
    ...(every === undefined ? {} : { every: parseDuration(every) }),
    ...(faults === undefined ? {} : { plan: parseFaults(faults) }),
    ...(count === undefined ? {} : { count }),
  };
}

function familyOf(words: Words): Family {
  const name = words('family') ?? '';
  const family = FAMILIES.get(name);
  if (family === undefined) throw new UsageError(`unknown family "${name}"; "vitalgate sim --families" lists them`);
  return family;
}

/** On a serial line nobody asks for it, but its chance depends on it. */
function deviceOf(words: Words): string {
  const device = words('device') ?? (words('serial') === undefined ? undefined : 'serial-device');
  if (device === undefined) throw new UsageError('which device? Give --device ID');
  if (!isDeviceId(device)) throw new UsageError(`"${device}" is no device id: 1 to 64 of a-z A-Z 0-9 . _ -, not beginning with a dot`);
  return device;
}

function placeOf(words: Words, device: string): Place {
  const path = words('serial');
  if (path === undefined) return { brokerUrl: brokerOf(words), ...passwordOf(words, device) };
  if (words('broker') !== undefined) throw new UsageError('where does it speak? Give --broker or --serial, not both');
  const [framing, baudRate] = [framingOf(words), wholeNumber(words, 'baud')];
  return { path, ...(framing === undefined ? {} : { framing }), ...(baudRate === undefined ? {} : { baudRate }) };
}

function brokerOf(words: Words): string {
  const broker = words('broker') ?? 'mqtt://127.0.0.1:1883';
  const url = URL.parse(broker);
  if (url !== null && ['mqtt:', 'mqtts:'].includes(url.protocol) && url.hostname !== '') return broker;
  throw new UsageError(`broker "${broker}": expected mqtt://host:port or mqtts://host:port`);
}

function framingOf(words: Words): Framing | undefined {
  const framing = words('framing');
  if (framing === undefined || framing === 'line' || framing === 'cobs') return framing;
  throw new UsageError(`framing "${framing}": expected line or cobs`);
}

/** Without --prefix the broker is a gateway, which lets nobody in without a password. */
function passwordOf(words: Words, device: string): { password?: string } {
  const [file, credentials] = [words('password-file'), words('credentials')];
  if (file !== undefined) return { password: firstLineOf(file) };
  const password = credentials === undefined ? undefined : readCredentials(credentials).get(device);
  if (password !== undefined) return { password };
  if (credentials === undefined && words('prefix') !== undefined) return {};
  throw new UsageError(`no password for ${device}: give --password-file FILE, or --credentials FILE that names it`);
}

function firstLineOf(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read the password file: ${messageOf(cause)}`, { cause });
  }
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw new UsageError(`the first line of the password file ${file} is empty`);
  return line;
}

/** On a broker of others the real software always names the device; connected to a gateway, the connection is the device. */
function whoOf(words: Words, family: Family, device: string): Who {
  const [prefix, timeZone, discovery] = [words('prefix'), words('time-zone'), words('discovery')];
  const name = words('name') ?? (prefix !== undefined || family.named === true ? device : undefined);
  return {
    device,
    variant: words('variant') ?? family.variants[0],
    base: prefix?.replace(/\/$/, '') ?? `devices/${device}/${family.name}`,
    ...(name === undefined ? {} : { name }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(discovery === undefined ? {} : { discovery }),
  };
}

function wholeNumber(words: Words, word: 'count' | 'baud'): number | undefined {
  const text = words(word);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`--${word} takes a whole number from 1, got "${text}"`);
  return Number(text);
}
