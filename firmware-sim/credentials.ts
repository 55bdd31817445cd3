/** Passwords of simulated devices: JSON `{ "<device id>": "<password>", … }`. */

import { readFileSync } from 'node:fs';

import { ConfigError, messageOf } from '../gateway/errors.ts';

/** Device id → password. */
export type Credentials = ReadonlyMap<string, string>;

const EXPECTED = 'expected JSON { "<device id>": "<password>", … }';

/** Reads a credentials file. Throws {@link ConfigError} that names the file, the device and what was expected, never a password. */
export function readCredentials(path: string): Credentials {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`credentials file ${path}: ${messageOf(cause)}; ${EXPECTED}`, { cause });
  }
  return parseCredentials(text, `credentials file ${path}`);
}

/** @param where begins every error message. */
export function parseCredentials(text: string, where = 'credentials'): Credentials {
  const parsed = parseJson(text, where);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new ConfigError(`${where}: ${EXPECTED}`);
  const entries = Object.entries(parsed);
  if (entries.length === 0) throw new ConfigError(`${where}: it names no device; ${EXPECTED}`);
  return new Map(entries.map(([id, password]) => [checkedId(id, where), checkedPassword(id, password, where)]));
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The engine's message quotes the text around the fault, which may be a password: it is not passed on.
    throw new ConfigError(`${where}: not valid JSON; ${EXPECTED}`);
  }
}

function checkedId(id: string, where: string): string {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(id)) {
    throw new ConfigError(`${where}: "${id}" is not a device id, expected 1 to 64 of a-z A-Z 0-9 . _ - and no dot first`);
  }
  return id;
}

function checkedPassword(id: string, password: unknown, where: string): string {
  if (typeof password !== 'string' || password === '') {
    const found = password === '' ? 'empty' : `of type ${typeof password}`;
    throw new ConfigError(`${where}: the password of "${id}" is ${found}, expected text`);
  }
  return password;
}
