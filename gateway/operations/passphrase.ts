import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, messageOf } from '../errors.ts';

const CREDENTIAL = 'vitalgate-passphrase';
export const SHORTEST_PASSPHRASE = 12;

/**
 * The passphrase of the key files: the systemd credential `vitalgate-passphrase` (systemd.exec(5), `LoadCredential=`,
 * `LoadCredentialEncrypted=`), or the file that `VITALGATE_PASSPHRASE_FILE` names. Undefined when there is neither. Throws
 * {@link ConfigError} for a file that others can read, and a passphrase of less than 12 characters.
 */
export function passphraseFrom(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { CREDENTIALS_DIRECTORY: credentials, VITALGATE_PASSPHRASE_FILE: named } = environment;
  const credential = credentials === undefined ? undefined : join(credentials, CREDENTIAL);
  if (credential !== undefined && existsSync(credential)) return passphraseIn(credential);
  if (named === undefined || named === '') return undefined;
  const path = named;
  const mode = existsSync(path) ? statSync(path).mode & 0o777 : 0;
  if ((mode & 0o077) !== 0) throw new ConfigError(`the passphrase file ${path} has mode ${mode.toString(8)}: others could read it. Run: chmod 600 ${path}`);
  return passphraseIn(path);
}

function passphraseIn(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new ConfigError(`the passphrase file ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (text.length < SHORTEST_PASSPHRASE) throw new ConfigError(`the passphrase in ${path} has ${text.length} characters; take at least ${SHORTEST_PASSPHRASE}`);
  return text;
}
