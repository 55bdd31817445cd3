/** Ed25519 (RFC 8032) by Node's own library: for the line of a checkpoint that public witnesses understand. */

import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { Ed25519Check } from './note-keys.ts';

const SEED_BYTES = 32;
/** PKCS #8 and SubjectPublicKeyInfo (RFC 8410 §4, §7) up to the key. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** `seed`: 32 unpredictable bytes. MUST never be logged. */
export type Ed25519Key = Readonly<{ publicKey: Uint8Array; sign: (message: Uint8Array) => Uint8Array }>;

export function ed25519KeyFrom(seed: Uint8Array): Ed25519Key {
  if (seed.length !== SEED_BYTES) throw new RangeError(`an Ed25519 seed has ${SEED_BYTES} bytes`);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
  return { publicKey, sign: (message) => sign(null, message, key) };
}

export const verifyEd25519: Ed25519Check = (message, signature, publicKey) => {
  try {
    return verify(null, message, { key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' }, signature);
  } catch {
    return false;
  }
};
