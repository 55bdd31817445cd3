import type { UnixMillis } from './quantity.ts';

/** What a clock on the wall shows, in the Gregorian calendar; `month` and `day` count from 1. */
export type WallClock = Readonly<{ year: number; month: number; day: number; hour: number; minute: number; second: number }>;

/** Formats cost a thousand times what using them does. Zones come from configuration, so few are ever in use. */
const formats = new Map<string, Intl.DateTimeFormat>();
const MOST_FORMATS_KEPT = 64;

/**
 * What clocks in `timeZone` (an IANA name) show at an instant. Undefined for a zone that is not known. The table of zones is that of
 * the run-time, which is pinned: the same program gives the same answer on every machine.
 */
export function wallClockAt(at: UnixMillis, timeZone: string): WallClock | undefined {
  const format = formatFor(timeZone);
  if (format === undefined) return undefined;
  const shown = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? Number.NaN;
  return { year: part('year'), month: part('month'), day: part('day'), hour: part('hour'), minute: part('minute'), second: part('second') };
}

function formatFor(timeZone: string): Intl.DateTimeFormat | undefined {
  const kept = formats.get(timeZone);
  if (kept !== undefined) return kept;
  try {
    const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    });
    if (formats.size < MOST_FORMATS_KEPT) formats.set(timeZone, format);
    return format;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
