/**
 * The leaves of the configuration: each turns text or a number into a value with a unit, or says what it expected.
 * Every problem a leaf reports begins with "expected …" (see problems.ts, which adds what was found and where).
 */

import { isIPv4, isIPv6 } from 'node:net';
import { utils } from '@noble/secp256k1';
import { z } from 'zod';
import { isPurpose, PURPOSES } from '../consent/vocabulary.ts';
import { isDeviceId, type DeviceId } from '../reading.ts';
import { formatBytes, formatDuration, parseBytes, parseDuration, type Bytes, type Millis } from '../quantity.ts';

/** Where to listen. Port 0 takes a free port. An IPv6 host is without its brackets. */
export type Address = Readonly<{ host: string; port: number }>;

type Hints = Readonly<{ pattern?: string; examples: readonly string[] }>;

/**
 * Text that `parse` turns into a T. Whatever `parse` throws becomes a problem at this place of the file; the message of a
 * RangeError is told as the reason, the others repeat what `expected` says.
 */
function text<T>(expected: string, hints: Hints, parse: (value: string) => T): z.ZodType<T, string> {
  return z
    .string({ error: `expected ${expected}` })
    .meta({ ...hints })
    .transform((value, context) => {
      try {
        return parse(value);
      } catch (thrown) {
        const because = thrown instanceof RangeError ? thrown.message : '';
        context.addIssue({ code: 'custom', message: `expected ${expected}`, params: { because }, input: value });
        return z.NEVER;
      }
    });
}

function within<T extends number>(value: T, least: T, most: T): T {
  if (value < least || value > most) throw new RangeError('');
  return value;
}

/** "250ms", "30s", "5min", "1.5h", "14d". */
export function duration(least: Millis, most: Millis): z.ZodType<Millis, string> {
  const expected = `a duration from ${formatDuration(least)} to ${formatDuration(most)} such as "30s" (units ms, s, min, h, d)`;
  const hints = { pattern: String.raw`^\s*\d+(\.\d+)?\s*(ms|s|min|h|d)\s*$`, examples: ['250ms', '30s', '5min'] };
  return text(expected, hints, (value) => within(parseDuration(value), least, most));
}

/** Text of that form; `expected` says it for people. */
export function formed(form: RegExp, expected: string, examples: readonly string[]): z.ZodType<string, string> {
  return text(expected, { pattern: form.source, examples }, (value) => {
    if (!form.test(value)) throw new RangeError('');
    return value;
  });
}

/** "512B", "64KiB", "2GiB", or the decimal "10MB". */
export function size(least: Bytes, most: Bytes): z.ZodType<Bytes, string> {
  const expected = `a size from ${formatBytes(least)} to ${formatBytes(most)} such as "64KiB" (units B, kB, MB, GB, KiB, MiB, GiB)`;
  const hints = { pattern: String.raw`^\s*\d+(\.\d+)?\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$`, examples: ['512B', '64KiB'] };
  return text(expected, hints, (value) => within(parseBytes(value), least, most));
}

/** What for somebody is shown something (consent/vocabulary.ts). */
export function purpose(): z.ZodType<string, string> {
  return text(`one of ${Object.keys(PURPOSES).join(', ')}, or HRESCH/name-of-a-study`, { examples: ['TREAT', 'HRESCH/heart-2030'] }, (value) => {
    if (!isPurpose(value)) throw new RangeError('');
    return value;
  });
}

/** A whole number of `what`. */
export function count(what: string, least: number, most: number): z.ZodType<number, number> {
  const error = `expected a whole number of ${what} from ${least} to ${most}`;
  // Not z.int(): its verdict would keep relations.ts from being asked about the rest of the file.
  return z.number({ error }).min(least, { error }).max(most, { error }).refine(Number.isInteger, { error }).meta({ type: 'integer' });
}

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function isHost(host: string): boolean {
  return isIPv4(host) || (HOST_NAME.test(host) && !/^[\d.]+$/.test(host));
}

/** "127.0.0.1:1883", "gateway.local:8080" or "[::1]:1883". Throws RangeError for anything else. */
function parseAddress(value: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value);
  const [, bracketed, plain, digits] = match ?? [];
  const host = bracketed ?? plain ?? '';
  const valid = bracketed === undefined ? isHost(host) : isIPv6(host);
  if (!valid || digits === undefined) throw new RangeError('');
  return { host, port: within(Number(digits), 0, 65_535) };
}

