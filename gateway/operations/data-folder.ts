import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, messageOf } from '../errors.ts';

const KEY_BYTES = 32;

/**
 * Creates the folder (0700) if it is not there and returns whether it was. An existing one that others can read is
 * refused: it holds health data and keys.
 */
export function openDataFolder(path: string): Readonly<{ created: boolean }> {
  const created = !existsSync(path);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    // The process's umask may have taken bits away, never added them; a parent created on the way keeps 0700 too.
    if (created) chmodSync(path, 0o700);
  } catch (cause) {
    throw new ConfigError(`cannot create the data folder ${path}: ${messageOf(cause)}`, { cause });
  }
  refuseWideMode(path, 0o700, 'data folder');
  return { created };
}

function refuseWideMode(path: string, allowed: number, what: string): void {
  const mode = statSync(path).mode & 0o777;
  if ((mode & ~allowed) !== 0) {
    throw new ConfigError(`the ${what} ${path} has mode ${mode.toString(8)}: others could read it. Run: chmod ${allowed.toString(8)} ${path}`);
  }
}

/** Text files for their owner alone. */
export type KeyFiles = Readonly<{ read: (name: string) => string | undefined; write: (name: string, text: string) => void; pathOf: (name: string) => string }>;

/** Reads the 32-byte secret in `name`, or makes one and writes it. A file of another length is refused, never replaced. */
export function secretIn(files: KeyFiles, name: string, make: () => Uint8Array): Readonly<{ secret: Uint8Array; path: string; created: boolean }> {
  const path = files.pathOf(name);
  const text = files.read(name);
  if (text !== undefined) {
    const secret = Buffer.from(text.trim(), 'hex');
    if (secret.length !== KEY_BYTES) throw new ConfigError(`the key file ${path} must hold ${KEY_BYTES * 2} hexadecimal digits`);
    return { secret, path, created: false };
  }
  const secret = make();
  files.write(name, `${Buffer.from(secret).toString('hex')}\n`);
  return { secret, path, created: true };
}

/** Text files of a data folder that are for its owner alone. */
export class FolderFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  pathOf(name: string): string {
    return join(this.#folder, name);
  }

  /** Undefined when there is no such file. One with wider permissions than 0600 is refused. */
  read(name: string): string | undefined {
    const path = this.pathOf(name);
    if (!existsSync(path)) return undefined;
    refuseWideMode(path, 0o600, name.endsWith('.key') ? 'key file' : 'file');
    return readFileSync(path, 'utf8');
  }

  /** Writes or replaces it with mode 0600, synced together with its folder. */
  write(name: string, text: string): void {
    writeDurably(this.pathOf(name), Buffer.from(text, 'utf8'));
  }

  /** The same for bytes. */
  writeBytes(name: string, bytes: Uint8Array): void {
    writeDurably(this.pathOf(name), bytes);
  }

  /** Does nothing when there is no such file. */
  remove(name: string): void {
    rmSync(this.pathOf(name), { force: true });
    syncFolder(this.pathOf(name));
  }
}

/** A crash leaves either no file, or the old one, or the whole new one. */
function writeDurably(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncFolder(path);
}

/** The one that the file is in. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
