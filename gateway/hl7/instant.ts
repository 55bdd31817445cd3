import type { UnixMillis } from '../quantity.ts';
import { wallClockAt } from '../wall-clock.ts';

/** An instant as HL7 v2.6 writes it (DTM, 2.A.22), to the millisecond and with its offset: `20261130093000.250+0100`. */
export function instant(at: UnixMillis, timeZone: string): string {
  const wall = wallClockAt(at, timeZone) ?? wallClockAt(at, 'UTC');
  if (wall === undefined) return '';
  const { year, month, day, hour, minute, second } = wall;
  const millis = ((at % 1000) + 1000) % 1000;
  const offset = Math.round((Date.UTC(year, month - 1, day, hour, minute, second) + millis - at) / 60_000);
  return `${digits(year, 4)}${digits(month)}${digits(day)}${digits(hour)}${digits(minute)}${digits(second)}.${digits(Math.floor(millis), 3)}${offset < 0 ? '-' : '+'}${digits(Math.floor(Math.abs(offset) / 60))}${digits(Math.abs(offset) % 60)}`;
}

const digits = (n: number, width = 2): string => String(n).padStart(width, '0');
