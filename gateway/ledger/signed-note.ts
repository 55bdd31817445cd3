/**
 * Notes with signature lines (C2SP signed-note v1.0.0):
 *
 *     text, one or more lines
 *     (an empty line)
 *     — <name of key> <base64 of key id (4) ‖ signature>
 *
 * Which lines count is the business of whoever knows keys (policy.ts): a line of an unknown key says nothing.
 */

import { VitalgateError } from '../errors.ts';
import { sha256 } from './bytes.ts';

/** Which rule a note broke: do not rename. */
export type NoteFault = 'malformed' | 'bad_signature';

export class NoteRejected extends VitalgateError {
  readonly code = 'VG_NOTE_REJECTED';
  readonly reason: NoteFault;
  constructor(reason: NoteFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** One signature line. `keyId`: see {@link keyIdOf}. */
export type NoteSignature = Readonly<{ name: string; keyId: number; signature: Uint8Array }>;

/** `text` ends with a line break. */
export type SignedNote = Readonly<{ text: string; signatures: readonly NoteSignature[] }>;

const KEY_ID_BYTES = 4;
const LONGEST_NOTE = 1024 * 1024;
/** The specification asks for 16 at least. */
const MOST_SIGNATURES = 128;
const DASH = '\u2014 ';

/** Key names have neither spaces nor plus signs (signed-note, "Key names"). */
export const isKeyName = (name: string): boolean => /^[^\s\p{C}+]+$/u.test(name);

/** SHA-256(name ‖ 0A ‖ type ‖ public key), its first four bytes, big endian. */
export function keyIdOf(name: string, typeAndKey: Uint8Array): number {
  return Buffer.from(sha256(Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), typeAndKey]))).readUInt32BE(0);
}

export function formatNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, keyId, signature }) => {
    const head = Buffer.alloc(KEY_ID_BYTES);
    head.writeUInt32BE(keyId);
    return `${DASH}${name} ${Buffer.concat([head, signature]).toString('base64')}\n`;
  });
  const note = `${text}\n${lines.join('')}`;
  parseNote(note);
  return note;
}

/** Throws {@link NoteRejected} for what is no signed note. Nothing is known of the signatures then. */
export function parseNote(note: string): SignedNote {
  if (note.length > LONGEST_NOTE) refuse(`a note of ${note.length} characters is over the limit of ${LONGEST_NOTE}`);
  if (/[\p{Cc}]/u.test(note.replaceAll('\n', ''))) refuse('a note has no control characters but line breaks');
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) refuse('a note ends with an empty line, signature lines and a line break');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MOST_SIGNATURES) refuse(`${lines.length} signature lines are over the limit of ${MOST_SIGNATURES}`);
  return { text: note.slice(0, end + 1), signatures: lines.map(readLine) };
}

function readLine(line: string, index: number): NoteSignature {
  const [, name, encoded] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? [];
  if (name === undefined || encoded === undefined || !isKeyName(name)) return refuse(`signature line ${index + 1}: expected a dash, the name of a key and base64`);
  const bytes = base64In(encoded);
  if (bytes === undefined || bytes.length <= KEY_ID_BYTES) return refuse(`signature line ${index + 1}: expected base64 of more than ${KEY_ID_BYTES} bytes`);
  return { name, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(KEY_ID_BYTES) };
}

/** The bytes of standard base64 with its padding and nothing else; undefined for any other text. */
export function base64In(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined;
}

function refuse(message: string): never {
  throw new NoteRejected('malformed', message);
}
