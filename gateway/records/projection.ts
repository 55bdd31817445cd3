import type { BlockStore } from '../ledger/block-store.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { RECORD_KINDS, type RecordKind } from './record.ts';
import type { BlockFinder, PlacedEntry } from './block-finder.ts';
import { isFault, nameOf, openPayload, type ContentKeys } from './opening.ts';
import { People } from './people.ts';
import type { Arrival, BadRow, PayloadPlace, ProjectionChanges, ProjectionState, RecordRow, RecordStore } from './record-store.ts';

/** Payloads that are read at the same time, and after which others have their turn. */
const AT_A_TIME = 64;
/** Payloads under a content key that came after them, in one step. */
const MOST_UNDER = 500;

export type ProjectionSources = Readonly<{
  store: RecordStore;
  blocks: Pick<BlockStore, 'head' | 'block'>;
  keys: ContentKeys;
  finder: BlockFinder;
}>;

type Payload = Readonly<{ place: PayloadPlace; sealed: Uint8Array; number: number | undefined; key: Readonly<{ secret: Uint8Array; person: string }> }>;

/** One step of the projector: takes arrivals, and says what is to be written for all of them together. */
export class Projection {
  readonly #sources: ProjectionSources;
  readonly #before: ProjectionState;
  readonly #people: People;
  #newest: number;
  readonly #records = new Map<string, RecordRow>();
  readonly #gone = new Map<number, RecordRow>();
  readonly #bad = new Map<string, BadRow>();
  readonly #mended = new Map<string, PayloadPlace>();
  readonly #done: Arrival[] = [];
  readonly #queued: Arrival[] = [];
  /** Of payloads whose block is not here yet. */
  #waiting = 0;
  #looked = 0;

  constructor(sources: ProjectionSources, state: ProjectionState) {
    this.#sources = sources;
    this.#before = state;
    this.#newest = state.newest;
    this.#people = new People(sources.store, sources.blocks, state.people);
  }

