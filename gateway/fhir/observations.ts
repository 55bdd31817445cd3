/** What was measured, as Observations. */

import type { CodeableConcept, Meta, Observation, ObservationComponent } from '@medplum/fhirtypes';
import type { HospitalRecord } from '../records/record.ts';
import { categoryOf, codeOf, fitsUnit, isVitalSign, loincCoding, mdcCoding, ownCoding, quantityOf, wordsOf } from './codes.ts';
import { idOf, identifierOf } from './identifiers.ts';
import type { KnownValue, SummaryPayload, SummaryStatistics, WaveformPayload } from './payload.ts';
import { sampledDataOf } from './sampled-data.ts';
import { deviceReference, subjectReference } from './subjects.ts';
import { ABSENT, ACT_REASON, GATEWAY_DEVICE, MEASUREMENT_STATUS, OBSERVATION_VALUE, STATISTICS, VITAL_SIGNS_PROFILE } from './systems.ts';

const instant = (time: number): string => new Date(time).toISOString();
const concept = (system: string, code: string): CodeableConcept => ({ coding: [{ system, code }] });
const QUESTIONABLE = concept(MEASUREMENT_STATUS, 'questionable');

/** A summary where nothing was counted has values that something spoke against, and none to show: FHIR has no zero for that. */
const UNKNOWN = concept(ABSENT, 'unknown');

const PRESSURES = ['systolic_pressure', 'diastolic_pressure', 'mean_pressure'] as const;

/**
 * One Observation for each measurement of a summary; the pressures of a person together are one panel. A single value is the value;
 * of several the mean is (which `method` says), with number, lowest, highest and last beside it.
 */
export function observationsOfSummary(record: HospitalRecord, { from, to, seconds, measurements }: SummaryPayload): Observation[] {
  const known = new Map(Object.entries(measurements).sort(([a], [b]) => (a < b ? -1 : 1)));
  const panel = panelOf(record, known);
  const single = [...known].filter(([name]) => panel === undefined || !isPressure(name)).map(([name, statistics]) => ({ ...base(record, name), ...valueOf(name, statistics) }));
  return [...(panel === undefined ? [] : [panel]), ...single].map((observation) => during(withLength(observation, seconds), from, to));
}

/** Quarters of an hour say over what minutes have said: whoever adds up has to tell them apart. */
function withLength(observation: Observation, seconds: number | undefined): Observation {
  if (seconds === undefined) return observation;
  return { ...observation, component: [...(observation.component ?? []), { code: { coding: [ownCoding('summary-length')], text: 'summary of' }, valueQuantity: quantityOf('summary_length', seconds, 's') }] };
}

/**
 * Invariant vs-1 of the R4 vital-signs profile is meant to let periods pass and, as it is written, lets none: a vital sign stands at the end of its
 * period, which a component holds.
 */
function during(observation: Observation, from: number, to: number): Observation {
  if (from === to) return { ...observation, effectiveDateTime: instant(from) };
  const period = { start: instant(from), end: instant(to) };
  if (observation.meta?.profile === undefined) return { ...observation, effectivePeriod: period };
  return { ...observation, effectiveDateTime: period.end, component: [...(observation.component ?? []), { code: { coding: [ownCoding('period')], text: 'measured during' }, valuePeriod: period }] };
}

const isPressure = (name: string): boolean => (PRESSURES as readonly string[]).includes(name);

type Value = Pick<Observation, 'valueQuantity' | 'dataAbsentReason' | 'interpretation' | 'component' | 'method'>;

function valueOf(name: string, statistics: SummaryStatistics): Value {
  const { unit, count, doubtful, mean } = statistics;
  if (count === 0 || mean === undefined || !fitsUnit(name, unit)) return { dataAbsentReason: UNKNOWN, ...(doubtful > 0 && { interpretation: [QUESTIONABLE], component: [countComponent('total-count', count + doubtful)] }) };
  if (count === 1 && doubtful === 0) return { valueQuantity: quantityOf(name, mean, unit) };
  return { valueQuantity: quantityOf(name, shownMean(statistics), unit), method: concept(STATISTICS, 'average'), component: statisticsOf(name, statistics) };
}

function statisticsOf(name: string, { unit, count, doubtful, lowest = 0, highest = 0, last = 0 }: SummaryStatistics): ObservationComponent[] {
  return [
    { code: concept(STATISTICS, 'minimum'), valueQuantity: quantityOf(name, lowest, unit) },
    { code: concept(STATISTICS, 'maximum'), valueQuantity: quantityOf(name, highest, unit) },
    { code: { coding: [ownCoding('last')], text: 'last value' }, valueQuantity: quantityOf(name, last, unit) },
    countComponent('count', count),
    ...(doubtful > 0 ? [countComponent('total-count', count + doubtful)] : []),
  ];
}

/** `total-count` also counts values that something spoke against, which stand behind no other figure. */
const countComponent = (code: 'count' | 'total-count', value: number): ObservationComponent => ({ code: concept(STATISTICS, code), valueQuantity: quantityOf('count', value, '1') });

const MOST_DECIMALS = 6;
const decimalsOf = (value: number): number => Math.min(MOST_DECIMALS, /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0);

/** A mean to one digit more than the device gave: further ones are of the division, not of the sensor. */
function shownMean({ lowest = 0, highest = 0, last = 0, mean = 0 }: SummaryStatistics): number {
  const rounded = Number(mean.toFixed(1 + Math.max(decimalsOf(lowest), decimalsOf(highest), decimalsOf(last))));
  return Math.min(highest, Math.max(lowest, rounded));
}

