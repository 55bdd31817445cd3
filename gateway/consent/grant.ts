import { toHex } from '../ledger/bytes.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborMap, type CborValue } from '../ledger/cbor.ts';
import { isPublicKey, PUBLIC_KEY_BYTES } from '../ledger/es256k.ts';
import { isItemOrClass } from './data-classes.ts';
import { asLine, asWords, fingerprintIn, fromHex, idIn, isLine, LONGEST_NAME, patientIn, periodIn, type Period } from './fields.ts';
import { encodeRecipient, readRecipient, type Recipient } from './recipient.ts';
import { FIDELITIES, isLabel, isPurpose, LABELS, PURPOSES, type Fidelity } from './vocabulary.ts';

/** Bytes of a version of a patient's consents (consents.ts). */
const VERSION_BYTES = 32;

/** Somebody whose agreement is needed. `key`: compressed point, hexadecimal. */
export type Approver = Readonly<{ name: string; key: string }>;

/** So many of these must agree before anything is released. */
export type ApprovalRule = Readonly<{ threshold: number; of: readonly Approver[] }>;

/**
 * What a patient, or who may speak for them, permits or denies. A canonical CBOR map, signed as the domain `grant`. It names a person: it MUST
 * only ever stand in a sealed payload.
 *
 *     { 1: "grant"
 *       2: id         bstr 16, random
 *       3: patient    text, the gateway's subject id
 *       4: by         bstr 16, fingerprint of the key that signs
 *       5: after      bstr 32, the version of the patient's consents it was written for
 *       6: permit     true, or false: deny
 *       7: to         map (recipient.ts)
 *       8: what       set of items and classes (data-classes.ts); absent: all
 *       9: fidelity   text; of a permission only
 *      10: purposes   set of ActReason codes; absent: all, of a denial only
 *      11: from       uint, ms since 1970
 *      12: until      uint, excluded; absent: until it is revoked
 *      13: labels     set; only data with one of them; absent: any data
 *      14: sources    set of texts; only data from these devices or people; absent: any
 *      15: measured   { 1: from, 2: until }; only data that was measured then; absent: at any time
 *      16: approval   { 1: threshold, 2: [ { 1: name, 2: bstr 33 key } … ] }; of a permission only; absent: nobody else is asked }
 *
 * A set is an array in ascending order without repetition, and not empty.
 */
export type Grant = Readonly<{
  kind: 'grant';
  /** Hexadecimal, as `by` and `after`. */
  id: string;
  patient: string;
  by: string;
  after: string;
  permit: boolean;
  to: Recipient;
  what?: readonly string[];
  fidelity?: Fidelity;
  purposes?: readonly string[];
  from: Period['from'];
  until?: NonNullable<Period['until']>;
  labels?: readonly string[];
  sources?: readonly string[];
  measured?: Period;
  approval?: ApprovalRule;
}>;

const MOST_ITEMS = 64;
const MOST_PURPOSES = 16;
const MOST_SOURCES = 32;
const MOST_APPROVERS = 16;

const KEYS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LISTS = [
  [8, 'what', { isKnown: isItemOrClass, wanted: 'a measurement, a kind of event or a class of them', most: MOST_ITEMS }],
  [10, 'purposes', { isKnown: isPurpose, wanted: `one of ${Object.keys(PURPOSES).join(', ')} or HRESCH/study`, most: MOST_PURPOSES }],
  [13, 'labels', { isKnown: isLabel, wanted: `one of ${Object.keys(LABELS).join(', ')}`, most: Object.keys(LABELS).length }],
  [14, 'sources', { isKnown: (text: string): boolean => isLine(text, LONGEST_NAME), wanted: `1 to ${LONGEST_NAME} characters without control characters`, most: MOST_SOURCES }],
] as const;

export function encodeGrant(grant: Grant): CborMap {
  const map = new Map<number, CborValue>([[1, 'grant'], [2, fromHex(grant.id)], [3, grant.patient], [4, fromHex(grant.by)], [5, fromHex(grant.after)], [6, grant.permit], [7, encodeRecipient(grant.to)]]);
  for (const [key, name] of LISTS) if (grant[name] !== undefined) map.set(key, grant[name]);
  if (grant.fidelity !== undefined) map.set(9, grant.fidelity);
  for (const [key, value] of encodePeriod(grant, 11, 12)) map.set(key, value);
  if (grant.measured !== undefined) map.set(15, encodePeriod(grant.measured, 1, 2));
  if (grant.approval !== undefined) map.set(16, new Map<number, CborValue>([[1, grant.approval.threshold], [2, grant.approval.of.map(encodeApprover)]]));
  return map;
}

