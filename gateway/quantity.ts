/**
 * Quantities that carry their unit in their type. Text such as "30s" or "2GiB" is parsed here and nowhere else;
 * inside the program a duration is always {@link Millis} and a size always {@link Bytes}.
 */

import { QuantityError } from './errors.ts';

declare const unit: unique symbol;
type Quantity<Unit extends string> = number & { readonly [unit]: Unit };

/** A duration in milliseconds. */
export type Millis = Quantity<'ms'>;
/** An instant on the wall clock: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
export type UnixMillis = Quantity<'unix ms'>;
/** A size in bytes. */
export type Bytes = Quantity<'B'>;

export const Millis = (n: number): Millis => n as Millis;
export const Seconds = (n: number): Millis => (n * 1000) as Millis;
export const Minutes = (n: number): Millis => (n * 60_000) as Millis;
export const UnixMillis = (n: number): UnixMillis => n as UnixMillis;
export const Bytes = (n: number): Bytes => n as Bytes;
export const KiB = (n: number): Bytes => (n * 1024) as Bytes;
export const MiB = (n: number): Bytes => (n * 1024 * 1024) as Bytes;

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

function parseWithUnit(text: string, units: Readonly<Record<string, number>>, example: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim());
  const factor = match?.[2] === undefined ? undefined : units[match[2]];
  if (match?.[1] === undefined || factor === undefined || !Object.hasOwn(units, match[2] as string)) {
    throw new QuantityError(`"${text}" is not a number with one of the units ${Object.keys(units).join(', ')} (for example "${example}")`);
  }
  const value = Number(match[1]) * factor;
  if (!Number.isFinite(value)) throw new QuantityError(`"${text}" is more than any number here can be`);
  return value;
}

/** Parses "250ms", "30s", "5min", "1.5h" or "14d". Throws {@link QuantityError} for anything else, a bare number included. */
export function parseDuration(text: string): Millis {
  return Millis(parseWithUnit(text, DURATION_UNITS, '30s'));
}

/** Parses "512B", "64KiB", "2GiB" or the decimal "10MB". Throws {@link QuantityError} for anything else or a fraction of a byte. */
export function parseBytes(text: string): Bytes {
  const size = parseWithUnit(text, SIZE_UNITS, '64KiB');
  if (!Number.isSafeInteger(size)) throw new QuantityError(`"${text}" is not a whole number of bytes`);
  return Bytes(size);
}

function largestUnit(value: number, units: readonly (readonly [string, number])[]): string {
  for (const [name, factor] of units) {
    if (value >= factor) return `${Number((value / factor).toFixed(factor === 1 ? 0 : 1))} ${name}`;
  }
  return `${Number(value.toFixed(1))} ${units.at(-1)?.[0] ?? ''}`.trim();
}

/** "1.5 s", "3 min": for people, one decimal at most. */
export function formatDuration(duration: Millis): string {
  return largestUnit(duration, [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000], ['ms', 1]]);
}

/** "64 KiB", "1.2 GiB": for people, one decimal at most. */
export function formatBytes(size: Bytes): string {
  return largestUnit(size, [['GiB', 1024 ** 3], ['MiB', 1024 ** 2], ['KiB', 1024], ['B', 1]]);
}
