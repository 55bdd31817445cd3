/** NEWS2 and the heat index from what was measured last. */

import { Minutes, type Millis } from '../quantity.ts';
import { heatIndex } from './heat-index.ts';
import { LEVELS_OF_CONSCIOUSNESS, news2, type Aged, type News2, type Observations, type Parameter } from './news2.ts';
import type { SubjectState } from './subject-state.ts';

/**
 * How long a value counts for NEWS2. The chart says nothing of it, these are choices of this project: what is measured all the
 * time must be of now; what somebody comes to measure holds for six hours, the longest that the RCP lets anybody wait who scores
 * at all (chart 4: four to six hours); and whether oxygen is given holds for twelve, the longest it lets anybody wait.
 */
export const NEWS2_STALE: Readonly<Record<Parameter, Millis>> = {
  respiration_rate: Minutes(60),
  oxygen_saturation: Minutes(15),
  air_or_oxygen: Minutes(12 * 60),
  systolic_pressure: Minutes(6 * 60),
  pulse: Minutes(15),
  consciousness: Minutes(6 * 60),
  temperature: Minutes(6 * 60),
};

type Latest = SubjectState['latest'];

/** The score of the newest values `now`, on the scale of the person. The pulse is the newer of heart_rate and pulse_rate. */
export function news2Of(latest: Latest, now: Millis, scale: 1 | 2): News2 {
  const { oxygen_flow: flow, consciousness: level, heart_rate: heart, pulse_rate: finger } = latest;
  const observed: { -readonly [Each in keyof Observations]: Observations[Each] } = {};
  const aged = <T>(value: T, at: Millis): Aged<T> => ({ value, age: (now - at) as Millis });
  // One by one: this is asked for every value that comes.
  const put = (parameter: 'respiration_rate' | 'oxygen_saturation' | 'systolic_pressure' | 'pulse' | 'temperature', found: Latest[string] | undefined): void => {
    if (found !== undefined) observed[parameter] = aged(found.value, found.at);
  };
  put('respiration_rate', latest['respiratory_rate']);
  put('oxygen_saturation', latest['spo2']);
  if (flow !== undefined) observed.air_or_oxygen = aged(flow.value > 0 ? 'oxygen' : 'air', flow.at);
  put('systolic_pressure', latest['systolic_pressure']);
  put('pulse', heart === undefined || (finger !== undefined && finger.at > heart.at) ? finger : heart);
  const said = level === undefined ? undefined : LEVELS_OF_CONSCIOUSNESS[level.value];
  if (level !== undefined && said !== undefined) observed.consciousness = aged(said, level.at);
  put('temperature', latest['body_temperature']);
  return news2(observed, { staleAfter: NEWS2_STALE, scale });
}

/** In Cel, of a room whose temperature and humidity are known. */
export function heatIndexOf(temperature: number | undefined, humidity: number | undefined): number | undefined {
  return temperature === undefined || humidity === undefined ? undefined : heatIndex(temperature, humidity);
}
