/** How HL7 v2.6 is written and read (chapter 2, sections 2.5 to 2.7): segments of fields, with the usual delimiters, in UTF-8. */

/** Text of a field, a component or a subcomponent; undefined is an empty one. */
export type Part = string | undefined;
/** Components of a field, and of each its subcomponents. */
export type Components = readonly (Part | readonly Part[])[];
/** A field that may stand several times. */
export type Repeated = Readonly<{ repetitions: readonly (Part | Components)[] }>;
export type Field = Part | Components | Repeated;
/** Name and fields from 1 on; of MSH from 3 on, because the first two are the delimiters. */
export type Segment = readonly [name: string, ...fields: readonly Field[]];

const ENCODING_CHARACTERS = '^~\\&';
const ESCAPES: Readonly<Record<string, string>> = { '|': 'F', '^': 'S', '&': 'T', '~': 'R', '\\': 'E' };
/** Delimiters, and what some readers take for the end of a line: control characters, U+2028 and U+2029. */
// oxlint-disable-next-line no-control-regex -- they are what must not get through
const UNSAFE = /[|^~\\&\u0000-\u001F\u007F-\u009F\u2028\u2029]/g;
/** Says in HL7 that something is to be deleted (2.5.3.2): nobody's text may say so. */
const DELETE = '""';

/** Text that stays inside its place whatever it says: no delimiter and no control character is left of it. */
export function escape(text: string): string {
  if (text === DELETE) return hexadecimal(DELETE);
  return text.toWellFormed().replace(UNSAFE, (found) => (ESCAPES[found] === undefined ? hexadecimal(found) : `\\${ESCAPES[found]}\\`));
}

/** Its bytes in UTF-8 (2.7.5). */
const hexadecimal = (text: string): string => `\\X${Buffer.from(text, 'utf8').toString('hex').toUpperCase()}\\`;

/** A message: each segment with its carriage return. */
export function writeMessage(segments: readonly Segment[]): string {
  return segments.map((segment) => `${writeSegment(segment)}\r`).join('');
}

function writeSegment([name, ...fields]: Segment): string {
  const written = fields.map(writeField);
  const all = name === 'MSH' ? [name, ENCODING_CHARACTERS, ...written] : [name, ...written];
  return all.join('|').replace(/\|+$/, '');
}

function writeField(field: Field): string {
  if (typeof field === 'object' && 'repetitions' in field) return field.repetitions.map(writeRepetition).join('~');
  return writeRepetition(field);
}

function writeRepetition(repetition: Part | Components): string {
  if (repetition === undefined || typeof repetition === 'string') return escape(repetition ?? '');
  return trimmed(repetition.map((component) => (Array.isArray(component) ? trimmed((component as readonly Part[]).map((part) => escape(part ?? '')), '&') : escape((component as Part) ?? ''))), '^');
}

function trimmed(parts: readonly string[], delimiter: string): string {
  return parts.slice(0, parts.findLastIndex((part) => part !== '') + 1).join(delimiter);
}

/** A message that was read: fields as they stand there, by segment. */
export type ReadSegment = Readonly<{ name: string; fields: readonly string[] }>;

/**
 * The segments of a message; undefined for what is none. Takes the usual delimiters only, because what we read are answers to what we wrote;
 * takes LF, and CR LF, for CR.
 */
export function readMessage(text: string): readonly ReadSegment[] | undefined {
  if (!text.startsWith(`MSH|${ENCODING_CHARACTERS}`)) return undefined;
  return text.split(/[\r\n]+/).filter((line) => line !== '').map((line) => {
    const [name = '', ...fields] = line.split('|');
    // MSH-1 is the delimiter itself.
    return { name, fields: name === 'MSH' ? ['|', ...fields] : fields };
  });
}

const MEANINGS: Readonly<Record<string, string>> = { F: '|', S: '^', T: '&', R: '~', E: '\\' };

/** What a field, or a component, that was read says; highlighting and what else a terminal would do is left out. */
export function unescape(written: string): string {
  return written.replace(/\\([^\\]*)\\/g, (_, sequence: string) => MEANINGS[sequence] ?? (/^X([0-9A-Fa-f]{2})+$/.test(sequence) ? Buffer.from(sequence.slice(1), 'hex').toString('utf8') : ''));
}

/** A component, from 1, of the first repetition of a field, from 1, that was read; '' where there is none. */
export function componentOf(segment: ReadSegment | undefined, field: number, component = 1): string {
  return unescape(segment?.fields[field - 1]?.split('~')[0]?.split('^')[component - 1] ?? '');
}
