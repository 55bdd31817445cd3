/**
 * A sensor that says the very same for too long is stuck, or measures something else than a person. This is a technical
 * condition: it says nothing about health.
 */

import { Minutes, type Millis } from '../quantity.ts';

export type FlatlineLimit = Readonly<{
  /** A change of at least this much is one, in the measurement's unit. */
  resolution: number;
  /** As long as this without a change is too long. */
  lasting: Millis;
  /** And at least so many values in that time: a sensor that speaks rarely repeats itself by nature. */
  least: number;
}>;

/**
 * All of these are choices of this project: nobody publishes how long a living body can stand still. They err towards
 * silence; saturation with oxygen given may well rest at 100 % for a night.
 */
export const FLATLINE_LIMITS: Readonly<Record<string, FlatlineLimit>> = {
  heart_rate: { resolution: 1, lasting: Minutes(15), least: 60 },
  pulse_rate: { resolution: 1, lasting: Minutes(15), least: 60 },
  respiratory_rate: { resolution: 1, lasting: Minutes(60), least: 60 },
  spo2: { resolution: 1, lasting: Minutes(12 * 60), least: 120 },
  skin_temperature: { resolution: 0.1, lasting: Minutes(6 * 60), least: 60 },
  body_temperature: { resolution: 0.1, lasting: Minutes(12 * 60), least: 60 },
  room_temperature: { resolution: 0.1, lasting: Minutes(24 * 60), least: 48 },
  humidity: { resolution: 0.5, lasting: Minutes(24 * 60), least: 48 },
  co2: { resolution: 1, lasting: Minutes(3 * 60), least: 30 },
};

/** The run of equal values that is going on. Plain JSON. */
export type FlatlineState = Readonly<{
  /** The first value of the run; the others are compared with it, so that a slow drift ends it. */
  value: number;
  since: Millis;
  last: Millis;
  count: number;
}>;

/** Decimals are a hair beside what they are: 36.7 − 36.6 is less than 0.1. */
const HAIR = 1e-9;

/**
 * The run with one more value at a steady instant; it begins anew with a change, and after a silence of more than a
 * quarter of `lasting`, of which nobody knows what it held. Values that bear a doubt are not to come here.
 */
export function followFlatline(state: FlatlineState | undefined, at: Millis, value: number, { resolution, lasting }: FlatlineLimit): FlatlineState {
  if (state === undefined || at - state.last > lasting / 4 || Math.abs(value - state.value) >= resolution - HAIR) {
    return { value, since: at, last: at, count: 1 };
  }
  return { ...state, last: at, count: state.count + 1 };
}

/** Whether the run is too long to be true. */
export const isFlat = ({ since, last, count }: FlatlineState, { lasting, least }: FlatlineLimit): boolean => last - since >= lasting && count >= least;
