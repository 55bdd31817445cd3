import type { BlockStore } from '../ledger/block-store.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { LANES } from '../reading.ts';
import type { ContentKey } from '../vault/release.ts';
import { nameOf, type Fault } from './opening.ts';
import type { PersonRow, RecordStore } from './record-store.ts';

type Kept = Pick<RecordStore, 'person' | 'personBehind' | 'personWith'>;

/**
 * Who is who, as one step of the projector learns it. A content key tells the pseudonym of its epoch and that of the epoch before, so that two
 * of neighbouring epochs have one in common, and the persons behind them are one: whoever was heard of first.
 */
export class People {
  readonly #kept: Kept;
  readonly #blocks: Pick<BlockStore, 'head'>;
  readonly #rows = new Map<string, PersonRow>();
  readonly #byPseudonym = new Map<string, string>();
  readonly #byKey = new Map<string, string>();
  readonly #changed = new Set<string>();
  readonly #forgotten = new Map<string, PersonRow>();
  #order: number;

  /** `order`: how many were ever heard of. */
  constructor(kept: Kept, blocks: Pick<BlockStore, 'head'>, order: number) {
    this.#kept = kept;
    this.#blocks = blocks;
    this.#order = order;
  }

  get order(): number {
    return this.#order;
  }

  get changed(): readonly PersonRow[] {
    return [...this.#changed].flatMap((person) => this.#rows.get(person) ?? []);
  }

  get forgotten(): readonly PersonRow[] {
    return [...this.#forgotten.values()];
  }

  /** Whose content key it is; undefined for one that was not taken. */
  async with(chain: Uint8Array, key: Uint8Array): Promise<PersonRow | undefined> {
    const name = nameOf(chain, key);
    const person = this.#byKey.get(name) ?? (await this.#kept.personWith(chain, key));
    if (person === undefined || this.#forgotten.has(person)) return undefined;
    this.#byKey.set(name, person);
    return await this.#canonical(person);
  }

  /** Learns what a content key tells. A fault: it claims somebody of another gateway, or of another kind. */
  async take(chain: Uint8Array, id: Uint8Array, { kind, ...said }: ContentKey): Promise<PersonRow | Fault> {
    const pseudonyms = [toHex(said.pseudonym), toHex(said.before)];
    const known = new Map<string, PersonRow>();
    for (const pseudonym of pseudonyms) {
      const row = await this.#behind(pseudonym);
      const fault = row === undefined ? undefined : await this.#faultIn(row, kind, chain);
      if (fault !== undefined) return fault;
      if (row !== undefined) known.set(row.person, row);
    }
    const [oldest = this.#somebodyNew(pseudonyms[0] as string, kind, chain), ...younger] = [...known.values()].sort((a, b) => a.order - b.order);
    return await this.#join(oldest, younger, { pseudonyms, key: nameOf(chain, id) });
  }

  async #behind(pseudonym: string): Promise<PersonRow | undefined> {
    const person = this.#byPseudonym.get(pseudonym) ?? (await this.#kept.personBehind(pseudonym));
    return person === undefined || this.#forgotten.has(person) ? undefined : await this.#canonical(person);
  }

  async #canonical(person: string): Promise<PersonRow | undefined> {
    const row = this.#rows.get(person) ?? (await this.#kept.person(person));
    if (row !== undefined) this.#rows.set(person, row);
    return row?.into === undefined ? row : await this.#canonical(row.into);
  }

  async #faultIn(row: PersonRow, kind: ContentKey['kind'], chain: Uint8Array): Promise<Fault | undefined> {
    if (row.kind !== kind) return { fault: `calls a ${kind} what is known as a ${row.kind}` };
    if (equalBytes(row.chain, chain)) return undefined;
    // A gateway that begins another chain knows its people by the same names; nobody else does.
    const [one, other] = [await this.#gatewayOf(row.chain), await this.#gatewayOf(chain)];
    return one !== undefined && other !== undefined && equalBytes(one, other) ? undefined : { fault: 'claims somebody of another gateway' };
  }

  async #gatewayOf(chain: Uint8Array): Promise<Uint8Array | undefined> {
    for (const lane of LANES) {
      const head = await this.#blocks.head({ chain, lane });
      if (head !== undefined) return head.authority.gateway;
    }
    return undefined;
  }

  #somebodyNew(person: string, kind: ContentKey['kind'], chain: Uint8Array): PersonRow {
    this.#order += 1;
    return { person, kind, order: this.#order, chain, pseudonyms: [], keys: [], also: [] };
  }

  async #join(oldest: PersonRow, younger: readonly PersonRow[], learned: Readonly<{ pseudonyms: readonly string[]; key: string }>): Promise<PersonRow> {
    const joined: PersonRow = {
      ...oldest,
      pseudonyms: united(oldest.pseudonyms, ...younger.map(({ pseudonyms }) => pseudonyms), learned.pseudonyms),
      keys: united(oldest.keys, ...younger.map(({ keys }) => keys), [learned.key]),
      also: united(oldest.also, ...younger.map(({ person, also }) => [person, ...also])),
    };
    const isNews = joined.pseudonyms.length > oldest.pseudonyms.length || joined.keys.length > oldest.keys.length;
    if (!isNews) return oldest;
    this.#put(joined);
    for (const { person, also } of younger) {
      for (const each of [person, ...also]) {
        const row = this.#rows.get(each) ?? (await this.#kept.person(each));
        if (row !== undefined) this.#put({ ...row, pseudonyms: [], keys: [], also: [], into: joined.person });
      }
    }
    return joined;
  }

  #put(row: PersonRow): void {
    this.#rows.set(row.person, row);
    this.#changed.add(row.person);
    // Somebody who was forgotten a moment ago comes back as somebody new.
    this.#forgotten.delete(row.person);
    for (const pseudonym of row.pseudonyms) this.#byPseudonym.set(pseudonym, row.person);
    for (const key of row.keys) this.#byKey.set(key, row.person);
  }

  /** A content key is erased. With their last one a person is forgotten. */
  async erase(chain: Uint8Array, key: Uint8Array): Promise<void> {
    const row = await this.with(chain, key);
    if (row === undefined) return;
    const keys = row.keys.filter((each) => each !== nameOf(chain, key));
    if (keys.length > 0) this.#put({ ...row, keys });
    else await this.#forget(row);
  }

  async #forget(row: PersonRow): Promise<void> {
    for (const person of [row.person, ...row.also]) {
      const each = this.#rows.get(person) ?? (await this.#kept.person(person));
      this.#rows.delete(person);
      this.#changed.delete(person);
      if (each !== undefined) this.#forgotten.set(person, each);
    }
  }
}

const united = (...lists: readonly (readonly string[])[]): readonly string[] => [...new Set(lists.flat())];
