import type { UnixMillis } from '../quantity.ts';
import { wallClockAt } from '../wall-clock.ts';
import { DAYS, type Day, type QuietHours, type QuietWindow } from './policy.ts';

/**
 * Whether clocks in the policy's time zone show an hour that shall be quiet. By what they show: where they are put back, an hour that is
 * shown twice is quiet twice. Throws RangeError for a zone this machine does not know.
 *
 * The answer depends on the machine's table of time zones, so that derivation MUST NOT ask: whoever makes the frames asks, and the answer
 * enters the journal. While the gateway's clock is implausible the answer is no.
 */
export function isQuiet({ timeZone, hours }: Pick<QuietHours, 'timeZone' | 'hours'>, at: UnixMillis): boolean {
  if (hours.length === 0) return false;
  const { day, minute } = shownAt(at, timeZone);
  return hours.some((window) => covers(window, day, minute));
}

function covers({ from, until, days }: QuietWindow, day: Day, minute: number): boolean {
  if (from < until) return days.includes(day) && from <= minute && minute < until;
  return minute >= from ? days.includes(day) : minute < until && days.includes(dayBefore(day));
}

const dayBefore = (day: Day): Day => DAYS[(DAYS.indexOf(day) + DAYS.length - 1) % DAYS.length] as Day;

function shownAt(at: UnixMillis, timeZone: string): Readonly<{ day: Day; minute: number }> {
  const shown = wallClockAt(at, timeZone);
  if (shown === undefined) throw new RangeError(`no time zone of this machine is called ${timeZone}`);
  const { year, month, day, hour, minute } = shown;
  // DAYS begin on Monday, getUTCDay counts from Sunday.
  return { day: DAYS[(new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % DAYS.length] as Day, minute: 60 * hour + minute };
}
