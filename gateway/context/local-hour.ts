import { Minutes, type UnixMillis } from '../quantity.ts';

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

/**
 * The local hour at an instant while local clocks are `offset` minutes ahead of UTC. Which offset holds when depends on a machine's
 * table of time zones, so that whoever makes the frames of the journal says it (decode/operator.ts).
 */
export function localHour(at: UnixMillis, offset: number): LocalHour {
  const shown = Math.floor(at / Minutes(1)) + offset;
  const hours = Math.floor(shown / 60);
  return { day: Math.floor(hours / 24), hour: modulo(hours, 24), past: modulo(shown, 60), minute: Math.floor(at / Minutes(1)) };
}

const modulo = (n: number, by: number): number => ((n % by) + by) % by;
