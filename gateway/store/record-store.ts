import type { ReleasedKey } from '../ledger/release.ts';
import { UnixMillis } from '../quantity.ts';
import type { OutputCursors, RecordFilter } from '../records/record-log.ts';
import type { Arrival, PayloadPlace, PersonRow, ProjectionChanges, ProjectionState, RecordRow, RecordStore } from '../records/record-store.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import {
  allOf, arrivalKey, badPayloadKey, identityKey, numberAt, outputKey, personKey, personOfKeyKey, projectionKey, pseudonymKey, recordKey, recordOfEntryKey, recordOfPersonKey,
  recordUnderKey, releasedKeyKey, releasedPayloadKey, startingWith,
} from './keys.ts';
import { arrivalPut, decodeArrival, decodePerson, decodeProjection, decodeRecord, decodeSealedKey, encodePerson, encodeProjection, numberBytes, recordPuts, recordRemovals } from './record-rows.ts';

const CHAIN_LENGTH = 16;
/** Of `r` and of `iB` and `iC`: where the entry stands. */
const ENTRY_AT = 1 + CHAIN_LENGTH + 8;

/** Most rows that are read at a time for one reader. */
const MOST_TOGETHER = 32;

/** The index of records, over any engine that also holds the releases. */
export class StoredRecords implements RecordStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async state(): Promise<ProjectionState> {
    return decodeProjection(await this.#store.get(projectionKey()));
  }

  async arrivals(limit: number, after?: Arrival): Promise<readonly Arrival[]> {
    const rows = await Array.fromAsync(this.#store.range({ ...behind(after), limit }));
    return rows.map(([key, value]) => decodeArrival(key, value));
  }

  async countArrivals(most: number, after?: Arrival): Promise<number> {
    let count = 0;
    for await (const _ of this.#store.range({ ...behind(after), limit: most })) count += 1;
    return count;
  }

  async write(changes: ProjectionChanges): Promise<boolean> {
    const { before: expected, state, records, gone, people, forgotten, bad, mended, done, queued } = changes;
    const rows = await Promise.all(people.map(({ person }) => this.person(person)));
    return await this.#store.swap({ key: projectionKey(), from: expected.hasQueuedOld ? encodeProjection(expected) : undefined, to: encodeProjection(state) }, [
      // What goes stands first: something that comes may take its place.
      ...gone.flatMap(recordRemovals),
      ...rows.flatMap((row) => (row === undefined ? [] : removalsOf(row))),
      ...forgotten.flatMap((row) => [...removalsOf(row), ...row.pseudonyms.map((each) => ({ key: identityKey(each) }))]),
      ...mended.map(({ chain, key, entry }) => ({ key: badPayloadKey(chain, key, entry) })),
      ...done.map(({ arrived, chain, number, part }) => ({ key: arrivalKey(arrived, chain, number, part) })),
      ...records.flatMap(recordPuts),
      ...people.flatMap(putsOf),
      ...bad.map(({ chain, key, entry, why }) => ({ key: badPayloadKey(chain, key, entry), value: Buffer.from(why, 'utf8') })),
      ...queued.map(arrivalPut),
    ]);
  }

  async sealedKey(chain: Uint8Array, id: Uint8Array): Promise<ReleasedKey | undefined> {
    const value = await this.#store.get(releasedKeyKey(chain, id));
    return value === undefined ? undefined : { id, ...decodeSealedKey(value) };
  }

