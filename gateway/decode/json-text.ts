/**
 * What the families that speak JSON over MQTT share: text that is bounded before it is parsed, and channels that are bounded
 * while they are collected. Their member names come from strangers: `__proto__` and `constructor` are names like any other.
 */

import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Channel, Decoded } from './decoder.ts';
import { isWallClock, localTime } from './local-time.ts';

/** Values of one message, understood or not. */
const MAX_CHANNELS = 256;
const MAX_NAME_LENGTH = 128;
const MAX_ADDRESS_LENGTH = 256;
/** The last instant an ECMAScript date can name (ECMA-262 §21.4.1.1), milliseconds: whatever lies beyond is no time. */
const LAST_TIME = 8.64e15;

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The member of that name, unless it is only inherited (`constructor`). */
export const memberOf = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

/** What a wrong value is, for a message: never the value itself, which may be about a patient. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? `an array of ${value.length}` : `a ${typeof value}`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The payload as text. Throws {@link DecodeError} `empty_payload` for 0 bytes, `invalid_utf8` for what is not UTF-8. */
export function textOf(payload: Uint8Array): string {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the payload has no bytes');
  try {
    return utf8.decode(payload);
  } catch (cause) {
    throw new DecodeError('invalid_utf8', 'the payload is not UTF-8', { cause });
  }
}

/**
 * The value of a JSON text (RFC 8259) that nests at most `maxDepth` arrays and objects. Throws {@link DecodeError}: as
 * {@link textOf} does, `too_complex` for one that nests deeper, `invalid_json` for what is not JSON.
 */
export function parseJson(payload: Uint8Array, maxDepth: number): unknown {
  const text = textOf(payload);
  refuseDeepNesting(text, maxDepth);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('invalid_json', 'the payload is not JSON (NaN and Infinity are not JSON either)', { cause });
  }
}

/** A payload of 60,000 brackets would cost the parser more than any reading: refused before it is parsed. */
function refuseDeepNesting(text: string, maxDepth: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i += 1;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      depth += 1;
      if (depth > maxDepth) throw new DecodeError('too_complex', `the payload nests deeper than ${maxDepth} levels`);
    } else if (c === 0x7d || c === 0x5d) depth -= 1;
  }
}

/** As {@link parseJson}, for families whose messages are objects. Throws `wrong_shape` for any other value. */
export function parseObject(payload: Uint8Array, maxDepth: number): JsonObject {
  const value = parseJson(payload, maxDepth);
  if (!isObject(value)) throw new DecodeError('wrong_shape', `expected an object, got ${describe(value)}`);
  return value;
}

/** One value of a message, or why there is none. */
export type Finding = Channel | DecodeError;

/**
 * Findings as they come, sorted. A name or a number that no channel can have rejects that channel; more findings than
 * {@link MAX_CHANNELS} are refused as a whole, {@link DecodeError} `too_complex`, without looking at the rest.
 */
export function sortFindings(findings: Iterable<Finding>): Pick<Decoded, 'channels' | 'rejected'> {
  const channels: Channel[] = [];
  const rejected: DecodeError[] = [];
  for (const finding of findings) {
    if (channels.length + rejected.length >= MAX_CHANNELS) {
      throw new DecodeError('too_complex', `more than ${MAX_CHANNELS} values in one message`);
    }
    const checked = finding instanceof DecodeError ? finding : (flawOf(finding) ?? finding);
    if (checked instanceof DecodeError) rejected.push(checked);
    else channels.push(checked);
  }
  return { channels, rejected };
}

function flawOf({ name, value }: Channel): DecodeError | undefined {
  // Families that join names with a dot end in one when the second is missing.
  if (name.length === 0 || name.endsWith('.')) return new DecodeError('wrong_shape', 'a value without a name');
  if (name.length > MAX_NAME_LENGTH) {
    return new DecodeError('too_complex', `a name of ${name.length} characters; at most ${MAX_NAME_LENGTH}`);
  }
  // JSON.parse turns 1e999 into Infinity.
  if (typeof value === 'number' && !Number.isFinite(value)) return new DecodeError('not_a_number', 'a value must be a finite number');
  return undefined;
}

/** Levels of a topic that name a device: its address, absent when there are none. Throws {@link DecodeError} when it is too long. */
export function addressFrom(levels: readonly string[]): { address?: string } {
  const address = levels.join('/');
  if (address.length > MAX_ADDRESS_LENGTH) throw new DecodeError('unknown_topic', `a device is named in more than ${MAX_ADDRESS_LENGTH} characters`);
  return address === '' ? {} : { address };
}

/** Unix milliseconds, unless there is no such instant. */
export function instantAt(millis: number): UnixMillis | DecodeError {
  if (Math.abs(millis) <= LAST_TIME) return UnixMillis(Math.round(millis));
  return new DecodeError('wrong_shape', 'a time is beyond every calendar');
}

/** ISO 8601 in the extended format that RFC 3339 §5.6 narrows it to; offsets without a colon occur, and none at all. */
const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):?([0-5]\d))?$/;
const MINUTE = 60_000;

/**
 * The instant of `2018-03-02T18:25:03[.123][Z|+01:00|+0100]`. Without an offset it is local time in `timeZone`, an IANA name:
 * undefined when that is not known.
 */
export function instantOf(text: string, timeZone: string | undefined): UnixMillis | DecodeError | undefined {
  const parts = ISO_TIME.exec(text);
  const [year, month, day, hour, minute, second] = (parts ?? []).slice(1, 7).map(Number);
  const clock = { year: year ?? 0, month: month ?? 0, day: day ?? 0, hour: hour ?? 0, minute: minute ?? 0, second: second ?? 0 };
  const [fraction, sign, hours, minutes] = (parts ?? []).slice(7);
  if (!isWallClock(clock)) return new DecodeError('wrong_shape', 'a time is no date and time of ISO 8601');
  const millis = Number(`${fraction ?? ''}000`.slice(0, 3));
  if (sign !== undefined || text.endsWith('Z')) {
    const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * (sign === '-' ? -MINUTE : MINUTE);
    return UnixMillis(Date.UTC(clock.year, clock.month - 1, clock.day, clock.hour, clock.minute, clock.second, millis) - offset);
  }
  const local = timeZone === undefined ? undefined : localTime(clock, timeZone);
  return local === undefined ? undefined : UnixMillis(local + millis);
}
