import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dateTime, float, sfloat } from '../../gateway/decode/ieee11073.ts';
import { isWallClock, localTime, plusMinutes } from '../../gateway/decode/local-time.ts';
import type { WallClock } from '../../gateway/wall-clock.ts';
import type { UnixMillis } from '../../gateway/quantity.ts';

/** Packs a number as the tables of 11073-20601 draw it: the exponent's digits before the mantissa's, in two's complement. */
function naiveWord(mantissa: number, exponent: number, mantissaBits: number, exponentBits: number): number {
  const digits = (value: number, bits: number): string => (value < 0 ? 2 ** bits + value : value).toString(2).padStart(bits, '0');
  return Number.parseInt(digits(exponent, exponentBits) + digits(mantissa, mantissaBits), 2);
}

/** mantissa × 10^exponent written out in decimal digits, as a person would. */
function naiveDecimal(mantissa: number, exponent: number): string {
  const sign = mantissa < 0 ? '-' : '';
  const digits = String(Math.abs(mantissa)).padStart(1 - exponent, '0');
  return exponent >= 0 ? `${sign}${digits}${'0'.repeat(exponent)}` : `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
}

describe('SFLOAT', () => {
  it.each([
    // FLOATs page of the HL7 Personal Health Device implementation guide.
    [0xf014, 2], [0xe0c8, 2], [0x1002, 20], [0x0b2e, -1234],
    // Pulse oximeter APDU of signove/antidote.
    [0xf3cf, 97.5], [0xf321, 80.1],
    // Ends of mantissa and exponent.
    [0x0000, 0], [0x07fd, 2045], [0x0803, -2045], [0x77fd, 20_450_000_000], [0x87fd, 0.000_020_45], [0x8000, 0], [0x0fff, -1],
    // The mantissas of the special values with an exponent are numbers.
    [0xf7ff, 204.7], [0xf800, -204.8], [0x1802, -20_460],
  ])('%d is %d', (word, value) => {
    expect(sfloat(word)).toBe(value);
  });

  it('has five words that are no number', () => {
    const none = Array.from({ length: 0x1_0000 }, (_, word) => word).filter((word) => sfloat(word) === undefined);
    expect(none).toEqual([0x07fe, 0x07ff, 0x0800, 0x0801, 0x0802]);
  });

  it('of a naive encoder is read as the decimal number that was written', () => {
    fc.assert(fc.property(fc.integer({ min: -2045, max: 2045 }), fc.integer({ min: -8, max: 7 }), (mantissa, exponent) => {
      expect(sfloat(naiveWord(mantissa, exponent, 12, 4))).toBe(Number(naiveDecimal(mantissa, exponent)));
    }), { numRuns: 5000 });
  });

  it('in a thousandth of its unit has no binary noise', () => {
    expect(sfloat(0xc037, 3)).toBe(5.5);
    expect(sfloat(0xb063, 5)).toBe(99);
    expect(sfloat(0xa3db, 5)).toBe(98.7);
  });
});

describe('FLOAT', () => {
  it.each([
    // FLOATs page of the HL7 Personal Health Device implementation guide.
    [0xff00_0014, 2], [0xfe00_00c8, 2], [0x0100_0002, 20], [0x00ff_fb2e, -1234],
    [0xff00_0173, 37.1], [0xff00_03da, 98.6], [0xff7f_ffff, 838_860.7], [0x807f_fffd, 8_388_605e-128], [0x7f7f_fffd, 8_388_605e127],
  ])('%d is %d', (word, value) => {
    expect(float(word)).toBe(value);
  });

  it.each([0x007f_fffe, 0x007f_ffff, 0x0080_0000, 0x0080_0001, 0x0080_0002])('%d is no number', (word) => {
    expect(float(word)).toBeUndefined();
  });

  it('beside those words is always finite', () => {
    for (const word of [0x007f_fffd, 0x0080_0003, 0x7f80_0000, 0x8080_0000, 0xffff_ffff]) expect(Number.isFinite(float(word))).toBe(true);
    fc.assert(fc.property(fc.nat(0xffff_ffff), (word) => {
      const value = float(word);
      expect(value === undefined || Number.isFinite(value)).toBe(true);
    }));
  });

  it('of a naive encoder is read as the decimal number that was written', () => {
    fc.assert(fc.property(fc.integer({ min: -8_388_605, max: 8_388_605 }), fc.integer({ min: -128, max: 127 }), (mantissa, exponent) => {
      expect(float(naiveWord(mantissa, exponent, 24, 8))).toBe(Number(naiveDecimal(mantissa, exponent)));
    }), { numRuns: 5000 });
  });
});

const clockOf = (text: string): WallClock => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text.split(/[- :]/).map(Number);
  return { year, month, day, hour, minute, second };
};

describe('a Date Time', () => {
  const read = (...bytes: readonly number[]): WallClock | undefined => dateTime(new DataView(Uint8Array.from(bytes).buffer));

  it('is year, month, day and time', () => {
    expect(read(0xe1, 0x07, 1, 10, 18, 50, 33)).toEqual(clockOf('2017-01-10 18:50:33'));
    expect(read(0xe8, 0x07, 2, 29, 0, 0, 0)).toEqual(clockOf('2024-02-29 00:00:00'));
  });

  it.each([
    ['of an unknown year', [0, 0, 1, 10, 18, 50, 33]],
    ['of an unknown month', [0xe1, 0x07, 0, 10, 18, 50, 33]],
    ['of an unknown day', [0xe1, 0x07, 1, 0, 18, 50, 33]],
    ['of the thirteenth month', [0xe1, 0x07, 13, 10, 18, 50, 33]],
    ['of 29 February in a common year', [0xe1, 0x07, 2, 29, 18, 50, 33]],
    ['of 31 April', [0xe1, 0x07, 4, 31, 18, 50, 33]],
    ['of 24:00:00', [0xe1, 0x07, 1, 10, 24, 0, 0]],
    ['of minute 60', [0xe1, 0x07, 1, 10, 18, 60, 0]],
    ['of second 60', [0xe1, 0x07, 1, 10, 18, 50, 60]],
    ['before the Gregorian calendar', [0x2d, 0x06, 1, 10, 18, 50, 33]],
    ['of all ones', [255, 255, 255, 255, 255, 255, 255]],
  ])('%s is none', (_, bytes) => {
    expect(read(...bytes)).toBeUndefined();
  });
});

describe('local time', () => {
  const instant = (clock: string, zone: string): UnixMillis | undefined => localTime(clockOf(clock), zone);

  it.each([
    ['in winter', '2026-01-15 12:00:00', 'Europe/Berlin', '2026-01-15T11:00:00Z'],
    ['in summer', '2026-07-15 12:00:00', 'Europe/Berlin', '2026-07-15T10:00:00Z'],
    ['in Greenwich', '2026-07-15 12:00:00', 'UTC', '2026-07-15T12:00:00Z'],
    ['with a quarter of an hour', '2026-07-15 12:00:00', 'Asia/Kathmandu', '2026-07-15T06:15:00Z'],
    ['far in the east', '2026-01-01 00:00:00', 'Pacific/Kiritimati', '2025-12-31T10:00:00Z'],
    ['far in the west', '2026-01-01 23:59:59', 'Pacific/Pago_Pago', '2026-01-02T10:59:59Z'],
    ['before clocks go forward', '2026-03-29 01:59:59', 'Europe/Berlin', '2026-03-29T00:59:59Z'],
    ['in the hour that clocks skip', '2026-03-29 02:30:00', 'Europe/Berlin', '2026-03-29T01:30:00Z'],
    ['after clocks went forward', '2026-03-29 03:00:00', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
    ['before the hour shown twice', '2026-10-25 01:59:59', 'Europe/Berlin', '2026-10-24T23:59:59Z'],
    ['in the hour shown twice', '2026-10-25 02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00Z'],
    ['after the hour shown twice', '2026-10-25 03:00:00', 'Europe/Berlin', '2026-10-25T02:00:00Z'],
    ['in an hour skipped elsewhere', '2026-03-08 02:30:00', 'America/New_York', '2026-03-08T07:30:00Z'],
    ['in an hour shown twice elsewhere', '2026-11-01 01:30:00', 'America/New_York', '2026-11-01T05:30:00Z'],
    ['where clocks change by half an hour', '2026-04-05 01:45:00', 'Australia/Lord_Howe', '2026-04-04T14:45:00Z'],
    ['south of the equator', '2026-10-04 02:30:00', 'Australia/Sydney', '2026-10-03T16:30:00Z'],
    ['before a day that was skipped', '2011-12-29 23:59:59', 'Pacific/Apia', '2011-12-30T09:59:59Z'],
    ['on a day that was skipped', '2011-12-30 12:00:00', 'Pacific/Apia', '2011-12-30T22:00:00Z'],
    ['after a day that was skipped', '2011-12-31 00:00:00', 'Pacific/Apia', '2011-12-30T10:00:00Z'],
  ])('%s: %s in %s is %s', (_, clock, zone, want) => {
    expect(instant(clock, zone)).toBe(Date.parse(want));
  });

  it.each([
    ['of a zone that does not exist', '2026-01-15 12:00:00', 'Europe/Nowhere'],
    ['of an empty zone', '2026-01-15 12:00:00', ''],
    ['of no such day', '2026-02-29 12:00:00', 'UTC'],
    ['of a year of two digits', '26-01-15 12:00:00', 'UTC'],
    ['of half a day', '2026-01-1.5 12:00:00', 'UTC'],
  ])('%s is none', (_, clock, zone) => {
    expect(instant(clock, zone)).toBeUndefined();
  });

  it('is the instant whose wall clock was read, or its twin an hour before', () => {
    const zones = fc.constantFrom(
      'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Tehran', 'Pacific/Apia', 'UTC',
    );
    const seconds = fc.integer({ min: Date.UTC(1990, 0, 1) / 1000, max: Date.UTC(2037, 0, 1) / 1000 });
    fc.assert(fc.property(zones, seconds, (timeZone, second) => {
      const shown = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
      const read = shown.format(second * 1000);
      const got = instant(read, timeZone) ?? Number.NaN;
      expect(shown.format(got)).toBe(read);
      expect(got).toBeLessThanOrEqual(second * 1000);
      expect(got).toBeGreaterThanOrEqual(second * 1000 - 3_600_000);
    }), { numRuns: 500 });
  });

  it('minutes later is what the same clock shows', () => {
    expect(plusMinutes(clockOf('2024-02-28 23:30:15'), 31)).toEqual(clockOf('2024-02-29 00:01:15'));
    expect(plusMinutes(clockOf('2024-01-01 00:00:00'), -1)).toEqual(clockOf('2023-12-31 23:59:00'));
    fc.assert(fc.property(fc.integer({ min: -32_767, max: 32_766 }), (minutes) => {
      const later = plusMinutes(clockOf('2026-03-29 01:30:00'), minutes);
      expect(isWallClock(later)).toBe(true);
      expect(plusMinutes(later, -minutes)).toEqual(clockOf('2026-03-29 01:30:00'));
    }));
  });
});
