/** Whom, what and by what: the resources that others refer to. */

import type { Device, Identifier, Location, Patient, Reference } from '@medplum/fhirtypes';
import type { MappedIdentity } from '../records/identity.ts';
import type { KnownSubject } from '../records/record.ts';
import { mdcCoding } from './codes.ts';
import { CHAIN, KEY, SUBJECT } from './systems.ts';

/** Authority of a personal health gateway (IEEE 11073-10101 MDC_MOC_VMS_MDS_AHD), as the Personal Health Device guide types it. */
const GATEWAY_TYPE = 531981;

export const subjectReference = ({ kind, person }: KnownSubject): Reference<Patient | Location> => ({ reference: `${kind === 'patient' ? 'Patient' : 'Location'}/${person}` });
export const deviceReference = (chain: string): Reference<Device> => ({ reference: `Device/${chain}` });

const pseudonym = (person: string): Identifier => ({ system: SUBJECT, value: person });

export const subjectResource = (subject: KnownSubject, identity?: MappedIdentity): Patient | Location => (subject.kind === 'patient' ? patientOf(subject.person, identity) : locationOf(subject.person, identity));

/** What this hospital itself calls them stands first: by that, another system of it knows them. Without it somebody has a pseudonym and nothing else. */
const identifiersOf = (person: string, identity: MappedIdentity | undefined): Identifier[] => [...(identity === undefined ? [] : [{ system: identity.system, value: identity.value }]), pseudonym(person)];

function patientOf(person: string, identity: MappedIdentity | undefined): Patient {
  const name = identity?.name?.trim() ?? '';
  return { resourceType: 'Patient', id: person, identifier: identifiersOf(person, identity), ...(name !== '' && { name: [{ text: name }] }) };
}

function locationOf(person: string, identity: MappedIdentity | undefined): Location {
  const name = identity?.name?.trim() ?? '';
  return {
    resourceType: 'Location', id: person, identifier: identifiersOf(person, identity), status: 'active', mode: 'instance', ...(name !== '' && { name }),
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
