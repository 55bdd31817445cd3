/** Finds resources among records: exactly, in order, page by page, without an index of what they say. */

import { setImmediate as breath } from 'node:timers/promises';
import type { CodeableConcept, Reference } from '@medplum/fhirtypes';
import { UnixMillis } from '../quantity.ts';
import type { IdentityMap } from '../records/identity.ts';
import type { OutputGate, OutputRecipient } from '../records/output-gate.ts';
import type { HospitalRecord, KnownSubject } from '../records/record.ts';
import type { RecordLog } from '../records/record-log.ts';
import { earliestOf, fits, type Span } from './dates.ts';
import { entryOf, type EntryName } from './identifiers.ts';
import { refused } from './outcome.ts';
import { isToken, type Condition, type Parameters, type Query, type Token } from './query.ts';
import { resourcesOf, type Clinical } from './resources.ts';
import { RECORD, SUBJECT } from './systems.ts';

export type ClinicalType = Clinical['resourceType'];

/** What each type can be searched by; the date of each has a name of its own in R4. */
export const PARAMETERS = {
  Observation: { patient: 'reference', subject: 'reference', code: 'token', category: 'token', status: 'token', identifier: 'token', date: 'date', _lastUpdated: 'date' },
  DetectedIssue: { patient: 'reference', implicated: 'reference', code: 'token', identifier: 'token', identified: 'date', _lastUpdated: 'date' },
  Communication: { patient: 'reference', subject: 'reference', category: 'token', status: 'token', identifier: 'token', sent: 'date', _lastUpdated: 'date' },
} as const satisfies Record<ClinicalType, Parameters>;

const DATE_OF: Readonly<Record<ClinicalType, string>> = { Observation: 'date', DetectedIssue: 'identified', Communication: 'sent' };
export const sortsOf = (type: ClinicalType): readonly string[] => [DATE_OF[type], '_lastUpdated'];

/** Where a resource stands in the order of a search: by its date or the number of its record, then by that number and its id. */
export type Position = Readonly<{ value: number; number: number; id: string }>;
export type Served = Readonly<{ resource: Clinical; record: HospitalRecord }>;
export type Page = Readonly<{ served: readonly Served[]; /** Where the next begins; undefined: it was the last. */ next?: Position }>;

export type SearchSources = Readonly<{ records: RecordLog; identities: IdentityMap; gate: OutputGate }>;

/** Records that one search looks through at most. */
const MOST_LOOKED_AT = 400_000;
const AT_ONCE = 500;
/** An entry is made after what it says was measured; by so much a gateway's clock may have been set back between the two. */
const SET_BACK = 86_400_000;

type Order = 'date' | '-date' | '_lastUpdated' | '-_lastUpdated';
type Asked = Readonly<{ type: ClinicalType; query: Query; order: Order; subjects: readonly KnownSubject[] | undefined; entries: readonly EntryName[] | undefined }>;
type Candidate = Readonly<{ record: HospitalRecord; at: Position }>;

/**
 * One page, of what the recipient may have. The gate is asked for no more than the page has room for, and where it hides some, for the next
 * ones: a page that is not full is the last, whatever is hidden.
 */
export async function searchRecords(type: ClinicalType, query: Query, recipient: OutputRecipient, sources: SearchSources, from?: Position): Promise<Page> {
  const asked = await askedIn(type, query, recipient, sources);
  const served: Served[] = [];
  let at = from;
  while (served.length < query.count) {
    const candidates = await nextOf(asked, sources.records, at, query.count - served.length);
    const last = candidates.at(-1);
    if (last === undefined) return { served };
    served.push(...(await shownOf(candidates, asked, recipient, sources.gate)));
    at = last.at;
  }
  return query.count === 0 || at === undefined ? { served } : { served, next: at };
}

