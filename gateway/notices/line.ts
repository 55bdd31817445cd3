const LONGEST = 300;

/** What others said, for people and for the chain: one line without control characters and direction marks, and not long. */
export function inOneLine(said: string): string {
  const line = said.replaceAll(/\p{C}+/gu, ' ').replaceAll(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line || 'nothing was said';
}

/** The same without an address or number that nobody needs to see. */
export const without = (secret: string, said: string): string => said.replaceAll(secret, '…').replaceAll(new RegExp(escaped(secret), 'giu'), '…');

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
