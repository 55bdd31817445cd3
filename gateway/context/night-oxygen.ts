/**
 * The oxygen of one night from a pulse oximeter: T90, ODI3 and ODI4, sample by sample, in a state that does not grow.
 *
 * - **T90** is the share of the sleep time with a valid value in which SpO2 is below 90 %.
 * - **ODI3, ODI4** are desaturations of at least 3 or 4 points per hour of valid recording: a fall below the mean of the
 *   last 120 s that lasts at least 10 s (Sleep Science 2022, PMC8889990; ODI4 of 5/h or more is abnormal). The American
 *   Academy of Sleep Medicine leaves open whether wake counts; a recording without sleep staging divides by its own
 *   length, which gives lower numbers than a sleep laboratory (J Clin Sleep Med 2024;20:709, PMC11063702).
 *
 * Everything is counted in whole seconds. The last sample of a second stands for it, and for the seconds after it up to
 * the next sample if that comes within 10 s; a longer silence is a gap from that second on. A second is valid unless its
 * sample is doubtful or an artefact, and only valid seconds count for anything. An artefact is a value outside 50 to
 * 100 %, or one that moved by more than 4 points a second since the last valid value, as long as that is no more than
 * 10 s old. These numbers are choices of this project, as are those that follow.
 *
 * A desaturation begins with the first valid second at least 3 points below the baseline, which is then held. It counts
 * once for each index when 10 valid seconds in a row (seconds that are not valid lie between, and do not count) are deep
 * enough. It is over when the value is less than 3 points below the baseline and, if it was counted, is also within 1
 * point of it or 3 points above the lowest (the end of a desaturation in Jung et al., Ann Biomed Eng 2018); after 120 s,
 * for then it is a new level and a new baseline begins; or after more than 10 s that are not valid. The baseline is the
 * mean of the last 120 valid seconds outside desaturations, so that one does not hide the next; there is none before 60
 * of them, and none is left after more than 120 s that are not valid.
 */

import { Seconds, type Millis } from '../quantity.ts';

/** A SpO2 value at a steady instant. */
export type OxygenSample = Readonly<{
  at: Millis;
  /** Percent. */
  value: number;
  /** Whether the value bears a doubt (reading.ts): it then counts for nothing. */
  doubtful: boolean;
  asleep: boolean;
}>;

const MOST_HELD = 10;
const DEEP_LONG_ENOUGH = 10;
const LONGEST_DIP = 120;
const BASELINE_SECONDS = 120;
const LEAST_BASELINE_SECONDS = 60;
const LONGEST_UNKNOWN_IN_DIP = 10;
const LONGEST_UNKNOWN = 120;
const LOWEST_VALUE = 50;
const FASTEST_CHANGE = 4;
/** AASM clinical practice guideline (J Clin Sleep Med 2017;13:479): a home test needs at least 4 h of adequate data. */
const ENOUGH_SECONDS = 4 * 3600;

/** A fall below the baseline, not yet over. Times in seconds. */
type Dip = Readonly<{
  baseline: number;
  lowest: number;
  /** Since it began, valid or not. */
  lasted: number;
  /** Valid seconds in a row at 3 or 4 points below the baseline. */
  deep3: number;
  deep4: number;
  counted3: boolean;
  counted4: boolean;
}>;

/** Plain JSON, at most about 1 kB. Times in seconds. */
export type NightOxygen = Readonly<{
  /** The last second with a sample; its value, unless that is worth nothing, stands until the next one comes. */
  second?: number;
  value?: number;
  asleep: boolean;
  /** The last valid value and its second, which tell a jump. */
  trusted?: Readonly<{ second: number; value: number }>;
  /** The last 120 valid values outside dips, oldest first. */
  calm: readonly number[];
  /** Seconds in a row that were not valid, up to now. */
  unknown: number;
  dip?: Dip;
  valid: number;
  validAsleep: number;
  below90Asleep: number;
  dips3: number;
  dips4: number;
  lowest?: number;
}>;

export const EMPTY_NIGHT: NightOxygen = {
  asleep: false, calm: [], unknown: 0, valid: 0, validAsleep: 0, below90Asleep: 0, dips3: 0, dips4: 0,
};

/** The night with one more sample. One that is older than the second before it is left out. A night begins with {@link EMPTY_NIGHT}. */
export function followOxygen(night: NightOxygen, { at, value, doubtful, asleep }: OxygenSample): NightOxygen {
  const second = Math.floor(at / Seconds(1));
  if (night.second !== undefined && second < night.second) return night;
  const passed = night.second === undefined || second === night.second ? night : untilSecond(night, second);
  const { value: _, ...rest } = passed;
  return doubtful || !credible(passed, value, second) ? { ...rest, second, asleep } : { ...rest, second, asleep, value };
}

/** Whether `value` can follow what was last believed, and is one at all. */
function credible({ trusted }: NightOxygen, value: number, second: number): boolean {
  if (!(value >= LOWEST_VALUE && value <= 100)) return false;
  if (trusted === undefined || second - trusted.second > MOST_HELD) return true;
  return Math.abs(value - trusted.value) <= FASTEST_CHANGE * Math.max(1, second - trusted.second);
}