  /** Payloads that were looked at. */
  get looked(): number {
    return this.#looked;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** What does not open or does not fit and was not known as such before. */
  get bad(): readonly BadRow[] {
    return [...this.#bad.values()];
  }

  /** Undefined where nothing changes. */
  changes(): ProjectionChanges | undefined {
    if (this.#done.length === 0 && this.#queued.length === 0) return undefined;
    const { newest, people, opened, bad } = this.#before;
    return {
      before: this.#before,
      state: { ...this.#before, newest: this.#newest, people: Math.max(people, this.#people.order), opened: opened + this.#newest - newest, bad: bad + this.#bad.size - this.#mended.size },
      records: [...this.#records.values()], gone: [...this.#gone.values()],
      people: this.#people.changed, forgotten: this.#people.forgotten,
      bad: this.bad, mended: [...this.#mended.values()],
      done: this.#done, queued: this.#queued,
    };
  }

  /** False when there is more of it to be taken in the next step. */
  async take(arrival: Arrival): Promise<boolean> {
    const { chain, erased, keys, under } = arrival;
    for (const key of erased) await this.#erase(chain, key);
    for (const [index, key] of keys.entries()) await this.#takeKey(arrival, key, index + 1);
    const more = under === undefined ? [] : await firstOf(this.#sources.store.entriesUnder(chain, under.key, under.from), MOST_UNDER);
    const left: { key: Uint8Array; entries: readonly number[] }[] = [];
    for (const { key, entries } of under === undefined ? arrival.payloads : [...arrival.payloads, { key: under.key, entries: more }]) {
      const early = await this.#takePayloads(arrival, key, entries);
      if (early.length > 0) left.push({ key, entries: early });
    }
    const rest = under === undefined || more.length < MOST_UNDER ? undefined : { key: under.key, from: (more.at(-1) ?? 0) + 1 };
    this.#settle(arrival, left, rest);
    return rest === undefined;
  }

  #settle(arrival: Arrival, left: Arrival['payloads'], rest: Arrival['under']): void {
    const { under, ...others } = arrival;
    this.#waiting += countIn(left);
    if (left.length === 0 && rest === undefined) this.#done.push(arrival);
    else if (under !== undefined || arrival.keys.length > 0 || arrival.erased.length > 0 || countIn(left) < countIn(arrival.payloads)) {
      this.#queued.push({ ...others, keys: [], erased: [], payloads: left, ...(rest !== undefined && { under: rest }) });
    }
  }

  /** What was under it is destroyed already; a row of it that was being made meanwhile goes now. */
  async #erase(chain: Uint8Array, key: Uint8Array): Promise<void> {
    const { store, keys } = this.#sources;
    keys.forget(chain, key);
    for await (const row of store.rowsUnder(chain, key)) this.#gone.set(row.number, row);
    for (const [name, row] of this.#records) if (equalBytes(row.chain, chain) && equalBytes(row.key, key)) this.#records.delete(name);
    for (const place of await store.badUnder(chain, key)) this.#mended.set(placeName(place), place);
    for (const [name, row] of this.#bad) if (equalBytes(row.chain, chain) && equalBytes(row.key, key)) this.#bad.delete(name);
    await this.#people.erase(chain, key);
  }

  /** What lay under a key before it could be opened is an arrival of its own: `part` of this one. */
  async #takeKey(arrival: Arrival, key: Uint8Array, part: number): Promise<void> {
    const { keys } = this.#sources;
    const { chain } = arrival;
    const opened = await keys.open(chain, key);
    if (opened === undefined) return;
    const place = { chain, key, entry: 0 };
    const person = isFault(opened) ? opened : await this.#people.take(chain, key, opened);
    if (isFault(person)) {
      await this.#note(place, `content key ${toHex(key)} ${person.fault}`);
      return;
    }
    const wasBad = await this.#mend(place);
    if (wasBad || arrival.number === 0) this.#queued.push({ ...arrival, part, keys: [], erased: [], payloads: [], under: { key, from: 0 } });
  }

  /** Returns the entries whose block is not here yet. What lies under a content key that is not here is found when that comes. */
  async #takePayloads({ chain, arrived }: Arrival, key: Uint8Array, entries: readonly number[]): Promise<readonly number[]> {
    const person = await this.#people.with(chain, key);
    const content = person === undefined ? undefined : await this.#sources.keys.get(chain, key);
    if (person === undefined || content === undefined) {
      await this.#noteOrphans(chain, key, entries);
      return [];
    }
    const early: number[] = [];
    for (let at = 0; at < entries.length; at += AT_A_TIME) {
      const places = entries.slice(at, at + AT_A_TIME).map((entry) => ({ chain, key, entry }));
      const payloads = await Promise.all(places.map((place) => this.#read(place, { secret: content.secret, person: person.person })));
      for (const payload of payloads) if (payload !== undefined && !(await this.#takePayload(payload, arrived))) early.push(payload.place.entry);
      await turnOfOthers();
    }
    return early;
  }

  async #noteOrphans(chain: Uint8Array, key: Uint8Array, entries: readonly number[]): Promise<void> {
    for (const entry of entries) {
      // Erased with its key.
      if ((await this.#sources.store.sealedPayload({ chain, key, entry })) === undefined) continue;
      await this.#note({ chain, key, entry: 0 }, `content key ${toHex(key)} is not here`);
      return;
    }
  }

  async #read(place: PayloadPlace, key: Payload['key']): Promise<Payload | undefined> {
    const { store } = this.#sources;
    const [sealed, number] = await Promise.all([store.sealedPayload(place), store.numberOf(place.chain, place.entry)]);
    // Erased meanwhile.
    return sealed === undefined ? undefined : { place, sealed, number, key };
  }

  /** False while its block is not here. */
  async #takePayload({ place, sealed, number, key }: Payload, arrived: Arrival['arrived']): Promise<boolean> {
    const { chain, entry } = place;
    this.#looked += 1;
    const placed = await this.#sources.finder.find(chain, entry);
    if (placed === 'not here yet') return false;
    const opened = placed === 'nowhere' ? { fault: 'is of no entry here' } : openPayload(key.secret, sealed, { chain, entry, commit: placed.entry.commit });
    if (placed === 'nowhere' || isFault(opened)) {
      await this.#note(place, `the payload of entry ${entry} ${isFault(opened) ? opened.fault : ''}`);
      return true;
    }
    const kind = kindOf(placed);
    const before = await this.#recordOf(place, number);
    const fault = kind === undefined ? `is of an entry of kind ${placed.entry.kind}, of which hospitals get nothing` : before !== undefined && !equalBytes(before.key, place.key) ? 'came under another content key before' : undefined;
    if (kind === undefined || fault !== undefined) {
      await this.#note(place, `the payload of entry ${entry} ${fault ?? ''}`);
      return true;
    }
    await this.#mend(place);
    if (before !== undefined && before.isWhole === opened.isWhole) return true;
    if (before !== undefined) this.#gone.set(before.number, before);
    this.#newest += 1;
    this.#records.set(entryName(place), { ...place, ...whereOf(placed), number: this.#newest, arrived, kind, person: key.person, isWhole: opened.isWhole });
    return true;
  }

  async #recordOf({ chain, entry }: PayloadPlace, number: number | undefined): Promise<RecordRow | undefined> {
    const made = this.#records.get(entryName({ chain, entry }));
    if (made !== undefined || number === undefined) return made;
    const row = await this.#sources.store.row(number);
    return row === undefined || this.#gone.has(row.number) ? undefined : row;
  }

  /** Counted once, however often it comes. */
  async #note(place: PayloadPlace, why: string): Promise<void> {
    const name = placeName(place);
    this.#mended.delete(name);
    if (!this.#bad.has(name) && !(await this.#sources.store.isBad(place))) this.#bad.set(name, { ...place, why });
  }

  /** Whether it was bad. */
  async #mend(place: PayloadPlace): Promise<boolean> {
    const name = placeName(place);
    const [wasNoted, wasBad] = [this.#bad.delete(name), this.#before.bad > 0 && (await this.#sources.store.isBad(place))];
    if (wasBad) this.#mended.set(name, place);
    return wasNoted || wasBad;
  }
}

const placeName = ({ chain, key, entry }: PayloadPlace): string => `${nameOf(chain, key)}/${entry}`;
const entryName = ({ chain, entry }: Pick<PayloadPlace, 'chain' | 'entry'>): string => `${toHex(chain)}/${entry}`;

const kindOf = ({ entry: { kind } }: PlacedEntry): RecordKind | undefined => RECORD_KINDS.find((each) => each === kind);

function whereOf({ lane, height, blockHash, entry: { time, commit = new Uint8Array(), fields } }: PlacedEntry): Pick<RecordRow, 'lane' | 'height' | 'blockHash' | 'time' | 'commit' | 'seconds' | 'late'> {
  const [seconds, late] = [fields.get('seconds'), fields.get('late')];
  return { lane, height, blockHash, time, commit, ...(typeof seconds === 'number' && { seconds }), ...(typeof late === 'number' && { late }) };
}

const countIn = (payloads: Arrival['payloads']): number => payloads.reduce((sum, { entries }) => sum + entries.length, 0);

async function firstOf<T>(all: AsyncIterable<T>, count: number): Promise<readonly T[]> {
  const first: T[] = [];
  for await (const each of all) {
    first.push(each);
    if (first.length === count) break;
  }
  return first;
}

const turnOfOthers = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