  async *keysOf(chain: Uint8Array): AsyncIterable<Uint8Array> {
    for await (const [key] of this.#store.range(startingWith(releasedKeyKey(chain)))) yield Uint8Array.from(key.subarray(1 + CHAIN_LENGTH));
  }

  async sealedPayload({ chain, key, entry }: PayloadPlace): Promise<Uint8Array | undefined> {
    return await this.#store.get(releasedPayloadKey(chain, key, entry));
  }

  async *entriesUnder(chain: Uint8Array, key: Uint8Array, from: number): AsyncIterable<number> {
    const bounds = { gte: releasedPayloadKey(chain, key, from), lt: startingWith(releasedPayloadKey(chain, key)).lt };
    for await (const [place] of this.#store.range(bounds)) yield numberAt(place, ENTRY_AT);
  }

  async row(number: number): Promise<RecordRow | undefined> {
    const key = recordKey(number);
    const value = await this.#store.get(key);
    return value === undefined ? undefined : decodeRecord(key, value);
  }

  async numberOf(chain: Uint8Array, entry: number): Promise<number | undefined> {
    const value = await this.#store.get(recordOfEntryKey(chain, entry));
    return value === undefined ? undefined : numberAt(value, 0);
  }

  async *rowsAfter(number: number): AsyncIterable<RecordRow> {
    const bounds = { gte: recordKey(number + 1), lt: recordKey(Number.MAX_SAFE_INTEGER) };
    for await (const [key, value] of this.#store.range(bounds)) yield decodeRecord(key, value);
  }

  rowsOf(person: string, { from = UnixMillis(0), to = UnixMillis(Number.MAX_SAFE_INTEGER - 1), newestFirst = false }: RecordFilter): AsyncIterable<RecordRow> {
    return this.#rowsIn({ gte: recordOfPersonKey(person, Math.max(0, from)), lt: recordOfPersonKey(person, Math.max(0, to + 1)), reverse: newestFirst });
  }

  rowsUnder(chain: Uint8Array, key: Uint8Array): AsyncIterable<RecordRow> {
    return this.#rowsIn(startingWith(recordUnderKey(chain, key)));
  }

  /** Of keys whose values are numbers of records: read one, then more and more at a time. */
  async *#rowsIn(bounds: Parameters<KeyValueStore['range']>[0]): AsyncIterable<RecordRow> {
    let [together, numbers]: [number, number[]] = [1, []];
    for await (const [, value] of this.#store.range(bounds)) {
      numbers.push(numberAt(value, 0));
      if (numbers.length < together) continue;
      yield* await this.#rowsNumbered(numbers);
      [together, numbers] = [Math.min(together * 2, MOST_TOGETHER), []];
    }
    yield* await this.#rowsNumbered(numbers);
  }

  async #rowsNumbered(numbers: readonly number[]): Promise<readonly RecordRow[]> {
    const rows = await Promise.all(numbers.map((number) => this.row(number)));
    return rows.filter((row) => row !== undefined);
  }

  async hasRowsOf(person: string): Promise<boolean> {
    for await (const _ of this.#store.range({ gte: recordOfPersonKey(person, 0), lt: recordOfPersonKey(person, Number.MAX_SAFE_INTEGER), limit: 1 })) return true;
    return false;
  }

  async person(person: string): Promise<PersonRow | undefined> {
    const key = personKey(person);
    const value = await this.#store.get(key);
    return value === undefined ? undefined : decodePerson(key, value);
  }

  personBehind(pseudonym: string): Promise<string | undefined> {
    return this.#nameAt(pseudonymKey(pseudonym));
  }

  personWith(chain: Uint8Array, key: Uint8Array): Promise<string | undefined> {
    return this.#nameAt(personOfKeyKey(chain, key));
  }

  async #nameAt(key: Uint8Array): Promise<string | undefined> {
    const value = await this.#store.get(key);
    return value === undefined ? undefined : Buffer.from(value).toString('hex');
  }

  async *people(): AsyncIterable<PersonRow> {
    for await (const [key, value] of this.#store.range(startingWith(personKey('')))) yield decodePerson(key, value);
  }

  async isBad({ chain, key, entry }: PayloadPlace): Promise<boolean> {
    return (await this.#store.get(badPayloadKey(chain, key, entry))) !== undefined;
  }

  async badUnder(chain: Uint8Array, key: Uint8Array): Promise<readonly PayloadPlace[]> {
    const rows = await Array.fromAsync(this.#store.range(startingWith(badPayloadKey(chain, key))));
    return rows.map(([place]) => ({ chain, key, entry: numberAt(place, 1 + ENTRY_AT) }));
  }
}

function behind(after: Arrival | undefined): Readonly<{ gte: Uint8Array; lt: Uint8Array }> {
  const all = allOf('q');
  return after === undefined ? all : { ...all, gte: Buffer.concat([arrivalKey(after.arrived, after.chain, after.number, after.part), Buffer.of(0)]) };
}

/** `keys` of a person: chain and id in one. */
const keyOf = (name: string): Buffer => personOfKeyKey(Buffer.from(name.slice(0, 2 * CHAIN_LENGTH), 'hex'), Buffer.from(name.slice(2 * CHAIN_LENGTH), 'hex'));

const leadingTo = ({ pseudonyms, keys }: PersonRow): readonly Buffer[] => [...pseudonyms.map(pseudonymKey), ...keys.map(keyOf)];

const removalsOf = (row: PersonRow): readonly Change[] => [personKey(row.person), ...leadingTo(row)].map((key) => ({ key }));

function putsOf(row: PersonRow): readonly Change[] {
  const person = Buffer.from(row.person, 'hex');
  return [{ key: personKey(row.person), value: encodePerson(row) }, ...leadingTo(row).map((key) => ({ key, value: person }))];
}

/** How far outputs have come, over any engine. */
export class StoredOutputs implements OutputCursors {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(output: string): Promise<number> {
    const value = await this.#store.get(outputKey(output));
    return value === undefined ? 0 : numberAt(value, 0);
  }

  async save(output: string, number: number): Promise<void> {
    await this.#store.write([{ key: outputKey(output), value: numberBytes(number) }], { sync: true });
  }
}
