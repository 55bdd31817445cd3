import { Minutes, type UnixMillis } from '../quantity.ts';

/** What clocks where somebody lives show, as far as habits go by it. */
export type LocalHour = Readonly<{
  /** Days since 1970-01-01 in the local calendar. */
  day: number;
  /** 0 to 23. Where clocks are put back, one hour is as long as two; where they are put forward, one is missing. */
  hour: number;
  /** Minutes since 1970-01-01T00:00Z, whatever clocks show: no two minutes share a number. */
  minute: number;
}>;

/** The local hour at an instant in `timeZone`, an IANA name. Undefined for a zone that is not known, or no instant. */
export function localHour(at: UnixMillis, timeZone: string): LocalHour | undefined {
  const format = formatFor(timeZone);
  if (format === undefined || !Number.isFinite(at)) return undefined;
  const shown = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? Number.NaN;
  const day = Date.UTC(part('year'), part('month') - 1, part('day')) / Minutes(24 * 60);
  return { day, hour: part('hour'), minute: Math.floor(at / Minutes(1)) };
}

/** Formats cost a thousand times what using them does. Zones come from configuration, so few are ever in use. */
const formats = new Map<string, Intl.DateTimeFormat>();
const MOST_FORMATS_KEPT = 64;

function formatFor(timeZone: string): Intl.DateTimeFormat | undefined {
  const kept = formats.get(timeZone);
  if (kept !== undefined) return kept;
  try {
    const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric',
    });
    if (formats.size < MOST_FORMATS_KEPT) formats.set(timeZone, format);
    return format;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
