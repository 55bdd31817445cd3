import { deriveSecret } from './kdf.ts';
import { INDEX_OWNER, type Keyring, type VaultKey } from './keyring.ts';

export const PSEUDONYM_BYTES = 16;

/**
 * What a recipient knows a subject by, made with a key for this recipient and epoch, so that neither two recipients nor two epochs
 * can be joined by it. 16 bytes. `recipient`: its public key; `name`: `patient/anna`.
 */
export function pseudonymOf(keyring: Keyring, recipient: Uint8Array, epoch: number, name: string): Buffer {
  const forRecipient = deriveSecret(keyring.first(INDEX_OWNER).secret, `pseudonym/${Buffer.from(recipient).toString('hex')}/${epoch}`);
  return deriveSecret(forRecipient, name).subarray(0, PSEUDONYM_BYTES);
}

/** What a recipient may call the owner of a key: in its epoch, and `before` in the last epoch in which there was one, or else the one before. */
export type KnownAs = Readonly<{ pseudonym: Buffer; before: Buffer }>;

/** Somebody of whom nothing was said for a whole epoch stays the same person for a recipient: `before` passes over it. */
export function pseudonymsUnder(keyring: Keyring, { owner, epoch }: Pick<VaultKey, 'owner' | 'epoch'>, recipient: Uint8Array): KnownAs {
  const earlier = keyring.all().filter((each) => each.owner === owner && each.epoch < epoch).map((each) => each.epoch);
  const before = earlier.length === 0 ? epoch - 1 : Math.max(...earlier);
  return { pseudonym: pseudonymOf(keyring, recipient, epoch, owner), before: pseudonymOf(keyring, recipient, before, owner) };
}