/** Counts the seconds from the last sample's up to, and without, `second`. */
function untilSecond(night: NightOxygen, second: number): NightOxygen {
  const { second: from = second, value } = night;
  const seconds = second - from;
  if (value === undefined || seconds > MOST_HELD) return withoutValue(night, seconds);
  let counted: NightOxygen = { ...night, trusted: { second: from, value } };
  for (let each = 0; each < seconds; each++) counted = withSecond(counted, value);
  return counted;
}

/** `seconds` in which nobody knows. */
function withoutValue(night: NightOxygen, seconds: number): NightOxygen {
  const unknown = Math.min(night.unknown + seconds, LONGEST_UNKNOWN + 1);
  const { dip, ...rest } = night;
  const inDip = Math.min(seconds, LONGEST_UNKNOWN_IN_DIP + 1 - night.unknown);
  const calm = unknown > LONGEST_UNKNOWN || outlasted(dip, inDip) ? [] : night.calm;
  if (dip === undefined || unknown > LONGEST_UNKNOWN_IN_DIP || outlasted(dip, inDip)) return { ...rest, unknown, calm };
  return { ...rest, unknown, calm, dip: { ...dip, lasted: dip.lasted + seconds } };
}

/** Whether a dip reaches its longest within `seconds` more: what came before is then no baseline any more. */
const outlasted = (dip: Dip | undefined, seconds: number): boolean => dip !== undefined && dip.lasted + seconds >= LONGEST_DIP;

/** One valid second. */
function withSecond(night: NightOxygen, value: number): NightOxygen {
  const asleep = night.asleep ? 1 : 0;
  const counted: NightOxygen = {
    ...night,
    unknown: 0,
    valid: night.valid + 1,
    validAsleep: night.validAsleep + asleep,
    below90Asleep: night.below90Asleep + (value < 90 ? asleep : 0),
    lowest: Math.min(night.lowest ?? value, value),
  };
  const dip = counted.dip ?? newDip(counted, value);
  return dip === undefined || recovered(dip, value) ? calmSecond(counted, value) : dipSecond(counted, dip, value);
}

/** A mean of decimals may be a hair beside what it is. */
const HAIR = 1e-9;
const below = (baseline: number, value: number, points: number): boolean => baseline - value >= points - HAIR;

function newDip({ calm }: NightOxygen, value: number): Dip | undefined {
  if (calm.length < LEAST_BASELINE_SECONDS) return undefined;
  const baseline = calm.reduce((sum, each) => sum + each, 0) / calm.length;
  if (!below(baseline, value, 3)) return undefined;
  return { baseline, lowest: value, lasted: 0, deep3: 0, deep4: 0, counted3: false, counted4: false };
}

function recovered({ baseline, lowest, counted3 }: Dip, value: number): boolean {
  if (below(baseline, value, 3)) return false;
  return !counted3 || baseline - value <= 1 + HAIR || value - lowest >= 3 - HAIR;
}

function calmSecond(night: NightOxygen, value: number): NightOxygen {
  const { dip: _, ...rest } = night;
  return { ...rest, calm: [...night.calm, value].slice(-BASELINE_SECONDS) };
}

function dipSecond(night: NightOxygen, dip: Dip, value: number): NightOxygen {
  const deep3 = below(dip.baseline, value, 3) ? dip.deep3 + 1 : 0;
  const deep4 = below(dip.baseline, value, 4) ? dip.deep4 + 1 : 0;
  const [counted3, counted4] = [dip.counted3 || deep3 >= DEEP_LONG_ENOUGH, dip.counted4 || deep4 >= DEEP_LONG_ENOUGH];
  const dips3 = night.dips3 + (counted3 && !dip.counted3 ? 1 : 0);
  const dips4 = night.dips4 + (counted4 && !dip.counted4 ? 1 : 0);
  const { dip: _, ...rest } = night;
  if (outlasted(dip, 1)) return { ...rest, dips3, dips4, calm: [] };
  const lowest = Math.min(dip.lowest, value);
  return { ...rest, dips3, dips4, dip: { ...dip, lowest, lasted: dip.lasted + 1, deep3, deep4, counted3, counted4 } };
}

export type NightOxygenSummary = Readonly<{
  /** How long a value was valid; and how long it was so in sleep. */
  valid: Millis;
  validAsleep: Millis;
  /** Whether there is enough to judge a night by: 4 h of valid recording. */
  enough: boolean;
  /** Share of valid sleep time below 90 %, 0 to 1. Absent without any. */
  t90?: number;
  /** Desaturations per hour of valid recording. Absent without any. */
  odi3?: number;
  odi4?: number;
  /** The lowest valid value, in percent. */
  lowest?: number;
}>;

/** What the night says so far. The last sample does not count yet: nobody knows how long it stands. */
export function summariseNight({ valid, validAsleep, below90Asleep, dips3, dips4, lowest }: NightOxygen): NightOxygenSummary {
  return {
    valid: Seconds(valid),
    validAsleep: Seconds(validAsleep),
    enough: valid >= ENOUGH_SECONDS,
    ...(validAsleep === 0 ? {} : { t90: below90Asleep / validAsleep }),
    ...(valid === 0 ? {} : { odi3: (dips3 * 3600) / valid, odi4: (dips4 * 3600) / valid }),
    ...(lowest === undefined ? {} : { lowest }),
  };
}
