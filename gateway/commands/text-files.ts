/** Text that people pass from hand to hand. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { messageOf, UsageError } from '../errors.ts';
import { SHORTEST_PASSPHRASE } from '../operations/passphrase.ts';
import type { Environment } from './command.ts';

/** Throws {@link UsageError} for a file that cannot be read. */
export function textIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Writes a file, never over another, or on standard output where none is named. */
export function deliver(text: string, path: string | undefined, { out }: Pick<Environment, 'out'>, mode = 0o666): void {
  if (path === undefined) return out(text.trimEnd());
  try {
    writeFileSync(path, text, { flag: 'wx', mode });
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

/** Throws {@link UsageError} for a file that cannot be read or that others could read. */
export function passphraseIn(path: string): string {
  const passphrase = textIn(path).replace(/\r?\n$/, '');
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) throw new UsageError(`the passphrase file ${path} has mode ${mode.toString(8)}: others could read it. Run: chmod 600 ${path}`);
  if (passphrase.length < SHORTEST_PASSPHRASE) throw new UsageError(`the passphrase in ${path} has ${passphrase.length} characters; take at least ${SHORTEST_PASSPHRASE}`);
  return passphrase;
}
