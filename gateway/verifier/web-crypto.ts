/**
 * What the modules that verify use of node:crypto and node:timers, by @noble alone: the page is bundled with this in their place.
 * `createPublicKey` is asked for nothing but whether bytes are a point of secp256k1.
 */

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import * as secp from '@noble/secp256k1';

const POINT_BYTES = 33;

/** As Node's `hash('sha256', bytes, 'binary')`: Latin-1 text, a character for each byte. */
export const hash = (_algorithm: 'sha256', bytes: Uint8Array, _encoding: 'binary'): string => Buffer.from(sha256(bytes)).toString('latin1');

/** `key`: SubjectPublicKeyInfo, which ends with the compressed point. Throws for bytes that are no point of the curve. */
export function createPublicKey({ key }: Readonly<{ key: Uint8Array }>): object {
  return secp.Point.fromBytes(key.subarray(key.length - POINT_BYTES));
}

/** The page verifies with @noble itself. */
export function verify(): never {
  throw new Error('there is no node:crypto in a browser');
}

export const setImmediate = (): Promise<void> => Promise.resolve();

/** As ledger/ed25519.ts judges. */
export function verifyEd25519(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    // RFC 8032 as OpenSSL follows it: no cofactor, canonical encodings alone.
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}
