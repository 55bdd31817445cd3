/** Which rules of the packs answer what happens in the simulated week, and which packs whom is given: declared, so that a score means something. */

import type { Person, PersonKind } from '../../firmware-sim/week/cast.ts';
import type { Answers } from '../../firmware-sim/week/score.ts';

/** What anybody who is ill all over may raise as well. */
const UNWELL = ['*/raised-pulse-without-steps', '*/getting-worse', '*/much-worse', 'ward-news2/news2-*', '*/fast-pulse-at-rest', '*/very-fast-pulse', '*/night-rate-shift'];
const BREATHLESS = ['*/low-oxygen', '*/low-oxygen-scale-2', '*/very-low-oxygen', '*/fast-breathing', '*/oxygen-at-night', '*/apnoea-night'];
const HOT = ['*/fever', '*/high-fever', 'heatwave/overheated', 'heatwave/heat-stroke'];
const STILL = ['*/fall', '*/raised-pulse-without-steps', '*/long-lie', '*/still-where-nobody-rests', '*/still-by-day', '*/bathroom-overstay', '*/fast-pulse-at-rest'];

/**
 * `after`: hours after an event in which an alarm is still about it: a value that was high comes down, a night is judged in the
 * morning, walls give back the heat.
 */
export const ANSWERS: Answers = {
  fall_long_lie: { ought: ['home-elderly/fall'], may: STILL, after: 0.5 },
  fall_up_again: { ought: [], may: ['*/fall'], after: 0.5 },
  bathroom_collapse: { ought: ['home-elderly/bathroom-overstay'], may: STILL, after: 0.5 },
  fever: { ought: ['home-elderly/fever', 'post-surgery/fever'], may: [...HOT, ...UNWELL, '*/fast-breathing'], after: 12 },
  deterioration: { ought: ['ward-news2/news2-7'], may: [...HOT, ...UNWELL, ...BREATHLESS, '*/low-pressure'], after: 12 },
  copd_exacerbation: { ought: ['copd-home-oxygen/low-oxygen-scale-2'], may: [...UNWELL, ...BREATHLESS], after: 12 },
  respiratory_depression: { ought: ['post-surgery/low-oxygen'], may: [...UNWELL, ...BREATHLESS, '*/slow-breathing'], after: 8 },
  tachycardia_at_rest: { ought: ['*/very-fast-pulse'], may: UNWELL, after: 0.25 },
  bradycardia: { ought: ['*/slow-pulse'], may: UNWELL, after: 0.25 },
  apnoea_night: { ought: ['*/oxygen-at-night', '*/apnoea-night'], may: BREATHLESS, after: 12 },
  heatwave: { ought: ['heatwave/hot-room'], may: ['heatwave/*', '*/fast-pulse-at-rest', '*/night-rate-shift'], after: 18 },
  cold_home: { ought: ['home-elderly/very-cold-room'], may: ['*/cold-room'], after: 12 },
  stale_air: { ought: ['home-elderly/stale-air'], may: ['*/bad-air'], after: 1 },
  night_wandering: { ought: ['home-elderly/night-wandering'], may: [], after: 6 },
  drop_out: { ought: [], may: ['no-data *'], after: 1 },
  flat_line: { ought: [], may: ['flat *'], after: 1 },
  contradiction: { ought: [], may: ['disagree *', '*/slow-pulse'], after: 1 },
  battery_low: { ought: [], may: ['low-battery *', 'no-data *'], after: 3 },
};

/** Somebody ill lives at home and has the pack for their illness; whoever is visited often, that of a ward as well. */
const PACKS: Readonly<Record<PersonKind, readonly string[]>> = {
  frail: ['home-elderly', 'heatwave'],
  after_surgery: ['post-surgery'],
  copd: ['copd-home-oxygen'],
  heart_failure: ['home-elderly', 'heatwave'],
  well: ['home-elderly'],
};
const OFTEN = 3;

/** Names of packs for somebody. */
export const packsFor = ({ kind, nurseRounds }: Pick<Person, 'kind' | 'nurseRounds'>): readonly string[] => [...PACKS[kind], ...(nurseRounds >= OFTEN ? ['ward-news2'] : [])];

/** It is for trying the gateway out, and not for a person; rooms have all packs in force, so that it must not be in force. */
export const isForPeople = (pack: string): boolean => pack !== 'starter';
