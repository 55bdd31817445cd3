/**
 * A signed change as a text file that people send each other to collect signatures:
 *
 *     vitalgate change 1
 *     <base64 of what change.ts encodes, in lines>
 *
 * Lines that begin with # are for people and say nothing.
 */

import { CborError } from './cbor.ts';
import { decodeSignedChange, encodeSignedChange, type SignedChange } from './change.ts';

const MARK = 'vitalgate change 1';
const LINE = 76;

/** `words` go in front, for whoever opens the file. */
export function formatChange(signed: SignedChange, words: readonly string[]): string {
  const base64 = Buffer.from(encodeSignedChange(signed)).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return `${[MARK, ...words.map((word) => `# ${word}`), ...lines].join('\n')}\n`;
}

/** Throws {@link CborError} for a text that holds no change. No signature is judged. */
export function parseChange(text: string): SignedChange {
  const [mark, ...lines] = text.split(/\r?\n/);
  if (mark !== MARK) throw new CborError('malformed', `expected a file that begins with "${MARK}"`);
  const base64 = lines.filter((line) => !line.startsWith('#')).join('');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new CborError('malformed', 'expected base64 after the first line');
  return decodeSignedChange(Buffer.from(base64, 'base64'));
}
