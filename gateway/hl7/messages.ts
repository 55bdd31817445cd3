/** Which records become a message for a destination, and which. */

import { z } from 'zod';
import { Seconds } from '../quantity.ts';
import type { HospitalRecord } from '../records/record.ts';
import { alarmMessage, isTold, stepOf, type Priority } from './alarms.ts';
import type { Making } from './header.ts';
import { observationMessage, summaryOf, type SummaryPayload } from './observations.ts';

/** What is sent, each in an order of its own. */
export const KINDS_OF_MESSAGES = ['alarms', 'observations'] as const;
export type KindOfMessage = (typeof KINDS_OF_MESSAGES)[number];

export type Wanted = Readonly<{
  /** Alarms below this are not told. */
  leastPriority: Priority;
  /** Summaries of a minute, or of a quarter of an hour. */
  summaries: 'minute' | 'quarter';
  /** Whether what is measured in rooms is sent, and alarms about them. */
  rooms: boolean;
}>;

/** The message; or that the destination does not want one; or why there can be none though it may want one. */
export type Made = Readonly<{ message: string } | { unwanted: true } | { unreadable: string }>;

export const kindOf = ({ kind }: Pick<HospitalRecord, 'kind'>): KindOfMessage => (kind === 'summary' ? 'observations' : 'alarms');

const UNWANTED = { unwanted: true } as const;

export function messageAbout(record: HospitalRecord, wanted: Wanted, making: Making): Made {
  if (record.subject.kind === 'room' && !wanted.rooms) return UNWANTED;
  try {
    if (kindOf(record) === 'alarms') {
      const step = stepOf(record);
      return step !== undefined && isTold(step, wanted.leastPriority) ? { message: alarmMessage(record, step, making) } : UNWANTED;
    }
    const summary = summaryOf(record);
    return summary !== undefined && isOfLength(record, summary, wanted.summaries) ? { message: observationMessage(record, summary, making) } : UNWANTED;
  } catch (thrown) {
    if (!(thrown instanceof z.ZodError)) throw thrown;
    // Where, and what was expected there: never what was found, which is about somebody.
    return { unreadable: thrown.issues.map(({ path, message }) => `payload ${path.join('.')}: ${message}`).join('; ') };
  }
}

const MINUTE = Seconds(60);

/** What a device had kept is in a minute's summary only, whatever time it is from: where quarters are sent, it is sent besides. */
function isOfLength({ time }: HospitalRecord, { to, seconds }: SummaryPayload, wanted: Wanted['summaries']): boolean {
  if (seconds === undefined) return true;
  const isMinute = seconds * 1000 <= MINUTE;
  return wanted === 'minute' ? isMinute : !isMinute || to < time - MINUTE;
}
