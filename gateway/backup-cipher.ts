/** Backups lie on a disk as age files (https://age-encryption.org/v1): authenticated piece by piece, to the end. The `age` program opens them, too. */

import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { messageOf, UnreadableError, UsageError } from './errors.ts';

/** For whom: public keys (`age1…`), or whoever knows the passphrase. One of the two. */
export type SealedFor = Readonly<{ recipients: readonly string[] } | { passphrase: string }>;
/** What opens it: secret keys (`AGE-SECRET-KEY-1…`), or the passphrase. */
export type OpenedBy = Readonly<{ identities: readonly string[] } | { passphrase: string }>;

/** A new key pair: the text of a file for whoever keeps the secret, and the public key for the gateway. */
export async function newIdentity(now: Date): Promise<Readonly<{ file: string; recipient: string }>> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return { file: `# created: ${now.toISOString()}\n# public key: ${recipient}\n${identity}\n`, recipient };
}

/** The secret keys in the text of an identity file. Throws {@link UsageError} when there is none. */
export function identitiesIn(text: string): readonly string[] {
  const found = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line.startsWith('AGE-SECRET-KEY-'));
  if (found.length === 0) throw new UsageError('there is no secret key in the identity file: expected a line that begins with AGE-SECRET-KEY-');
  return found;
}

/** What encrypts for them. Throws {@link UsageError} for a recipient that is none. */
export function encryptionFor(sealedFor: SealedFor): (plain: AsyncIterable<Uint8Array>) => Promise<AsyncIterable<Uint8Array>> {
  const encrypter = new Encrypter();
  if ('passphrase' in sealedFor) encrypter.setPassphrase(sealedFor.passphrase);
  else for (const recipient of sealedFor.recipients) addRecipient(encrypter, recipient);
  return async (plain) => await encrypter.encrypt(streamOf(plain));
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new UsageError(`"${recipient}" is no public key of age (age1…): ${messageOf(cause)}`, { cause });
  }
}

/** Throws {@link UnreadableError} for a file that does not open, at once or on the way. */
export async function* decryptBackup(sealed: AsyncIterable<Uint8Array>, openedBy: OpenedBy): AsyncGenerator<Uint8Array, void, undefined> {
  const decrypter = new Decrypter();
  if ('passphrase' in openedBy) decrypter.addPassphrase(openedBy.passphrase);
  else for (const identity of openedBy.identities) decrypter.addIdentity(identity);
  try {
    yield* await decrypter.decrypt(streamOf(sealed));
  } catch (cause) {
    if (cause instanceof UnreadableError) throw cause;
    throw new UnreadableError(`the backup does not open: the key or passphrase is another, or the file was changed or cut off (${messageOf(cause)})`, { cause });
  }
}

const streamOf = (pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> => ReadableStream.from<Uint8Array>(pieces);
