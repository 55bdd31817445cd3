/**
 * ES256K: ECDSA over secp256k1 with SHA-256 (RFC 8812 §3.2), signatures as r ‖ s of 32 bytes each. Signing is
 * deterministic (RFC 6979). ECDSA lets anybody turn (r, s) into a second valid (r, n − s), so only the lower s is
 * valid here, and nothing in the chain is ever a hash over a signature.
 *
 * Two back ends give the same verdict on every input: `noble` is the reference, `node` is several times faster.
 */

import { createPublicKey, type KeyObject, verify as verifyNatively } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as sha256Noble } from '@noble/hashes/sha2.js';
import * as secp from '@noble/secp256k1';
import { InternalError } from '../errors.ts';
import { sha256, toHex } from './bytes.ts';

secp.hashes.sha256 = sha256Noble;
secp.hashes.hmacSha256 = (key, message) => hmac(sha256Noble, key, message);

/** A compressed curve point: 02 or 03, then x (SEC 1 §2.3.3). */
export const PUBLIC_KEY_BYTES = 33;
const SECRET_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** Bytes of a key's fingerprint inside formats; people see twice as many hexadecimal digits. */
export const FINGERPRINT_BYTES = 16;

/** `secret` is 32 bytes from 1 to n − 1, `publicKey` its point, compressed. MUST never be logged. */
export type SigningKey = Readonly<{ secret: Uint8Array; publicKey: Uint8Array }>;

/** Judges one signature. MUST return false, never throw, for any bytes that are no valid signature or no valid key. */
export type SignatureCheck = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;

/** The key that belongs to a secret. Throws {@link InternalError} when it is not 32 bytes from 1 to n − 1. */
export function signingKeyFrom(secret: Uint8Array): SigningKey {
  if (secret.length !== SECRET_KEY_BYTES || !secp.utils.isValidSecretKey(secret)) {
    throw new InternalError(`a signing key is ${SECRET_KEY_BYTES} bytes from 1 to the order of secp256k1 less 1`);
  }
  return { secret, publicKey: secp.getPublicKey(secret, true) };
}

/** A fresh secret by rejection, so that every valid one is equally likely. `random(n)` gives n unpredictable bytes. */
export function generateSecret(random: (length: number) => Uint8Array): Uint8Array {
  for (let attempt = 0; attempt < 8; attempt++) {
    const candidate = random(SECRET_KEY_BYTES);
    if (candidate.length === SECRET_KEY_BYTES && secp.utils.isValidSecretKey(candidate)) return candidate;
  }
  // An invalid candidate has probability 2^-128: eight of them mean the source is broken.
  throw new InternalError('the random source gave no valid secret key in 8 attempts');
}

/** The first 16 bytes of SHA-256 of the compressed public key. */
export function fingerprintBytes(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, FINGERPRINT_BYTES);
}

/** The same as 32 hexadecimal digits: how a key is named to people. */
export function fingerprint(publicKey: Uint8Array): string {
  return toHex(fingerprintBytes(publicKey));
}

/** The signature of SHA-256(message): 64 bytes, the lower s, the same for the same message and key. */
export function signES256K(message: Uint8Array, key: SigningKey): Uint8Array {
  return secp.sign(message, key.secret, { lowS: true, format: 'compact' });
}

/** n, the order of the group, and ⌊n ⁄ 2⌋ (SEC 2 §2.4.1), both big-endian. */
const ORDER = Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex');
const HALF_ORDER = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex');
const ZERO = new Uint8Array(32);

/** 64 bytes with 0 < r < n and 0 < s ≤ n ⁄ 2. Asked before either back end, because OpenSSL accepts the higher s. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const r = signature.subarray(0, 32);
  const s = signature.subarray(32);
  return Buffer.compare(r, ZERO) > 0 && Buffer.compare(r, ORDER) < 0 && Buffer.compare(s, ZERO) > 0 && Buffer.compare(s, HALF_ORDER) <= 0;
}

export const verifyWithNoble: SignatureCheck = (message, signature, publicKey) =>
  publicKey.length === PUBLIC_KEY_BYTES && isCanonicalSignature(signature) && secp.verify(signature, message, publicKey, { lowS: true });

/** SubjectPublicKeyInfo (RFC 5480 §2) of a compressed secp256k1 point, up to the point itself. */
const SPKI_HEAD = Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex');

/** Finding the point of a key costs as much as a verification, and a hospital meets the same gateways again and again. */
const KEPT_KEYS = 4096;
const nativeKeys = new Map<string, KeyObject>();

function readNativeKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== PUBLIC_KEY_BYTES) return undefined;
  try {
    return createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' });
  } catch {
    // Head and length are right, so all that can be wrong is the point.
    return undefined;
  }
}

function nativeKey(publicKey: Uint8Array): KeyObject | undefined {
  const name = toHex(publicKey);
  const known = nativeKeys.get(name);
  if (known) return known;
  const key = readNativeKey(publicKey);
  if (key === undefined) return undefined;
  const oldest = nativeKeys.size < KEPT_KEYS ? undefined : nativeKeys.keys().next().value;
  if (oldest !== undefined) nativeKeys.delete(oldest);
  nativeKeys.set(name, key);
  return key;
}

/** Whether the bytes are a compressed point of the curve. */
export function isPublicKey(bytes: Uint8Array): boolean {
  return nativeKey(bytes) !== undefined;
}

export const verifyWithNodeCrypto: SignatureCheck = (message, signature, publicKey) => {
  if (!isCanonicalSignature(signature)) return false;
  const key = nativeKey(publicKey);
  return key !== undefined && verifyNatively('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
};
