import { UnreadableError } from '../errors.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { CborError } from '../ledger/cbor.ts';
import type { Release, ReleasedConsents } from '../ledger/release.ts';
import { readTold, type Told } from '../consent/told.ts';
import type { HpkePair } from '../vault/hpke.ts';
import { openConsents, openContentKey } from '../vault/release.ts';
import type { ToldRow, ToldStore } from './told-store.ts';

export type ToldConsentsOptions = Readonly<{
  store: ToldStore;
  /** Gateways seal content keys for it. */
  pair: HpkePair;
  /** This hospital's public key. */
  recipient: Uint8Array;
  /** The key of the gateway whose chain that is; undefined for one that is not here. */
  gatewayOf: (chain: Uint8Array) => Promise<Uint8Array | undefined>;
}>;

/** With the chain it came with, 32 hexadecimal digits. */
export type ToldOfSomebody = Told & Readonly<{ chain: string }>;

/** People whose consents are kept open in memory; of others they are opened again. */
const MOST_OPEN = 10_000;

/** What patients permit, as their gateways say: kept sealed, opened to be asked. */
export class ToldConsents {
  readonly #options: ToldConsentsOptions;
  readonly #open = new Map<string, Readonly<{ sealed: Uint8Array; told: ToldOfSomebody }>>();

  constructor(options: ToldConsentsOptions) {
    this.#options = options;
  }

  /**
   * Takes what a verified release says of consents, and forgets what it says is erased: in force and durable when it resolves. Throws {@link UnreadableError}
   * for what this hospital cannot read; then nothing changed. Taking it again changes nothing. `forgetting` hears the names nobody will have any more, before they are gone.
   */
  async take({ chain, number, keys, consents = [], erased }: Pick<Release, 'chain' | 'number' | 'keys' | 'consents' | 'erased'>, forgetting: (names: readonly string[]) => Promise<void>): Promise<void> {
    const { store } = this.#options;
    const rows = await Promise.all(consents.map((each) => this.#rowOf(each, { chain, number, keys })));
    for (const row of rows) await store.put(row);
    if (erased.length === 0) return;
    const names = await store.namesUnder(chain, erased);
    if (names.length > 0) await forgetting(names);
    await store.forget(chain, erased);
    for (const id of erased) this.#open.delete(placeOf(chain, id));
  }

  async #rowOf({ key: id, sealed }: ReleasedConsents, { chain, number, keys }: Pick<Release, 'chain' | 'number' | 'keys'>): Promise<ToldRow> {
    const key = keys.find((each) => Buffer.compare(each.id, id) === 0);
    const row = key && { chain, number, key, sealed, names: [] };
    const told = row && (await this.#read(row));
    if (row === undefined || told === undefined) throw new UnreadableError(`consents under content key ${toHex(id)} were not sealed for the key of this hospital`);
    for (const name of told.names) await this.#refuseForeign(name, chain);
    return { ...row, names: told.names };
  }

  /** A gateway that begins another chain speaks for its people still; no other gateway does. */
  async #refuseForeign(name: string, chain: Uint8Array): Promise<void> {
    const { store, gatewayOf } = this.#options;
    const known = await store.of(name);
    if (known === undefined || equalBytes(known.chain, chain)) return;
    const [before, now] = [await gatewayOf(known.chain), await gatewayOf(chain)];
    if (before === undefined || now === undefined || !equalBytes(before, now)) throw new UnreadableError(`consents of ${name}: they are somebody of another gateway`);
  }

  /** Undefined for what does not open. Throws {@link UnreadableError} for what is not understood. */
  async #read({ chain, key, sealed }: ToldRow): Promise<Told | undefined> {
    const { pair, recipient } = this.#options;
    try {
      const content = await openContentKey(pair, key, { chain, recipient });
      const plain = content && openConsents(content.secret, sealed, chain);
      const told = plain && readTold(plain);
      if (told !== undefined && (told.kind !== content?.kind || told.names[0] !== toHex(content.pseudonym))) throw new CborError('malformed', 'expected to be about whomever the content key is of');
      return told;
    } catch (cause) {
      if (cause instanceof CborError) throw new UnreadableError(`consents under content key ${toHex(key.id)}: ${cause.message}`, { cause });
      throw cause;
    }
  }

  /** What is known of whoever has that pseudonym; undefined: nobody said anything, not even that they said nothing. */
  async of(name: string): Promise<ToldOfSomebody | undefined> {
    const row = await this.#options.store.of(name);
    if (row === undefined) return undefined;
    const place = placeOf(row.chain, row.key.id);
    const open = this.#open.get(place);
    if (open !== undefined && Buffer.compare(open.sealed, row.sealed) === 0) return { ...open.told, names: row.names };
    const told = await this.#read(row);
    if (told === undefined) throw new UnreadableError(`consents under content key ${toHex(row.key.id)} are kept here and do not open: another key of this hospital is in its data folder`);
    const oldest = this.#open.keys().next();
    if (this.#open.size >= MOST_OPEN && oldest.done !== true) this.#open.delete(oldest.value);
    const found = { ...told, chain: toHex(row.chain) };
    this.#open.set(place, { sealed: row.sealed, told: found });
    return { ...found, names: row.names };
  }
}

const placeOf = (chain: Uint8Array, key: Uint8Array): string => `${toHex(chain)} ${toHex(key)}`;
