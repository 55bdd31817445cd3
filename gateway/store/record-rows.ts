/** How the index of records lies in an engine (the keys are drawn in keys.ts). Values are canonical CBOR. */

import { messageOf, StoreError } from '../errors.ts';
import { asArray, asBytes, asCount, asText, CborFields } from '../ledger/cbor-fields.ts';
import { CborError, decode, encode, type CborKey, type CborValue } from '../ledger/cbor.ts';
import { readLane } from '../ledger/lane.ts';
import { UnixMillis } from '../quantity.ts';
import { RECORD_KINDS, type RecordKind } from '../records/record.ts';
import type { Arrival, PersonRow, ProjectionState, RecordRow } from '../records/record-store.ts';
import type { Change } from './key-value.ts';
import { arrivalKey, numberAt, recordKey, recordOfEntryKey, recordOfPersonKey, recordUnderKey } from './keys.ts';

const VERSION = 1;
const CHAIN_LENGTH = 16;
const NUMBER_LENGTH = 8;

/** Reads a value. Throws `VG_STORE_CORRUPT` for one that says something else. */
function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause;
    throw new StoreError('VG_STORE_CORRUPT', `${what} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/**
 *     { 1: 1, 2: chain, 3: content key, 4: entry, 5: arrived, 6: lane, 7: height, 8: block hash, 9: kind, 10: time, 11: commitment, 12: person,
 *       13: whether it is whole, 0 or 1, 14: seconds and 15: late of a summary }
 */
function encodeRecord(row: RecordRow): Uint8Array {
  const map = new Map<CborKey, CborValue>([
    [1, VERSION], [2, row.chain], [3, row.key], [4, row.entry], [5, row.arrived], [6, row.lane], [7, row.height], [8, row.blockHash], [9, row.kind],
    [10, row.time], [11, row.commit], [12, Buffer.from(row.person, 'hex')], [13, row.isWhole ? 1 : 0],
  ]);
  if (row.seconds !== undefined) map.set(14, row.seconds);
  if (row.late !== undefined) map.set(15, row.late);
  return encode(map);
}

export const decodeRecord = (key: Uint8Array, value: Uint8Array): RecordRow => reading('a record', () => {
  const fields = new CborFields(decode(value), 'record', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  fields.version(1, VERSION);
  return {
    number: numberAt(key, 2), chain: fields.bytes(2), key: fields.bytes(3), entry: fields.count(4), arrived: UnixMillis(fields.count(5)), lane: readLane(fields.text(6)),
    height: fields.count(7), blockHash: fields.bytes(8), kind: kindIn(fields.text(9)), time: UnixMillis(fields.count(10)), commit: fields.bytes(11),
    person: hex(fields.bytes(12)), isWhole: fields.count(13) === 1,
    ...(fields.has(14) && { seconds: fields.count(14) }), ...(fields.has(15) && { late: fields.count(15) }),
  };
});

function kindIn(text: string): RecordKind {
  const kind = RECORD_KINDS.find((each) => each === text);
  if (kind === undefined) throw new CborError('malformed', `record key 9: "${text}" is no kind of record`);
  return kind;
}

/** Every key that leads to a record. */
const keysOf = ({ number, chain, key, entry, person, time }: RecordRow): readonly Buffer[] => [recordOfEntryKey(chain, entry), recordUnderKey(chain, key, entry), recordOfPersonKey(person, time, number)];

export function recordPuts(row: RecordRow): readonly Change[] {
  const number = numberBytes(row.number);
  return [{ key: recordKey(row.number), value: encodeRecord(row) }, ...keysOf(row).map((key) => ({ key, value: number }))];
}

export const recordRemovals = (row: RecordRow): readonly Change[] => [recordKey(row.number), ...keysOf(row)].map((key) => ({ key }));

/** { 1: 1, 2: keys, 3: [ [ key, [ entry ] ] ], 4: erased, 5: [ key, first entry ] }, the last only where there is one */
export function arrivalPut({ arrived, chain, number, part, keys, payloads, erased, under }: Arrival): Change {
  const map = new Map<CborKey, CborValue>([[1, VERSION], [2, keys], [3, payloads.map(({ key, entries }) => [key, entries])], [4, erased]]);
  if (under !== undefined) map.set(5, [under.key, under.from]);
  return { key: arrivalKey(arrived, chain, number, part), value: encode(map) };
}

export const decodeArrival = (key: Uint8Array, value: Uint8Array): Arrival => reading('an arrival', () => {
  const fields = new CborFields(decode(value), 'arrival', [1, 2, 3, 4, 5]);
  fields.version(1, VERSION);
  const chainAt = 1 + NUMBER_LENGTH;
  const numberFrom = chainAt + CHAIN_LENGTH;
  const bytesIn = (each: CborValue): Uint8Array => asBytes(each, 'content key');
  return {
    arrived: UnixMillis(numberAt(key, 1)), chain: Uint8Array.from(key.subarray(chainAt, numberFrom)), number: numberAt(key, numberFrom), part: Buffer.from(key).readUInt32BE(numberFrom + NUMBER_LENGTH),
    keys: fields.array(2).map(bytesIn),
    payloads: fields.array(3).map((each) => {
      const [id, entries] = asArray(each, 'payloads of an arrival', 2);
      return { key: asBytes(id, 'content key'), entries: asArray(entries, 'entries of an arrival').map((entry) => asCount(entry, 'entry')) };
    }),
    erased: fields.array(4).map(bytesIn),
    ...(fields.has(5) && { under: underIn(fields.array(5, 2)) }),
  };
});

const underIn = ([key, from]: readonly CborValue[]): NonNullable<Arrival['under']> => ({ key: asBytes(key, 'content key'), from: asCount(from, 'first entry') });

/** { 1: 1, 2: "patient" or "room", 3: order, 4: chain, 5: [ pseudonym ], 6: [ chain and id of a content key ], 7: [ person ], 8: person }, the last only where there is one */
export function encodePerson({ kind, order, chain, pseudonyms, keys, also, into }: PersonRow): Uint8Array {
  const bytesOf = (list: readonly string[]): readonly Uint8Array[] => list.map((each) => Buffer.from(each, 'hex'));
  const map = new Map<CborKey, CborValue>([[1, VERSION], [2, kind], [3, order], [4, chain], [5, bytesOf(pseudonyms)], [6, bytesOf(keys)], [7, bytesOf(also)]]);
  if (into !== undefined) map.set(8, Buffer.from(into, 'hex'));
  return encode(map);
}

export const decodePerson = (key: Uint8Array, value: Uint8Array): PersonRow => reading('a person', () => {
  const fields = new CborFields(decode(value), 'person', [1, 2, 3, 4, 5, 6, 7, 8]);
  fields.version(1, VERSION);
  const hexIn = (field: number): readonly string[] => fields.array(field).map((each) => hex(asBytes(each, 'pseudonym')));
  const kind = fields.text(2);
  if (kind !== 'patient' && kind !== 'room') throw new CborError('malformed', `person key 2: "${kind}" is neither a patient nor a room`);
  return {
    person: hex(key.subarray(2)), kind, order: fields.count(3), chain: fields.bytes(4), pseudonyms: hexIn(5), keys: hexIn(6), also: hexIn(7),
    ...(fields.has(8) && { into: hex(fields.bytes(8)) }),
  };
});

/** { 1: 1, 2: newest, 3: people, 4: opened, 5: bad, 6: whether what was here before is queued, 0 or 1 } */
export const encodeProjection = ({ newest, people, opened, bad, hasQueuedOld }: ProjectionState): Uint8Array =>
  encode(new Map<CborKey, CborValue>([[1, VERSION], [2, newest], [3, people], [4, opened], [5, bad], [6, hasQueuedOld ? 1 : 0]]));

export const decodeProjection = (value: Uint8Array | undefined): ProjectionState => reading('how far records are opened', () => {
  if (value === undefined) return { newest: 0, people: 0, opened: 0, bad: 0, hasQueuedOld: false };
  const fields = new CborFields(decode(value), 'projection', [1, 2, 3, 4, 5, 6]);
  fields.version(1, VERSION);
  return { newest: fields.count(2), people: fields.count(3), opened: fields.count(4), bad: fields.count(5), hasQueuedOld: fields.count(6) === 1 };
});

/** [ system, value ] or [ system, value, name ] */
export const encodeIdentity = ({ system, value, name }: Readonly<{ system: string; value: string; name?: string }>): Uint8Array => encode([system, value, ...(name === undefined ? [] : [name])]);

export const decodeIdentity = (bytes: Uint8Array): Readonly<{ system: string; value: string; name?: string }> => reading('an identity', () => {
  const [system, value, name] = asArray(decode(bytes), 'identity');
  return { system: asText(system, 'system'), value: asText(value, 'identifier'), ...(name !== undefined && { name: asText(name, 'name') }) };
});

/** A content key as it came: [ encapsulated secret, ciphertext ]. */
export const encodeSealedKey = ({ encapsulated, ciphertext }: Readonly<{ encapsulated: Uint8Array; ciphertext: Uint8Array }>): Uint8Array => encode([encapsulated, ciphertext]);

export const decodeSealedKey = (value: Uint8Array): Readonly<{ encapsulated: Uint8Array; ciphertext: Uint8Array }> => reading('a released key', () => {
  const [encapsulated, ciphertext] = asArray(decode(value), 'released key', 2);
  return { encapsulated: asBytes(encapsulated, 'encapsulated secret'), ciphertext: asBytes(ciphertext, 'sealed key') };
});

export function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_LENGTH);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

