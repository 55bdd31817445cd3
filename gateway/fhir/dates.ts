/** Dates of searches (FHIR R4, 3.1.1.4.7): a value is the span it is precise to, and is compared with the span of a resource. */

import { refused } from './outcome.ts';

/** Half open, Unix milliseconds. */
export type Span = Readonly<{ from: number; before: number }>;

const PREFIXES = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb'] as const;
export type Prefix = (typeof PREFIXES)[number];
export type DateCondition = Readonly<{ prefix: Prefix; span: Span }>;

const FORM = /^(?<prefix>[a-z]{2})?(?<year>\d{4})(?:-(?<month>\d{2})(?:-(?<day>\d{2})(?:T(?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?<fraction>\.\d{1,9})?)?(?<zone>Z|[+-]\d{2}:\d{2})?)?)?)?$/;

/** "ge2026-06-01", "2026-06-01T12:00:00+02:00". Without a zone it is UTC. Throws {@link RequestError} 400. */
export function readDate(name: string, text: string): DateCondition {
  const groups = FORM.exec(text)?.groups;
  const prefix = (groups?.['prefix'] ?? 'eq') as Prefix;
  const span = groups === undefined ? undefined : spanIn(groups);
  if (span === undefined || !PREFIXES.includes(prefix)) {
    throw refused(400, 'value', `${name}=${text.slice(0, 40)}: expected a date such as 2026-06-01 or 2026-06-01T12:00:00Z, after one of ${PREFIXES.join(', ')} or none`);
  }
  return { prefix, span };
}

function spanIn(groups: Readonly<Record<string, string | undefined>>): Span | undefined {
  const part = (name: string): number | undefined => (groups[name] === undefined ? undefined : Number(groups[name]));
  const [year = 0, month, day, hour, minute = 0, second, fraction] = [part('year'), part('month'), part('day'), part('hour'), part('minute'), part('second'), part('fraction')];
  const from = Date.UTC(year, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute, second ?? 0) - offsetOf(groups['zone']);
  const isReal = new Date(Date.UTC(year, (month ?? 1) - 1, day ?? 1)).getUTCDate() === (day ?? 1) && (month ?? 1) >= 1 && (month ?? 1) <= 12 && (hour ?? 0) < 24 && minute < 60 && (second ?? 0) < 60;
  // Date.UTC takes years below 100 for those of the twentieth century.
  if (!isReal || year < 100) return undefined;
  if (fraction !== undefined) return { from: from + Math.floor(fraction * 1000), before: from + Math.floor(fraction * 1000) + 1 };
  if (second !== undefined) return { from, before: from + 1000 };
  if (hour !== undefined) return { from, before: from + 60_000 };
  if (day !== undefined) return { from, before: from + 86_400_000 };
  return { from, before: month === undefined ? Date.UTC(year + 1, 0, 1) : Date.UTC(year, month, 1) };
}

function offsetOf(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):(\d{2})$/.exec(zone ?? '') ?? [];
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Whether a resource of that span is meant. */
export function fits({ prefix, span }: DateCondition, of: Span): boolean {
  const within = span.from <= of.from && of.before <= span.before;
  switch (prefix) {
    case 'eq': return within;
    case 'ne': return !within;
    case 'gt': return of.before > span.before;
    case 'lt': return of.from < span.from;
    case 'ge': return of.before > span.before || within;
    case 'le': return of.from < span.from || within;
    case 'sa': return of.from >= span.before;
    case 'eb': return of.before <= span.from;
  }
}

/** The moment before which nothing that fits can end. */
export function earliestOf({ prefix, span }: DateCondition): number {
  return prefix === 'eq' || prefix === 'gt' || prefix === 'ge' || prefix === 'sa' ? span.from : -Infinity;
}
