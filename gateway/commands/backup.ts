import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { encryptionFor, newIdentity, type SealedFor } from '../backup-cipher.ts';
import { messageOf, UsageError } from '../errors.ts';
import { formatBytes, MiB, type Bytes } from '../quantity.ts';
import { administer } from './administer.ts';
import { listOf, textOf, type Arguments, type Command, type Environment } from './command.ts';
import { CONFIG_OPTIONS } from './settings.ts';
import { deliver, passphraseIn } from './text-files.ts';

const PROGRESS_EVERY = MiB(64);

export const backupCommand: Command = {
  name: 'backup',
  summary: 'Writes everything a gateway keeps into one encrypted file, also while it runs.',
  usage: ['backup --to AGE_KEY,… [--out FILE]', 'backup --passphrase-file FILE [--out FILE]', 'backup keygen --out FILE'],
  details: `The file is encrypted with age (https://age-encryption.org): for public keys, so that the gateway itself cannot open it, or under a passphrase.
"keygen" makes a key pair: keep the file somewhere else, and give the gateway the public key it prints. It holds the chain, all that was
measured and the keys to it, as of the moment the command began; the gateway goes on meanwhile. The configuration file is not in it: keep a copy
beside it; nor is the passphrase of key files that are sealed. Who was erased after it was made is still in it: throw old ones away. "restore
FILE --check" reads one to its end.`,
  options: {
    ...CONFIG_OPTIONS,
    to: { type: 'string', value: 'AGE_KEY,…', help: 'Public keys (age1…) of those who may open it' },
    'passphrase-file': { type: 'string', value: 'FILE', help: 'A file with the passphrase, mode 0600' },
    out: { type: 'string', short: 'o', value: 'FILE', help: 'The file to write; it must not exist (default: vitalgate-<time>.age)' },
  },
  run: async (args, environment) => {
    const [what, ...more] = args.positionals;
    if (more.length > 0 || (what !== undefined && what !== 'keygen')) throw new UsageError(`backup ${args.positionals.join(' ')}: expected nothing, or keygen`);
    return what === 'keygen' ? await keygen(args, environment) : await backup(args, environment);
  },
};

async function keygen(args: Arguments, environment: Environment): Promise<number> {
  const path = textOf(args, 'out');
  if (path === undefined) throw new UsageError('where? Give --out FILE');
  const { file, recipient } = await newIdentity(new Date());
  deliver(file, path, environment, 0o600);
  environment.err(`made the key ${path}: keep it where the backups are not, and a copy in a safe place; without it no backup opens`);
  environment.out(recipient);
  return 0;
}

function sealedFor(args: Arguments): SealedFor {
  const [to, passphrase] = [listOf(args, 'to'), textOf(args, 'passphrase-file')];
  if ((to.length === 0) === (passphrase === undefined)) throw new UsageError('for whom? Give --to AGE_KEY ("vitalgate backup keygen" makes one), or --passphrase-file FILE');
  return passphrase === undefined ? { recipients: to } : { passphrase: passphraseIn(passphrase) };
}

async function backup(args: Arguments, environment: Environment): Promise<number> {
  const encrypt = encryptionFor(sealedFor(args));
  const path = textOf(args, 'out') ?? `vitalgate-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}.age`;
  // A name of its own until it is whole: half a backup must not be taken for one.
  const file = await create(path);
  try {
    const bytes = await administer(args, environment, async (api) => await write(file, await encrypt(await api.backup()), environment));
    await file.sync();
    await rename(partOf(path), path);
    environment.out(`${path}: ${formatBytes(bytes)}`);
    return 0;
  } catch (error) {
    await rm(partOf(path), { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

const partOf = (path: string): string => `${path}.part`;

async function create(path: string): Promise<FileHandle> {
  try {
    await (await open(path, 'wx', 0o600)).close();
    await rm(path);
    return await open(partOf(path), 'w', 0o600);
  } catch (cause) {
    throw new UsageError(`cannot create ${path}: ${messageOf(cause)}`, { cause });
  }
}

async function write(file: FileHandle, pieces: AsyncIterable<Uint8Array>, { err }: Environment): Promise<Bytes> {
  let [written, told] = [0, 0];
  for await (const piece of pieces) {
    await file.writeFile(piece);
    written += piece.length;
    if (written - told < PROGRESS_EVERY) continue;
    told = written;
    err(`${formatBytes(written as Bytes)} so far`);
  }
  return written as Bytes;
}
