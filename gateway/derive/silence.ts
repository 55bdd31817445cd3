/**
 * How long a device, or one channel of it, may say nothing before its values are missing. Where no source is named, numbers are
 * choices of this project.
 */

import type { DeviceClass } from '../decode/profile.ts';
import { Millis, Minutes } from '../quantity.ts';

/** A silence that begins or ends: of one channel, or of a device as a whole. */
export type Silence = Readonly<{
  phase: 'raised' | 'cleared';
  /** Absent: of all. */
  measurement?: string;
  silentFor: Millis;
  allowed: Millis;
  /** Which channels are missed, and since when nothing came from them. */
  missed: readonly Readonly<{ measurement: string; silentFor: Millis }>[];
}>;

/** What a device says of itself. It tells that the device is there, not that it measures. */
const OF_ITSELF: ReadonlySet<string> = new Set(['battery', 'signal']);
export const isOfItself = (measurement: string): boolean => OF_ITSELF.has(measurement);

/** What is sent when something happens, or when a person measures: no interval of it is usual. */
const SPORADIC: ReadonlySet<string> = new Set([
  'motion', 'door', 'usage', 'fall', 'water_leak', 'smoke', 'steps', 'battery', 'signal', 'power', 'body_weight', 'glucose',
  'systolic_pressure', 'diastolic_pressure', 'mean_pressure', 'consciousness', 'oxygen_flow',
]);
/** Somebody who measures for a few minutes and puts the device away is not missing. */
const KNOWN_AFTER = Minutes(30);
const MISSED_USUAL = 10;
const MISSED_EXPECTED = 3;
/** What is measurement-grade is watched closely. */
const SHORTEST_CLINICAL = Minutes(5);
/** People wash, change a band and step out of reach: less than this is nobody's business, unless a profile says so. */
const SHORTEST = Minutes(30);

/**
 * Why nothing may come though nothing is wrong. `taken_off`: it said that no finger or skin is in it. `charging`: its battery rises
 * while it measures nothing.
 */
export type Rest = 'taken_off' | 'charging';
/** A clip for the night is away for sixteen hours, and worn once a day; the slowest battery is full after four. */
const REST_FOR: Readonly<Record<Rest, Millis>> = { taken_off: Minutes(24 * 60), charging: Minutes(4 * 60) };

/** How a channel came so far, in ms of steady time; `every`: its usual interval, `expected`: what its profile says instead. */
type Course = Readonly<{ last: number; since: number; every?: number | undefined; expected?: number | undefined }>;

/**
 * How long a channel may say nothing while its device goes on with others; undefined when it may for ever. Three times what its
 * profile expects; without a profile ten times what is usual, half an hour at least (five minutes for `clinical`), once values
 * came for half an hour.
 */
export function allowedSilence(measurement: string, { since, last, every, expected }: Course, deviceClass: DeviceClass | undefined): Millis | undefined {
  if (expected !== undefined) return Millis(MISSED_EXPECTED * expected);
  if (every === undefined || SPORADIC.has(measurement) || last - since < KNOWN_AFTER) return undefined;
  return Millis(Math.max(deviceClass === 'clinical' ? SHORTEST_CLINICAL : SHORTEST, MISSED_USUAL * every));
}

/** The same while nothing at all comes: who rests has longer. What a profile expects, and what is clinical, never rests. */
export function allowedRest(measurement: string, course: Course, deviceClass: DeviceClass | undefined, rest: Rest | undefined): Millis | undefined {
  const allowed = allowedSilence(measurement, course, deviceClass);
  if (allowed === undefined || rest === undefined || course.expected !== undefined || deviceClass === 'clinical') return allowed;
  return Millis(Math.max(allowed, REST_FOR[rest]));
}
