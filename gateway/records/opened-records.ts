import { toHex } from '../ledger/bytes.ts';
import type { ContentKeys } from './opening.ts';
import { isFault, openPayload } from './opening.ts';
import type { HospitalRecord, KnownSubject } from './record.ts';
import type { RecordFilter, RecordLog } from './record-log.ts';
import type { PersonRow, RecordRow, RecordStore } from './record-store.ts';

export type OpenedRecordsOptions = Readonly<{
  store: RecordStore;
  keys: ContentKeys;
  /** The projector's. */
  onMore: RecordLog['onMore'];
}>;

/** Most records that are opened at a time for one reader. */
const MOST_TOGETHER = 32;

/** Records, each opened when it is asked for: nothing of what they say is kept in clear. */
export class OpenedRecords implements RecordLog {
  readonly #store: RecordStore;
  readonly #keys: ContentKeys;
  readonly #onMore: RecordLog['onMore'];

  constructor({ store, keys, onMore }: OpenedRecordsOptions) {
    this.#store = store;
    this.#keys = keys;
    this.#onMore = onMore;
  }

  async after(number: number, limit: number): Promise<readonly HospitalRecord[]> {
    const records: HospitalRecord[] = [];
    if (limit < 1) return records;
    for await (const record of this.#opened(this.#store.rowsAfter(number))) {
      records.push(record);
      if (records.length === limit) break;
    }
    return records;
  }

  async *of({ person }: KnownSubject, filter: RecordFilter = {}): AsyncIterable<HospitalRecord> {
    const known = await this.#personOf(person);
    if (known === undefined) return;
    const rows = [known.person, ...known.also].map((each) => this.#store.rowsOf(each, filter));
    yield* this.#opened(merged(rows, filter.newestFirst === true ? later : earlier));
  }

  /** One, then more and more at a time: whoever wants the first does not wait for others, and whoever wants all does not wait for each. */
  async *#opened(rows: AsyncIterable<RecordRow>): AsyncIterable<HospitalRecord> {
    const people: KnownPeople = new Map();
    let [together, batch]: [number, RecordRow[]] = [1, []];
    for await (const row of rows) {
      batch.push(row);
      if (batch.length < together) continue;
      yield* await this.#openAll(batch, people);
      [together, batch] = [Math.min(together * 2, MOST_TOGETHER), []];
    }
    yield* await this.#openAll(batch, people);
  }

  async #openAll(rows: readonly RecordRow[], people: KnownPeople): Promise<readonly HospitalRecord[]> {
    const records = await Promise.all(rows.map((row) => this.#open(row, people)));
    return records.filter((record) => record !== undefined);
  }

  async record(chain: string, entry: number): Promise<HospitalRecord | undefined> {
    const number = await this.#store.numberOf(Buffer.from(chain, 'hex'), entry);
    const row = number === undefined ? undefined : await this.#store.row(number);
    return row === undefined ? undefined : await this.#open(row, new Map());
  }

  async subjects(): Promise<readonly KnownSubject[]> {
    const subjects: KnownSubject[] = [];
    for await (const { person, kind, into, also } of this.#store.people()) {
      if (into === undefined && (await this.#hasRows([person, ...also]))) subjects.push({ kind, person });
    }
    return subjects;
  }

  async #hasRows(people: readonly string[]): Promise<boolean> {
    for (const person of people) if (await this.#store.hasRowsOf(person)) return true;
    return false;
  }

  async newest(): Promise<number> {
    return (await this.#store.state()).newest;
  }

  onMore(listener: () => void): () => void {
    return this.#onMore(listener);
  }

  /** Whoever a person turned out to be. Any pseudonym of theirs will do. */
  async #personOf(person: string): Promise<PersonRow | undefined> {
    const row = (await this.#store.person(person)) ?? (await this.#personBehind(person));
    return row?.into === undefined ? row : await this.#personOf(row.into);
  }

  async #personBehind(pseudonym: string): Promise<PersonRow | undefined> {
    const person = await this.#store.personBehind(pseudonym);
    return person === undefined ? undefined : await this.#store.person(person);
  }

  /** Undefined for what is erased. */
  async #open(row: RecordRow, people: KnownPeople): Promise<HospitalRecord | undefined> {
    const { chain, key, entry, commit, person, seconds, late, isWhole: _, ...place } = row;
    const [sealed, content] = await Promise.all([this.#store.sealedPayload(row), this.#keys.get(chain, key)]);
    if (sealed === undefined || content === undefined) return undefined;
    const opened = openPayload(content.secret, sealed, { chain, entry, commit });
    // One that came in its place and does not fit; the projector says so.
    if (isFault(opened)) return undefined;
    const known = people.get(person) ?? (await this.#personOf(person));
    if (known === undefined) return undefined;
    people.set(person, known);
    return {
      ...place, chain: toHex(chain), entry, blockHash: toHex(row.blockHash),
      subject: { kind: known.kind, person: known.person }, whole: opened.isWhole,
      payload: { ...opened.payload, ...(seconds !== undefined && { seconds }), ...(late !== undefined && { late }) },
    };
  }
}

/** Of one answer. */
type KnownPeople = Map<string, PersonRow>;

type Order = (a: RecordRow, b: RecordRow) => number;
const earlier: Order = (a, b) => a.time - b.time || a.number - b.number;
const later: Order = (a, b) => earlier(b, a);

/** Several that are in order, as one. Holds no more than the next of each. */
async function* merged(sources: readonly AsyncIterable<RecordRow>[], order: Order): AsyncIterable<RecordRow> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(iterators.map(async (iterator) => await next(iterator)));
    for (;;) {
      const first = heads.reduce<number | undefined>((best, head, index) => (head !== undefined && (best === undefined || order(head, heads[best] as RecordRow) < 0) ? index : best), undefined);
      if (first === undefined) return;
      yield heads[first] as RecordRow;
      heads[first] = await next(iterators[first] as AsyncIterator<RecordRow>);
    }
  } finally {
    await Promise.all(iterators.map(async (iterator) => await iterator.return?.()));
  }
}

async function next(iterator: AsyncIterator<RecordRow>): Promise<RecordRow | undefined> {
  const result = await iterator.next();
  return result.done === true ? undefined : result.value;
}
