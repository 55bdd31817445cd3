import type { CapabilityStatement, CapabilityStatementRestResourceSearchParam } from '@medplum/fhirtypes';
import { PARAMETERS } from './record-search.ts';
import type { Parameters } from './query.ts';

/** What every type can be searched by. */
export const TYPES = {
  ...PARAMETERS,
  Patient: { identifier: 'token' },
  Location: { identifier: 'token' },
  Device: { identifier: 'token' },
  Provenance: { target: 'reference' },
  Consent: { patient: 'reference' },
  AuditEvent: { patient: 'reference', date: 'date' },
  CodeSystem: { url: 'token' },
} as const satisfies Record<string, Parameters>;
export type ServedType = keyof typeof TYPES;

export const isServedType = (type: string): type is ServedType => Object.hasOwn(TYPES, type);

/** `base`: address of the API; `date`: since when this program says so. */
export function capabilityOf(name: string, base: string): CapabilityStatement {
  return {
    resourceType: 'CapabilityStatement', status: 'active', date: '2026-11-30', kind: 'instance', fhirVersion: '4.0.1', format: ['application/fhir+json'],
    software: { name: 'Vitalgate' },
    implementation: { description: `hospital node ${name}`, url: base },
    rest: [{
      mode: 'server',
      documentation: 'Reading only. What consent does not permit is not found. X-Purpose-Of-Use says what for (ActReason code, HRESCH/study; default TREAT). GET $stream sends what arrives, as server-sent events.',
      security: { cors: false, service: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'OAuth' }], text: 'bearer token of a member of staff' }] },
      resource: Object.entries(TYPES).map(([type, parameters]) => ({
        type: type as ServedType,
        interaction: [{ code: 'read' as const }, { code: 'search-type' as const }],
        versioning: 'no-version' as const,
        searchParam: [{ name: '_id', type: 'token' as const }, ...Object.entries(parameters as Parameters).flatMap(([parameter, kind]) => searchParams(parameter, kind))],
      })),
    }],
  };
}

function searchParams(name: string, type: Parameters[string]): CapabilityStatementRestResourceSearchParam[] {
  return [{ name, type }, ...(type === 'reference' && ['patient', 'subject'].includes(name) ? [{ name: `${name}.identifier`, type: 'token' as const }] : [])];
}
