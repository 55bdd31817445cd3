/**
 * What an event does to a body. A pulse rises by about 9 a minute for each degree of fever (Liebermeister's rule, 8 to 10); the
 * other courses are chosen to be what textbooks call typical, and not to fit any limit of the gateway.
 */

import { HOUR } from '../activity.ts';
import type { ScriptedEvent } from './script.ts';

/** What is added to a healthy body, in the unit of each. */
export type Strain = {
  heartRate: number;
  respiratoryRate: number;
  saturation: number;
  core: number;
  systolic: number;
  /** 0 to 1: how far pulse or breath are no longer led by the body's needs, and what they are then, per minute. */
  heartLed: number;
  heartAt: number;
  breathLed: number;
  breathAt: number;
  /** Standard deviation of the pulse from value to value. */
  irregular: number;
  /** Desaturations begun per hour of sleep, and how deep they are at most, in points. */
  desaturationsPerHour: number;
  deepest: number;
};

const NO_STRAIN: Strain = {
  heartRate: 0, respiratoryRate: 0, saturation: 0, core: 0, systolic: 0, heartLed: 0, heartAt: 0, breathLed: 0, breathAt: 0, irregular: 0,
  desaturationsPerHour: 0, deepest: 0,
};

/** Rises from 0 to 1 in `rise` hours from the beginning, and falls again in the last `fall` hours. */
function swell(now: number, { from, until }: Pick<ScriptedEvent, 'from' | 'until'>, rise: number, fall: number): number {
  const up = (now - from) / (rise * HOUR);
  const down = (until - now) / (fall * HOUR);
  return Math.max(0, Math.min(1, up, down));
}

/** What `events` of one person do to their body at `now`. */
export function strainAt(events: readonly ScriptedEvent[], now: number): Strain {
  const strain = { ...NO_STRAIN };
  for (const event of events) if (now >= event.from && now < event.until) COURSES[event.kind]?.(strain, event, now);
  return strain;
}

function fever(strain: Strain, degrees: number): void {
  strain.core += degrees;
  strain.heartRate += 9 * degrees;
  strain.respiratoryRate += 1.5 * degrees;
}

type Course = (strain: Strain, event: ScriptedEvent, now: number) => void;

const lyingHurt: Course = (strain, event, now) => {
  const level = swell(now, event, 0.02, 0.1);
  strain.heartRate += 14 * level;
  strain.respiratoryRate += 3 * level;
};

const COURSES: Partial<Record<ScriptedEvent['kind'], Course>> = {
  fall_long_lie: lyingHurt,
  fall_up_again: lyingHurt,
  bathroom_collapse: lyingHurt,
  fever: (strain, event, now) => fever(strain, 2.5 * swell(now, event, 8, 6)),
  deterioration: (strain, event, now) => {
    const level = swell(now, event, 22, 5);
    fever(strain, 1.9 * level);
    strain.heartRate += 12 * level;
    strain.respiratoryRate += 7 * level;
    strain.saturation -= 4.5 * level;
    strain.systolic -= 26 * level;
  },
  copd_exacerbation: (strain, event, now) => {
    const level = swell(now, event, 5, 3);
    strain.heartRate += 18 * level;
    strain.respiratoryRate += 7 * level;
    strain.saturation -= 7 * level;
  },
  respiratory_depression: (strain, event, now) => {
    const level = swell(now, event, 0.3, 0.15);
    strain.breathLed = level;
    strain.breathAt = 6;
    strain.saturation -= 10.5 * level;
    strain.heartRate -= 4 * level;
  },
  tachycardia_at_rest: (strain, event, now) => {
    strain.heartLed = swell(now, event, 0.01, 0.05);
    strain.heartAt = 142;
    strain.irregular = 11;
  },
  bradycardia: (strain, event, now) => {
    strain.heartLed = swell(now, event, 0.1, 0.1);
    strain.heartAt = 35;
  },
  apnoea_night: (strain, event, now) => {
    const level = swell(now, event, 0.2, 0.2);
    strain.desaturationsPerHour += 28 * level;
    strain.deepest = 13;
    strain.saturation -= 1.5 * level;
  },
  heatwave: (strain) => {
    strain.heartRate += 4;
  },
};
