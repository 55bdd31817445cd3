import type { Resource } from '@medplum/fhirtypes';
import { beforeAll, describe, expect, it } from 'vitest';
import { compose } from '../../gateway/fhir/compose.ts';
import { resourcesOf } from '../../gateway/fhir/resources.ts';
import { FhirServer } from '../../gateway/fhir/fhir-server.ts';
import { FhirPush } from '../../gateway/fhir/push.ts';
import { Millis } from '../../gateway/quantity.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { LogBook } from '../upstream/hospital.ts';
import { surroundings } from './doubles.ts';
import { ForeignServer } from './foreign-server.ts';
import { bindingFaults, codeFaults, structureFaults } from './gates.ts';
import { recordsOfWeek } from './week.ts';

/** What differs in structure: which properties there are, of what, with how many components. */
const shapeOf = (resource: Resource): string => JSON.stringify([resource.resourceType, formOf(resource)]);
function formOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(formOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, each]): [string, unknown] => [name, ['system', 'code', 'status', 'text', 'url'].includes(name) ? each : formOf(each)]));
}

describe('a simulated week', () => {
  let records: readonly HospitalRecord[];
  let resources: readonly Resource[];
  beforeAll(async () => {
    records = await recordsOfWeek({ people: 1, days: 7 });
    resources = records.flatMap((record) => resourcesOf(record) ?? []);
  }, 180_000);

  it('is all of known forms, with alarms and readings of people and rooms', () => {
    expect(records.every((record) => resourcesOf(record) !== undefined)).toBe(true);
    expect(records.length).toBeGreaterThan(10_000);
    const kinds = new Set(resources.map(({ resourceType }) => resourceType));
    expect(kinds).toEqual(new Set(['Observation', 'DetectedIssue', 'Communication']));
    expect(new Set(records.map(({ subject: { kind } }) => kind))).toEqual(new Set(['patient', 'room']));
  });

  it('has no resource with a code outside of its value set, a property FHIR does not have, or a unit that is not that of its code', { timeout: 180_000 }, () => {
    const faults = resources.flatMap((resource) => [...bindingFaults(resource), ...codeFaults(resource)].map((fault) => `${resource.id}: ${fault}`));
    expect(faults.slice(0, 5)).toEqual([]);
  });

  it('has no resource whose structure, invariants or profile are not those of R4', { timeout: 180_000 }, async () => {
    const shapes = new Map(resources.map((resource) => [shapeOf(resource), resource]));
    const sampled = resources.filter((_each, i) => i % 50 === 0);
    const around = surroundings();
    const composed = await Promise.all(records.filter(({ kind }, i) => i % 500 === 0 || kind !== 'summary').map((record) => compose(record, around)));
    const others = composed.flatMap((each) => (each === undefined ? [] : [...each.about, each.provenance]));
    const faults = [...shapes.values(), ...sampled, ...others].flatMap((resource) => structureFaults(resource).map((fault) => `${resource.id}: ${fault}`));
    expect(shapes.size).toBeGreaterThan(20);
    expect(faults.slice(0, 5)).toEqual([]);
    expect(others.flatMap(bindingFaults)).toEqual([]);
  });

  it('has an id and an identifier for each resource that no other has', () => {
    expect(new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`)).size).toBe(resources.length);
    expect(new Set(resources.map((resource) => `${resource.resourceType} ${(resource as { identifier: { value: string }[] }).identifier[0]?.value}`)).size).toBe(resources.length);
  });

  it('is there once after it was sent twice', { timeout: 180_000 }, async () => {
    await using foreign = await ForeignServer.start();
    // Another test has looked at all of them.
    foreign.validates = false;
    const around = surroundings(records.filter(({ kind }, i) => kind !== 'summary' || i % 10 === 0));
    const send = async (): Promise<void> => {
      const server = new FhirServer({ url: foreign.url, authorisation: { kind: 'none' } }, () => Millis(0));
      const push = new FhirPush({ ...around, name: 'ehr', purpose: 'TREAT', server, log: new LogBook(), holder: 'this' });
      while (await push.step());
      await server.close();
    };
    await send();
    const there = foreign.resources.size;
    expect(there).toBeGreaterThan(around.records.all.length);
    expect(await around.asides.list('ehr')).toEqual([]);
    around.cursors.numbers.clear();
    await send();
    expect(foreign.resources.size).toBe(there);
  });
});
