/**
 * A COSE receipt (RFC 9942) of inclusion in a lane: another form of the same proof, for programs that know this one. It carries the
 * gateway's signature over the root alone, which is made for it, and no countersignatures.
 *
 *     d2 84
 *        48 a2 01 38 2e 19 01 8b 01                      protected: { 1 (alg): −47, 395 (vds): 1 (RFC9162_SHA256) }
 *        a1 19 01 8c a1 20 81 5x …                       unprotected: { 396 (vdp): { −1 (inclusion): [ proof ] } }
 *        f6                                              payload: detached; it is the root, which the verifier finds
 *        58 40 …                                         signature
 *
 * `proof` is a byte string that holds the CBOR array [ tree size, leaf index, [ hash… ] ] (RFC 9942 §5.2). Media type
 * `application/scitt-receipt+cose`, extension `.receipt` (RFC 9943).
 */

import { asArray, asBytes, asCount, asMap } from './cbor-fields.ts';
import { CborError, decode, encode, Tagged, type CborKey, type CborValue } from './cbor.ts';
import { equalBytes, HASH_BYTES } from './bytes.ts';
import { SIGN1_TAG } from './cose.ts';
import { SIGNATURE_BYTES, signES256K, type SignatureCheck, type SigningKey } from './es256k.ts';
import { leafHash } from './merkle.ts';
import { ProofRejected, rootFrom } from './merkle-proof.ts';

const PROTECTED = Uint8Array.of(0xa2, 0x01, 0x38, 0x2e, 0x19, 0x01, 0x8b, 0x01);
const PROOFS = 396;
const INCLUSION = -1;
const MOST_HASHES = 63;

export type CoseReceipt = Readonly<{ size: number; index: number; path: readonly Uint8Array[]; signature: Uint8Array }>;

/** Sig_structure (RFC 9052 §4.4) without external data: other bytes than those under a block or a receipt of a hospital. */
const signedRoot = (root: Uint8Array): Uint8Array => encode(['Signature1', PROTECTED, new Uint8Array(), root]);

export function signCoseReceipt({ size, index, path, root }: Omit<CoseReceipt, 'signature'> & Readonly<{ root: Uint8Array }>, key: SigningKey): Uint8Array {
  const proof = encode([size, index, path]);
  const unprotected = new Map<CborKey, CborValue>([[PROOFS, new Map<CborKey, CborValue>([[INCLUSION, [proof]]])]]);
  return encode(new Tagged(SIGN1_TAG, [PROTECTED, unprotected, null, signES256K(signedRoot(root), key)]), { tags: [SIGN1_TAG] });
}

/** Throws {@link CborError} for what is no such receipt. */
export function readCoseReceipt(bytes: Uint8Array): CoseReceipt {
  const value = decode(bytes, { tags: [SIGN1_TAG] });
  if (!(value instanceof Tagged) || value.tag !== SIGN1_TAG) throw new CborError('malformed', `expected COSE_Sign1, tag ${SIGN1_TAG}`);
  const [head, unprotected, payload, signature] = asArray(value.value as CborValue, 'COSE_Sign1', 4);
  if (!equalBytes(asBytes(head, 'protected header'), PROTECTED)) throw new CborError('malformed', 'protected header: expected ES256K and the tree of RFC 9162');
  if (payload !== null) throw new CborError('malformed', 'payload: expected none, for the root is found');
  const proofs = asMap(asMap(unprotected, 'unprotected header').get(PROOFS), 'proofs (396)');
  const [proof] = asArray(proofs.get(INCLUSION), 'inclusion proofs (−1)', 1);
  const [size, index, path] = asArray(decode(asBytes(proof, 'inclusion proof')), 'inclusion proof', 3);
  const hashes = asArray(path, 'path');
  if (hashes.length > MOST_HASHES) throw new CborError('malformed', `${hashes.length} hashes are over the limit of ${MOST_HASHES}`);
  return {
    size: asCount(size, 'tree size', 1), index: asCount(index, 'leaf index'), path: hashes.map((hash, i) => asBytes(hash, `hash ${i}`, HASH_BYTES)),
    signature: asBytes(signature, 'signature', SIGNATURE_BYTES),
  };
}

/**
 * Whether the gateway's key says that the entry is in a tree of its. Throws {@link CborError} and {@link ProofRejected}, the latter
 * `wrong_root` when the key has not signed the root that the entry leads to.
 */
export function verifyCoseReceipt(bytes: Uint8Array, entry: Uint8Array, gateway: Uint8Array, check: SignatureCheck): Readonly<{ size: number; index: number; root: Uint8Array }> {
  const { size, index, path, signature } = readCoseReceipt(bytes);
  const root = rootFrom(leafHash(entry), index, size, path);
  if (!check(signedRoot(root), signature, gateway)) throw new ProofRejected('wrong_root', 'the entry does not lead to a root that this gateway signed');
  return { size, index, root };
}
