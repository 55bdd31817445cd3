/**
 * Compares profiles with what the gateway can measure and read: a channel for a mistyped measurement would be lost, and nobody would know.
 */

import { nearest } from './nearest.ts';

/** The table of decode/measurements.ts, as far as it matters here: handed in, because config knows no decoder. */
export type MeasurementTable = ReadonlyMap<string, Readonly<{ unit: string; plausible: readonly [lowest: number, highest: number] }>>;

/** What a file may name. */
export type Known = Readonly<{
  measurements: MeasurementTable;
  /** Names of device families. */
  families: readonly string[];
  /** Whether a number in one unit can be said in another. */
  convertible: (from: string, to: string) => boolean;
}>;

export type Mistake = Readonly<{ path: readonly PropertyKey[]; message: string }>;

/** Looks at the file as it was written, so that these mistakes are told together with all others. */
export function unknownThings(content: unknown, known: Known | undefined): Mistake[] {
  if (known === undefined) return [];
  const gateway = field(content, 'gateway');
  return [
    ...each(field(gateway, 'serial'), (line) => mistakesOfDecoder(line, known), ['gateway', 'serial']),
    ...each(field(gateway, 'profiles'), (profile) => mistakesOfProfile(profile, known), ['gateway', 'profiles']),
  ];
}

function each(list: unknown, judge: (item: unknown) => Mistake[], at: readonly PropertyKey[]): Mistake[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, index) => judge(item).map(({ path, message }) => ({ path: [...at, index, ...path], message })));
}

function mistakesOfDecoder(owner: unknown, { families }: Known): Mistake[] {
  const decoder = field(owner, 'decoder');
  const misnamed = typeof decoder === 'string' && !families.includes(decoder);
  return misnamed ? [{ path: ['decoder'], message: unknown('device family', decoder, families) }] : [];
}

function mistakesOfProfile(profile: unknown, known: Known): Mistake[] {
  return [
    ...mistakesOfDecoder(profile, known),
    ...mistakesOfMeanings(profile, known),
    ...each(field(profile, 'devices'), (device) => mistakesOfMeanings(device, known), ['devices']),
  ];
}

/** What is said of channels and measurements, by a profile or by one of its devices. */
const mistakesOfMeanings = (owner: unknown, known: Known): Mistake[] => [...mistakesOfChannels(owner, known), ...mistakesOfExpectations(owner, known)];

function mistakesOfExpectations(owner: unknown, { measurements }: Known): Mistake[] {
  const expected = field(owner, 'expect');
  if (typeof expected !== 'object' || expected === null) return [];
  return Object.entries(expected).flatMap(([measurement, expectation]: [string, unknown]): Mistake[] => {
    const table = measurements.get(measurement);
    if (table === undefined) return [{ path: ['expect', measurement], message: unknown('measurement', measurement, [...measurements.keys()]) }];
    const between = field(expectation, 'between');
    const [lowest, highest] = table.plausible;
    const values = Array.isArray(between) ? between.filter((value) => typeof value === 'number') : [];
    if (values.every((value) => value >= lowest && value <= highest)) return [];
    return [{ path: ['expect', measurement, 'between'], message: `expected values from ${lowest} to ${highest} ${table.unit}, all that ${measurement} can be` }];
  });
}

function mistakesOfChannels(owner: unknown, known: Known): Mistake[] {
  const channels = field(owner, 'channels');
  if (typeof channels !== 'object' || channels === null) return [];
  return Object.entries(channels).flatMap(([name, channel]) =>
    mistakesOfChannel(channel, known).map(({ path, message }) => ({ path: ['channels', name, ...path], message })));
}

function mistakesOfChannel(channel: unknown, { measurements, convertible }: Known): Mistake[] {
  if (channel === 'ignore') return [];
  const short = typeof channel === 'string';
  const measurement = short ? channel : field(channel, 'measurement');
  if (typeof measurement !== 'string') return [];
  const table = measurements.get(measurement);
  if (table === undefined) return [{ path: short ? [] : ['measurement'], message: unknown('measurement', measurement, [...measurements.keys()]) }];
  const unit = field(channel, 'unit');
  if (typeof unit !== 'string' || convertible(unit, table.unit)) return [];
  return [{ path: ['unit'], message: `expected a unit (UCUM) that can be converted to '${table.unit}', the unit of ${measurement}; got '${unit}'` }];
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean '${meant}'?`;
  return `unknown ${what} '${name}'; ${hint}`;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}