const ADDRESS = String.raw`(\[[^\]]+\]|[^:\[\]]+):\d{1,5}`;
const ADDRESS_EXPECTED = 'host:port such as "127.0.0.1:1883" or "[::1]:1883", with a port from 0 (take a free one) to 65535';

export function address(): z.ZodType<Address, string> {
  return text(ADDRESS_EXPECTED, { pattern: `^${ADDRESS}$`, examples: ['127.0.0.1:1883', '[::1]:1883'] }, parseAddress);
}

/** Where to listen, or the word none. */
export function addressOrNone(): z.ZodType<Address | 'none', string> {
  const hints = { pattern: `^(${ADDRESS}|none)$`, examples: ['127.0.0.1:1883', 'none'] };
  return text(`${ADDRESS_EXPECTED}, or the word none`, hints, (value) => (value === 'none' ? value : parseAddress(value)));
}

/** A DNS name or an IP address, without a port. */
export function hostOrAddress(): z.ZodType<string, string> {
  return text('a host name such as "gateway.local" or an IP address', { examples: ['gateway.local', '192.168.1.20'] }, (value) => {
    if (!isHost(value) && !isIPv6(value)) throw new RangeError('');
    return value;
  });
}

export function ipAddress(): z.ZodType<string, string> {
  return text('an IP address such as "192.168.1.20"', { examples: ['192.168.1.20'] }, (value) => {
    if (!isIPv4(value) && !isIPv6(value)) throw new RangeError('');
    return value;
  });
}

/** "10%", as a share from 0 to 1. */
export function percent(): z.ZodType<number, string> {
  return text('a share from 0% to 100% such as "10%"', { pattern: String.raw`^\d{1,3}(\.\d+)?\s*%$`, examples: ['10%'] }, (value) => {
    const share = /^(\d{1,3}(?:\.\d+)?)\s*%$/.exec(value.trim())?.[1];
    if (share === undefined || Number(share) > 100) throw new RangeError('');
    return Number(share) / 100;
  });
}

function parsePublicKey(value: string): string {
  const key = value.toLowerCase();
  if (!/^0[23][0-9a-f]{64}$/.test(key)) throw new RangeError('');
  // A mistyped key is nearly always on no curve point; accepting it would mean waiting for ever for signatures by nobody.
  if (!utils.isValidPublicKey(Buffer.from(key, 'hex'), true)) throw new RangeError('no point of the curve secp256k1 has this key');
  return key;
}

/** A compressed secp256k1 public key (SEC 1 §2.3.3), 66 hexadecimal characters; in lower case once parsed. */
export function publicKey(): z.ZodType<string, string> {
  const expected = 'a compressed secp256k1 public key: 66 hexadecimal characters, the first two 02 or 03';
  const example = '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
  return text(expected, { pattern: '^0[23][0-9A-Fa-f]{64}$', examples: [example] }, parsePublicKey);
}

function parseWebAddress(value: string): string {
  const url = new URL(value);
  if (!['http:', 'https:'].includes(url.protocol)) throw new RangeError(`the scheme is ${url.protocol.slice(0, -1)}`);
  if (url.username !== '' || url.password !== '') throw new RangeError('a user name or password does not belong here');
  if (url.search !== '' || url.hash !== '') throw new RangeError('nothing may follow the path');
  return url.href.replace(/\/+$/, '');
}

/** An http or https address without credentials, query or fragment; without a closing slash once parsed. */
export function webAddress(): z.ZodType<string, string> {
  const example = 'https://hospital.example:9090';
  return text(`an http or https address such as "${example}"`, { examples: [example] }, parseWebAddress);
}

/** A short name that is safe in file names, metric labels and log lines. */
export function name(what: string): z.ZodType<string, string> {
  const pattern = '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$';
  const error = `expected ${what} of 1 to 64 of the characters a-z A-Z 0-9 . _ -, not starting with a dot`;
  return z.string({ error }).regex(new RegExp(pattern), { error });
}

/** Free text for people, on one line. */
export function line(what: string, longest: number): z.ZodType<string, string> {
  const error = `expected ${what} of 1 to ${longest} characters on one line`;
  return z.string({ error }).min(1, { error }).max(longest, { error }).regex(/^[^\p{Cc}]*$/u, { error });
}

