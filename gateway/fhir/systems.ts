/** The names of code and identifier systems. Those of this project are in resources that others keep: one may be added, never renamed. */

export const LOINC = 'http://loinc.org';
export const UCUM = 'http://unitsofmeasure.org';
export const SNOMED = 'http://snomed.info/sct';
/** IEEE 11073-10101, as the Personal Health Device guide writes it. */
export const MDC = 'urn:iso:std:iso:11073:10101';
export const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category';
export const PHD_CATEGORY = 'http://hl7.org/fhir/uv/phd/CodeSystem/PhdObservationCategories';
export const STATISTICS = 'http://terminology.hl7.org/CodeSystem/observation-statistics';
export const ABSENT = 'http://terminology.hl7.org/CodeSystem/data-absent-reason';
export const MEASUREMENT_STATUS = 'http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status';
export const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
export const OBSERVATION_VALUE = 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue';
export const SIGNATURE_TYPE = 'urn:iso-astm:E1762-95:2013';
export const GATEWAY_DEVICE = 'http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice';
export const VITAL_SIGNS_PROFILE = 'http://hl7.org/fhir/StructureDefinition/vitalsigns';

/** Codes for what no published system has a code for (code-system.ts). */
export const OWN_CODES = 'urn:vitalgate:codes';
/** Identifiers: 32 hexadecimal digits, the first pseudonym this hospital heard of somebody or of a room. */
export const SUBJECT = 'urn:vitalgate:subject';
/** Of a gateway, 32 hexadecimal digits. */
export const CHAIN = 'urn:vitalgate:chain';
/** Fingerprint of a key. */
export const KEY = 'urn:vitalgate:key';
/** What was made of an entry: `chain.entry.part`. */
export const RECORD = 'urn:vitalgate:record';
/** SHA-256 of a block header, 64 hexadecimal digits. */
export const BLOCK = 'urn:vitalgate:block';
/** Where an entry stands: `chain.lane.height.entry`. */
export const ENTRY = 'urn:vitalgate:entry';
/** An episode of an alarm: `chain.alarm`. */
export const ALARM = 'urn:vitalgate:alarm';
/** A version of what somebody permitted. */
export const PERMISSION = 'urn:vitalgate:permission';
/** One time that something was shown: its number at this hospital. */
export const READ = 'urn:vitalgate:read';
/** People as a gateway or this hospital calls them. */
export const STAFF = 'urn:vitalgate:staff';
