/** NEWS2 and the heat index from what was measured last. */

import { Minutes, type Millis } from '../quantity.ts';
import { heatIndex } from './heat-index.ts';
import { LEVELS_OF_CONSCIOUSNESS, news2, type Aged, type News2, type Parameter } from './news2.ts';
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
  const aged = (measurement: string): Aged<number> | undefined => {
    const found = latest[measurement];
    return found === undefined ? undefined : { value: found.value, age: (now - found.at) as Millis };
  };
  const [flow, level, pulse] = [aged('oxygen_flow'), aged('consciousness'), newer(aged('heart_rate'), aged('pulse_rate'))];
  const [respiration, saturation, pressure, temperature] = [aged('respiratory_rate'), aged('spo2'), aged('systolic_pressure'), aged('body_temperature')];
  const said = level === undefined ? undefined : LEVELS_OF_CONSCIOUSNESS[level.value];
  return news2({
    ...(respiration && { respiration_rate: respiration }),
    ...(saturation && { oxygen_saturation: saturation }),
    ...(flow && { air_or_oxygen: { value: flow.value > 0 ? 'oxygen' : 'air', age: flow.age } }),
    ...(pressure && { systolic_pressure: pressure }),
    ...(pulse && { pulse }),
    ...(level && said && { consciousness: { value: said, age: level.age } }),
    ...(temperature && { temperature }),
  }, { staleAfter: NEWS2_STALE, scale });
}

const newer = (a: Aged<number> | undefined, b: Aged<number> | undefined): Aged<number> | undefined => (a === undefined || (b !== undefined && b.age < a.age) ? b : a);

/** In Cel, of a room whose temperature and humidity are known. */
export function heatIndexOf(temperature: number | undefined, humidity: number | undefined): number | undefined {
  return temperature === undefined || humidity === undefined ? undefined : heatIndex(temperature, humidity);
}
