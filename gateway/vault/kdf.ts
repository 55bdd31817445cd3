import { createHash } from 'node:crypto';

/** Length of every secret and key here, in bytes: AES-256, and more than the 128 bits that erasing by key asks for (NIST SP 800-88 rev. 2). */
export const SECRET_BYTES = 32;

/**
 * The one-step key derivation of NIST SP 800-56C rev. 2 §4.1 with SHA-256: SHA-256(00 00 00 01 ‖ secret ‖ info). `secret` is
 * 32 uniformly random bytes; who knows the result knows nothing of it, nor of what other infos give.
 */
export function deriveSecret(secret: Uint8Array, info: string | Uint8Array): Buffer {
  return createHash('sha256').update(COUNTER).update(secret).update(info).digest();
}

const COUNTER = Buffer.of(0, 0, 0, 1);
