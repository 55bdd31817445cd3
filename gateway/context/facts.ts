import type { Millis } from '../quantity.ts';
import type { Activity } from './activity.ts';

/**
 * What is known about one patient or room when a condition is asked. A value is there only when it is fresh and nothing speaks
 * against it: what is missing or stale is undefined, never 0 and never the last one.
 */
export type Facts = Readonly<{
  /** The newest value, in the unit of measurements.ts. */
  value: (measurement: string) => number | undefined;
  /** What a name of vocabulary.ts stands for, of the type that stands there. */
  derived: (name: string) => number | boolean | string | undefined;
  activity: Activity;
  /** The room the person is in; undefined when it is not known. */
  room: string | undefined;
  /** Local time of day in hours, 0 to below 24; undefined while the clock cannot be believed. */
  hour: number | undefined;
  /** Over the values of the last `window`; undefined when there are too few. */
  mean: (measurement: string, window: Millis) => number | undefined;
  lowest: (measurement: string, window: Millis) => number | undefined;
  highest: (measurement: string, window: Millis) => number | undefined;
  /** How much it changes in an hour, over the last `window`. */
  slope: (measurement: string, window: Millis) => number | undefined;
  /** What is usual for this person at this hour of the day, and how far the newest value is from it (baseline.ts). */
  usual: (measurement: string) => number | undefined;
  deviation: (measurement: string) => number | undefined;
  /** Minutes since the last value; undefined when there never was one. */
  minutesSince: (measurement: string) => number | undefined;
  /** The same, but no value older than `age` counts. */
  within: (age: Millis) => Facts;
}>;
