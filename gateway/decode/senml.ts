/**
 * Sensor Measurement Lists (SenML, RFC 8428) as JSON (§5) and CBOR (§6), with the secondary units of RFC 8798.
 *
 *     [{"bn":"urn:dev:ow:10e2073a01080063:","bt":1320067464,"n":"temp","u":"Cel","v":23.1},{"n":"open","t":5,"vb":false}]
 *
 * Base fields hold for their record and those after it, so a wrong one refuses the pack; anything else wrong refuses its
 * record only. The channel is called by the resolved name (§4.6), except where only unit or field tell what is meant:
 *
 * | in the record             | channel           | unit                                                              |
 * | ------------------------- | ----------------- | ----------------------------------------------------------------- |
 * | `v`                       | `<name>`          | of the table; absent when the record has none                     |
 * | `v` in `%EL` or `EL`      | `<name>.%EL`, …   | battery: §5.1.3 gives it the name of the humidity it is sent with |
 * | `vb`                      | `<name>`          | `1`; value 0 or 1, whatever the base unit is                      |
 * | `s`                       | `<name>.#sum`     | unit × s: the integral over time, no reading of the quantity      |
 * | `vs`, `vd`                | none              | rejected: text and bytes are no readings                          |
 * | base fields and no others | none              | sets them for the records after it (§5.1.7)                       |
 *
 * Values are not converted. `%` of SenML is a ratio of 1 like `/` (§12.1, note 2), never a percentage: its UCUM unit is `1`.
 */

import { DecodeError } from '../errors.ts';
import { UnixMillis } from '../quantity.ts';
import type { Channel, Decoded, Decoder, DecoderInput } from './decoder.ts';
import { decodeCbor, type CborRules } from './native-cbor.ts';
import { parseJson } from './json-text.ts';

/** Pack → record → value; deeper only in members that are not read. */
const MAX_JSON_DEPTH = 5;
const MAX_RECORDS = 256;
const MAX_NAME_LENGTH = 128;
/** The version of RFC 8428; higher ones MUST NOT be used, but for the one below. */
const VERSION = 10;
/** Version 10 with the feature "Secondary Units" (RFC 9100 §5); they are understood without it, too. */
const VERSION_WITH_SECONDARY_UNITS = 26;
/** Seconds from which on a time is absolute (§4.5.3). */
const FIRST_ABSOLUTE_TIME = 2 ** 28;
/** The last instant of a JavaScript date, milliseconds: whatever lies beyond is no time. */
const LAST_TIME = 8.64e15;

/** Symbols that mean the same in SenML and in UCUM; the last line is of the secondary units. */
const SAME_IN_UCUM = [
  'm kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat',
  'm2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit bit/s dB S/m deg kg/m3',
  'ms min h MHz kW mV mA ug/m3 mm/h m/h hPa mm cm km km/h',
].flatMap((line) => line.split(' '));

/** SenML (RFC 8428 §12.1, RFC 8798, the registry of IANA) to UCUM. `1` is no symbol of it, but what else it could mean is nothing. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ...SAME_IN_UCUM.map((symbol) => [symbol, symbol] as const),
  ['l', 'L'], ['l/s', 'L/s'], ['lat', 'deg'], ['lon', 'deg'], ['pH', '[pH]'],
  ['Bspl', 'B[SPL]'], ['dBW', 'dB[W]'], ['VA', 'V.A'], ['Ah', 'A.h'], ['Wh', 'W.h'], ['kWh', 'kW.h'],
  ['/', '1'], ['%', '1'], ['1', '1'], ['count', '1'], ['beats', '1'],
  ['1/s', '/s'], ['1/min', '/min'], ['beat/min', '/min'], ['EL', 's'],
  ['%RH', '%'], ['%EL', '%'], ['/100', '%'], ['/1000', '[ppth]'], ['ppm', '[ppm]'], ['ppb', '[ppb]'],
]);

/** Units whose zero is not nothing, or whose steps are not equal: they cannot be multiplied by seconds. */
const WITHOUT_INTEGRAL: ReadonlySet<string> = new Set(['Cel', '[pH]', 'dB', 'dB[W]', 'B[SPL]']);
/** Units that say what is measured: it becomes the last part of the name. No SenML name has a `%` or a `#` (§4.5.1). */
const KINDS: ReadonlySet<string> = new Set(['%EL', 'EL']);
const SUM = '#sum';

/** By integer, for CBOR (§6, table 4). The table is conclusive: any other label is text. */
const LABELS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [-1, 'bver'], [-2, 'bn'], [-3, 'bt'], [-4, 'bu'], [-5, 'bv'], [-6, 'bs'],
  [0, 'n'], [1, 'u'], [2, 'v'], [3, 'vs'], [4, 'vb'], [5, 's'], [6, 't'], [7, 'ut'], [8, 'vd'],
]);
const KNOWN_LABELS: ReadonlySet<string> = new Set(LABELS.values());
const VALUE_LABELS = ['v', 'vb', 'vs', 'vd'] as const;

