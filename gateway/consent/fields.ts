/** Reading the fields of statements: bounded, and each set written in one way only. */

import { asText, describeValue, type CborFields } from '../ledger/cbor-fields.ts';
import { CborError, type CborKey, type CborValue } from '../ledger/cbor.ts';
import { toHex } from '../ledger/bytes.ts';
import { FINGERPRINT_BYTES } from '../ledger/es256k.ts';
import { UnixMillis } from '../quantity.ts';
import { isSubjectId } from '../reading.ts';

/** Bytes of the random name of a statement, a request or an episode. */
export const ID_BYTES = 16;
/** Bytes of a statement in its envelope. The largest grant there can be is smaller. */
export const MAX_STATEMENT_BYTES = 16_384;
/** Characters of a name and of a remark. */
export const LONGEST_NAME = 128;
export const LONGEST_REMARK = 1000;

const expected = (what: string, wanted: string, found: CborValue | undefined): CborError => new CborError('malformed', `${what}: expected ${wanted}, found ${describeValue(found)}`);

/** Text without control characters, of 1 to `longest` characters. */
export function asLine(value: CborValue | undefined, what: string, longest: number): string {
  const text = asText(value, what);
  if (!isLine(text, longest)) throw expected(what, `1 to ${longest} characters without control characters`, text.slice(0, 40));
  return text;
}

export const isLine = (text: string, longest: number): boolean => text.length <= longest && /^[^\p{C}]+$/u.test(text) && text.trim() !== '';

/** Words of a list that are known to `isKnown`, at most `most`, ascending by code unit and without repetition: a set has one encoding. */
export function asWords(values: readonly CborValue[], what: string, { isKnown, wanted, most }: Readonly<{ isKnown: (word: string) => boolean; wanted: string; most: number }>): readonly string[] {
  if (values.length === 0 || values.length > most) throw new CborError('malformed', `${what}: expected 1 to ${most} items, found ${values.length}`);
  const words = values.map((value, index) => {
    const word = asText(value, `${what}/${index}`);
    if (!isKnown(word)) throw expected(`${what}/${index}`, wanted, word.slice(0, 40));
    return word;
  });
  for (const [index, word] of words.entries()) {
    if (index > 0 && (words[index - 1] as string) >= word) throw new CborError('malformed', `${what}/${index}: expected ascending order without repetition, found ${JSON.stringify(word)} after ${JSON.stringify(words[index - 1])}`);
  }
  return words;
}

/** The set as a list in the one order {@link asWords} takes. */
export const asSet = (words: readonly string[]): readonly string[] => [...new Set(words)].sort();

export function idIn(fields: CborFields, key: CborKey): string {
  return toHex(fields.bytes(key, ID_BYTES));
}

export function fingerprintIn(fields: CborFields, key: CborKey): string {
  return toHex(fields.bytes(key, FINGERPRINT_BYTES));
}

export function patientIn(fields: CborFields, key: CborKey, format: string): string {
  const id = fields.text(key);
  if (!isSubjectId(id)) throw new CborError('malformed', `${format} key ${key}: expected the id of a patient, 1 to 64 characters without control characters or "/", found ${JSON.stringify(id.slice(0, 80))}`);
  return id;
}

export type Period = Readonly<{ from: UnixMillis; /** Excluded; absent: no end. */ until?: UnixMillis }>;

export const isWithin = ({ from, until }: Period, at: UnixMillis): boolean => from <= at && (until === undefined || at < until);

/** `from` under one key, `until` under the other, which may be absent. */
export function periodIn(fields: CborFields, from: CborKey, until: CborKey, format: string): Period {
  const begin = UnixMillis(fields.count(from));
  if (!fields.has(until)) return { from: begin };
  const end = UnixMillis(fields.count(until));
  if (end <= begin) throw new CborError('malformed', `${format} key ${until}: expected an instant after ${begin}, found ${end}`);
  return { from: begin, until: end };
}

export const fromHex = (text: string): Uint8Array => {
  const bytes = Buffer.from(text, 'hex');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
};
