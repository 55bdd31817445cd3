import { createHash } from 'node:crypto';
import type { Identifier } from '@medplum/fhirtypes';
import type { HospitalRecord } from '../records/record.ts';
import { RECORD } from './systems.ts';

/** The entry that something was made of. */
export type EntryName = Readonly<{ chain: string; entry: number }>;

const RECORD_ID = /^(?<chain>[0-9a-f]{32})-(?<entry>[1-9][0-9]{0,15})-[0-9a-f]{8}$/;

/**
 * The id of what was made of an entry, the same at every time and in every process: `chain-entry-part`, where the part is 8 hexadecimal
 * digits of the SHA-256 of its name, so that a long name stays within the 64 characters of an id (FHIR R4, 2.24.0.1).
 */
export function idOf({ chain, entry }: EntryName, part: string): string {
  return `${chain}-${entry}-${createHash('sha256').update(part).digest('hex').slice(0, 8)}`;
}

/** The entry of such an id; undefined for any other text. */
export function entryOf(id: string): EntryName | undefined {
  const { chain, entry } = RECORD_ID.exec(id)?.groups ?? {};
  return chain === undefined || !Number.isSafeInteger(Number(entry)) ? undefined : { chain, entry: Number(entry) };
}

/** The identifier by which another system finds out that it has it already. */
export const identifierOf = ({ chain, entry }: Pick<HospitalRecord, 'chain' | 'entry'>, part: string): Identifier => ({ system: RECORD, value: `${chain}.${entry}.${part}` });

const NAMESPACE = Buffer.from('7b1f0d5e8c3a4f6b9a2d4e6f80c1a2b3', 'hex');

/** Version 5 UUID (RFC 9562 section 5.5) of an identifier. */
export function uuidOf({ system = '', value = '' }: Identifier): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(`${system}|${value}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
