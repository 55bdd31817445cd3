import { describe, expect, it } from 'vitest';
import { localHour } from '../../gateway/context/local-hour.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

describe('the local hour', () => {
  const table: readonly [instant: string, offset: number, date: string, hour: number, past: number][] = [
    ['2026-01-15T00:30:00Z', 60, '2026-01-15', 1, 30],
    ['2026-07-15T22:30:00Z', 120, '2026-07-16', 0, 30],
    ['2026-07-15T22:30:00Z', 0, '2026-07-15', 22, 30],
    ['2026-01-15T03:00:00Z', -300, '2026-01-14', 22, 0],
    ['2026-01-15T18:45:00Z', 345, '2026-01-16', 0, 30],
    ['2026-03-29T00:59:59Z', 60, '2026-03-29', 1, 59],
    ['1969-12-31T23:30:00Z', 0, '1969-12-31', 23, 30],
    ['1969-12-31T23:30:00Z', -30, '1969-12-31', 23, 0],
  ];
  for (const [instant, offset, date, hour, past] of table) {
    it(`at ${instant}, ${offset} min ahead of UTC, is ${hour}:${past} of ${date}`, () => {
      const at = Date.parse(instant);
      expect(localHour(UnixMillis(at), offset)).toEqual({ day: Date.parse(date) / 86_400_000, hour, past, minute: Math.floor(at / 60_000) });
    });
  }
});
