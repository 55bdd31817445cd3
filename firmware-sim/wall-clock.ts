/** What clocks on a wall show: many devices have a clock, few know their zone. */

import { ConfigError } from '../gateway/errors.ts';
import { Millis, type UnixMillis } from '../gateway/quantity.ts';

/** Gregorian calendar; `month` and `day` count from 1. */
export type WallClock = Readonly<{ year: number; month: number; day: number; hour: number; minute: number; second: number }>;

/** What a clock in `timeZone` (an IANA name; default this machine's zone) shows at `at`. Throws {@link ConfigError} for no zone. */
export function wallClockAt(at: UnixMillis, timeZone?: string): WallClock {
  const parts = new Map(formatFor(timeZone).formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return { year: part('year'), month: part('month'), day: part('day'), hour: part('hour'), minute: part('minute'), second: part('second') };
}

const formats = new Map<string | undefined, Intl.DateTimeFormat>();

function formatFor(timeZone: string | undefined): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  try {
    const numeric = 'numeric';
    const format = new Intl.DateTimeFormat('en-GB', {
      ...(timeZone === undefined ? {} : { timeZone }),
      calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23',
      year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric,
    });
    formats.set(timeZone, format);
    return format;
  } catch (cause) {
    throw new ConfigError(`time zone "${timeZone}": expected an IANA name such as Europe/Berlin`, { cause });
  }
}

/** How far a clock in `timeZone` is ahead of UTC at `at`. */
export function zoneOffsetAt(at: UnixMillis, timeZone?: string): Millis {
  const { year, month, day, hour, minute, second } = wallClockAt(at, timeZone);
  return Millis(Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000);
}

const digits = (value: number, length = 2): string => String(value).padStart(length, '0');

/** `2018-03-02T18:25:03`: ISO 8601 without an offset. */
export function isoLocal({ year, month, day, hour, minute, second }: WallClock): string {
  return `${digits(year, 4)}-${digits(month)}-${digits(day)}T${digits(hour)}:${digits(minute)}:${digits(second)}`;
}
