/** What this hospital has, resource by resource and search by search, for one who asks: nothing that consent does not permit, and nothing without an AuditEvent. */

import type { Resource } from '@medplum/fhirtypes';
import type { UnixMillis } from '../quantity.ts';
import type { IdentityMap } from '../records/identity.ts';
import type { OutputGate, OutputRecipient } from '../records/output-gate.ts';
import type { HospitalRecord, KnownSubject } from '../records/record.ts';
import type { RecordLog } from '../records/record-log.ts';
import { auditEventOf, type AuditedRead, type AuditTrail } from './audit-trail.ts';
import type { ServedType } from './capability.ts';
import { OWN_CODE_SYSTEM } from './code-system.ts';
import { fits } from './dates.ts';
import { entryOf, idOf } from './identifiers.ts';
import { refused } from './outcome.ts';
import { consentOf, consentIdOf, type Permissions } from './permissions.ts';
import { type BlockProofs, PROVENANCE_PART, provenanceOf } from './provenance.ts';
import { isToken, type Condition, type Query } from './query.ts';
import { type ClinicalType, type Position, searchRecords, subjectsCalled } from './record-search.ts';
import { resourcesOf } from './resources.ts';
import { gatewayOf, subjectResource } from './subjects.ts';
import { CHAIN, KEY } from './systems.ts';

/** The gateways whose chains are here. Throws {@link StoreError}. */
export interface KnownGateways {
  /** By chain, 32 hexadecimal digits. */
  all(): Promise<readonly string[]>;
  /** Fingerprint of the key that speaks for a chain now; undefined for one that is not here. */
  keyOf(chain: string): Promise<string | undefined>;
}

export type ReaderOptions = Readonly<{
  /** Of this node, for people. */
  name: string;
  records: RecordLog;
  gate: OutputGate;
  identities: IdentityMap;
  permissions: Permissions;
  proofs: BlockProofs;
  gateways: KnownGateways;
  trail: AuditTrail;
  now: () => UnixMillis;
}>;

/** Who asks, and whether they may see who saw what. */
export type Asking = Readonly<{ person: string; role: string; purpose: string; seesAudit: boolean }>;

export type Found = Readonly<{ resources: readonly Resource[]; next?: Position }>;

/** Entries of the audit trail that one search looks through at most. */
const MOST_READS = 50_000;
const READS_AT_ONCE = 500;