export const encodePeriod = ({ from, until }: Period, first: number, second: number): ReadonlyMap<number, CborValue> => new Map<number, CborValue>([[first, from], ...(until === undefined ? [] : [[second, until] as const])]);

const encodeApprover = ({ name, key }: Approver): CborMap => new Map<number, CborValue>([[1, name], [2, fromHex(key)]]);

/** Throws {@link CborError} saying what was expected. */
export function readGrant(value: CborValue): Grant {
  const fields = new CborFields(value, 'grant', KEYS);
  const permit = readPermit(asMapValue(value, 6));
  const { from, until } = periodIn(fields, 11, 12, 'grant');
  const grant: Grant = {
    kind: 'grant',
    id: idIn(fields, 2),
    patient: patientIn(fields, 3, 'grant'),
    by: fingerprintIn(fields, 4),
    after: toHex(fields.bytes(5, VERSION_BYTES)),
    permit,
    to: readRecipient(fields.map(7), 'grant key 7'),
    ...Object.fromEntries(LISTS.flatMap(([key, name, rules]) => (fields.has(key) ? [[name, asWords(fields.array(key), `grant key ${key}`, rules)]] : []))),
    ...(fields.has(9) && { fidelity: readFidelity(fields.text(9), 'grant key 9') }),
    from,
    ...(until !== undefined && { until }),
    ...(fields.has(15) && { measured: periodIn(new CborFields(fields.map(15), 'grant key 15', [1, 2]), 1, 2, 'grant key 15') }),
    ...(fields.has(16) && { approval: readApprovalRule(fields.map(16)) }),
  };
  checkSense(grant);
  return grant;
}

const asMapValue = (value: CborValue, key: number): CborValue | undefined => (value as CborMap).get(key);

function readPermit(value: CborValue | undefined): boolean {
  if (typeof value === 'boolean') return value;
  throw new CborError('malformed', 'grant key 6: expected true (permit) or false (deny)');
}

export function readFidelity(text: string, what: string): Fidelity {
  const found = FIDELITIES.find((each) => each === text);
  if (found === undefined) throw new CborError('malformed', `${what}: expected one of ${FIDELITIES.join(', ')}, found ${JSON.stringify(text.slice(0, 40))}`);
  return found;
}

/** What can be said only of a permission, and what a permission must say: nobody permits everything for any reason by leaving something out. */
function checkSense({ permit, fidelity, purposes, approval }: Grant): void {
  if (permit && fidelity === undefined) throw new CborError('malformed', 'grant key 9: a permission says its fidelity');
  if (permit && purposes === undefined) throw new CborError('malformed', 'grant key 10: a permission names its purposes');
  if (!permit && fidelity !== undefined) throw new CborError('malformed', 'grant key 9: a denial has no fidelity');
  if (!permit && approval !== undefined) throw new CborError('malformed', 'grant key 16: a denial needs nobody\u2019s approval');
}

function readApprovalRule(value: CborMap): ApprovalRule {
  const fields = new CborFields(value, 'grant key 16', [1, 2]);
  const list = fields.array(2);
  if (list.length === 0 || list.length > MOST_APPROVERS) throw new CborError('malformed', `grant key 16/2: expected 1 to ${MOST_APPROVERS} approvers, found ${list.length}`);
  const of = list.map((each, index) => readApprover(each, `grant key 16/2/${index}`));
  // One person with two names, or two with one key, would make m of n a smaller m.
  if (new Set(of.map(({ key }) => key)).size < of.length) throw new CborError('malformed', 'grant key 16/2: the same key stands there twice');
  if (new Set(of.map(({ name }) => name)).size < of.length) throw new CborError('malformed', 'grant key 16/2: the same name stands there twice');
  const threshold = fields.count(1, 1);
  if (threshold > of.length) throw new CborError('malformed', `grant key 16/1: expected at most ${of.length}, as many as are named, found ${threshold}`);
  return { threshold, of };
}

function readApprover(value: CborValue, what: string): Approver {
  const fields = new CborFields(value, what, [1, 2]);
  const key = fields.bytes(2, PUBLIC_KEY_BYTES);
  if (!isPublicKey(key)) throw new CborError('malformed', `${what} key 2: expected a compressed point of secp256k1`);
  return { name: asLine(fields.text(1), `${what} key 1`, LONGEST_NAME), key: toHex(key) };
}