/** The fields of one record by their text labels. A map: labels come from strangers, `__proto__` among them. */
type Fields = ReadonlyMap<string, unknown>;
/** What holds until a later record says otherwise (§4.1). */
type Base = Readonly<{ name: string; time: number; unit?: string; value: number; sum?: number }>;

const UNBASED: Base = { name: '', time: 0, value: 0 };

export const senmlJson: Decoder = {
  name: 'senml-json',
  version: 1,
  decode: (input) => resolve(recordsOf(parseJson(input.payload, MAX_JSON_DEPTH), fieldsOfObject), input),
};

export const senmlCbor: Decoder = {
  name: 'senml-cbor',
  version: 1,
  decode: (input) => resolve(recordsOf(decodeCbor(input.payload, CBOR_RULES), fieldsOfMap), input),
};

/** Pack → record → a decimal fraction → its two numbers, and one more for what extensions may bring. */
const CBOR_RULES: CborRules = { depth: 5, bytes: true, tags: { 4: decimalFraction } };

/** Tag 4 (RFC 8949 §3.4.4), `[exponent, mantissa]`: read as the decimal text that it stands for, so that 273.15 is 273.15. */
function decimalFraction(content: () => unknown): number {
  const parts = content();
  const [exponent, mantissa] = Array.isArray(parts) && parts.length === 2 ? (parts as unknown[]) : [];
  if (!Number.isSafeInteger(exponent) || !(Number.isSafeInteger(mantissa) || typeof mantissa === 'bigint')) {
    throw new DecodeError('wrong_shape', 'a decimal fraction must be two whole numbers');
  }
  return Number(`${String(mantissa)}e${String(exponent)}`);
}

function recordsOf(pack: unknown, fieldsOf: (record: unknown) => Fields): Fields[] {
  if (!Array.isArray(pack) || pack.length === 0) throw new DecodeError('wrong_shape', 'a SenML pack must be an array of at least one record');
  if (pack.length > MAX_RECORDS) throw new DecodeError('too_complex', `${pack.length} records in one pack; at most ${MAX_RECORDS}`);
  const records = pack.map((record) => fieldsOf(record));
  for (const record of records) refuseUnknownMusts(record);
  return records;
}

function fieldsOfObject(record: unknown): Fields {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new DecodeError('wrong_shape', 'a SenML record must be an object');
  }
  return new Map(Object.entries(record));
}

/** Integer labels get their names. A known label as text is refused: ignored, a base time would be silently lost. */
function fieldsOfMap(record: unknown): Fields {
  if (!(record instanceof Map)) throw new DecodeError('wrong_shape', 'a SenML record must be a map');
  const fields = new Map<string, unknown>();
  for (const [key, value] of record as ReadonlyMap<unknown, unknown>) {
    if (typeof key === 'string' && KNOWN_LABELS.has(key)) throw new DecodeError('wrong_shape', `the label "${key}" must be an integer in CBOR`);
    const label = typeof key === 'string' ? key : LABELS.get(key);
    if (label !== undefined) fields.set(label, value);
  }
  return fields;
}

/** Fields that are not known are ignored, unless their label ends in `_`: then an error MUST be generated (§4.4). */
function refuseUnknownMusts(record: Fields): void {
  for (const label of record.keys()) {
    if (label.endsWith('_')) throw new DecodeError('wrong_shape', 'a field that must be understood is not (RFC 8428 §4.4)');
  }
}

function resolve(records: readonly Fields[], { receivedAt }: DecoderInput): Decoded {
  refuseOtherVersions(records);
  const channels: Channel[] = [];
  const rejected: DecodeError[] = [];
  let base = UNBASED;
  for (const record of records) {
    base = baseAfter(base, record);
    for (const read of [valueOf, sumOf]) {
      try {
        const channel = read(record, base, receivedAt);
        if (channel !== undefined) channels.push(channel);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        rejected.push(error);
      }
    }
  }
  return { channels, rejected, notices: [] };
}

/** All records have the same version, 10 where none is given, and a higher one than is understood MUST NOT be used (§4.4). */
function refuseOtherVersions(records: readonly Fields[]): void {
  const first = records[0]?.get('bver') ?? VERSION;
  for (const record of records) {
    if ((record.get('bver') ?? first) !== first) throw new DecodeError('wrong_shape', 'the records of a pack must have the same version');
  }
  if (!Number.isSafeInteger(first) || (first as number) < 1) throw new DecodeError('wrong_shape', '"bver" must be a whole number from 1');
  if ((first as number) > VERSION && first !== VERSION_WITH_SECONDARY_UNITS) {
    throw new DecodeError('wrong_shape', 'this version of SenML is not understood');
  }
}

function baseAfter(before: Base, record: Fields): Base {
  const unit = textIn(record, 'bu') ?? before.unit;
  const sum = numberIn(record, 'bs', 'wrong_shape') ?? before.sum;
  return {
    name: textIn(record, 'bn') ?? before.name,
    time: numberIn(record, 'bt', 'wrong_shape') ?? before.time,
    value: numberIn(record, 'bv', 'wrong_shape') ?? before.value,
    ...(unit === undefined ? {} : { unit }),
    ...(sum === undefined ? {} : { sum }),
  };
}

