/** A record as FHIR R4 (4.0.1) resources. Pure: the same record gives the same resources, with the same ids, at every time and everywhere. */

import type { Communication, DetectedIssue, Observation } from '@medplum/fhirtypes';
import type { HospitalRecord } from '../records/record.ts';
import { resourcesOfStep } from './alarms.ts';
import { observationOfWaveform, observationsOfSummary } from './observations.ts';
import { readPayload } from './payload.ts';

/** What is made of payloads. References are relative: `Patient/…`, `Location/…`, `Device/…`, and among each other. */
export type Clinical = Observation | DetectedIssue | Communication;

/** Undefined for a payload of no known form; whoever asked says so, for a record is never dropped in silence. */
export function resourcesOf(record: HospitalRecord): readonly Clinical[] | undefined {
  const payload = readPayload(record);
  switch (payload?.is) {
    case undefined: return undefined;
    case 'summary': return observationsOfSummary(record, payload.said);
    case 'waveform': return [observationOfWaveform(record, payload.said)];
    case 'step': return resourcesOfStep(record, payload.said);
  }
}