/** A number without a unit of its own; `what` says which unit is meant. */
export function number(what: string): z.ZodType<number, number> {
  return z.number({ error: `expected ${what}` });
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(...words: Words): z.ZodType<Words[number], Words[number]> {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` });
}

/** An mqtt or mqtts address without credentials or path. */
export function brokerAddress(): z.ZodType<string, string> {
  const example = 'mqtt://127.0.0.1:1883';
  return text(`an mqtt or mqtts address such as "${example}"`, { examples: [example] }, (value) => {
    const url = new URL(value);
    if (!['mqtt:', 'mqtts:'].includes(url.protocol)) throw new RangeError(`the scheme is ${url.protocol.slice(0, -1)}`);
    if (url.username !== '' || url.password !== '') throw new RangeError("they belong into 'username' and 'passwordFile'");
    if (url.hostname === '' || !['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') throw new RangeError('');
    return value;
  });
}

/** A device id, as devices log in with (reading.ts). */
export function deviceId(): z.ZodType<DeviceId, string> {
  const expected = 'a device id: 1 to 64 of the characters a-z A-Z 0-9 . _ -, not starting with a dot';
  return text(expected, { examples: ['bedroom-climate'] }, (value) => {
    if (!isDeviceId(value)) throw new RangeError('');
    return value;
  });
}

/** An MQTT topic filter (MQTT 3.1.1 §4.7.1): `+` stands for a whole level, `#` for all that follow, at the end only. */
export function topicFilter(): z.ZodType<string, string> {
  const expected = 'an MQTT topic filter such as "devices/zigbee/#", with + as a whole level and # as the last';
  return text(expected, { examples: ['devices/zigbee/#', 'devices/+/tele/SENSOR'] }, (value) => {
    const levels = value.split('/');
    const good = levels.every((level, i) => level === '+' || (level === '#' && i === levels.length - 1) || /^[^+#\p{Cc}]*$/u.test(level));
    if (!good || value === '' || value.length > 1024) throw new RangeError('');
    return value;
  });
}

/** An IANA time zone that this machine knows. */
export function timeZone(): z.ZodType<string, string> {
  return text('an IANA time zone such as "Europe/Berlin"', { examples: ['Europe/Berlin'] }, (value) => {
    // Throws a RangeError for a zone it does not know; offsets such as +01:00 have no summer time and are no zones.
    if (!/^[A-Za-z]/.test(value)) throw new RangeError('');
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone;
  });
}

/** A time of the day in minutes after midnight, 00:00 to 24:00. In YAML it needs quotes. */
export function timeOfDay(): z.ZodType<number, string> {
  const pattern = '^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$';
  return text('a time of the day in quotes, such as "22:00"', { pattern, examples: ['22:00', '06:30'] }, (value) => {
    if (!new RegExp(pattern).test(value)) throw new RangeError('');
    const [hours, minutes] = value.split(':').map(Number);
    return 60 * (hours as number) + (minutes as number);
  });
}

/** The path of a serial port. `/dev/ttyUSB0` is refused: which device that is depends on the order of plugging in. */
export function serialPath({ orUsb = false } = {}): z.ZodType<string, string> {
  const expected = 'the absolute path of a serial port that stays the same, such as "/dev/serial/by-id/usb-…"';
  return text(expected, { examples: ['/dev/serial/by-id/usb-Silicon_Labs_CP2102-if00-port0'] }, (value) => {
    if (/^\/dev\/tty(USB|ACM)\d+$/.test(value)) throw new RangeError('another device may have this path tomorrow: take the one below /dev/serial/by-id' + (orUsb ? ', or "usb"' : ''));
    if (!/^\/[^\p{Cc}]{1,4095}$/u.test(value)) throw new RangeError('');
    return value;
  });
}

/** A USB vendor or product id; in lower case once parsed. In YAML it needs quotes when it looks like a number. */
export function usbNumber(): z.ZodType<string, string> {
  const expected = 'four hexadecimal digits in quotes, such as "10c4"';
  return text(expected, { pattern: '^[0-9A-Fa-f]{4}$', examples: ['10c4'] }, (value) => {
    if (!/^[0-9a-f]{4}$/i.test(value)) throw new RangeError('');
    return value.toLowerCase();
  });
}
