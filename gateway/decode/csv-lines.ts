import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Channel, Decoded, Decoder } from './decoder.ts';

/**
 * One line of comma-separated text, for firmware that can print and no more:
 *
 *     spo2,97,%
 *     spo2,97,%,1764000000123
 *     spo2,97,%,1764000000123,41
 *     spo2,97,%,,41
 *
 * that is `measurement,value,unit[,time][,sequence]`: the measurement's native name, its value in decimals, its unit in UCUM
 * (case sensitive), the device's clock in Unix milliseconds and the device's own counter (a whole number from 0). Blanks
 * around fields and a line ending mean nothing; there is no quoting, so no field holds a comma. A header line (one that begins
 * with `measurement,value`) and comments (`#` first) are no readings: they decode to zero channels.
 */
export const csvLine: Decoder = {
  name: 'csv-line',
  version: 1,
  decode: ({ payload }) => {
    const line = textOf(payload);
    if (line.startsWith('#')) return NO_READING;
    const fields = line.split(',').map((field) => field.trim());
    if (isHeader(fields)) return NO_READING;
    return decodeFields(fields);
  },
};

/** Longest line, in bytes: several times what the longest name, number, unit, time and counter take. */
const MAX_LINE = 512;
const MAX_NUMBER = 32;
/** The last instant an ECMAScript date can name (ECMA-262 §21.4.1.1), in milliseconds. */
const LAST_TIME = 8.64e15;

const NO_READING: Decoded = { channels: [], rejected: [], notices: [] };
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** UCUM §4: printable ASCII without blanks. */
const UNIT = /^[!-~]{1,32}$/;
const DECIMAL = /^[+-]?(\d+(?:\.\d+)?)(?:[eE][+-]?\d{1,3})?$/;
const WHOLE = /^\d{1,16}$/;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(payload: Uint8Array): string {
  if (payload.length === 0) throw new DecodeError('empty_payload', 'the line has no bytes');
  if (payload.length > MAX_LINE) throw new DecodeError('too_complex', `a line of ${payload.length} bytes; at most ${MAX_LINE}`);
  let text: string;
  try {
    text = utf8.decode(payload).trim();
  } catch (cause) {
    throw new DecodeError('invalid_utf8', 'the line is not UTF-8', { cause });
  }
  if (text.length === 0) throw new DecodeError('empty_payload', 'the line is blank');
  if (/[\n\r]/.test(text)) throw new DecodeError('wrong_shape', 'expected one line, got several');
  return text;
}

const isHeader = ([first, second]: readonly string[]): boolean => first?.toLowerCase() === 'measurement' && second?.toLowerCase() === 'value';

function decodeFields(fields: readonly string[]): Decoded {
  const [name = '', value = '', unit = '', time = '', sequence = ''] = fields;
  if (fields.length < 3 || fields.length > 5) throw new DecodeError('wrong_shape', `expected 3 to 5 fields, got ${fields.length}`);
  if (!NAME.test(name)) throw new DecodeError('wrong_shape', 'the first field is no name of a measurement');
  if (!UNIT.test(unit)) throw new DecodeError('wrong_unit', 'the third field is no unit (UCUM)');
  const channel: Channel = { name, value: decimalOf(value), unit };
  return {
    channels: [channel],
    rejected: [],
    notices: [],
    ...(time === '' ? {} : { deviceTime: UnixMillis(wholeOf(time, LAST_TIME, 'the fourth field is no time in Unix milliseconds')) }),
    ...(sequence === '' ? {} : { sequence: wholeOf(sequence, Number.MAX_SAFE_INTEGER, 'the fifth field is no whole number from 0') }),
  };
}

/** A decimal number that is finite and, unless it says zero, not so small that it becomes zero. */
function decimalOf(text: string): number {
  const digits = text.length > MAX_NUMBER ? undefined : DECIMAL.exec(text)?.[1];
  const value = Number(text);
  const vanished = value === 0 && digits !== undefined && /[1-9]/.test(digits);
  if (digits === undefined || !Number.isFinite(value) || vanished) {
    throw new DecodeError('not_a_number', 'the second field is no finite decimal number');
  }
  return value;
}

function wholeOf(text: string, most: number, complaint: string): number {
  const value = WHOLE.test(text) ? Number(text) : Infinity;
  if (value > most) throw new DecodeError('wrong_shape', complaint);
  return value;
}
