/** Numbers and dates as personal health devices send them over Bluetooth: IEEE 11073-20601, least significant byte first. */

import type { WallClock } from '../wall-clock.ts';

/** What stands for no number; all have the exponent 0 (SFLOAT in the upper, FLOAT in the lower line). */
export const SFLOAT = { nan: 0x07ff, notAtThisResolution: 0x0800, infinity: 0x07fe, minusInfinity: 0x0802 } as const;
export const FLOAT = { nan: 0x007f_ffff, notAtThisResolution: 0x0080_0000 } as const;

/**
 * mantissa × 10^exponent in 16 bits: exponent 4 bits, mantissa 12, both signed. The mantissas of the special values are left
 * free with every exponent, since some receivers look at nothing else. Throws RangeError for what does not fit.
 */
export function sfloat(mantissa: number, exponent: number): number {
  checkWhole('SFLOAT', mantissa, 0x7fd, exponent, 7);
  return ((exponent & 0xf) << 12) | (mantissa & 0xfff);
}

/** The same in 32 bits: exponent 8 bits, mantissa 24. */
export function float(mantissa: number, exponent: number): number {
  checkWhole('FLOAT', mantissa, 0x7f_fffd, exponent, 127);
  return (((exponent & 0xff) << 24) | (mantissa & 0xff_ffff)) >>> 0;
}

function checkWhole(what: string, mantissa: number, largest: number, exponent: number, highest: number): void {
  const fits = Number.isInteger(mantissa) && Math.abs(mantissa) <= largest && Number.isInteger(exponent) && Math.abs(exponent) <= highest;
  if (!fits) throw new RangeError(`${what} ${mantissa} × 10^${exponent}: expected whole numbers up to ${largest} and ${highest}`);
}

/** Date Time, 7 bytes: year (2), month, day, hours, minutes, seconds (GATT Specification Supplement). Local, without an offset. */
export function dateTime({ year, month, day, hour, minute, second }: WallClock): readonly number[] {
  return [...uint16(year), month, day, hour, minute, second];
}

export const uint16 = (value: number): readonly number[] => [value & 0xff, (value >> 8) & 0xff];
export const uint24 = (value: number): readonly number[] => [...uint16(value), (value >> 16) & 0xff];
export const uint32 = (value: number): readonly number[] => [...uint16(value), ...uint16(value >>> 16)];
