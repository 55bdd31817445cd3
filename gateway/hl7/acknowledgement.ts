/** What an engine answers (HL7 v2.6, 2.9): MSA and ERR, and what that means for the message. */

import { componentOf, readMessage, type ReadSegment, writeMessage } from './text.ts';

/** MSA-1 (HL7 table 0008): of the application, and of whoever keeps messages for it. */
const CODES = ['AA', 'AE', 'AR', 'CA', 'CE', 'CR'] as const;
type Code = (typeof CODES)[number];

export type Acknowledgement = Readonly<{
  code: Code;
  /** MSA-2: MSH-10 of the message it is about. */
  about: string;
  /** Codes of what is wrong (HL7 table 0357), of ERR-3 and of MSA-6 and ERR-1 of older versions. */
  errors: readonly string[];
  /** What it says for people. It may repeat what the message said: nothing for a log. */
  text: string;
  /** MSH-10 of the acknowledgement, where it wants to be acknowledged itself (MSH-15). */
  wantsAnswer?: string;
}>;

const LONGEST_TEXT = 300;

/** Undefined for what is no acknowledgement. */
export function readAcknowledgement(bytes: Uint8Array): Acknowledgement | undefined {
  const segments = readMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trimStart());
  const msa = segments?.find(({ name }) => name === 'MSA');
  const code = CODES.find((each) => each === componentOf(msa, 1));
  if (segments === undefined || msa === undefined || code === undefined) return undefined;
  const wrong = segments.filter(({ name }) => name === 'ERR');
  const texts = [componentOf(msa, 3), ...wrong.flatMap((each) => [componentOf(each, 3, 2), componentOf(each, 7), componentOf(each, 8)])];
  return {
    code,
    about: componentOf(msa, 2).trim(),
    errors: [...new Set([componentOf(msa, 6), ...wrong.flatMap((each) => [componentOf(each, 3), olderErrorCode(each)])])].filter((each) => /^\d{1,3}$/.test(each)),
    text: [...new Set(texts)].filter((each) => each !== '').join('; ').slice(0, LONGEST_TEXT),
    ...(componentOf(segments[0], 15) === 'AL' && { wantsAnswer: componentOf(segments[0], 10) }),
  };
}

/** ERR-1.4.1 (up to 2.4). */
const olderErrorCode = (segment: ReadSegment): string => componentOf(segment, 1, 4).split('&')[0] ?? '';

/** What becomes of a message. `commit`: it is kept there, and what the application says is still to come. */
export type Verdict = 'taken' | 'commit' | 'refused' | 'refused for good';

/** The message as such is wrong, or there already: sending it again changes nothing. Others (locked, an inner error) may pass. */
const FOR_GOOD = new Set(['100', '101', '102', '103', '200', '201', '202', '203', '205']);

export function verdictOf({ code, errors }: Acknowledgement): Verdict {
  if (code === 'AA') return 'taken';
  if (code === 'CA') return 'commit';
  return errors.some((each) => FOR_GOOD.has(each)) ? 'refused for good' : 'refused';
}

/** Answers an acknowledgement that wants to be answered. */
export function acceptOf(wanted: string, now: string): string {
  const none = undefined;
  return writeMessage([['MSH', 'VITALGATE', none, none, none, now, none, ['ACK', none, 'ACK'], `A${wanted}`.slice(0, 20), 'P', '2.6'], ['MSA', 'CA', wanted]]);
}
