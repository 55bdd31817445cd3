import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Bytes, formatBytes, formatDuration, KiB, MiB, Millis, Minutes, parseBytes, parseDuration, Seconds,
} from '../../gateway/quantity.ts';

const refusal = expect.objectContaining({ code: 'VG_QUANTITY' }) as Error;

describe('a duration', () => {
  it.each([
    ['250ms', 250], ['30s', 30_000], ['5min', 300_000], ['1.5h', 5_400_000], ['14d', 1_209_600_000], ['0s', 0], [' 2 s ', 2000],
    ['007ms', 7],
  ])('"%s" is %d ms', (text, millis) => {
    expect(parseDuration(text)).toBe(millis);
  });

  it.each([
    '', ' ', '30', 's', '30 seconds', '30S', '30m', '-1s', '+1s', '1,5h', '1.h', '.5h', '1e3s', '0x10s', '30s 5ms', '30s;', 'Infinitys',
    'NaNs', '1constructor', '1__proto__',
    '1toString', '\u0663s', `${'9'.repeat(400)}d`,
  ])('"%s" is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(refusal);
  });

  it('says which units there are', () => {
    expect(() => parseDuration('3 fortnights')).toThrow(/ms, s, min, h, d/);
  });
});

describe('a size', () => {
  it.each([
    ['512B', 512], ['1kB', 1000], ['10MB', 10_000_000], ['1GB', 1e9], ['64KiB', 65_536], ['2GiB', 2_147_483_648], ['1.5KiB', 1536],
    ['0B', 0],
  ])('"%s" is %d bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each(
    ['', '64', '64K', '64kb', '64KB', '0.5B', '1.0001KiB', '-1B', '9007199254740992B', `${'9'.repeat(400)}B`, '1hasOwnProperty']
  )('"%s" is refused', (text) => {
    expect(() => parseBytes(text)).toThrow(refusal);
  });

  it('of any whole number of bytes is read as that number', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (n) => {
      expect(parseBytes(`${n}B`)).toBe(n);
    }));
  });
});

describe('quantities for people', () => {
  it.each([
    [0, '0 ms'], [1, '1 ms'], [999, '999 ms'], [1000, '1 s'], [1500, '1.5 s'], [180_000, '3 min'], [5_400_000, '1.5 h'],
    [86_400_000, '1 d'],
  ])('%d ms is "%s"', (millis, text) => {
    expect(formatDuration(Millis(millis))).toBe(text);
  });

  it.each(
    [[0, '0 B'], [1023, '1023 B'], [1024, '1 KiB'], [65_536, '64 KiB'], [1_288_490_189, '1.2 GiB']]
  )('%d bytes are "%s"', (bytes, text) => {
    expect(formatBytes(Bytes(bytes))).toBe(text);
  });

  it('are read back within their rounding', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 10 ** 11 }), (n) => {
      expect(Math.abs(parseDuration(formatDuration(Millis(n)).replace(' ', '')) - n)).toBeLessThanOrEqual(n * 0.06);
    }));
  });

  it('are made of smaller ones', () => {
    expect([Seconds(2), Minutes(2), KiB(2), MiB(2)]).toEqual([2000, 120_000, 2048, 2_097_152]);
  });
});
