/**
 * A payload as it lies beside the chain:
 *
 *     key id (8) ‖ AES-256-GCM(salt (32) ‖ payload) ‖ tag (16)
 *
 * The key is that of the entry's kind under the subject's key of the epoch, so that a recipient can be given one kind and not
 * another. The entry's bytes are bound to it; its nonce is the beginning of the entry's commitment, which is as good as random and
 * of this payload alone, so that deriving the same journal again gives the same bytes.
 */

import { commitment, decodeEntry, SALT_BYTES } from '../ledger/entry.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { NONCE_BYTES, openBytes, sealBytes } from './aead.ts';
import { deriveSecret } from './kdf.ts';
import { KEY_ID_BYTES, type VaultKey } from './keyring.ts';

export type OpenPayload = Readonly<{ salt: Uint8Array; payload: Uint8Array }>;

/** `subject`: whose key it lies under (`patient/anna`); payloads do not name it, so that they can be given to whoever knows the subject by another name. */
export type OpenedPayload = OpenPayload & Readonly<{ subject: string | undefined; key: VaultKey }>;

/** The key of all payloads of one kind of entry under a subject's key. */
const payloadKey = (key: Pick<VaultKey, 'secret'>, kind: string): Buffer => deriveSecret(key.secret, `payload/${kind}`);

/** `entry`: encoded, with the commitment to salt and payload. */
export function sealPayload(key: VaultKey, kind: string, { entry, commit }: Readonly<{ entry: Uint8Array; commit: Uint8Array }>, { salt, payload }: OpenPayload): Buffer {
  const sealed = sealBytes(payloadKey(key, kind), commit.subarray(0, NONCE_BYTES), Buffer.concat([salt, payload]), entry);
  return Buffer.concat([Buffer.from(key.id, 'hex'), sealed]);
}

/** Undefined when its key was destroyed: it is erased. Throws {@link RangeError} for bytes that are not the payload of this entry. */
export function openPayload(keys: Readonly<{ byId: (id: string) => VaultKey | undefined }>, entry: Uint8Array, sealed: Uint8Array): OpenedPayload | undefined {
  const { kind, sequence, commit } = decodeEntry(entry);
  const key = keys.byId(Buffer.from(sealed.subarray(0, KEY_ID_BYTES)).toString('hex'));
  if (key === undefined) return undefined;
  const plain = commit === undefined ? undefined : openBytes(payloadKey(key, kind), commit.subarray(0, NONCE_BYTES), sealed.subarray(KEY_ID_BYTES), entry);
  const [salt, payload] = [plain?.subarray(0, SALT_BYTES), plain?.subarray(SALT_BYTES)];
  if (commit === undefined || salt?.length !== SALT_BYTES || payload === undefined || !equalBytes(commitment(salt, payload), commit)) {
    throw new RangeError(`what lies beside the chain for entry ${sequence} is not its payload`);
  }
  return { salt, payload, subject: isSubject(key.owner) ? key.owner : undefined, key };
}

const isSubject = (owner: string): boolean => owner.startsWith('patient/') || owner.startsWith('room/');
