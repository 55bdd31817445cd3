/**
 * What is usual for one person, as it is known now: as far as the rules in force follow it, and after its warm-up. Of each the file that
 * works it out says what it rests on. Nothing here is a limit.
 */

import { MEASUREMENTS } from '../decode/measurements.ts';
import { Deriving, type ClinicalState, type Person } from './clinical.ts';
import { usualMoves } from './night-moves.ts';
import { usualNightRate } from './resting-night-rate.ts';
import { factsOf, usualHour, type SubjectState, type When } from './subject-state.ts';
import { DERIVED } from './vocabulary.ts';

export type Usual = Readonly<{
  /** `usual_` and what it is of; for stays the names of vocabulary.ts. */
  name: string;
  value: number;
  /** UCUM. */
  unit: string;
  /** On how many days or nights it rests; null: on stays. */
  days: number | null;
  meaning: string;
  /** The measurements that it was learnt from. */
  from: readonly string[];
}>;

const STAYS = ['usual_room_minutes', 'long_room_minutes'];

/** Empty while nobody knows what hour it is. */
export function usualNow({ known, clinical }: Readonly<{ known: SubjectState; clinical: ClinicalState }>, person: Person, when: When): readonly Usual[] {
  const { local } = when;
  if (local === undefined) return [];
  const hours = Object.keys(known.baselines).flatMap((measurement): readonly Usual[] => {
    const usual = usualHour(known, measurement, local);
    return usual === undefined ? [] : [{ name: `usual_${measurement}`, value: usual.median, unit: unitOf(measurement), days: usual.days, meaning: 'median at this hour of the day, of the last days that had it', from: [measurement] }];
  });
  const rate = clinical.nightRate && usualNightRate(clinical.nightRate, local.day);
  const moves = clinical.moves && usualMoves(clinical.moves, local);
  return [
    ...hours,
    ...(rate === undefined ? [] : [{ name: 'usual_night_rate', value: rate.median, unit: '/min', days: rate.nights, meaning: 'median of the resting heart rate of nights', from: ['heart_rate', 'pulse_rate'] }]),
    ...staysOf(new Deriving(clinical, known, person, when), factsOf(known, when)),
    ...(moves === undefined ? [] : [{ name: 'usual_night_moves', value: moves.median, unit: '1', days: moves.nights, meaning: 'median of the changes of room in a night', from: WHEREABOUTS }]),
  ];
}

const WHEREABOUTS = ['motion', 'usage', 'door'];
const unitOf = (measurement: string): string => MEASUREMENTS.get(measurement)?.unit ?? '1';

function staysOf(deriving: Deriving, facts: ReturnType<typeof factsOf>): readonly Usual[] {
  return STAYS.flatMap((name): readonly Usual[] => {
    const value = deriving.valueOf(name, facts);
    return typeof value === 'number' ? [{ name, value, unit: 'min', days: null, meaning: DERIVED.get(name)?.meaning ?? '', from: WHEREABOUTS }] : [];
  });
}
