/** Text that people pass from hand to hand. */

import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf, UsageError } from '../errors.ts';
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
export function deliver(text: string, path: string | undefined, { out }: Pick<Environment, 'out'>): void {
  if (path === undefined) return out(text.trimEnd());
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