/** What is still there, and still meant, when consent has left what it leaves: an excerpt has some of the resources of the whole, under the same ids. */
async function shownOf(candidates: readonly Candidate[], asked: Asked, recipient: OutputRecipient, gate: OutputGate): Promise<readonly Served[]> {
  const records = [...new Map(candidates.map(({ record }) => [record.number, record])).values()];
  const shown = new Map((await gate.show(recipient, records)).map((record) => [record.number, { record, matches: new Map(matchesIn(record, asked).map((each) => [each.id ?? '', each])) }]));
  return candidates.flatMap(({ at: { number, id } }) => {
    const { record, matches } = shown.get(number) ?? {};
    const resource = matches?.get(id);
    return record === undefined || resource === undefined ? [] : [{ resource, record }];
  });
}

async function askedIn(type: ClinicalType, query: Query, recipient: OutputRecipient, { identities, gate }: SearchSources): Promise<Asked> {
  let subjects: readonly KnownSubject[] | undefined;
  let entries: readonly EntryName[] | undefined;
  for (const condition of query.conditions) {
    const found = await subjectsIn(condition, identities);
    if (found !== undefined) subjects = subjects === undefined ? found : subjects.filter((each) => found.some((other) => isSame(each, other)));
    entries = entriesIn(condition) ?? entries;
  }
  if (subjects !== undefined) {
    const known = await Promise.all(subjects.map((subject) => gate.mayKnow(recipient, subject)));
    subjects = subjects.filter((_each, i) => known[i] === true);
  }
  const date = DATE_OF[type];
  const sort = query.sort ?? (subjects === undefined ? '_lastUpdated' : `-${date}`);
  return { type, query, order: sort.replace(date, 'date') as Order, subjects, entries };
}

const isSame = (a: KnownSubject, b: KnownSubject): boolean => a.kind === b.kind && a.person === b.person;
const PERSON = /^[0-9a-f]{32}$/;

/** Undefined for a condition that is about nobody. */
async function subjectsIn(condition: Condition, identities: IdentityMap): Promise<readonly KnownSubject[] | undefined> {
  const kinds: readonly KnownSubject['kind'][] = condition.name === 'patient' ? ['patient'] : ['patient', 'room'];
  if (condition.type === 'reference') {
    return condition.any.flatMap((text) => {
      const [, type, person = ''] = /^(?:(Patient|Location)\/)?([0-9a-f]{32})$/.exec(text) ?? [];
      return kinds.filter((kind) => PERSON.test(person) && (type === undefined || (type === 'Patient') === (kind === 'patient'))).map((kind) => ({ kind, person }));
    });
  }
  if (condition.type !== 'chained') return undefined;
  const found = await Promise.all(condition.any.map((token) => subjectsCalled(token, identities)));
  return found.flat().filter(({ kind }) => kinds.includes(kind));
}

/** Whoever has this identifier: a pseudonym, or one of the hospital's own. */
export async function subjectsCalled({ system, code }: Token, identities: IdentityMap): Promise<readonly KnownSubject[]> {
  if (code === undefined || system === undefined) return [];
  if (system === SUBJECT) return PERSON.test(code) ? [{ kind: 'patient', person: code }, { kind: 'room', person: code }] : [];
  return await identities.peopleWith(system, code);
}

/** Where ids or identifiers say which entries are meant. */
function entriesIn(condition: Condition): readonly EntryName[] | undefined {
  if (condition.type !== 'token') return undefined;
  if (condition.name === '_id') return condition.any.flatMap(({ code = '' }) => entryOf(code) ?? []);
  if (condition.name !== 'identifier' || !condition.any.every(({ system }) => system === RECORD)) return undefined;
  return condition.any.flatMap(({ code = '' }) => {
    const [, chain, entry] = /^([0-9a-f]{32})\.([1-9]\d{0,15})\./.exec(code) ?? [];
    return chain === undefined || !Number.isSafeInteger(Number(entry)) ? [] : [{ chain, entry: Number(entry) }];
  });
}

