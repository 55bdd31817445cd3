import { randomBytes } from 'node:crypto';
import { FolderFiles } from './operations/data-folder.ts';
import { passphraseFrom } from './operations/passphrase.ts';
import { SealedFiles } from './vault/sealed-files.ts';

const opened = new Map<string, SealedFiles>();

/**
 * The key files of a data folder, sealed under the passphrase of this process, if it has one (operations/passphrase.ts). `sealsPlain`:
 * whether files that lie there in clear are sealed; only for whoever the folder belongs to.
 */
export function keyFilesIn(folder: string, { sealsPlain }: Readonly<{ sealsPlain: boolean }> = { sealsPlain: true }): SealedFiles {
  const name = `${sealsPlain} ${folder}`;
  let files = opened.get(name);
  if (files === undefined) {
    files = new SealedFiles({ files: new FolderFiles(folder), passphrase: passphraseFrom(process.env), random: (size) => randomBytes(size), sealsPlain });
    opened.set(name, files);
  }
  return files;
}
