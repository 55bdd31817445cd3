import { randomBytes } from 'node:crypto';
import { FolderFiles } from '../../gateway/operations/data-folder.ts';
import { rootKeyIn } from '../../gateway/vault/root-key.ts';
import { KeyringFile } from '../../gateway/vault/keyring-file.ts';
import { Keyring } from '../../gateway/vault/keyring.ts';

export const random = (size: number): Uint8Array => randomBytes(size);

/** The keys in a data folder; of a gateway that runs only for reading. */
export const keyringIn = (folder: string, options: Readonly<{ readOnly: boolean }>): Keyring =>
  new Keyring(new KeyringFile({ folder, root: rootKeyIn(new FolderFiles(folder)), random, ...options }), random);
