/**
 * The National Early Warning Score 2, as the Royal College of Physicians (RCP) printed it: "National Early Warning Score
 * (NEWS) 2: Standardising the assessment of acute-illness severity in the NHS", London, December 2017; chart 1 scores a
 * parameter, charts 2 and 4 say what a score asks for. RCP: not for anyone under 16 years, nor in pregnancy.
 *
 * This is the arithmetic of the chart, not a clinician: the response is what the RCP asks of a ward.
 */

import type { Millis } from '../quantity.ts';

/** The seven rows of chart 1, in its order. */
export const PARAMETERS = [
  'respiration_rate', 'oxygen_saturation', 'air_or_oxygen', 'systolic_pressure', 'pulse', 'consciousness', 'temperature',
] as const;
export type Parameter = (typeof PARAMETERS)[number];

/** Alert, new confusion, or responding only to voice, only to pain, or not at all (ACVPU). Confusion is new until somebody says otherwise. */
export const LEVELS_OF_CONSCIOUSNESS = ['A', 'C', 'V', 'P', 'U'] as const;
export type Consciousness = (typeof LEVELS_OF_CONSCIOUSNESS)[number];

/** A value and how long ago it was measured or said. */
export type Aged<Value> = Readonly<{ value: Value; age: Millis }>;

export type Observations = Readonly<{
  /** Breaths per minute. */
  respiration_rate?: Aged<number>;
  /** SpO2 in percent. */
  oxygen_saturation?: Aged<number>;
  air_or_oxygen?: Aged<'air' | 'oxygen'>;
  /** mm[Hg]. */
  systolic_pressure?: Aged<number>;
  /** Beats per minute. */
  pulse?: Aged<number>;
  consciousness?: Aged<Consciousness>;
  /** Cel. */
  temperature?: Aged<number>;
}>;

export type News2Options = Readonly<{
  /** A value older than this is no value. Exactly as old still is one. */
  staleAfter: Readonly<Record<Parameter, Millis>>;
  /**
   * SpO2 scale. Default 1. Scale 2 (target 88 to 92 %) is for people with hypercapnic respiratory failure, and only a
   * clinician decides that: it MUST NOT be guessed from anything measured.
   */
  scale?: 1 | 2;
}>;

export type Risk = 'low' | 'low-medium' | 'medium' | 'high';

/** A row of charts 2 and 4. The terms are the RCP's; the sentence is ours. */
export type Response = Readonly<{
  risk: Risk;
  /** Chart 2. */
  trigger: 'ward-based response' | 'urgent ward-based response' | 'urgent response' | 'urgent or emergency response';
  /** How often to observe at least (chart 4). */
  monitoring: 'every 12 hours' | 'every 4 to 6 hours' | 'every hour' | 'continuous';
  /** What to do (chart 4). */
  action: string;
}>;

const ZERO: Response = {
  risk: 'low', trigger: 'ward-based response', monitoring: 'every 12 hours', action: 'Go on with routine NEWS monitoring',
};
const LOW: Response = {
  risk: 'low', trigger: 'ward-based response', monitoring: 'every 4 to 6 hours',
  action: 'Tell a registered nurse, who assesses the patient and decides on closer monitoring or escalation',
};
const SINGLE_RED: Response = {
  risk: 'low-medium', trigger: 'urgent ward-based response', monitoring: 'every hour',
  action: 'The nurse tells the medical team, who review the patient and decide on escalation',
};
const MEDIUM: Response = {
  risk: 'medium', trigger: 'urgent response', monitoring: 'every hour',
  action: 'The nurse tells the medical team at once; urgent assessment by a clinician competent in acute illness; a place with monitoring',
};
const HIGH: Response = {
  risk: 'high', trigger: 'urgent or emergency response', monitoring: 'continuous',
  action: 'The nurse tells the medical team at once, specialist registrar or above; emergency assessment by a critical-care team; '
    + 'consider level 2 or 3 care',
};

/** Scores by parameter; one that cannot be known yet is absent. */
export type Scores = Readonly<Partial<Record<Parameter, number>>>;

/** Why a parameter does not count. */
export type Missing = Readonly<{ parameter: Parameter; why: 'absent' | 'stale' }>;

export type News2 =
  | Readonly<{
    complete: true;
    scores: Readonly<Record<Parameter, number>>;
    /** Aggregate, 0 to 20. */
    total: number;
    /** The parameters that score 3 by themselves, a red score. */
    red: readonly Parameter[];
    response: Response;
  }>
  | Readonly<{
    complete: false;
    scores: Scores;
    missing: readonly Missing[];
    /** What is known scores this much: the aggregate is no less, and MUST NOT be shown as one. */
    atLeast: number;
    red: readonly Parameter[];
    /** What is known asks for this already, whatever the rest says. Absent while that is no more than a low risk. */
    responseAtLeast?: Response;
  }>;

