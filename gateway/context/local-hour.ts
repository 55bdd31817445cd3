import { Minutes, type UnixMillis } from '../quantity.ts';
import { wallClockAt } from '../wall-clock.ts';

/** What clocks where somebody lives show, as far as habits go by it. */
export type LocalHour = Readonly<{
  /** Days since 1970-01-01 in the local calendar. */
  day: number;
  /** 0 to 23. Where clocks are put back, one hour is as long as two; where they are put forward, one is missing. */
  hour: number;
  /** Minutes past it, 0 to 59: not those of Greenwich, where a zone is off by half an hour. */
  past: number;
  /** Minutes since 1970-01-01T00:00Z, whatever clocks show: no two minutes share a number. */
  minute: number;
}>;

/** The local hour at an instant in `timeZone`, an IANA name. Undefined for a zone that is not known, or no instant. */
export function localHour(at: UnixMillis, timeZone: string): LocalHour | undefined {
  const shown = Number.isFinite(at) ? wallClockAt(at, timeZone) : undefined;
  if (shown === undefined) return undefined;
  const day = Date.UTC(shown.year, shown.month - 1, shown.day) / Minutes(24 * 60);
  return { day, hour: shown.hour, past: shown.minute, minute: Math.floor(at / Minutes(1)) };
}
