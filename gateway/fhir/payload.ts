/** What payloads say, checked: gateways sign them, and a gateway may be broken or hostile. */

import { z } from 'zod';
import { KINDS, PRIORITIES } from './words.ts';
import type { HospitalRecord } from '../records/record.ts';

const LAST_INSTANT = 253_402_300_799_999;
/** Whole milliseconds; gateways have said fractions of one. */
const instant = z.number().min(0).max(LAST_INSTANT).transform(Math.round);
const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
/** Of a string in FHIR R4 at most 1 MiB; of ours far less. */
const line = z.string().max(4096);

const statistics = z.object({
  unit: line, count: z.int().min(0), doubtful: z.int().min(0),
  lowest: z.number().optional(), highest: z.number().optional(), mean: z.number().optional(), last: z.number().optional(),
}).refine(({ count, lowest, highest, mean, last }) => count === 0 || [lowest, highest, mean, last].every((value) => value !== undefined));

const summary = z.object({ from: instant, to: instant, seconds: z.number().optional(), measurements: z.record(name, statistics) }).refine(({ from, to }) => from <= to);

const waveform = z.object({ measurement: name, unit: line, rateHz: z.number().min(0), from: instant, samples: z.array(z.number()), doubt: line.optional() });

const knownValue = z.object({ measurement: name, value: z.number(), unit: line, limit: z.number().optional() });
const person = z.object({ id: line, role: line });

const step = z.object({
  alarm: z.int().min(0), why: line, from: line, to: line,
  rule: line.optional(), kind: z.enum(KINDS).optional(), priority: z.enum(PRIORITIES).optional(), message: line.optional(),
  evidence: z.object({ condition: line, values: z.array(knownValue) }).nullable().optional(),
  told: z.object({ level: z.int(), levels: z.int(), to: z.array(line) }).optional(),
  untold: line.optional(), by: person.optional(), refusal: line.optional(), notice: line.optional(),
});

export type SummaryPayload = z.output<typeof summary>;
export type SummaryStatistics = z.output<typeof statistics>;
export type WaveformPayload = z.output<typeof waveform>;
export type StepPayload = z.output<typeof step>;
export type KnownValue = z.output<typeof knownValue>;

export type Payload = Readonly<{ is: 'summary'; said: SummaryPayload } | { is: 'waveform'; said: WaveformPayload } | { is: 'step'; said: StepPayload }>;

/** Undefined for what is of no known form. */
export function readPayload({ kind, payload }: Pick<HospitalRecord, 'kind' | 'payload'>): Payload | undefined {
  if (kind !== 'summary') {
    const read = step.safeParse(payload);
    return read.success ? { is: 'step', said: read.data } : undefined;
  }
  if (Object.hasOwn(payload, 'samples')) {
    const read = waveform.safeParse(payload);
    return read.success ? { is: 'waveform', said: read.data } : undefined;
  }
  const read = summary.safeParse(payload);
  return read.success ? { is: 'summary', said: read.data } : undefined;
}
