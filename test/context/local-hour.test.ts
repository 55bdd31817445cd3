import { describe, expect, it } from 'vitest';
import { localHour } from '../../gateway/context/local-hour.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

describe('the local hour', () => {
  const table: readonly [instant: string, zone: string, date: string, hour: number, past: number][] = [
    ['2026-01-15T00:30:00Z', 'Europe/Berlin', '2026-01-15', 1, 30],
    ['2026-07-15T22:30:00Z', 'Europe/Berlin', '2026-07-16', 0, 30],
    ['2026-07-15T22:30:00Z', 'UTC', '2026-07-15', 22, 30],
    ['2026-01-15T03:00:00Z', 'America/New_York', '2026-01-14', 22, 0],
    ['2026-01-15T18:45:00Z', 'Asia/Kathmandu', '2026-01-16', 0, 30],
    ['2026-03-29T00:59:59Z', 'Europe/Berlin', '2026-03-29', 1, 59],
    ['2026-03-29T01:00:00Z', 'Europe/Berlin', '2026-03-29', 3, 0],
    ['2026-10-25T00:30:00Z', 'Europe/Berlin', '2026-10-25', 2, 30],
    ['2026-10-25T01:30:00Z', 'Europe/Berlin', '2026-10-25', 2, 30],
    ['1969-12-31T23:30:00Z', 'UTC', '1969-12-31', 23, 30],
  ];
  for (const [instant, zone, date, hour, past] of table) {
    it(`at ${instant} in ${zone} is ${hour} of ${date}`, () => {
      const at = Date.parse(instant);
      expect(localHour(UnixMillis(at), zone)).toEqual({ day: Date.parse(date) / 86_400_000, hour, past, minute: Math.floor(at / 60_000) });
    });
  }

  it('is undefined in a zone nobody knows, and of no instant', () => {
    expect(localHour(UnixMillis(0), 'Europe/Atlantis')).toBeUndefined();
    expect(localHour(UnixMillis(Number.NaN), 'UTC')).toBeUndefined();
  });
});
