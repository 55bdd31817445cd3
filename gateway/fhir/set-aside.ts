import { z } from 'zod';
import type { UnixMillis } from '../quantity.ts';

/** Something another system refuses for good: it is not sent again by itself, and it is not lost. JSON. */
export type SetAside = Readonly<{
  /** Whose output: the name of the system. */
  output: string;
  time: UnixMillis;
  chain: string;
  entry: number;
  record: number;
  /** `Observation/…`; absent where the payload is of no known form. */
  resource?: string;
  /** HTTP status; 0 where it was not sent. */
  status: number;
  /** What the server said, as {@link tellable} has it. */
  outcome: string;
}>;

/** Throws {@link StoreError}. */
export interface SetAsides {
  /** Durable when it resolves; the same resource of the same output once. */
  put(asides: readonly SetAside[]): Promise<void>;
  /** By output, in the order of records. */
  list(output: string): Promise<readonly SetAside[]>;
  /** When they were taken over there after all, or are not wanted. */
  remove(asides: readonly SetAside[]): Promise<void>;
}

const word = z.string().max(300);
const Outcome = z.object({
  issue: z.array(z.object({ severity: word.optional(), code: word.optional(), diagnostics: z.string().optional(), details: z.object({ text: z.string().optional() }).optional(), expression: z.array(word).optional() })).max(1000),
});
const MOST_ISSUES = 10;

/**
 * An OperationOutcome for people and logs: where, and what rule was broken. Servers repeat what was sent to them, in quotes and as numbers: that is
 * left out, for what lies here is not erased with a patient.
 */
export function tellable(outcome: string): string {
  const read = Outcome.safeParse(jsonIn(outcome));
  if (!read.success) return outcome === '' ? 'nothing was said' : 'no OperationOutcome';
  return read.data.issue.slice(0, MOST_ISSUES).map(({ severity = 'error', code = 'unknown', diagnostics, details, expression = [] }) => `${severity} ${code}${expression.length > 0 ? ` at ${expression.join(', ')}` : ''}: ${bare(details?.text ?? diagnostics ?? '')}`).join('; ');
}

const bare = (text: string): string => text.slice(0, 300).replaceAll(/"[^"]*"|'[^']*'|`[^`]*`|\u201c[^\u201d]*\u201d/g, '\u2026').replaceAll(/\d+/g, '#').replaceAll(/\p{Cc}/gu, ' ');

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
