import type { ThresholdRule } from '../context/rules.ts';

/**
 * The rules of a gateway whose configuration names none. They are starting points for a demonstration and for tests,
 * not medical advice: whoever runs a gateway sets the limits of the people it watches.
 */
export const DEFAULT_RULES: readonly ThresholdRule[] = [
  {
    id: 'low-oxygen',
    measurement: 'spo2',
    below: 92,
    clearAt: 94,
    priority: 'high',
    wording: 'Oxygen saturation is low',
    source: 'NEWS2 (Royal College of Physicians, 2017), SpO2 scale 1: 91 % or less scores 3, 94 % leaves the band that scores 2. '
      + 'Not for people on scale 2 (target 88 to 92 %)',
  },
  {
    id: 'fast-pulse',
    measurement: 'heart_rate',
    above: 130,
    clearAt: 120,
    priority: 'medium',
    wording: 'Pulse is fast',
    source: 'NEWS2 (Royal College of Physicians, 2017), pulse: 131 /min or more scores 3; the hysteresis of 10 is a choice of this project',
  },
  {
    id: 'slow-pulse',
    measurement: 'heart_rate',
    below: 40,
    clearAt: 45,
    priority: 'high',
    wording: 'Pulse is slow',
    source: 'NEWS2 (Royal College of Physicians, 2017), pulse: 40 /min or less scores 3; fires just below that edge; the '
      + 'hysteresis of 5 is a choice of this project',
  },
  {
    id: 'fast-pulse-oximeter',
    measurement: 'pulse_rate',
    above: 130,
    clearAt: 120,
    priority: 'medium',
    wording: 'Pulse is fast, by oximeter or cuff',
    source: 'As fast-pulse: a pulse that is felt and a heart that is heard are two measurements',
  },
  {
    id: 'slow-pulse-oximeter',
    measurement: 'pulse_rate',
    below: 40,
    clearAt: 45,
    priority: 'high',
    wording: 'Pulse is slow, by oximeter or cuff',
    source: 'As slow-pulse: a pulse that is felt and a heart that is heard are two measurements',
  },
  {
    id: 'fast-breathing',
    measurement: 'respiratory_rate',
    above: 25,
    clearAt: 22,
    priority: 'high',
    wording: 'Breathing is fast',
    source: 'NEWS2 (Royal College of Physicians, 2017), respiration: 25 /min or more scores 3; fires just above that edge; the '
      + 'hysteresis of 3 is a choice of this project',
  },
  {
    id: 'fever',
    measurement: 'body_temperature',
    above: 39,
    clearAt: 38.5,
    priority: 'medium',
    wording: 'Body temperature is high',
    source: 'NEWS2 (Royal College of Physicians, 2017), temperature: 39.1 Cel or more scores 2; the '
      + 'hysteresis of 0.5 is a choice of this project',
  },
  {
    id: 'stale-air',
    measurement: 'co2',
    above: 2000,
    clearAt: 1500,
    priority: 'low',
    wording: 'The room needs fresh air',
    source: 'A choice of this project between the comfort criterion of 1000 to 1200 ppm (ASHRAE, indoor CO2) and the workplace limit of '
      + '5000 ppm over 8 hours (OSHA)',
  },
];