/** The first resources in order after a position that are meant. */
async function nextOf(asked: Asked, records: RecordLog, after: Position | undefined, most: number): Promise<readonly Candidate[]> {
  const sign = asked.order.startsWith('-') ? -1 : 1;
  const best = new Best(sign, most);
  let looked = 0;
  for await (const record of recordsFor(asked, records, after)) {
    if (++looked > MOST_LOOKED_AT) throw refused(422, 'too-costly', `more than ${MOST_LOOKED_AT} records would have to be looked through: ask for a patient, and for a shorter time`);
    // Blocks of gateways are judged between two pages of records, not after all of them.
    if (looked % AT_ONCE === 0) await breath();
    if (best.last !== undefined && isBehind(asked, record, best.last)) break;
    if (isElsewhere(asked, record, after, best.last)) continue;
    for (const resource of matchesIn(record, asked)) {
      const at = positionOf(resource, record, asked);
      if (after === undefined || sign * compare(at, after) > 0) best.add({ record, at });
    }
  }
  return best.all;
}

/** In an order that allows to stop early where there is one; those before a position are left out where that is cheap. */
async function* recordsFor({ entries, subjects, order, query, type }: Asked, records: RecordLog, from: Position | undefined): AsyncIterable<HospitalRecord> {
  if (entries !== undefined) {
    const found = await Promise.all([...new Map(entries.map((each) => [`${each.chain} ${each.entry}`, each])).values()].map(({ chain, entry }) => records.record(chain, entry)));
    yield* found.filter((record) => record !== undefined && (subjects === undefined || subjects.some((each) => isSame(each, record.subject)))) as HospitalRecord[];
  } else if (subjects !== undefined) {
    const earliest = Math.max(...query.conditions.flatMap((each) => (each.type === 'date' && each.name === DATE_OF[type] ? [Math.min(...each.any.map(earliestOf))] : [])), -Infinity) - SET_BACK;
    for (const subject of subjects) yield* records.of(subject, { ...(Number.isFinite(earliest) && { from: UnixMillis(Math.max(0, earliest)) }), newestFirst: order === '-date' });
  } else {
    let number = order === '_lastUpdated' && from !== undefined ? from.number - 1 : 0;
    for (;;) {
      const run = await records.after(number, AT_ONCE);
      yield* run;
      number = run.at(-1)?.number ?? number;
      if (run.length < AT_ONCE) return;
    }
  }
}

/** Whether neither this record nor one after it, as {@link recordsFor} gives them, can come before `last`. */
function isBehind({ order, subjects, entries }: Asked, record: HospitalRecord, last: Position): boolean {
  if (entries !== undefined) return false;
  if (subjects === undefined) return order === '_lastUpdated' && record.number > last.number;
  return order === '-date' && subjects.length === 1 && record.time + SET_BACK < last.value;
}

/** Whether nothing of a record can stand after a position and before another, by what can be seen without making resources of it. */
function isElsewhere({ order }: Asked, { kind, number, time, payload }: HospitalRecord, after: Position | undefined, last: Position | undefined): boolean {
  const [first, end] = order.endsWith('_lastUpdated') ? [number, number] : kind === 'summary' ? [payload['from'], payload['to'] ?? Infinity] : [time, time];
  if (typeof first !== 'number' || typeof end !== 'number') return false;
  const [low = -Infinity, high = Infinity] = order.startsWith('-') ? [last?.value, after?.value] : [after?.value, last?.value];
  return first > high || end < low;
}

const positionOf = (resource: Clinical, { number }: HospitalRecord, { order }: Asked): Position => ({ value: order.endsWith('_lastUpdated') ? number : spanOf(resource).from, number, id: resource.id ?? '' });