export class FhirReader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Undefined for what is not here, and for what they may not have: the two look the same. Throws {@link RequestError} 403 for what is not for them at all. */
  async read(type: ServedType, id: string, asking: Asking): Promise<Resource | undefined> {
    const recipient: OutputRecipient = { id: asking.person, role: asking.role, purpose: asking.purpose, by: 'fhir read' };
    const found = await this.#found(type, id, recipient, asking);
    await this.#note(recipient, `${type}/${id}`, found === undefined ? [] : [found]);
    return found?.resource;
  }

  async search(type: ServedType, query: Query, asking: Asking, from?: Position): Promise<Found> {
    const recipient: OutputRecipient = { id: asking.person, role: asking.role, purpose: asking.purpose, by: 'fhir search' };
    const { items, next } = await this.#matching(type, query, recipient, asking, from);
    await this.#note(recipient, `${type}?${query.used.map(([name, value]) => `${name}=${/identifier/.test(name) ? '…' : value}`).join('&')}`, items);
    return { resources: items.map(({ resource }) => resource), ...(next !== undefined && { next }) };
  }

  async #found(type: ServedType, id: string, recipient: OutputRecipient, asking: Asking): Promise<Item | undefined> {
    switch (type) {
      case 'Observation': case 'DetectedIssue': case 'Communication': return await this.#ofRecord(type, id, recipient);
      case 'Provenance': return await this.#provenance(id, recipient);
      case 'Patient': case 'Location': return await this.#subject({ kind: type === 'Patient' ? 'patient' : 'room', person: id }, recipient);
      case 'Device': return await this.#gateway(id);
      case 'Consent': return (await this.#consents({ kind: 'patient', person: id.split('-')[0] ?? '' }, recipient)).find(({ resource }) => resource.id === id);
      case 'AuditEvent': return await this.#audited(id, asking);
      case 'CodeSystem': return id === OWN_CODE_SYSTEM.id ? { resource: OWN_CODE_SYSTEM } : undefined;
    }
  }

  async #matching(type: ServedType, query: Query, recipient: OutputRecipient, asking: Asking, from?: Position): Promise<Readonly<{ items: readonly Item[]; next?: Position }>> {
    switch (type) {
      case 'Observation': case 'DetectedIssue': case 'Communication': return await this.#clinical(type, query, recipient, from);
      case 'AuditEvent': return await this.#auditSearch(query, asking, from);
      case 'Patient': case 'Location': return paged(await this.#subjects(type, query, recipient), query, from);
      case 'Device': return paged(await this.#gateways(query), query, from);
      case 'Provenance': return paged(await this.#provenances(query, recipient), query, from);
      case 'Consent': return paged(await this.#consentSearch(query, recipient), query, from);
      case 'CodeSystem': return paged([{ resource: OWN_CODE_SYSTEM }].filter(({ resource }) => allTokens(query, 'url', [{ value: resource.url ?? '' }])), query, from);
    }
  }

  async #clinical(type: ClinicalType, query: Query, recipient: OutputRecipient, from?: Position): Promise<Readonly<{ items: readonly Item[]; next?: Position }>> {
    const { served, next } = await searchRecords(type, query, recipient, this.#options, from);
    return { items: served.map(({ resource, record }) => ({ resource: kept(resource, record), subject: record.subject })), ...(next !== undefined && { next }) };
  }

  /** The record an id is of, as they may have it. */
  async #shown(id: string, recipient: OutputRecipient): Promise<HospitalRecord | undefined> {
    const { records, gate } = this.#options;
    const name = entryOf(id);
    const record = name === undefined ? undefined : await records.record(name.chain, name.entry);
    // Nothing is disclosed of a record of which nothing has that id.
    if (record === undefined || (id !== idOf(record, PROVENANCE_PART) && resourcesOf(record)?.some((each) => each.id === id) !== true)) return undefined;
    return (await gate.show(recipient, [record]))[0];
  }

  async #ofRecord(type: ClinicalType, id: string, recipient: OutputRecipient): Promise<Item | undefined> {
    const record = await this.#shown(id, recipient);
    const resource = record === undefined ? undefined : resourcesOf(record)?.find((each) => each.id === id && each.resourceType === type);
    return record === undefined || resource === undefined ? undefined : { resource: kept(resource, record), subject: record.subject };
  }

  async #provenance(id: string, recipient: OutputRecipient): Promise<Item | undefined> {
    const record = await this.#shown(id, recipient);
    if (record === undefined || id !== idOf(record, PROVENANCE_PART)) return undefined;
    return { resource: kept(provenanceOf(record, resourcesOf(record) ?? [], await this.#options.proofs.of(record)), record), subject: record.subject };
  }

  async #provenances(query: Query, recipient: OutputRecipient): Promise<readonly Item[]> {
    const targets = query.conditions.flatMap((each) => (each.type === 'reference' && each.name === 'target' ? [each.any] : []));
    const ids = query.conditions.flatMap((each) => (each.name === '_id' && each.type === 'token' ? each.any.map(({ code = '' }) => code) : []));
    if (targets.length === 0 && ids.length === 0) throw refused(400, 'invalid', 'expected target=Observation/… or _id');
    const names = [...(targets[0] ?? []).map((text) => text.split('/').at(-1) ?? ''), ...ids].flatMap((id) => entryOf(id) ?? []);
    const wanted = [...new Map(names.map((name) => [idOf(name, PROVENANCE_PART), name])).keys()];
    const found = await Promise.all(wanted.map((id) => this.#provenance(id, recipient)));
    return found.filter((item) => item !== undefined).filter(({ resource }) => {
      const named = resource.resourceType === 'Provenance' ? resource.target.map(({ reference = '' }) => reference) : [];
      return targets.every((any) => any.some((text) => named.some((reference) => reference === text || reference.split('/')[1] === text))) && allTokens(query, '_id', [{ value: resource.id ?? '' }]);
    });
  }

  async #subject(subject: KnownSubject, recipient: OutputRecipient): Promise<Item | undefined> {
    const { gate, identities, records } = this.#options;
    if (!(await gate.mayKnow(recipient, subject)) || !(await records.subjects()).some(({ kind, person }) => kind === subject.kind && person === subject.person)) return undefined;
    return { resource: subjectResource(subject, await identities.identifierOf(subject)), subject };
  }

  async #subjects(type: 'Patient' | 'Location', query: Query, recipient: OutputRecipient): Promise<readonly Item[]> {
    const { records, identities } = this.#options;
    const kind = type === 'Patient' ? 'patient' : 'room';
    const called = await Promise.all(query.conditions.flatMap((each) => (each.type === 'token' && each.name === 'identifier' ? [each.any] : [])).map(async (any) => (await Promise.all(any.map((token) => subjectsCalled(token, identities)))).flat()));
    const all = (await records.subjects()).filter((subject) => subject.kind === kind && allTokens(query, '_id', [{ value: subject.person }]) && called.every((some) => some.some((each) => each.kind === kind && each.person === subject.person)));
    return (await Promise.all(all.map((subject) => this.#subject(subject, recipient)))).filter((item) => item !== undefined);
  }

  /** Gateways are no secret of a patient: their chains are public to whoever asks this node for blocks. */
  async #gateway(chain: string): Promise<Item | undefined> {
    const key = /^[0-9a-f]{32}$/.test(chain) ? await this.#options.gateways.keyOf(chain) : undefined;
    return key === undefined ? undefined : { resource: gatewayOf(chain, key) };
  }

  async #gateways(query: Query): Promise<readonly Item[]> {
    const all = (await Promise.all((await this.#options.gateways.all()).map((chain) => this.#gateway(chain)))).filter((item) => item !== undefined);
    return all.filter(({ resource: { id = '', ...rest } }) => {
      const key = (rest as { identifier?: { value?: string }[] }).identifier?.[1]?.value ?? '';
      return allTokens(query, '_id', [{ value: id }]) && allTokens(query, 'identifier', [{ system: CHAIN, value: id }, { system: KEY, value: key }]);
    });
  }

  async #consents(subject: KnownSubject, recipient: OutputRecipient): Promise<readonly Item[]> {
    if (!/^[0-9a-f]{32}$/.test(subject.person) || !(await this.#options.gate.mayKnow(recipient, subject))) return [];
    return (await this.#options.permissions.of(subject)).map((permission) => ({ resource: { ...consentOf(subject, permission), id: consentIdOf(subject, permission.version) }, subject }));
  }

  async #consentSearch(query: Query, recipient: OutputRecipient): Promise<readonly Item[]> {
    const people = await this.#peopleIn(query);
    if (people === undefined) throw refused(400, 'invalid', 'expected patient=…');
    return (await Promise.all(people.map((person) => this.#consents({ kind: 'patient', person }, recipient)))).flat().filter(({ resource }) => allTokens(query, '_id', [{ value: resource.id ?? '' }]));
  }

  /** Whom the conditions on a patient leave; undefined without one. */
  async #peopleIn({ conditions }: Query): Promise<readonly string[] | undefined> {
    let people: readonly string[] | undefined;
    for (const each of conditions) {
      const found = await this.#peopleOf(each);
      if (found !== undefined) people = people === undefined ? [...new Set(found)] : people.filter((person) => found.includes(person));
    }
    return people;
  }

  async #peopleOf(condition: Condition): Promise<readonly string[] | undefined> {
    if (condition.name !== 'patient') return undefined;
    if (condition.type === 'reference') return condition.any.map((text) => text.replace(/^Patient\//, ''));
    if (condition.type !== 'chained') return undefined;
    return (await Promise.all(condition.any.map((token) => subjectsCalled(token, this.#options.identities)))).flat().flatMap(({ kind, person }) => (kind === 'patient' ? [person] : []));
  }

  async #audited(id: string, asking: Asking): Promise<Item | undefined> {
    refuseAudit(asking);
    const read = /^[1-9]\d{0,15}$/.test(id) ? await this.#options.trail.read(Number(id)) : undefined;
    return read === undefined ? undefined : { resource: auditEventOf(read, this.#options.name) };
  }

  /** The newest first. */
  async #auditSearch(query: Query, asking: Asking, from?: Position): Promise<Readonly<{ items: readonly Item[]; next?: Position }>> {
    refuseAudit(asking);
    const { trail, name } = this.#options;
    const people = await this.#peopleIn(query);
    const [only] = people ?? [];
    const items: Item[] = [];
    let before = from?.number;
    for (let looked = 0; items.length < query.count; ) {
      const reads = await trail.newest({ limit: READS_AT_ONCE, ...(people?.length === 1 && only !== undefined && /^[0-9a-f]{32}$/.test(only) && { subject: { kind: 'patient' as const, person: only } }), ...(before !== undefined && { before }) });
      for (const read of reads) {
        if (items.length === query.count) break;
        before = read.number;
        const isMeant = (people === undefined || (read.subject?.kind === 'patient' && people.includes(read.subject.person))) && query.conditions.every((each) => each.type !== 'date' || each.any.some((date) => fits(date, { from: read.time, before: read.time + 1 }))) && allTokens(query, '_id', [{ value: String(read.number) }]);
        if (isMeant) items.push({ resource: auditEventOf(read, name) });
      }
      looked += reads.length;
      if (reads.length < READS_AT_ONCE && items.length < query.count) return { items };
      if (looked > MOST_READS) throw refused(422, 'too-costly', 'too much would have to be looked through: ask for a patient');
    }
    return before === undefined || query.count === 0 ? { items } : { items, next: { value: before, number: before, id: '' } };
  }

  async #note(by: OutputRecipient, asked: string, items: readonly Item[]): Promise<void> {
    const { trail, now } = this.#options;
    const common = { time: now(), by, asked: asked.slice(0, 1000) };
    const counted = Map.groupBy(items, ({ subject }) => (subject === undefined ? '' : `${subject.kind} ${subject.person}`));
    const reads = [...counted.values()].map((each): AuditedRead => ({ ...common, ...(each[0]?.subject !== undefined && { subject: each[0].subject }), count: each.length }));
    await trail.note(reads.length === 0 ? [{ ...common, count: 0 }] : reads);
  }
}

type Item = Readonly<{ resource: Resource; subject?: KnownSubject }>;

/** As it is kept here: since when. */
const kept = <T extends Resource>(resource: T, { arrived }: HospitalRecord): T => ({ ...resource, meta: { ...resource.meta, lastUpdated: new Date(arrived).toISOString() } });

function refuseAudit({ seesAudit, role }: Asking): void {
  if (!seesAudit) throw refused(403, 'forbidden', `who saw what is shown to those who run this node; yours is the role ${role}`);
}

const allTokens = ({ conditions }: Query, name: string, found: readonly Readonly<{ system?: string; value: string }>[]): boolean =>
  conditions.every((each) => each.name !== name || each.type !== 'token' || each.any.some((token) => found.some((one) => isToken(token, one))));

/** Of what is few, by id. */
function paged(items: readonly Item[], { count }: Query, from?: Position): Readonly<{ items: readonly Item[]; next?: Position }> {
  const sorted = items.filter(({ resource: { id = '' } }) => from === undefined || id > from.id).sort((a, b) => ((a.resource.id ?? '') < (b.resource.id ?? '') ? -1 : 1));
  const page = sorted.slice(0, count);
  const last = page.at(-1)?.resource.id;
  return sorted.length > page.length && last !== undefined ? { items: page, next: { value: 0, number: 0, id: last } } : { items: page };
}

