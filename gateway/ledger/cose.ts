/**
 * COSE_Sign1 (RFC 9052 §4.2) with ES256K and nothing optional, so that one payload and one key give one envelope.
 *
 *     d2                      tag 18
 *        84                   array of 4
 *           44 a1 01 38 2e    protected header, a byte string: { 1 (alg): −47 (ES256K, RFC 8812) }
 *           a0                unprotected header: an empty map
 *           58 xx ...         payload, a byte string, embedded
 *           58 40 ...         signature, 64 bytes r ‖ s, the lower s
 *
 * The signature is over the encoded `["Signature1", protected, external_aad, payload]`. `external_aad` is never sent; it
 * names what the payload is, so that a valid block can never be presented as a receipt, or the other way round.
 */

import { asArray, asBytes, asMap } from './cbor-fields.ts';
import { CborError, type CborValue, decode, encode, Tagged } from './cbor.ts';
import { equalBytes } from './bytes.ts';
import { signES256K, SIGNATURE_BYTES, type SignatureCheck, type SigningKey, verifyWithNoble } from './es256k.ts';

/** CBOR tag of COSE_Sign1 (RFC 9052 §2, Table 1). */
export const SIGN1_TAG = 18;

/** What a signed payload is: the external_aad of its signature, as UTF-8. */
export const DOMAINS = {
  block: 'vitalgate/block/1',
  receipt: 'vitalgate/receipt/1',
  rotation: 'vitalgate/rotation/1',
  replacement: 'vitalgate/replacement/1',
  membership: 'vitalgate/membership/1',
  release: 'vitalgate/release/1',
  payloadKey: 'vitalgate/payload-key/1',
  grant: 'vitalgate/grant/1',
  revocation: 'vitalgate/revocation/1',
  approval: 'vitalgate/approval/1',
  hospitalNote: 'vitalgate/hospital-note/1',
  hospitalNotesAsked: 'vitalgate/hospital-notes-asked/1',
  tls: 'vitalgate/tls/1',
} as const;
export type Domain = (typeof DOMAINS)[keyof typeof DOMAINS];

/** An envelope that was taken apart. Nothing is known about the signature but its length. */
export type Sign1 = Readonly<{ payload: Uint8Array; signature: Uint8Array }>;

const PROTECTED = Uint8Array.of(0xa1, 0x01, 0x38, 0x2e);

/** The bytes under the signature: Sig_structure (RFC 9052 §4.4). */
export function signedBytes(payload: Uint8Array, domain: Domain): Uint8Array {
  return encode(['Signature1', PROTECTED, new TextEncoder().encode(domain), payload]);
}

/** The envelope as a value, to be put inside another item. */
export function sign1Value(payload: Uint8Array, key: SigningKey, domain: Domain): Tagged {
  return new Tagged(SIGN1_TAG, [PROTECTED, new Map(), payload, signES256K(signedBytes(payload, domain), key)]);
}

/** The envelope as bytes. */
export function sign1(payload: Uint8Array, key: SigningKey, domain: Domain): Uint8Array {
  return encode(sign1Value(payload, key, domain), { tags: [SIGN1_TAG] });
}

/** The bytes of an envelope that was taken apart. */
export const encodeSign1 = ({ payload, signature }: Sign1): Uint8Array => encode(new Tagged(SIGN1_TAG, [PROTECTED, new Map(), payload, signature]), { tags: [SIGN1_TAG] });

/** Takes a decoded envelope apart. Throws a `malformed` {@link CborError} for another structure, algorithm or header. */
export function openSign1Value(value: CborValue | undefined): Sign1 {
  if (!(value instanceof Tagged) || value.tag !== SIGN1_TAG) throw new CborError('malformed', `expected COSE_Sign1, tag ${SIGN1_TAG}`);
  const parts = asArray(value.value as CborValue, 'COSE_Sign1', 4);
  if (!equalBytes(asBytes(parts[0], 'COSE_Sign1 protected header'), PROTECTED)) {
    throw new CborError('malformed', 'COSE_Sign1 protected header: expected a101382e, algorithm ES256K and nothing else');
  }
  if (asMap(parts[1], 'COSE_Sign1 unprotected header').size > 0) {
    throw new CborError('malformed', 'COSE_Sign1 unprotected header: expected an empty map');
  }
  return { payload: asBytes(parts[2], 'COSE_Sign1 payload'), signature: asBytes(parts[3], 'COSE_Sign1 signature', SIGNATURE_BYTES) };
}

/** Takes the bytes of an envelope apart. Throws {@link CborError}. */
export function openSign1(bytes: Uint8Array): Sign1 {
  return openSign1Value(decode(bytes, { tags: [SIGN1_TAG] }));
}

/** Whether `publicKey` (33 bytes) signed this payload as that domain. Never throws. */
export function verifySign1(envelope: Sign1, publicKey: Uint8Array, domain: Domain, check: SignatureCheck = verifyWithNoble): boolean {
  return check(signedBytes(envelope.payload, domain), envelope.signature, publicKey);
}
