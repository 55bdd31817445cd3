/**
 * What the chain says about one thing that happened. An entry is public to every node that replicates the chain: it
 * names its subject by pseudonym and holds health data only as a commitment; the data itself travels beside the block.
 */

import { UnixMillis } from '../quantity.ts';
import { equalBytes, HASH_BYTES, sha256 } from './bytes.ts';
import { asText, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';

/**
 * `key_rotation` and `membership` carry a change of who may speak for the chain (change.ts), `erasure` names keys that were destroyed, and nobody.
 * `evidence` is the hash of a journal range, `gap` says what was dropped, how much and why, `order` is what people decided about watching. The words are in the signed
 * bytes: a word may be added, never renamed.
 */
export const ENTRY_KINDS = [
  'event', 'summary', 'evidence', 'device', 'binding', 'contract', 'consent', 'approval', 'disclosure', 'acknowledgement',
  'notary', 'medicine', 'receipt', 'key_rotation', 'clock', 'gap', 'order', 'erasure', 'membership',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

export const PSEUDONYM_BYTES = 16;
export const SALT_BYTES = 32;
/** The limit of an entry in a tile bundle, whose length prefix is 16 bits (C2SP tlog-tiles); no entry comes near it. */
export const MAX_ENTRY_BYTES = 65_535;

/** What may stand in the public fields: whole numbers, text, bytes, and arrays of these. No fractions: scale them. */
export type FieldValue = number | string | Uint8Array | readonly FieldValue[];

/**
 * One entry. Its bytes are a canonical CBOR map:
 *
 *     { 1: kind      text, one of ENTRY_KINDS
 *       2: sequence  uint, from 1
 *       3: time      uint, milliseconds since 1970-01-01T00:00:00Z
 *       4: subject   bstr 16, absent where the entry is about no subject
 *       5: fields    map of text to uint / nint / text / bstr / array of these, may be empty
 *       6: commit    bstr 32, absent where there is no payload }
 */
export type Entry = Readonly<{
  kind: EntryKind;
  /** Number among all entries of the gateway, both lanes together, from 1. Within a lane strictly increasing. */
  sequence: number;
  /** The gateway's wall clock when the entry was derived. It orders nothing. */
  time: UnixMillis;
  /** Pseudonym of the patient or room, 16 bytes. MUST NOT be a name or a plain hash of one. */
  subject?: Uint8Array;
  /** MUST NOT hold health data of an identifiable person. */
  fields: ReadonlyMap<string, FieldValue>;
  /** {@link commitment} to the payload that travels beside the block, 32 bytes. */
  commit?: Uint8Array;
}>;

/** The one encoding of an entry. Throws {@link CborError} when a field has no encoding or the result is over {@link MAX_ENTRY_BYTES}. */
export function encodeEntry(entry: Entry): Uint8Array {
  const map = new Map<CborKey, CborValue>([[1, entry.kind], [2, entry.sequence], [3, entry.time]]);
  if (entry.subject) map.set(4, entry.subject);
  map.set(5, entry.fields);
  if (entry.commit) map.set(6, entry.commit);
  const bytes = encode(map);
  readEntry(map);
  checkEntrySize(bytes);
  return bytes;
}

/** The entry these bytes encode. Throws {@link CborError} for anything that {@link encodeEntry} does not make. */
export function decodeEntry(bytes: Uint8Array): Entry {
  checkEntrySize(bytes);
  return readEntry(decode(bytes));
}

function checkEntrySize(bytes: Uint8Array): void {
  if (bytes.length > MAX_ENTRY_BYTES) {
    throw new CborError('malformed', `an entry of ${bytes.length} bytes is over the limit of ${MAX_ENTRY_BYTES}`);
  }
}

function readEntry(value: CborValue): Entry {
  const fields = new CborFields(value, 'entry', [1, 2, 3, 4, 5, 6]);
  return {
    kind: readKind(fields.text(1)),
    sequence: fields.count(2, 1),
    time: UnixMillis(fields.count(3)),
    ...(fields.has(4) && { subject: fields.bytes(4, PSEUDONYM_BYTES) }),
    fields: readPublicFields(fields.map(5)),
    ...(fields.has(6) && { commit: fields.bytes(6, HASH_BYTES) }),
  };
}

function readKind(text: string): EntryKind {
  const kind = ENTRY_KINDS.find((known) => known === text);
  if (kind === undefined) throw new CborError('malformed', `entry key 1: "${text}" is not a kind of entry`);
  return kind;
}

function readPublicFields(map: ReadonlyMap<CborKey, CborValue>): ReadonlyMap<string, FieldValue> {
  for (const [key, value] of map) checkFieldValue(value, `entry field ${asText(key, 'name of an entry field')}`);
  return map as ReadonlyMap<string, FieldValue>;
}

function checkFieldValue(value: CborValue, what: string): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly CborValue[]) checkFieldValue(item, what);
  } else if (typeof value !== 'number' && typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new CborError('malformed', `${what}: expected a whole number, text, bytes or an array of these`);
  }
}

/**
 * SHA-256(salt ‖ payload): binds the payload and, because the 32-byte salt is unknown, says nothing about it. Destroying
 * the salt with the payload's key makes the commitment as good as random; the block still verifies.
 */
export function commitment(salt: Uint8Array, payload: Uint8Array): Uint8Array {
  if (salt.length !== SALT_BYTES) throw new CborError('malformed', `a salt has ${SALT_BYTES} bytes, not ${salt.length}`);
  return sha256(Buffer.concat([salt, payload]));
}

/** Whether the payload and its salt are what the entry committed to. */
export function matchesCommitment(entry: Entry, salt: Uint8Array, payload: Uint8Array): boolean {
  return entry.commit !== undefined && equalBytes(entry.commit, commitment(salt, payload));
}
