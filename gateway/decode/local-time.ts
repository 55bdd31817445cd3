/** Local wall-clock time without an offset, as devices with a clock but no network give it, made an instant. */

import { UnixMillis } from '../quantity.ts';
import { wallClockAt, type WallClock } from '../wall-clock.ts';

/** The years a GATT Date Time can hold (GATT Specification Supplement, Date Time): the Gregorian calendar, four digits. */
const FIRST_YEAR = 1582;
const LAST_YEAR = 9999;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const within = (value: number, lowest: number, highest: number): boolean => Number.isInteger(value) && value >= lowest && value <= highest;

/** Milliseconds as if the clock stood in Greenwich. */
const asUtc = ({ year, month, day, hour, minute, second }: WallClock): number => Date.UTC(year, month - 1, day, hour, minute, second);

/** Whether such a date and time exists in the calendar: no 30 February, no 24:00:00, no leap second. */
export function isWallClock(clock: WallClock): boolean {
  const { year, month, day, hour, minute, second } = clock;
  const digits = within(year, FIRST_YEAR, LAST_YEAR) && within(month, 1, 12) && within(day, 1, 31);
  if (!digits || !within(hour, 0, 23) || !within(minute, 0, 59) || !within(second, 0, 59)) return false;
  // A day the month does not have would become one of the next month.
  return new Date(asUtc(clock)).getUTCDate() === day;
}

/** What the same clock shows `minutes` later (before, when negative), as long as nobody sets it meanwhile. */
export function plusMinutes(clock: WallClock, minutes: number): WallClock {
  const date = new Date(asUtc(clock) + minutes * MINUTE);
  return {
    year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(),
    hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds(),
  };
}

/**
 * The instant at which clocks in `timeZone` (an IANA name) show `clock`. Undefined when there is no such date or no such zone.
 *
 * Where clocks are put back, an hour is shown twice: the first of the two is meant. Where they are put forward, an hour is not
 * shown at all: who shows it has not put its clock forward, so the offset from before the change holds. Both as in RFC 5545
 * §3.3.5.
 */
export function localTime(clock: WallClock, timeZone: string): UnixMillis | undefined {
  if (!isWallClock(clock)) return undefined;
  const wanted = asUtc(clock);
  const instantBy = (near: number): number | undefined => {
    const shown = shownAt(near, timeZone);
    return shown === undefined ? undefined : wanted - (shown - near);
  };
  // No zone is a day from Greenwich, nor changes its clocks twice in two days: these are the offsets before and after a change.
  const [before, after] = [instantBy(wanted - DAY), instantBy(wanted + DAY)];
  if (before === undefined || after === undefined) return undefined;
  const meant = shownAt(before, timeZone) !== wanted && shownAt(after, timeZone) === wanted ? after : before;
  return UnixMillis(meant);
}

/** What clocks show at `instant`, as milliseconds as if they stood in Greenwich; undefined in no zone. */
function shownAt(instant: number, timeZone: string): number | undefined {
  const shown = wallClockAt(UnixMillis(instant), timeZone);
  return shown === undefined ? undefined : asUtc(shown);
}
