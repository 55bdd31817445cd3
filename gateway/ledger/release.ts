/**
 * What a gateway gives a hospital beside the blocks: payloads of entries, each sealed, and the keys that open them, sealed for this
 * hospital alone. Several travel together, signed by the gateway (COSE_Sign1 in a domain of its own). The payload is a canonical CBOR map:
 *
 *     { 1: 1          version
 *       2: chain      bstr 16
 *       3: recipient  bstr 33, the hospital's public key
 *       4: number     uint, greater with every one for this recipient: what is erased cannot be brought back by an old one
 *       5: keys       array of [ id bstr 8, encapsulated bstr 32, ciphertext bstr ]
 *       6: payloads   array of [ key id bstr 8, entry uint, sealed bstr ]
 *       7: erased     array of key ids, bstr 8: what lies under them is to be destroyed
       8: consents   array of [ key id bstr 8, sealed bstr ], each under a key of 5 (consent/told.ts); absent where there are none }
 *
 * Hospital nodes before there was key 8 refuse a release that has it: a node says that it knows it (`GET /v1/key`, and every answer to a release), and
 * until it does, none is sent. A gateway that never sends any is understood by every node.
 */

import { asArray, asBytes, asCount, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { DOMAINS, openSign1, sign1, verifySign1 } from './cose.ts';
import { PUBLIC_KEY_BYTES, type SignatureCheck, type SigningKey } from './es256k.ts';
import { CHAIN_ID_BYTES } from './genesis.ts';

const RELEASE_VERSION = 1;
export const RELEASE_KEY_BYTES = 8;
const ENCAPSULATED_BYTES = 32;
/** Most keys, payloads or erased keys in one. */
export const MOST_RELEASED = 1000;

/** A content key, sealed for the recipient (vault/release.ts). */
export type ReleasedKey = Readonly<{ id: Uint8Array; encapsulated: Uint8Array; ciphertext: Uint8Array }>;
/** A payload under a content key. `entry`: its number in the chain. */
export type ReleasedPayload = Readonly<{ key: Uint8Array; entry: number; sealed: Uint8Array }>;
/** What somebody permits, under a content key that goes along. */
export type ReleasedConsents = Readonly<{ key: Uint8Array; sealed: Uint8Array }>;

export type Release = Readonly<{
  chain: Uint8Array;
  recipient: Uint8Array;
  number: number;
  keys: readonly ReleasedKey[];
  payloads: readonly ReleasedPayload[];
  erased: readonly Uint8Array[];
  /** Default none. */
  consents?: readonly ReleasedConsents[];
}>;

export function signRelease({ chain, recipient, number, keys, payloads, erased, consents = [] }: Release, key: SigningKey): Uint8Array {
  const payload = encode(new Map<CborKey, CborValue>([
    [1, RELEASE_VERSION], [2, chain], [3, recipient], [4, number],
    [5, keys.map(({ id, encapsulated, ciphertext }) => [id, encapsulated, ciphertext])],
    [6, payloads.map((each) => [each.key, each.entry, each.sealed])],
    [7, erased],
    ...(consents.length === 0 ? [] : [[8, consents.map((each) => [each.key, each.sealed])] as const]),
  ]));
  readRelease(payload);
  return sign1(payload, key, DOMAINS.release);
}

/** Which rule a release broke: do not rename. */
export type ReleaseFault = 'bad_signature' | 'wrong_chain' | 'wrong_recipient';

/**
 * What the gateway with this key gives this recipient in this chain. Returns the broken rule for anything else. Throws {@link CborError} for
 * bytes that are no release.
 */
export function verifyRelease(bytes: Uint8Array, expected: Readonly<{ gateway: Uint8Array; chain: Uint8Array; recipient: Uint8Array }>, check: SignatureCheck): Release | ReleaseFault {
  const envelope = openSign1(bytes);
  const release = readRelease(envelope.payload);
  if (!equal(release.chain, expected.chain)) return 'wrong_chain';
  if (!equal(release.recipient, expected.recipient)) return 'wrong_recipient';
  return verifySign1(envelope, expected.gateway, DOMAINS.release, check) ? release : 'bad_signature';
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function readRelease(bytes: Uint8Array): Release {
  const fields = new CborFields(decode(bytes), 'release', [1, 2, 3, 4, 5, 6, 7, 8]);
  fields.version(1, RELEASE_VERSION);
  const keys = few(fields.array(5)).map((each): ReleasedKey => {
    const [id, encapsulated, ciphertext] = asArray(each, 'key of the release', 3);
    return { id: asBytes(id, 'id of a key', RELEASE_KEY_BYTES), encapsulated: asBytes(encapsulated, 'encapsulated secret', ENCAPSULATED_BYTES), ciphertext: asBytes(ciphertext, 'sealed key') };
  });
  return {
    chain: fields.bytes(2, CHAIN_ID_BYTES),
    recipient: fields.bytes(3, PUBLIC_KEY_BYTES),
    number: fields.count(4, 1),
    keys,
    payloads: few(fields.array(6)).map((each) => {
      const [key, entry, sealed] = asArray(each, 'payload of the release', 3);
      return { key: asBytes(key, 'key of a payload', RELEASE_KEY_BYTES), entry: asCount(entry, 'entry of a payload', 1), sealed: asBytes(sealed, 'sealed payload') };
    }),
    erased: few(fields.array(7)).map((id) => asBytes(id, 'erased key', RELEASE_KEY_BYTES)),
    ...(fields.has(8) && { consents: few(fields.array(8)).map((each) => readConsents(each, keys)) }),
  };
}

function readConsents(value: CborValue, keys: readonly ReleasedKey[]): ReleasedConsents {
  const [id, sealed] = asArray(value, 'consents of the release', 2);
  const key = asBytes(id, 'key of consents', RELEASE_KEY_BYTES);
  if (!keys.some((each) => equal(each.id, key))) throw new CborError('malformed', 'consents of the release: expected the key they lie under beside them');
  return { key, sealed: asBytes(sealed, 'sealed consents') };
}

function few<T>(list: readonly T[]): readonly T[] {
  if (list.length > MOST_RELEASED) throw new CborError('malformed', `${list.length} parts of one kind in a release, at most ${MOST_RELEASED} are allowed`);
  return list;
}

/** The public key that a recipient wants content keys sealed for, signed with the key it is known by: { 1: 1, 2: key bstr 32 }. */
export function signPayloadKey(publicBytes: Uint8Array, key: SigningKey): Uint8Array {
  return sign1(encode(new Map<CborKey, CborValue>([[1, RELEASE_VERSION], [2, publicBytes]])), key, DOMAINS.payloadKey);
}

/** Undefined when it is not signed by that key. Throws {@link CborError} for bytes that are no such thing. */
export function verifyPayloadKey(bytes: Uint8Array, recipient: Uint8Array, check: SignatureCheck): Uint8Array | undefined {
  const envelope = openSign1(bytes);
  const fields = new CborFields(decode(envelope.payload), 'payload key', [1, 2]);
  fields.version(1, RELEASE_VERSION);
  const key = fields.bytes(2, ENCAPSULATED_BYTES);
  return verifySign1(envelope, recipient, DOMAINS.payloadKey, check) ? key : undefined;
}
