/** Resources as transactions that create each of them once, however often they are sent (FHIR R4, 3.1.0.8.1 conditional create). */

import type { Bundle, BundleEntry, Identifier, Provenance, Reference, Resource } from '@medplum/fhirtypes';
import type { HospitalRecord } from '../records/record.ts';
import { identifierOf, uuidOf } from './identifiers.ts';
import { PROVENANCE_PART } from './provenance.ts';
import { RECORD } from './systems.ts';

/** Everything that is said of one record. */
export type RecordResources = Readonly<{
  record: HospitalRecord;
  /** What it refers to: whom or what, by which gateway. */
  about: readonly Resource[];
  made: readonly Resource[];
  provenance?: Provenance;
  /** Made of the same record and not sent along: only named. */
  beside?: readonly Resource[];
}>;

/** Most entries of a transaction: what common servers take (Azure 500). */
export const MOST_ENTRIES = 500;

type Named = Readonly<{ identifier: Identifier; resource: Resource }>;

/** By what another server finds a resource again. A Provenance of R4 has no identifier: it has a tag, by which every server can search. */
function nameOf(resource: Resource, record: HospitalRecord): Identifier {
  if (resource.resourceType === 'Provenance') return identifierOf(record, PROVENANCE_PART);
  const [first] = (resource as Readonly<{ identifier?: readonly Identifier[] }>).identifier ?? [];
  return first ?? identifierOf(record, resource.resourceType.toLowerCase());
}

/** All of these records in one transaction: every resource once, references to what is in it by `urn:uuid`, to what is not by identifier. */
export function transactionOf(all: readonly RecordResources[]): Bundle {
  const named = new Map<string, Named>();
  const references = new Map<string, Reference>();
  for (const each of all) {
    for (const resource of each.beside ?? []) references.set(addressOf(resource), { type: resource.resourceType, identifier: nameOf(resource, each.record) });
    for (const resource of partsOf(each)) named.set(addressOf(resource), { identifier: nameOf(resource, each.record), resource });
  }
  for (const [address, { identifier }] of named) references.set(address, { reference: `urn:uuid:${uuidOf(identifier)}` });
  return { resourceType: 'Bundle', type: 'transaction', entry: [...named.values()].map((each) => entryFor(each, references)) };
}

const addressOf = ({ resourceType, id = '' }: Resource): string => `${resourceType}/${id}`;
const partsOf = ({ about, made, provenance }: RecordResources): readonly Resource[] => [...about, ...made, ...(provenance === undefined ? [] : [provenance])];

function entryFor({ identifier, resource }: Named, references: ReadonlyMap<string, Reference>): BundleEntry {
  const { id: _, ...content } = resource;
  return {
    fullUrl: `urn:uuid:${uuidOf(identifier)}`,
    resource: referring(resource.resourceType === 'Provenance' ? tagged(content, identifier) : content, references) as Resource,
    request: { method: 'POST', url: resource.resourceType, ifNoneExist: conditionOf(resource, identifier) },
  };
}

const conditionOf = (resource: Resource, { system = '', value = '' }: Identifier): string => `${resource.resourceType === 'Provenance' ? '_tag' : 'identifier'}=${token(system, value)}`;

const tagged = (content: object, { value = '' }: Identifier): object => ({ ...content, meta: { tag: [{ system: RECORD, code: value }] } });

const token = (system: string, value: string): string => `${encodeURIComponent(escaped(system))}|${encodeURIComponent(escaped(value))}`;
/** FHIR R4, 3.1.1.4.0.1: escaping search parameters. */
const escaped = (text: string): string => text.replaceAll(/[\\,$|]/g, (found) => `\\${found}`);

/** The same with each reference to something of ours as the other server can follow it. */
function referring(value: unknown, references: ReadonlyMap<string, Reference>): unknown {
  if (Array.isArray(value)) return value.map((each) => referring(each, references));
  if (typeof value !== 'object' || value === null) return value;
  const { reference, ...rest } = value as Readonly<Record<string, unknown>>;
  const others = Object.fromEntries(Object.entries(rest).map(([name, each]): [string, unknown] => [name, referring(each, references)]));
  return typeof reference === 'string' ? { ...(references.get(reference) ?? { reference }), ...others } : others;
}

/** Runs of records that fit into one transaction each; a record that alone is too long is one by itself. */
export function inTransactions(all: readonly RecordResources[], most = MOST_ENTRIES): readonly (readonly RecordResources[])[] {
  const runs: RecordResources[][] = [];
  let names = new Set<string>();
  for (const each of all) {
    const own = partsOf(each).map(addressOf);
    const run = runs.at(-1);
    if (run !== undefined && new Set([...names, ...own]).size <= most) {
      run.push(each);
      for (const name of own) names.add(name);
    } else {
      runs.push([each]);
      names = new Set(own);
    }
  }
  return runs;
}
