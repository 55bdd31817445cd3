/** HPKE (RFC 9180) in base mode: X25519, HKDF-SHA256, AES-256-GCM. Whoever knows a recipient's public key can seal for it, and it alone opens. */

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from 'hpke';

const SUITE = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM);

export type HpkePair = Awaited<ReturnType<typeof SUITE.GenerateKeyPair>> & Readonly<{ publicBytes: Uint8Array }>;

/** `encapsulated`: 32 bytes; `ciphertext`: as long as what was sealed, and 16 bytes. */
export type HpkeSealed = Readonly<{ encapsulated: Uint8Array; ciphertext: Uint8Array }>;

/** What both sides have to name: `info` is what it is for, `bound` what it belongs to. */
export type HpkeContext = Readonly<{ info: Uint8Array; bound: Uint8Array }>;

/** Before the 32 bytes of an X25519 private key in PKCS #8 (RFC 8410 §7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The key pair of 32 random bytes. */
export function hpkePairFrom(secret: Uint8Array): HpkePair {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  const publicBytes = Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  return { privateKey: privateKey.toCryptoKey({ name: 'X25519' }, false, ['deriveBits']), publicKey: publicKey.toCryptoKey({ name: 'X25519' }, true, []), publicBytes };
}

/** `recipient`: 32 bytes. Rejects for bytes that are no public key. */
export async function hpkeSeal(recipient: Uint8Array, plain: Uint8Array, { info, bound }: HpkeContext): Promise<HpkeSealed> {
  const { encapsulatedSecret, ciphertext } = await SUITE.Seal(await SUITE.DeserializePublicKey(recipient), plain, { info, aad: bound });
  return { encapsulated: encapsulatedSecret, ciphertext };
}

/** Undefined for what was not sealed for this pair, this purpose and this place. */
export async function hpkeOpen(pair: HpkePair, { encapsulated, ciphertext }: HpkeSealed, { info, bound }: HpkeContext): Promise<Uint8Array | undefined> {
  try {
    return await SUITE.Open(pair, encapsulated, ciphertext, { info, aad: bound });
  } catch {
    return undefined;
  }
}
