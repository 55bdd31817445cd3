/** Steps of alarms: what is wrong as a DetectedIssue, who was told as a Communication. */

import type { CodeableConcept, Communication, DetectedIssue, Location, Observation, Patient, Practitioner, Reference } from '@medplum/fhirtypes';
import type { HospitalRecord } from '../records/record.ts';
import { ownCoding } from './codes.ts';
import { idOf, identifierOf } from './identifiers.ts';
import { metaOf, observationsOfEvidence } from './observations.ts';
import type { StepPayload } from './payload.ts';
import { deviceReference, subjectReference } from './subjects.ts';
import { ALARM, STAFF } from './systems.ts';
import { SEVERITIES, URGENCIES } from './words.ts';

/** Steps at which something was measured anew; at the others an alarm repeats what it rests on. */
const NEW_EVIDENCE: readonly string[] = ['raised', 'repeated', 'raised_again', 'priority_raised'];
const OVER: readonly string[] = ['cleared', 'none'];

const own = (code: string, text?: string): CodeableConcept => ({ coding: [ownCoding(code)], ...(text !== undefined && text !== '' && { text }) });
/** FHIR has no empty text. */
const textOr = (text: string | undefined, otherwise: string): string => (text === undefined || text.trim() === '' ? otherwise : text);

/** One DetectedIssue for every step, under the identifier of its episode, too; one Communication for whom the step told, or whose answer was refused. */
export function resourcesOfStep(record: HospitalRecord, step: StepPayload): (DetectedIssue | Communication | Observation)[] {
  const { told, refusal, evidence, why } = step;
  const measured = evidence !== undefined && evidence !== null && NEW_EVIDENCE.includes(why) ? observationsOfEvidence(record, evidence.values) : [];
  const issue = issueOf(record, step, measured);
  return [...measured, issue, ...(told === undefined && refusal === undefined ? [] : [communicationOf(record, step, issue)])];
}

function issueOf(record: HospitalRecord, step: StepPayload, measured: readonly Observation[]): DetectedIssue {
  const { alarm, why, to, kind, priority, message, evidence, by, refusal, rule } = step;
  const { subject, chain } = record;
  const condition = evidence?.condition;
  const reasons = [
    ...(condition === undefined || condition.trim() === '' ? [] : [{ code: [own('condition', condition)] }]),
    ...(measured.length === 0 ? [] : [{ detail: measured.map(({ id = '' }) => ({ reference: `Observation/${id}` })) }]),
  ];
  return {
    resourceType: 'DetectedIssue', id: idOf(record, 'alarm'),
    ...metaOf(record),
    identifier: [identifierOf(record, 'alarm'), { system: ALARM, value: `${chain}.${alarm}` }],
    status: OVER.includes(to) ? 'final' : 'preliminary',
    code: { coding: [...(kind === undefined ? [] : [ownCoding(`${kind}-alarm`)]), ownCoding(`step-${why.replaceAll('_', '-')}`)], text: textOr(message, 'alarm') },
    ...(priority !== undefined && { severity: SEVERITIES[priority] }),
    ...(subject.kind === 'patient' ? { patient: subjectReference(subject) as Reference<Patient> } : { implicated: [subjectReference(subject)] }),
    identifiedDateTime: new Date(record.time).toISOString(),
    author: deviceReference(chain),
    ...(reasons.length > 0 && { evidence: reasons }),
    detail: [`${why}: ${step.from} → ${to}`, rule === undefined ? '' : `rule ${rule}`, step.untold === undefined ? '' : `nobody told: ${step.untold}`].filter((part) => part !== '').join('; '),
    ...(by !== undefined && refusal === undefined && { mitigation: [{ action: own(why), date: new Date(record.time).toISOString(), author: staffReference(by) }] }),
  };
}

/** Without an id here: a person at the gateway, by the name that is used there. */
const staffReference = ({ id, role }: Readonly<{ id: string; role: string }>): Reference<Practitioner> => ({ type: 'Practitioner', identifier: { system: STAFF, value: textOr(id, 'unknown') }, ...(role.trim() !== '' && { display: role }) });

function communicationOf(record: HospitalRecord, { told, refusal, by, message, notice, priority }: StepPayload, issue: DetectedIssue): Communication {
  const { subject, chain, time } = record;
  const isRefused = told === undefined;
  const to = (told?.to ?? []).filter((name) => name.trim() !== '');
  return {
    resourceType: 'Communication', id: idOf(record, 'told'),
    ...metaOf(record),
    identifier: [identifierOf(record, 'told')],
    status: isRefused ? 'not-done' : 'completed',
    ...(isRefused && { statusReason: own(`refused-${(refusal ?? '').replaceAll('_', '-')}`) }),
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/communication-category', code: 'alert' }] }],
    ...(priority !== undefined && { priority: URGENCIES[priority] }),
    ...(subject.kind === 'patient' && { subject: subjectReference(subject) as Reference<Patient> }),
    about: [{ reference: `DetectedIssue/${issue.id ?? ''}` }, ...(subject.kind === 'room' ? [subjectReference(subject) as Reference<Location>] : [])],
    sent: new Date(time).toISOString(),
    ...(to.length > 0 && { recipient: to.map((name) => staffReference({ id: name, role: '' })) }),
    sender: isRefused && by !== undefined ? staffReference(by) : deviceReference(chain),
    payload: [{ contentString: textOr(message, 'alarm') }, ...(told === undefined ? [] : [{ contentString: `level ${told.level} of ${told.levels}` }])],
    ...(notice !== undefined && notice.trim() !== '' && { note: [{ text: notice }] }),
  };
}
