/**
 * The number formats of personal health devices, IEEE 11073-20601, and the Date Time that goes with them over
 * Bluetooth. Bytes come as GATT has them, least significant first; in 11073-20601 itself the most significant comes first.
 */

import type { WallClock } from '../wall-clock.ts';
import { isWallClock } from './local-time.ts';

const SFLOAT_SPECIAL: ReadonlySet<number> = new Set([0x07fe, 0x07ff, 0x0800, 0x0801, 0x0802]);
const FLOAT_SPECIAL: ReadonlySet<number> = new Set([0x007f_fffe, 0x007f_ffff, 0x0080_0000, 0x0080_0001, 0x0080_0002]);

/**
 * SFLOAT, 16 bits: a signed exponent of 4 bits above a signed mantissa of 12 bits; the value is mantissa × 10^exponent.
 * `decimals` is added to the exponent: 3 makes mmol of mol.
 *
 * Undefined for what is no number: +INFINITY 0x07FE, NaN 0x07FF, NRes 0x0800, reserved 0x0801, −INFINITY 0x0802. They have the
 * exponent 0, so 0xF7FF is 204.7, as the standard says.
 */
export function sfloat(word: number, decimals = 0): number | undefined {
  if (SFLOAT_SPECIAL.has(word)) return undefined;
  return decimal((word << 20) >> 20, ((word << 16) >> 28) + decimals);
}

/**
 * FLOAT, 32 bits: a signed exponent of 8 bits above a signed mantissa of 24 bits; the value is mantissa × 10^exponent.
 *
 * Undefined for what is no number: +INFINITY 0x007FFFFE, NaN 0x007FFFFF, NRes 0x00800000, reserved 0x00800001,
 * −INFINITY 0x00800002.
 */
export function float(word: number): number | undefined {
  if (FLOAT_SPECIAL.has(word >>> 0)) return undefined;
  return decimal((word << 8) >> 8, word >> 24);
}

/** The number nearest to mantissa × 10^exponent. Arithmetic would leave binary noise: 371 × 0.1 is 37.1 and some more. */
const decimal = (mantissa: number, exponent: number): number => Number(`${mantissa}e${exponent}`);

/** Size of a {@link dateTime} in bytes. */
export const DATE_TIME_SIZE = 7;

/**
 * Date Time (GATT Specification Supplement):
 *
 *     0  2  year, 1582 to 9999; 0: unknown
 *     2  1  month, 1 to 12; 0: unknown
 *     3  1  day, 1 to 31; 0: unknown
 *     4  3  hours, minutes, seconds
 *
 * It is local time without an offset. Undefined when part of the date is unknown or the date does not exist.
 */
export function dateTime(bytes: DataView): WallClock | undefined {
  const clock = {
    year: bytes.getUint16(0, true), month: bytes.getUint8(2), day: bytes.getUint8(3),
    hour: bytes.getUint8(4), minute: bytes.getUint8(5), second: bytes.getUint8(6),
  };
  return isWallClock(clock) ? clock : undefined;
}