/** The score of what was observed. Pure; a parameter that is absent, stale or not a finite number never scores 0, it is missing. */
export function news2(observed: Observations, { staleAfter, scale = 1 }: News2Options): News2 {
  const missing: Missing[] = [];
  const valid: { -readonly [Each in Parameter]?: Observations[Each] } = {};
  for (const parameter of PARAMETERS) {
    const why = faultOf(observed[parameter], staleAfter[parameter]);
    // TypeScript does not see that both sides are of one parameter.
    if (why === undefined) (valid as Record<Parameter, unknown>)[parameter] = observed[parameter];
    else missing.push({ parameter, why });
  }
  const scores = scoresOf(valid, scale);
  const red: Parameter[] = [];
  let total = 0;
  for (const parameter of PARAMETERS) {
    const score = scores[parameter] ?? 0;
    total += score;
    if (score === 3) red.push(parameter);
  }
  const response = responseTo(total, red.length > 0);
  if (missing.length === 0) return { complete: true, scores: scores as Readonly<Record<Parameter, number>>, total, red, response };
  return { complete: false, scores, missing, atLeast: total, red, ...(response.risk === 'low' ? {} : { responseAtLeast: response }) };
}

function faultOf(observed: Aged<number | string> | undefined, staleAfter: Millis): Missing['why'] | undefined {
  if (observed === undefined || (typeof observed.value === 'number' && !Number.isFinite(observed.value))) return 'absent';
  return observed.age <= staleAfter ? undefined : 'stale';
}

/** Charts 2 and 4. A red score weighs only where the aggregate asks for less (4 or below). */
export function responseTo(total: number, red: boolean): Response {
  if (total >= 7) return HIGH;
  if (total >= 5) return MEDIUM;
  if (red) return SINGLE_RED;
  return total >= 1 ? LOW : ZERO;
}

function scoresOf(observed: Observations, scale: 1 | 2): Scores {
  const { respiration_rate: respiration, oxygen_saturation: saturation, air_or_oxygen: gas, systolic_pressure: pressure, pulse, consciousness, temperature } = observed;
  const scores: { -readonly [Each in Parameter]?: number } = {};
  // One by one: this is asked for every value that comes.
  if (respiration !== undefined) scores.respiration_rate = onChart(respiration.value, 1, respirationScore);
  const saturated = saturation && saturationScore(saturation.value, gas?.value, scale);
  if (saturated !== undefined) scores.oxygen_saturation = saturated;
  if (gas !== undefined) scores.air_or_oxygen = gas.value === 'oxygen' ? 2 : 0;
  if (pressure !== undefined) scores.systolic_pressure = onChart(pressure.value, 1, pressureScore);
  if (pulse !== undefined) scores.pulse = onChart(pulse.value, 1, pulseScore);
  if (consciousness !== undefined) scores.consciousness = consciousness.value === 'A' ? 0 : 3;
  if (temperature !== undefined) scores.temperature = onChart(temperature.value, 10, temperatureScore);
  return scores;
}

/** What decimals cost in binary: 38.05 × 10 may be a hair beside 380.5. */
const HAIR = 1e-6;

/**
 * The score of a value finer than the chart, which knows whole numbers and tenths of a degree and does not say how to round.
 * A choice of this project: to the nearest step, and exactly half way to the side that scores more, so that rounding alone
 * never makes anybody look better. `score` takes whole steps, `steps` of them to a unit.
 */
function onChart(value: number, steps: number, score: (value: number) => number): number {
  return Math.max(score(Math.round(value * steps - HAIR)), score(Math.round(value * steps + HAIR)));
}

function respirationScore(rate: number): number {
  if (rate <= 8) return 3;
  if (rate <= 11) return 1;
  if (rate <= 20) return 0;
  return rate <= 24 ? 2 : 3;
}

/** Undefined where the score depends on whether oxygen is given and nobody said: scale 2 at 93 % or more. */
function saturationScore(value: number, gas: 'air' | 'oxygen' | undefined, scale: 1 | 2): number | undefined {
  if (scale === 1) return onChart(value, 1, firstScale);
  const [onAir, onOxygen] = [onChart(value, 1, secondScaleOnAir), onChart(value, 1, secondScaleOnOxygen)];
  if (gas === undefined) return onAir === onOxygen ? onAir : undefined;
  return gas === 'air' ? onAir : onOxygen;
}

function firstScale(saturation: number): number {
  if (saturation <= 91) return 3;
  if (saturation <= 93) return 2;
  return saturation <= 95 ? 1 : 0;
}

function secondScaleOnAir(saturation: number): number {
  if (saturation <= 83) return 3;
  if (saturation <= 85) return 2;
  return saturation <= 87 ? 1 : 0;
}

function secondScaleOnOxygen(saturation: number): number {
  if (saturation <= 92) return secondScaleOnAir(saturation);
  if (saturation <= 94) return 1;
  return saturation <= 96 ? 2 : 3;
}

function pressureScore(systolic: number): number {
  if (systolic <= 90) return 3;
  if (systolic <= 100) return 2;
  if (systolic <= 110) return 1;
  return systolic <= 219 ? 0 : 3;
}

function pulseScore(rate: number): number {
  if (rate <= 40) return 3;
  if (rate <= 50) return 1;
  if (rate <= 90) return 0;
  if (rate <= 110) return 1;
  return rate <= 130 ? 2 : 3;
}

/** In tenths of a degree. */
function temperatureScore(tenths: number): number {
  if (tenths <= 350) return 3;
  if (tenths <= 360) return 1;
  if (tenths <= 380) return 0;
  return tenths <= 390 ? 1 : 2;
}
