/** Which records become a message for a destination, and which. */

import { z } from 'zod';
import type { HospitalRecord } from '../records/record.ts';
import { alarmMessage, isTold, stepOf, type Priority, type StepPayload } from './alarms.ts';
import type { Making } from './header.ts';
import { observationMessage, summaryOf, type SummaryPayload } from './observations.ts';

/** What is sent, the more urgent first; each is in an order of its own. */
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

type Read = Readonly<{ step: StepPayload } | { summary: SummaryPayload } | { unreadable: string }>;

/** The message; or that the destination does not want one; or why there can be none though it may want one. */
export type Made = Readonly<{ message: string } | { unwanted: true } | { unreadable: string }>;

export const kindOf = ({ kind }: Pick<HospitalRecord, 'kind'>): KindOfMessage => (kind === 'summary' ? 'observations' : 'alarms');

/** Whether there is to be a message about it, as far as the destination is asked. */
export const isWanted = (record: HospitalRecord, wanted: Wanted): boolean => read(record, wanted) !== undefined;

export function messageAbout(record: HospitalRecord, wanted: Wanted, making: Making): Made {
  const said = read(record, wanted);
  if (said === undefined) return { unwanted: true };
  if ('unreadable' in said) return said;
  return { message: 'step' in said ? alarmMessage(record, said.step, making) : observationMessage(record, said.summary, making) };
}

function read(record: HospitalRecord, wanted: Wanted): Read | undefined {
  if (record.subject.kind === 'room' && !wanted.rooms) return undefined;
  try {
    if (kindOf(record) === 'alarms') {
      const step = stepOf(record);
      return step !== undefined && isTold(step, wanted.leastPriority) ? { step } : undefined;
    }
    const summary = summaryOf(record);
    return summary !== undefined && isWantedSummary(summary, wanted.summaries) ? { summary } : undefined;
  } catch (thrown) {
    if (!(thrown instanceof z.ZodError)) throw thrown;
    // Where, and what was expected there: never what was found, which is about somebody.
    return { unreadable: thrown.issues.map(({ path, message }) => `payload ${path.join('.')}: ${message}`).join('; ') };
  }
}

/** What a device told of afterwards is in a minute's summary only, whatever time it is from: where quarters are sent, it is sent besides. */
function isWantedSummary({ seconds, late }: SummaryPayload, wanted: Wanted['summaries']): boolean {
  if (seconds === undefined || late !== undefined) return true;
  return wanted === 'minute' ? seconds <= 60 : seconds > 60;
}
