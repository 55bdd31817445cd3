/**
 * A change of who may speak for a chain, as its signers say it. The statement is a canonical CBOR map:
 *
 *     { 1: 1          version
 *       2: type       "rotation", "replacement" or "membership"
 *       3: chain      bstr 16
 *       4: number     uint, of the authority after the change
 *       5: expires    uint, milliseconds since 1970-01-01T00:00:00Z, absent: never
 *       6: gateway    bstr 33, the new key; rotation and replacement
 *       7: hospitals  array of [ name text, key bstr 33 ]; replacement and membership
 *       8: quorum     uint; replacement and membership
 *       9: last       [ alarm uint, record uint ], the last heights that count of the old key; replacement }
 *
 * Several sign the same bytes, so they stand once and the signatures beside them, in any order:
 *
 *     [ statement bstr, [ [ key bstr 33, signature bstr 64 ], ... ] ]
 *
 * Each signature is that of a COSE_Sign1 (cose.ts) over the statement, in the domain of its type. Who has to sign says succession.ts.
 */

import { UnixMillis } from '../quantity.ts';
import type { Lane } from '../reading.ts';
import { equalBytes, toHex } from './bytes.ts';
import { asArray, asBytes, asCount, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { DOMAINS, signedBytes, verifySign1 } from './cose.ts';
import { PUBLIC_KEY_BYTES, signES256K, SIGNATURE_BYTES, type SignatureCheck, type SigningKey } from './es256k.ts';
import { CHAIN_ID_BYTES, type Hospital, hospitalsValue, readHospitals } from './genesis.ts';

const CHANGE_VERSION = 1;
/** Longest signed change in bytes: what an entry holds beside its other fields. */
const MAX_CHANGE_BYTES = 64_000;

type Bound = Readonly<{ chain: Uint8Array; /** Of the authority after the change. */ number: number; /** It may not enter the chain later. */ expires?: UnixMillis }>;

/** The old gateway key names the new one. */
export type Rotation = Bound & Readonly<{ type: 'rotation'; gateway: Uint8Array }>;

/** The hospitals name another gateway key, because the gateway or its key is lost or stolen. It says the whole authority anew. */
export type Replacement = Bound & Readonly<{
  type: 'replacement';
  gateway: Uint8Array;
  hospitals: readonly Hospital[];
  quorum: number;
  /** The last blocks of each lane that count of the old key: the next block carries this and is the new key's. */
  last: Readonly<Record<Lane, number>>;
}>;

/** Hospitals join or leave, or the quorum changes. */
export type Membership = Bound & Readonly<{ type: 'membership'; hospitals: readonly Hospital[]; quorum: number }>;

export type Change = Rotation | Replacement | Membership;

export type ChangeSignature = Readonly<{ key: Uint8Array; signature: Uint8Array }>;

/** A change as it was signed. `statement` are the signed bytes, `change` what they say. */
export type SignedChange = Readonly<{ statement: Uint8Array; change: Change; signatures: readonly ChangeSignature[] }>;

/** The one encoding of a statement. Throws {@link CborError} for one that cannot be read back. */
function encodeChange(change: Change): Uint8Array {
  const map = new Map<CborKey, CborValue>([[1, CHANGE_VERSION], [2, change.type], [3, change.chain], [4, change.number]]);
  if (change.expires !== undefined) map.set(5, change.expires);
  if (change.type !== 'membership') map.set(6, change.gateway);
  if (change.type !== 'rotation') map.set(7, hospitalsValue(change.hospitals)).set(8, change.quorum);
  if (change.type === 'replacement') map.set(9, [change.last.alarm, change.last.record]);
  const bytes = encode(map);
  decodeChange(bytes);
  return bytes;
}

const KEYS_OF = { rotation: [6], replacement: [6, 7, 8, 9], membership: [7, 8] } as const;

/** Throws {@link CborError}. Whether the keys and the quorum are possible is judged with the authority they change. */
function decodeChange(bytes: Uint8Array): Change {
  const value = decode(bytes);
  const type = typeOf(new CborFields(value, 'change', [1, 2, 3, 4, 5, 6, 7, 8, 9]).text(2));
  const fields = new CborFields(value, type, [1, 2, 3, 4, 5, ...KEYS_OF[type]]);
  fields.version(1, CHANGE_VERSION);
  const bound = { chain: fields.bytes(3, CHAIN_ID_BYTES), number: fields.count(4, 1), ...(fields.has(5) && { expires: UnixMillis(fields.count(5)) }) };
  if (type === 'rotation') return { type, ...bound, gateway: fields.bytes(6, PUBLIC_KEY_BYTES) };
  const members = { hospitals: readHospitals(fields.array(7)), quorum: fields.count(8) };
  if (type === 'membership') return { type, ...bound, ...members };
  const [alarm, record] = fields.array(9, 2);
  const last = { alarm: asCount(alarm, 'last height of lane alarm'), record: asCount(record, 'last height of lane record') };
  return { type, ...bound, gateway: fields.bytes(6, PUBLIC_KEY_BYTES), ...members, last };
}

function typeOf(text: string): Change['type'] {
  if (text === 'rotation' || text === 'replacement' || text === 'membership') return text;
  throw new CborError('malformed', `change key 2: "${text}" is not a type of change`);
}

/** One more signature under a statement. */
export function signChange({ change, statement }: Pick<SignedChange, 'change' | 'statement'>, key: SigningKey): ChangeSignature {
  return { key: key.publicKey, signature: signES256K(signedBytes(statement, DOMAINS[change.type]), key) };
}

/** A change that nobody has signed yet. */
export const unsigned = (change: Change): SignedChange => ({ statement: encodeChange(change), change, signatures: [] });

/** The change with further signatures. */
export const withSignatures = (signed: SignedChange, more: readonly ChangeSignature[]): SignedChange => ({ ...signed, signatures: inOrder([...signed.signatures, ...more]) });

/**
 * The signatures of several copies of one statement. Of a key that signed more than once one stands, a good one if there is one. Throws a
 * `malformed` {@link CborError} when the copies say different things.
 */
export function collect(first: SignedChange, others: readonly SignedChange[], check: SignatureCheck): SignedChange {
  const other = others.find(({ statement }) => !equalBytes(statement, first.statement));
  if (other !== undefined) throw new CborError('malformed', 'the signatures are under different statements');
  const all = [first, ...others].flatMap(({ signatures }) => signatures);
  return { ...first, signatures: inOrder([...all.filter((each) => isGood(first, each, check)), ...all]) };
}

/** Whether this is a signature of `key` under the statement. Never throws. */
function isGood({ change, statement }: Pick<SignedChange, 'change' | 'statement'>, { key, signature }: ChangeSignature, check: SignatureCheck): boolean {
  return verifySign1({ payload: statement, signature }, key, DOMAINS[change.type], check);
}

/** Which of these keys have signed, each once, in the order asked for. Keys nobody asks for count for nothing. */
export function signersAmong(signed: SignedChange, keys: readonly Uint8Array[], check: SignatureCheck): readonly Uint8Array[] {
  return keys.filter((key) => signed.signatures.some((each) => equalBytes(each.key, key) && isGood(signed, each, check)));
}

/** By key, each key once, the first of it. */
function inOrder(signatures: readonly ChangeSignature[]): readonly ChangeSignature[] {
  const byKey = new Map<string, ChangeSignature>();
  for (const each of signatures) if (!byKey.has(toHex(each.key))) byKey.set(toHex(each.key), each);
  return [...byKey.values()].sort((a, b) => Buffer.compare(a.key, b.key));
}

/** Throws {@link CborError} when it is over {@link MAX_CHANGE_BYTES}. */
export function encodeSignedChange({ statement, signatures }: Pick<SignedChange, 'statement' | 'signatures'>): Uint8Array {
  const bytes = encode([statement, signatures.map(({ key, signature }) => [key, signature])]);
  checkSize(bytes);
  return bytes;
}

/** Throws {@link CborError}. No signature is judged. */
export function decodeSignedChange(bytes: Uint8Array): SignedChange {
  checkSize(bytes);
  const [statement, signatures] = asArray(decode(bytes), 'signed change', 2);
  const payload = asBytes(statement, 'statement of the change');
  return {
    statement: payload,
    change: decodeChange(payload),
    signatures: asArray(signatures, 'signatures of the change').map((each, index) => {
      const [key, signature] = asArray(each, `signature ${index}`, 2);
      return { key: asBytes(key, `key of signature ${index}`, PUBLIC_KEY_BYTES), signature: asBytes(signature, `signature ${index}`, SIGNATURE_BYTES) };
    }),
  };
}

function checkSize(bytes: Uint8Array): void {
  if (bytes.length > MAX_CHANGE_BYTES) throw new CborError('malformed', `a change of ${bytes.length} bytes is over the limit of ${MAX_CHANGE_BYTES}`);
}
