import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { asSet, ID_BYTES } from '../consent/fields.ts';
import type { Recipient } from '../consent/recipient.ts';
import { isRole, ROLES } from '../consent/vocabulary.ts';
import { UsageError } from '../errors.ts';
import { toHex } from '../ledger/bytes.ts';
import { fingerprint, generateSecret, signingKeyFrom, type SigningKey } from '../ledger/es256k.ts';
import { FolderFiles, secretIn } from '../operations/data-folder.ts';
import { isSubjectId } from '../reading.ts';
import { listOf, textOf, type Arguments } from './command.ts';
import { gatewayConfig } from './settings.ts';

/** Options of commands that say to whom, what and what for. */
export const SCOPE_OPTIONS = {
  hospital: { type: 'string', value: 'NAME|KEY', help: 'To this hospital: its name in the configuration, its public key, or the fingerprint of that' },
  role: { type: 'string', value: 'ROLE', help: `To whoever is ${ROLES.join(', ')}` },
  person: { type: 'string', value: 'NAME', help: 'To this person' },
  what: { type: 'string', value: 'DATA,…', help: 'Measurements such as spo2, or classes such as vital_signs (default: all data)' },
  purpose: { type: 'string', value: 'CODE,…', help: 'What for, HL7 ActReason: TREAT, HRESCH, HRESCH/name-of-study, …' },
} as const;

export function patientIn(args: Arguments): string {
  const id = textOf(args, 'patient');
  if (id === undefined || !isSubjectId(id)) throw new UsageError('about which patient? Give --patient ID');
  return id;
}

export function recipientIn(args: Arguments): Recipient {
  const [hospital, role, person] = [textOf(args, 'hospital'), textOf(args, 'role'), textOf(args, 'person')];
  if (role !== undefined && !isRole(role)) throw new UsageError(`--role takes one of ${ROLES.join(', ')}, got "${role}"`);
  return { ...(hospital === undefined ? {} : { hospital: hospitalIn(args, hospital) }), ...(role === undefined ? {} : { role }), ...(person === undefined ? {} : { person }) };
}

function hospitalIn(args: Arguments, text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  const key = /^0[23][0-9a-f]{64}$/.test(text) ? text : gatewayConfig(args).hospitals.find(({ name }) => name === text)?.key;
  if (key === undefined) throw new UsageError(`--hospital: the configuration names no hospital "${text}"; give its name there, its public key (66 hexadecimal digits) or the fingerprint of that (32)`);
  return fingerprint(Buffer.from(key, 'hex'));
}

/** A set of words; absent when the option was not given. */
export function setIn<Name extends string>(args: Arguments, option: string, name: Name): Partial<Record<Name, readonly string[]>> {
  const words = listOf(args, option);
  return words.length === 0 ? {} : ({ [name]: asSet(words) } as Record<Name, readonly string[]>);
}

export const newId = (): string => toHex(randomBytes(ID_BYTES));

/** A person's key in a file of its own, mode 0600. Throws {@link UsageError} when there is none. */
export function personKeyIn(args: Arguments): SigningKey {
  const path = textOf(args, 'key');
  if (path === undefined) throw new UsageError('with which key? Give --key FILE; "vitalgate consent keygen --key FILE" makes one');
  if (!existsSync(path)) throw new UsageError(`${path} is not there; "vitalgate consent keygen --key ${path}" makes a key`);
  return keyAt(path).key;
}

/** The key in a file, made there when there is none. */
export function keyAt(path: string): Readonly<{ key: SigningKey; created: boolean }> {
  const { secret, created } = secretIn(new FolderFiles(dirname(path)), basename(path), () => generateSecret(randomBytes));
  return { key: signingKeyFrom(secret), created };
}
