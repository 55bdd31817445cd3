/** Which rules of the packs answer what happens in the simulated week, and which packs whom is given: declared, so that a score means something. */

import type { Person } from '../../firmware-sim/week/cast.ts';
import type { Answers } from '../../firmware-sim/week/score.ts';

const NOTHING_TECHNICAL = ['no-data *', 'flat *', 'disagree *', 'low-battery *', 'out-of-order *'];

/** Hours after an event in which an alarm is still about it: a value that was high comes down, a night is judged in the morning. */
export const ANSWERS: Answers = {
  fall_long_lie: { ought: [], may: ['starter/*'], after: 0.5 },
  fall_up_again: { ought: [], may: ['starter/*'], after: 2 },
  bathroom_collapse: { ought: [], may: ['starter/*'], after: 0.5 },
  fever: { ought: ['starter/fever'], may: ['starter/*'], after: 6 },
  deterioration: { ought: [], may: ['starter/*'], after: 6 },
  copd_exacerbation: { ought: [], may: ['starter/*'], after: 3 },
  respiratory_depression: { ought: ['starter/low-oxygen'], may: ['starter/*'], after: 1 },
  tachycardia_at_rest: { ought: ['starter/fast-pulse'], may: ['starter/*'], after: 0.25 },
  bradycardia: { ought: ['starter/slow-pulse'], may: ['starter/*'], after: 0.25 },
  apnoea_night: { ought: [], may: ['starter/*'], after: 6 },
  heatwave: { ought: [], may: [], after: 12 },
  cold_home: { ought: [], may: [], after: 12 },
  stale_air: { ought: ['starter/stale-air'], may: [], after: 1 },
  night_wandering: { ought: [], may: ['starter/*'], after: 6 },
  drop_out: { ought: [], may: ['no-data *'], after: 1 },
  flat_line: { ought: [], may: NOTHING_TECHNICAL, after: 1 },
  contradiction: { ought: [], may: [...NOTHING_TECHNICAL, 'starter/slow-pulse'], after: 1 },
  battery_low: { ought: [], may: ['low-battery*', 'no-data *'], after: 3 },
};

/** Packs for somebody, of those that are there. */
export const packsFor = (_: Person, ready: readonly string[]): readonly string[] => ready;