/** The value of a record; undefined when it has but a sum, or base fields only. */
function valueOf(record: Fields, base: Base, now: UnixMillis): Channel | undefined {
  const [label, ...others] = VALUE_LABELS.filter((each) => record.has(each));
  if (label === undefined) {
    if (record.has('s') || isOnlyBase(record)) return undefined;
    throw new DecodeError('wrong_shape', 'a SenML record must have a value or a sum');
  }
  if (others.length > 0) throw new DecodeError('wrong_shape', 'a SenML record must have one value, not several');
  if (label === 'vs' || label === 'vd') throw new DecodeError('not_a_number', 'text and data of a SenML record are no readings');
  const name = nameOf(record, base);
  if (label === 'vb') return channelOf({ name, value: booleanIn(record), unit: '1' }, record, base, now);
  const symbol = textIn(record, 'u') ?? base.unit;
  const value = finite((numberIn(record, 'v', 'not_a_number') ?? 0) + base.value);
  return channelOf({ name: withKind(name, symbol), value, ...unitFor(symbol) }, record, base, now);
}

/** The integral of a record's value over time (§4.2): in its unit times seconds, hence another channel. */
function sumOf(record: Fields, base: Base, now: UnixMillis): Channel | undefined {
  if (!record.has('s') && (base.sum === undefined || isOnlyBase(record))) return undefined;
  const value = finite((numberIn(record, 's', 'not_a_number') ?? 0) + (base.sum ?? 0));
  const { unit } = unitFor(textIn(record, 'u') ?? base.unit);
  if (unit !== undefined && WITHOUT_INTEGRAL.has(unit)) throw new DecodeError('wrong_unit', 'a sum in this unit has no meaning');
  const name = lengthened(nameOf(record, base), SUM);
  return channelOf({ name, value, ...(unit === undefined ? {} : { unit: unit === '1' ? 's' : `${unit}.s` }) }, record, base, now);
}

/** New base labels start with `b`, and no others do (§12.2). */
function isOnlyBase(record: Fields): boolean {
  for (const label of record.keys()) if (!label.startsWith('b')) return false;
  return true;
}

function channelOf(channel: Channel, record: Fields, base: Base, now: UnixMillis): Channel {
  const time = timeOf((numberIn(record, 't', 'wrong_shape') ?? 0) + base.time, now);
  return time === undefined ? channel : { ...channel, deviceTime: time };
}

/**
 * §4.5.3: from 2^28 on seconds since 1970, below it seconds from now on, mostly negative. 0, which is what a record without
 * a time has, says that the sensor knows none: then there is none, and whoever needs one takes that of the arrival.
 */
function timeOf(seconds: number, now: UnixMillis): UnixMillis | undefined {
  if (seconds === 0) return undefined;
  const time = Math.round(seconds * 1000) + (seconds < FIRST_ABSOLUTE_TIME ? now : 0);
  if (!(Math.abs(time) <= LAST_TIME)) throw new DecodeError('wrong_shape', 'the time of a SenML record is no time');
  return UnixMillis(time);
}

/** §4.5.1. */
const NAME = /^[A-Za-z0-9][-A-Za-z0-9:./_]*$/;

function nameOf(record: Fields, base: Base): string {
  const name = base.name + (textIn(record, 'n') ?? '');
  if (name.length > MAX_NAME_LENGTH) throw new DecodeError('too_complex', `the name of a SenML record has more than ${MAX_NAME_LENGTH} characters`);
  if (!NAME.test(name)) throw new DecodeError('wrong_shape', 'a SenML record has no name, or other characters in it than RFC 8428 §4.5.1 allows');
  return name;
}

function withKind(name: string, symbol: string | undefined): string {
  return symbol !== undefined && KINDS.has(symbol) ? lengthened(name, symbol) : name;
}

function lengthened(name: string, part: string): string {
  const longer = `${name}.${part}`;
  if (longer.length > MAX_NAME_LENGTH) throw new DecodeError('too_complex', `the name of a channel has more than ${MAX_NAME_LENGTH} characters`);
  return longer;
}

/** A unit that is not registered could be any: its number is not believed. No unit at all is allowed (§4.5.2). */
function unitFor(symbol: string | undefined): { unit?: string } {
  if (symbol === undefined) return {};
  const unit = UNITS.get(symbol);
  if (unit === undefined) throw new DecodeError('wrong_unit', 'the unit of a SenML record is not one of the registry');
  return { unit };
}

function textIn(record: Fields, label: string): string | undefined {
  const value = record.get(label);
  if (value === undefined || typeof value === 'string') return value;
  throw new DecodeError('wrong_shape', `"${label}" must be text`);
}

function numberIn(record: Fields, label: string, reason: 'wrong_shape' | 'not_a_number'): number | undefined {
  const value = record.get(label);
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw new DecodeError(reason, `"${label}" must be a finite number`);
}

function booleanIn(record: Fields): 0 | 1 {
  const value = record.get('vb');
  if (typeof value !== 'boolean') throw new DecodeError('not_a_number', '"vb" must be true or false');
  return value ? 1 : 0;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new DecodeError('not_a_number', 'a value and its base value are too large together');
  return value;
}
