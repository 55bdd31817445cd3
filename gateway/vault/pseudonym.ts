import { deriveSecret } from './kdf.ts';
import { INDEX_OWNER, type Keyring } from './keyring.ts';

export const PSEUDONYM_BYTES = 16;

/**
 * What a recipient knows a subject by, made with a key for this recipient and epoch, so that neither two recipients nor two epochs
 * can be joined by it. 16 bytes. `recipient`: its public key; `name`: `patient/anna`.
 */
export function pseudonymOf(keyring: Keyring, recipient: Uint8Array, epoch: number, name: string): Buffer {
  const forRecipient = deriveSecret(keyring.first(INDEX_OWNER).secret, `pseudonym/${Buffer.from(recipient).toString('hex')}/${epoch}`);
  return deriveSecret(forRecipient, name).subarray(0, PSEUDONYM_BYTES);
}
