/**
 * Bytes as a text file that people send each other: a line that says what it is, lines for people that begin with #, base64.
 *
 *     vitalgate change 1
 *     # chain 4f…, authority 3: membership
 *     0oRDoQE4LqBZ…
 */

import { CborError } from './cbor.ts';

const LINE = 76;

/** `mark`: the first line; `words` go in front of the bytes and say nothing to programs. */
export function formatArmour(mark: string, bytes: Uint8Array, words: readonly string[]): string {
  const lines = Buffer.from(bytes).toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return `${[mark, ...words.map((word) => `# ${word.replaceAll(/[\r\n]/g, ' ')}`), ...lines].join('\n')}\n`;
}

/** Throws a `malformed` {@link CborError} for a text that is none with that mark. */
export function parseArmour(mark: string, text: string): Uint8Array {
  const [first, ...lines] = text.split(/\r?\n/);
  if (first !== mark) throw new CborError('malformed', `expected a file that begins with "${mark}"`);
  const base64 = lines.filter((line) => !line.startsWith('#')).join('');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new CborError('malformed', 'expected base64 after the first line');
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}
