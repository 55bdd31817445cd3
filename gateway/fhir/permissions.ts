import type { Coding, Consent, Period } from '@medplum/fhirtypes';
import type { UnixMillis } from '../quantity.ts';
import type { KnownSubject } from '../records/record.ts';
import { ownCoding } from './codes.ts';
import { subjectReference } from './subjects.ts';
import { ACT_REASON, LOINC, PERMISSION } from './systems.ts';

/** What this hospital knows somebody permits it. */
export type KnownPermission = Readonly<{
  /** Letters and digits; another one for every change. */
  version: string;
  /** Permitted, or denied. */
  permits: boolean;
  /** What, as consent calls it: measurements, classes of data. None: all. */
  items: readonly string[];
  /** ActReason codes, HRESCH/study. None: all. */
  purposes: readonly string[];
  from?: UnixMillis;
  until?: UnixMillis;
  /** Only what was measured then. */
  measured?: Readonly<{ from: UnixMillis; until?: UnixMillis }>;
  /** When it was said. */
  said?: UnixMillis;
  /** No longer in force. */
  ended?: true;
}>;

/** Throws {@link StoreError}. */
export interface Permissions {
  of(subject: KnownSubject): Promise<readonly KnownPermission[]>;
}

/** LOINC 59284-0: patient consent. */
const CONSENT_DOCUMENT = '59284-0';

export const consentIdOf = (subject: KnownSubject, version: string): string => `${subject.person}-${version.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`.slice(0, 64);

/** Opting in: nothing but what stands here is permitted. */
export function consentOf(subject: KnownSubject, { version, permits, items, purposes, from, until, measured, said, ended }: KnownPermission): Consent {
  const period = periodOf({ from, until });
  return {
    resourceType: 'Consent', id: consentIdOf(subject, version),
    identifier: [{ system: PERMISSION, value: `${subject.person}.${version}` }],
    status: ended === true ? 'inactive' : 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: LOINC, code: CONSENT_DOCUMENT }] }],
    patient: subjectReference(subject) as NonNullable<Consent['patient']>,
    ...(said !== undefined && { dateTime: new Date(said).toISOString() }),
    policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
    provision: {
      type: permits ? 'permit' : 'deny',
      ...(period !== undefined && { period }),
      ...(purposes.length > 0 && { purpose: purposes.map(purposeCoding) }),
      ...(items.length > 0 && { code: items.map((item) => ({ coding: [ownCoding(item)] })) }),
      ...(measured !== undefined && { dataPeriod: periodOf(measured) as Period }),
    },
  };
}

function periodOf({ from, until }: Readonly<{ from?: UnixMillis | undefined; until?: UnixMillis | undefined }>): Period | undefined {
  if (from === undefined && until === undefined) return undefined;
  return { ...(from !== undefined && { start: new Date(from).toISOString() }), ...(until !== undefined && { end: new Date(until).toISOString() }) };
}

/** One study is a purpose of our own beside the one it is a part of. */
export const purposeCoding = (purpose: string): Coding => (purpose.includes('/') ? ownCoding(purpose.replace('/', '-')) : { system: ACT_REASON, code: purpose });
