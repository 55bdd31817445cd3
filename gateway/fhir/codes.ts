/** What FHIR calls what a gateway measures. A measurement that no published system has a code for has one of our own: no code is invented in a system of others. */

import type { CodeableConcept, Coding, Quantity } from '@medplum/fhirtypes';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { CATEGORY, LOINC, MDC, OWN_CODES, PHD_CATEGORY, SNOMED, UCUM } from './systems.ts';

/** Reference identifiers of IEEE 11073-10101 by code. */
const MDC_NAMES: Readonly<Record<number, string>> = {
  147842: 'MDC_ECG_HEART_RATE', 149530: 'MDC_PULS_OXIM_PULS_RATE', 150456: 'MDC_PULS_OXIM_SAT_O2', 151562: 'MDC_RESP_RATE', 150364: 'MDC_TEMP_BODY',
  150020: 'MDC_PRESS_BLD_NONINV', 150021: 'MDC_PRESS_BLD_NONINV_SYS', 150022: 'MDC_PRESS_BLD_NONINV_DIA', 150023: 'MDC_PRESS_BLD_NONINV_MEAN',
  150448: 'MDC_PULS_OXIM_PERF_REL', 188736: 'MDC_MASS_BODY_ACTUAL', 160184: 'MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD', 150452: 'MDC_PULS_OXIM_PLETH',
  188508: 'MDC_TEMP_ROOM', 152836: 'MDC_PRESS_AIR_AMBIENT', 8519681: 'MDC_AI_TYPE_SENSOR_FALL', 8519687: 'MDC_AI_TYPE_SENSOR_MOTION',
  8519690: 'MDC_AI_TYPE_SENSOR_CONTACTCLOSURE', 8519691: 'MDC_AI_TYPE_SENSOR_USAGE', 531981: 'MDC_MOC_VMS_MDS_AHD',
};

/** Codes of the R4 vital-signs profiles, whose subject is a person and whose value is a quantity. */
const VITAL_SIGNS: ReadonlySet<string> = new Set(['heart_rate', 'pulse_rate', 'spo2', 'respiratory_rate', 'body_temperature', 'systolic_pressure', 'diastolic_pressure', 'mean_pressure', 'body_weight']);

/** Besides those of the table: for oxygen saturation US Core asks for the code by pulse oximetry, too. */
const MORE_LOINC: Readonly<Record<string, string>> = { spo2: '59408-5' };

/** 41950-7 is the steps of 24 hours; those of a summary are of its period (55423-8, unspecified time). */
const OTHER_LOINC: Readonly<Record<string, string>> = { steps: '55423-8' };

const OTHER_CATEGORY: Readonly<Record<string, string>> = { steps: 'activity', consciousness: 'exam', oxygen_flow: 'therapy', fall: 'activity' };

/** NEWS2 total (SNOMED CT United Kingdom edition). */
const NEWS2_TOTAL = '1104051000000101';

export const mdcCoding = (code: number): Coding => ({ system: MDC, code: String(code), ...(MDC_NAMES[code] !== undefined && { display: MDC_NAMES[code] }) });
export const loincCoding = (code: string): Coding => ({ system: LOINC, code });
export const ownCoding = (code: string): Coding => ({ system: OWN_CODES, code });

/** Words for people: `skin_temperature` is skin temperature. */
export const wordsOf = (name: string): string => name.replaceAll('_', ' ');

/** What was measured. */
export function codeOf(measurement: string): CodeableConcept {
  const known = MEASUREMENTS.get(measurement);
  const loinc = OTHER_LOINC[measurement] ?? known?.loinc;
  const more = MORE_LOINC[measurement];
  const published = [
    ...(loinc === undefined ? [] : [loincCoding(loinc)]),
    ...(more === undefined ? [] : [loincCoding(more)]),
    ...(known?.mdc === undefined ? [] : [mdcCoding(known.mdc)]),
    ...(measurement === 'news2' ? [{ system: SNOMED, code: NEWS2_TOTAL }] : []),
  ];
  return { coding: [...published, ownCoding(measurement)], text: wordsOf(measurement) };
}

/** `vital-signs` only where the profile holds; what is measured of rooms has a category of our own, for FHIR has none. */
export function categoryOf(measurement: string, subject: 'patient' | 'room'): CodeableConcept[] {
  const phd = { coding: [{ system: PHD_CATEGORY, code: 'phd' }] };
  if (subject === 'room') return [{ coding: [ownCoding('environment')] }];
  if (isVitalSign(measurement)) return [{ coding: [{ system: CATEGORY, code: 'vital-signs' }] }, phd];
  if (measurement.startsWith('news2')) return [{ coding: [{ system: CATEGORY, code: 'survey' }] }];
  const other = OTHER_CATEGORY[measurement];
  return other === undefined ? [phd] : [{ coding: [{ system: CATEGORY, code: other }] }, phd];
}

export const isVitalSign = (measurement: string): boolean => VITAL_SIGNS.has(measurement);

/**
 * A value in its unit. A UCUM code stands only beside a unit that the table has for that measurement, or where the measurement is none of the
 * table and the unit is one of it: text that merely looks like UCUM may mean something else.
 */
export function quantityOf(measurement: string, value: number, unit: string): Quantity {
  return isKnownUnit(measurement, unit) ? { value, unit, system: UCUM, code: unit } : { value, unit };
}

const OTHER_UNITS: ReadonlySet<string> = new Set(['min', '/h', 's']);
const ALL_UNITS: ReadonlySet<string> = new Set([...[...MEASUREMENTS.values()].map(({ unit }) => unit), ...OTHER_UNITS]);

function isKnownUnit(measurement: string, unit: string): boolean {
  const known = MEASUREMENTS.get(measurement);
  return known === undefined ? ALL_UNITS.has(unit) : known.unit === unit;
}

/** Whether a value in this unit can be of that measurement: evidence of silence has minutes under the name of what is missed. */
export const fitsUnit = (measurement: string, unit: string): boolean => (MEASUREMENTS.get(measurement)?.unit ?? unit) === unit;