/**
 * All pressures of a person stand in one panel, as FHIR wants those of one inflation of a cuff, where systolic and diastolic are always named: which one
 * is not there says why. So an excerpt has the panel under the same id.
 */
function panelOf(record: HospitalRecord, known: ReadonlyMap<string, SummaryStatistics>): Observation | undefined {
  if (record.subject.kind !== 'patient' || !PRESSURES.some((name) => known.has(name))) return undefined;
  const absent = concept(ABSENT, record.whole ? 'unknown' : 'masked');
  const component = PRESSURES.flatMap((name): ObservationComponent[] => {
    const statistics = known.get(name);
    if (statistics !== undefined) return pressureComponents(name, statistics);
    return name === 'mean_pressure' ? [] : [{ code: codeOf(name), dataAbsentReason: absent }];
  });
  return { ...base(record, 'systolic_pressure', 'blood_pressure'), code: { coding: [loincCoding('85354-9'), mdcCoding(150020)], text: 'blood pressure' }, component };
}

function pressureComponents(name: string, statistics: SummaryStatistics): ObservationComponent[] {
  const { component = [], valueQuantity, dataAbsentReason, interpretation } = valueOf(name, statistics);
  const value = { code: codeOf(name), ...(valueQuantity !== undefined && { valueQuantity }), ...(dataAbsentReason !== undefined && { dataAbsentReason }), ...(interpretation !== undefined && { interpretation }) };
  // Components of a panel have none of their own: their statistics say in their code what they are of.
  return [value, ...component.map(({ code, ...rest }) => ({ ...rest, code: { coding: [ownCoding(`${name}.${code.coding?.[0]?.code ?? ''}`)], text: `${wordsOf(name)}, ${code.coding?.[0]?.code ?? ''}` } }))];
}

export function observationOfWaveform(record: HospitalRecord, { measurement, unit, rateHz, from, samples, doubt }: WaveformPayload): Observation {
  const sampled = fitsUnit(measurement, unit) && rateHz > 0 && samples.length > 0 ? sampledDataOf(samples, quantityOf(measurement, 0, unit), rateHz) : undefined;
  const { meta: _, ...observation } = base(record, measurement, `waveform_${measurement}`);
  const lasts = rateHz > 0 ? Math.round((1000 * Math.max(0, samples.length - 1)) / rateHz) : 0;
  return {
    ...observation,
    ...metaOf(record, { isVital: false, isReal: doubt !== 'not_real' }),
    category: categoryOf(`waveform_${measurement}`, record.subject.kind),
    ...(lasts === 0 ? { effectiveDateTime: instant(from) } : { effectivePeriod: { start: instant(from), end: instant(from + lasts) } }),
    ...(sampled === undefined ? { dataAbsentReason: concept(ABSENT, 'error') } : { valueSampledData: sampled }),
    ...(doubt !== undefined && doubt !== 'stored' && { interpretation: [QUESTIONABLE] }),
  };
}

/**
 * The values an alarm rests on, at the time at which it was decided: when each was measured, a payload does not say. What is not in the unit of
 * its measurement is none of it (minutes of silence) and stays in the words of the alarm.
 */
export function observationsOfEvidence(record: HospitalRecord, values: readonly KnownValue[]): Observation[] {
  return values.filter(({ measurement, unit }) => fitsUnit(measurement, unit)).map(({ measurement, value, unit, limit }, index) => ({
    ...base(record, measurement, `evidence_${index}_${measurement}`),
    effectiveDateTime: instant(record.time),
    valueQuantity: quantityOf(measurement, value, unit),
    ...(limit !== undefined && { referenceRange: [{ type: { coding: [ownCoding('alarm-limit')], text: 'alarm limit' }, text: `compared with ${limit} ${unit}` }] }),
  }));
}

function base(record: HospitalRecord, measurement: string, part = measurement): Observation {
  const { subject, chain } = record;
  return {
    resourceType: 'Observation', id: idOf(record, part),
    ...metaOf(record, { isVital: isVitalSign(measurement) && subject.kind === 'patient' }),
    identifier: [identifierOf(record, part)],
    // The gateway as what the values came through; sensors are named in no payload.
    extension: [{ url: GATEWAY_DEVICE, valueReference: deviceReference(chain) }],
    status: 'final',
    category: categoryOf(measurement, subject.kind),
    code: codeOf(measurement),
    subject: subjectReference(subject),
    device: deviceReference(chain),
  };
}

/** Without `lastUpdated` and version: those are of whoever keeps it. */
export function metaOf({ whole }: Pick<HospitalRecord, 'whole'>, { isVital = false, isReal = true }: Readonly<{ isVital?: boolean; isReal?: boolean }> = {}): Readonly<{ meta?: Meta }> {
  const security = [
    ...(whole ? [] : [{ system: OBSERVATION_VALUE, code: 'REDACTED' }]),
    ...(isReal ? [] : [{ system: ACT_REASON, code: 'HTEST' }]),
  ];
  // An element of FHIR is never empty.
  return isVital || security.length > 0 ? { meta: { ...(isVital && { profile: [VITAL_SIGNS_PROFILE] }), ...(security.length > 0 && { security }) } } : {};
}
