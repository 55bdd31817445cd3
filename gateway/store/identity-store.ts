import type { KnownSubject } from '../records/record.ts';
import type { IdentityDesk, MappedIdentity } from '../records/identity.ts';
import type { PersonRow, RecordStore } from '../records/record-store.ts';
import type { KeyValueStore } from './key-value.ts';
import { identityKey, startingWith } from './keys.ts';
import { decodeIdentity, encodeIdentity } from './record-rows.ts';

/** What the hospital itself calls people, over any engine, by the pseudonym it was given for. */
export class StoredIdentities implements IdentityDesk {
  readonly #store: KeyValueStore;
  readonly #people: Pick<RecordStore, 'person' | 'personBehind'>;

  constructor(store: KeyValueStore, people: Pick<RecordStore, 'person' | 'personBehind'>) {
    this.#store = store;
    this.#people = people;
  }

  async map(pseudonym: string, identity: MappedIdentity): Promise<void> {
    // A person has one: the last that was said.
    const others = ((await this.#behind(pseudonym))?.pseudonyms ?? []).filter((each) => each !== pseudonym);
    await this.#store.write([...others.map((each) => ({ key: identityKey(each) })), { key: identityKey(pseudonym), value: encodeIdentity(identity) }], { sync: true });
  }

  async unmap(pseudonym: string): Promise<boolean> {
    const pseudonyms = new Set([pseudonym, ...((await this.#behind(pseudonym))?.pseudonyms ?? [])]);
    const mapped: Buffer[] = [];
    for (const each of pseudonyms) if ((await this.#store.get(identityKey(each))) !== undefined) mapped.push(identityKey(each));
    if (mapped.length > 0) await this.#store.write(mapped.map((key) => ({ key })), { sync: true });
    return mapped.length > 0;
  }

  async identifierOf({ person }: KnownSubject): Promise<MappedIdentity | undefined> {
    const row = await this.#canonical(await this.#people.person(person));
    // Of persons that turned out to be one the older keeps its identity: its pseudonyms stand first.
    for (const pseudonym of row?.pseudonyms ?? []) {
      const value = await this.#store.get(identityKey(pseudonym));
      if (value !== undefined) return decodeIdentity(value);
    }
    return undefined;
  }

  async peopleWith(system: string, value: string): Promise<readonly KnownSubject[]> {
    const found = new Map<string, KnownSubject>();
    for await (const [key, bytes] of this.#store.range(startingWith(identityKey('')))) {
      const identity = decodeIdentity(bytes);
      if (identity.system !== system || identity.value !== value) continue;
      const row = await this.#behind(Buffer.from(key).toString('hex', 2));
      if (row !== undefined) found.set(row.person, { kind: row.kind, person: row.person });
    }
    return [...found.values()];
  }

  async #behind(pseudonym: string): Promise<PersonRow | undefined> {
    const person = await this.#people.personBehind(pseudonym);
    return person === undefined ? undefined : await this.#canonical(await this.#people.person(person));
  }

  async #canonical(row: PersonRow | undefined): Promise<PersonRow | undefined> {
    return row?.into === undefined ? row : await this.#canonical(await this.#people.person(row.into));
  }
}
