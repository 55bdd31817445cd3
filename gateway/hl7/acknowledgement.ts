/** What an engine answers (HL7 v2.6, 2.9): MSA and ERR, and what that means for the message. */

import { componentOf, readMessage, type ReadSegment, writeMessage } from './text.ts';

/** MSA-1 (HL7 table 0008): of the application, and of whoever keeps messages for it. */
const CODES = ['AA', 'AE', 'AR', 'CA', 'CE', 'CR'] as const;
type Code = (typeof CODES)[number];

export type Acknowledgement = Readonly<{
  code: Code;
  /** MSA-2: MSH-10 of the message it is about. */
  about: string;
  /** What is wrong: codes of HL7 table 0357, of ERR-3 and of MSA-6 and ERR-1 of older versions. */
  errors: readonly string[];
  /** Where (ERR-2): segment, which of them, field. */
  places: readonly string[];
  /** MSH-10 of the acknowledgement, where it wants to be acknowledged itself (MSH-15). */
  wantsAnswer?: string;
}>;

/** Undefined for what is no acknowledgement. */
export function readAcknowledgement(bytes: Uint8Array): Acknowledgement | undefined {
  const segments = readMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trimStart());
  const msa = segments?.find(({ name }) => name === 'MSA');
  const code = CODES.find((each) => each === componentOf(msa, 1));
  if (segments === undefined || msa === undefined || code === undefined) return undefined;
  const wrong = segments.filter(({ name }) => name === 'ERR');
  return {
    code,
    about: componentOf(msa, 2).trim(),
    errors: different([componentOf(msa, 6), ...wrong.flatMap((each) => [componentOf(each, 3), olderErrorCode(each)])], /^\d{1,3}$/),
    places: different(wrong.map((each) => [1, 2, 3].map((component) => componentOf(each, 2, component)).join(' ').trim()), /^[A-Z0-9]{3}( \d{1,4}){0,2}$/),
    ...(componentOf(segments[0], 15) === 'AL' && { wantsAnswer: componentOf(segments[0], 10) }),
  };
}

const different = (found: readonly string[], form: RegExp): readonly string[] => [...new Set(found)].filter((each) => form.test(each));

/** ERR-1.4.1 (up to 2.4). */
const olderErrorCode = (segment: ReadSegment): string => componentOf(segment, 1, 4).split('&')[0] ?? '';

/** What becomes of a message. `commit`: it is kept there, and what the application says is still to come. */
export type Verdict = 'taken' | 'commit' | 'refused' | 'refused for good';

/** HL7 table 0357. `forGood`: the message as such is wrong, or there already, and sending it again changes nothing; the others may pass. */
const ERRORS: Readonly<Record<string, Readonly<{ means: string; forGood?: true }>>> = {
  100: { means: 'segments in a wrong order', forGood: true },
  101: { means: 'a required field is missing', forGood: true },
  102: { means: 'a value of a wrong type', forGood: true },
  103: { means: 'a value that is in no table', forGood: true },
  200: { means: 'a type of message that is not supported', forGood: true },
  201: { means: 'an event that is not supported', forGood: true },
  202: { means: 'a processing id that is not supported', forGood: true },
  203: { means: 'a version that is not supported', forGood: true },
  204: { means: 'somebody or something that is not known there' },
  205: { means: 'an identifier that is there already', forGood: true },
  206: { means: 'a record that is locked' },
  207: { means: 'a failure inside the application' },
};

export function verdictOf({ code, errors }: Pick<Acknowledgement, 'code' | 'errors'>): Verdict {
  if (code === 'AA') return 'taken';
  if (code === 'CA') return 'commit';
  return errors.some((each) => ERRORS[each]?.forGood === true) ? 'refused for good' : 'refused';
}

/**
 * Why a message was refused, in our words. Those of the engine may name a patient, and what is kept of a refusal is not erased with one: they are
 * in its own log, under the id of the message.
 */
export function reasonOf({ code, errors, places }: Acknowledgement): string {
  const said = errors.map((each) => (ERRORS[each] === undefined ? each : `${each} ${ERRORS[each].means}`));
  return [code, ...said].join(', ') + (places.length === 0 ? '' : ` (at ${places.join(', ')})`);
}

/** Answers an acknowledgement that wants to be answered. */
export function acceptOf(wanted: string, now: string): string {
  const none = undefined;
  return writeMessage([['MSH', 'VITALGATE', none, none, none, now, none, ['ACK', none, 'ACK'], `A${wanted}`.slice(0, 20), 'P', '2.6'], ['MSA', 'CA', wanted]]);
}
