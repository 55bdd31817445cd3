/** Who saw what: an AuditEvent for every time something was shown, as IHE BALP has them. */

import type { AuditEvent, AuditEventEntity } from '@medplum/fhirtypes';
import type { UnixMillis } from '../quantity.ts';
import type { OutputRecipient } from '../records/output-gate.ts';
import type { KnownSubject } from '../records/record.ts';
import { purposeCoding } from './permissions.ts';
import { subjectReference } from './subjects.ts';
import { READ, STAFF } from './systems.ts';

/** One time that something of one subject was shown, or that nobody was found. JSON. */
export type AuditedRead = Readonly<{
  time: UnixMillis;
  by: OutputRecipient;
  /** Absent where nothing of anybody was shown. */
  subject?: KnownSubject;
  /** What was asked: `Observation/…`, `Observation?code=…`. At most 1000 characters. */
  asked: string;
  /** How many resources of them were shown. */
  count: number;
}>;

export type NumberedRead = AuditedRead & Readonly<{ /** From 1, ascending. */ number: number }>;

/** Kept for good. Throws {@link StoreError}. */
export interface AuditTrail {
  /** Durable when it resolves: nothing is shown before. */
  note(reads: readonly AuditedRead[]): Promise<void>;
  /** The newest first; of one subject, or all. `before`: numbers below this one. */
  newest(query: Readonly<{ subject?: KnownSubject; before?: number; limit: number }>): Promise<readonly NumberedRead[]>;
  read(number: number): Promise<NumberedRead | undefined>;
}

const DICOM = 'http://dicom.nema.org/resources/ontology/DCM';
const REST = 'http://hl7.org/fhir/restful-interaction';
const PROFILES = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition';

/** BALP: a read or a query through REST, an export for what is pushed. */
const KINDS = {
  'fhir read': { profile: `${PROFILES}/IHE.BasicAudit.PatientRead`, type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' }, subtype: { system: REST, code: 'read' }, action: 'R' },
  'fhir search': { profile: `${PROFILES}/IHE.BasicAudit.PatientQuery`, type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' }, subtype: { system: REST, code: 'search' }, action: 'E' },
  stream: { profile: undefined, type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' }, subtype: { system: REST, code: 'search' }, action: 'R' },
  'fhir push': { profile: `${PROFILES}/IHE.BasicAudit.PrivacyDisclosure.Source`, type: { system: DICOM, code: '110106' }, subtype: { system: REST, code: 'transaction' }, action: 'R' },
  hl7: { profile: undefined, type: { system: DICOM, code: '110106' }, subtype: undefined, action: 'R' },
} as const;

/** `observer`: the name of this hospital's node. */
export function auditEventOf({ number, time, by, subject, asked, count }: NumberedRead, observer: string): AuditEvent {
  const { profile, type, subtype, action } = KINDS[by.by];
  const leaves = by.by === 'fhir push' || by.by === 'hl7';
  return {
    resourceType: 'AuditEvent', id: String(number),
    ...(profile !== undefined && { meta: { profile: [profile] } }),
    type, action, recorded: new Date(time).toISOString(), outcome: '0',
    ...(subtype !== undefined && { subtype: [subtype] }),
    purposeOfEvent: [{ coding: [purposeCoding(by.purpose)] }],
    agent: [
      { type: { coding: [{ system: DICOM, code: leaves ? '110153' : '110152' }] }, requestor: false, who: { display: observer } },
      {
        type: leaves ? { coding: [{ system: DICOM, code: '110152' }] } : { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
        requestor: true, who: { identifier: { system: STAFF, value: by.id } },
        ...(by.role !== undefined && { role: [{ text: by.role }] }),
      },
    ],
    source: { observer: { identifier: { system: READ, value: String(number) }, display: observer } },
    entity: [...(subject === undefined ? [] : [patientEntity(subject)]), queryEntity(asked, count)],
  };
}

function patientEntity(subject: KnownSubject): AuditEventEntity {
  return {
    what: subjectReference(subject),
    type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: subject.kind === 'patient' ? '1' : '2' },
    role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: subject.kind === 'patient' ? '1' : '4' },
  };
}

const queryEntity = (asked: string, count: number): AuditEventEntity => ({
  type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '2' },
  role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: '24' },
  query: Buffer.from(asked, 'utf8').toString('base64'),
  detail: [{ type: 'resources', valueString: String(count) }],
});
