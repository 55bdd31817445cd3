/** Whom, what and by what: the resources that others refer to. */

import type { Device, HumanName, Identifier, Location, Patient, Reference } from '@medplum/fhirtypes';
import type { KnownSubject } from '../records/record.ts';
import { mdcCoding } from './codes.ts';
import { CHAIN, KEY, SUBJECT } from './systems.ts';

/** Who somebody is, where this hospital has found it out. */
export type MappedIdentity = Readonly<{
  /** At least one; by the first, other systems know them. */
  identifiers: readonly Readonly<{ system: string; value: string }>[];
  family?: string;
  given?: readonly string[];
  /** YYYY-MM-DD. */
  birthDate?: string;
}>;

/** Whose pseudonym belongs to whom, as far as the hospital has mapped it. Throws {@link StoreError}. */
export interface Identities {
  of(subject: KnownSubject): Promise<MappedIdentity | undefined>;
  /** Everybody with that identifier; without a system, of any. */
  having(identifier: Readonly<{ system?: string; value: string }>): Promise<readonly KnownSubject[]>;
}

/** Authority of a personal health gateway (IEEE 11073-10101 MDC_MOC_VMS_MDS_AHD), as the Personal Health Device guide types it. */
const GATEWAY_TYPE = 531981;

export const subjectReference = ({ kind, person }: KnownSubject): Reference<Patient | Location> => ({ reference: `${kind === 'patient' ? 'Patient' : 'Location'}/${person}` });
export const deviceReference = (chain: string): Reference<Device> => ({ reference: `Device/${chain}` });

const pseudonym = (person: string): Identifier => ({ system: SUBJECT, value: person });

export const subjectResource = (subject: KnownSubject, identity?: MappedIdentity): Patient | Location => (subject.kind === 'patient' ? patientOf(subject.person, identity) : locationOf(subject.person, identity));

/** Without a mapped identity somebody has a pseudonym and nothing else. */
export function patientOf(person: string, identity?: MappedIdentity): Patient {
  const { identifiers = [], family, given, birthDate } = identity ?? {};
  const name: HumanName[] = family === undefined && given === undefined ? [] : [{ ...(family !== undefined && { family }), ...(given !== undefined && { given: [...given] }) }];
  return {
    resourceType: 'Patient', id: person,
    identifier: [...identifiers.map(({ system, value }) => ({ system, value })), pseudonym(person)],
    ...(name.length > 0 && { name }),
    ...(birthDate !== undefined && { birthDate }),
  };
}

export function locationOf(person: string, identity?: MappedIdentity): Location {
  return {
    resourceType: 'Location', id: person,
    identifier: [...(identity?.identifiers ?? []).map(({ system, value }) => ({ system, value })), pseudonym(person)],
    status: 'active', mode: 'instance',
    physicalType: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/location-physical-type', code: 'ro' }] },
  };
}

/** A gateway, by its chain. Sensors are named in no payload. `key`: fingerprint of the key that speaks for the chain. */
export function gatewayOf(chain: string, key?: string): Device {
  return {
    resourceType: 'Device', id: chain,
    identifier: [{ system: CHAIN, value: chain }, ...(key === undefined ? [] : [{ system: KEY, value: key }])],
    status: 'active',
    deviceName: [{ name: 'Vitalgate gateway', type: 'model-name' }],
    type: { coding: [mdcCoding(GATEWAY_TYPE)], text: 'personal health gateway' },
  };
}