const compare = (a: Position, b: Position): number => a.value - b.value || a.number - b.number || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** What is meant of a record. */
function matchesIn(record: HospitalRecord, { type, query, subjects }: Asked): readonly Clinical[] {
  // Summaries are most of what there is, and hold no alarms.
  if (type !== 'Observation' && record.kind === 'summary') return [];
  if (subjects !== undefined && !subjects.some((each) => isSame(each, record.subject))) return [];
  return (resourcesOf(record) ?? []).filter((resource) => resource.resourceType === type && query.conditions.every((condition) => holds(condition, resource, record)));
}

function holds(condition: Condition, resource: Clinical, record: HospitalRecord): boolean {
  switch (condition.type) {
    case 'token': return condition.any.some((token) => tokensOf(resource, condition.name).some((found) => isToken(token, found)));
    case 'date': {
      const span = condition.name === '_lastUpdated' ? { from: record.arrived, before: record.arrived + 1 } : spanOf(resource);
      return condition.any.some((each) => fits(each, span));
    }
    // Whose it is was looked at before; here, that it is said of them in this very way.
    case 'reference': return condition.any.some((text) => referencesOf(resource, condition.name).some(({ reference = '' }) => reference === text || reference.split('/')[1] === text));
    case 'chained': return referencesOf(resource, condition.name).length > 0;
  }
}

type Named = Readonly<{ system?: string; value?: string }>;
const codesOf = (concepts: readonly (CodeableConcept | undefined)[]): readonly Named[] =>
  concepts.flatMap((concept) => (concept?.coding ?? []).map(({ system, code }) => ({ ...(system !== undefined && { system }), ...(code !== undefined && { value: code }) })));

function tokensOf(resource: Clinical, name: string): readonly Named[] {
  switch (name) {
    case '_id': return [{ value: resource.id ?? '' }];
    case 'identifier': return (resource.identifier ?? []).map(({ system, value }) => ({ ...(system !== undefined && { system }), ...(value !== undefined && { value }) }));
    case 'status': return [{ value: resource.status ?? '' }];
    case 'code': return resource.resourceType === 'Communication' ? [] : codesOf([resource.code]);
    case 'category': return resource.resourceType === 'DetectedIssue' ? [] : codesOf(resource.category ?? []);
    default: return [];
  }
}

function referencesOf(resource: Clinical, name: string): readonly Reference[] {
  const all = resource.resourceType === 'DetectedIssue' ? (name === 'implicated' ? (resource.implicated ?? []) : [resource.patient]) : [resource.subject];
  return all.filter((each) => each !== undefined && (name !== 'patient' || each.reference?.startsWith('Patient/') === true)) as readonly Reference[];
}

/** When it was, to the millisecond. */
function spanOf(resource: Clinical): Span {
  const [from = '', to = from] =
    resource.resourceType === 'DetectedIssue' ? [resource.identifiedDateTime]
    : resource.resourceType === 'Communication' ? [resource.sent]
    : resource.effectivePeriod === undefined ? [resource.effectiveDateTime]
    : [resource.effectivePeriod.start, resource.effectivePeriod.end];
  return { from: Date.parse(from), before: Date.parse(to) + 1 };
}

/** The first so many in order. */
class Best {
  readonly #sign: 1 | -1;
  readonly #most: number;
  readonly #all: Candidate[] = [];

  constructor(sign: 1 | -1, most: number) {
    this.#sign = sign;
    this.#most = most;
  }

  get all(): readonly Candidate[] {
    return this.#all;
  }

  /** Where the last stands, when there is no room for one more. */
  get last(): Position | undefined {
    return this.#all.length < this.#most ? undefined : this.#all.at(-1)?.at;
  }

  add(candidate: Candidate): void {
    const isAfter = ({ at }: Candidate): boolean => this.#sign * compare(at, candidate.at) > 0;
    let low = 0;
    for (let high = this.#all.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (isAfter(this.#all[middle] as Candidate)) high = middle;
      else low = middle + 1;
    }
    if (low >= this.#most) return;
    this.#all.splice(low, 0, candidate);
    if (this.#all.length > this.#most) this.#all.pop();
  }
}
