import { messageOf, StoreError } from '../errors.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { asArray, asBytes, asCount } from '../ledger/cbor-fields.ts';
import { decode, encode } from '../ledger/cbor.ts';
import type { ToldRow, ToldStore } from '../records/told-store.ts';
import { Turns } from '../turns.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { startingWith, toldKey, toldNameKey, toldVersionKey } from './keys.ts';

const CHAIN_LENGTH = 16;

/** Where a row lies, as a name refers to it: chain and id of its content key. */
type Place = Readonly<{ chain: Uint8Array; id: Uint8Array }>;

/**
 * What people permit, over any engine. A row lies there as [ number, encapsulated, ciphertext, sealed, [ name … ] ], and under each of its names where.
 */
export class StoredTold implements ToldStore {
  readonly #store: KeyValueStore;
  readonly #turns = new Turns();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** What was said before is read, and then replaced: unless somebody else did so meanwhile, in this process or another. */
  async put(row: ToldRow): Promise<void> {
    await this.#change(row.chain, () => this.#replacing(row));
  }

  /** `changes` gives what to write; undefined: nothing. */
  async #change(chain: Uint8Array, changes: () => Promise<readonly Change[] | undefined>): Promise<void> {
    const key = toldVersionKey(chain);
    await this.#turns.take('', async () => {
      for (;;) {
        const from = await this.#store.get(key);
        const found = await changes();
        if (found === undefined || (await this.#store.swap({ key, from, to: after(from) }, found))) return;
      }
    });
  }

  async #replacing({ chain, number, key, sealed, names }: ToldRow): Promise<readonly Change[] | undefined> {
    const place: Place = { chain, id: key.id };
    const before: ToldRow[] = [];
    for (const name of names) {
      const known = await this.of(name);
      if (known !== undefined && !before.some((each) => isAt(each, known))) before.push(known);
    }
    const same = await this.#row(place);
    if (same !== undefined && !before.some((each) => isAt(each, same))) before.push(same);
    if (before.some((each) => equalBytes(each.chain, chain) && each.number > number)) return undefined;
    const all = [...new Set([...names, ...before.flatMap((each) => each.names)])];
    return [
      ...before.filter((each) => !isAt(each, { chain, key })).map((each): Change => ({ key: toldKey(each.chain, each.key.id) })),
      { key: toldKey(chain, key.id), value: encode([number, key.encapsulated, key.ciphertext, sealed, all.map(fromHex)]) },
      ...all.map((name): Change => ({ key: toldNameKey(fromHex(name)), value: Buffer.concat([chain, key.id]) })),
    ];
  }

  async of(name: string): Promise<ToldRow | undefined> {
    const place = await this.#store.get(toldNameKey(fromHex(name)));
    return place === undefined ? undefined : await this.#row({ chain: Uint8Array.from(place.subarray(0, CHAIN_LENGTH)), id: Uint8Array.from(place.subarray(CHAIN_LENGTH)) });
  }

  async #row({ chain, id }: Place): Promise<ToldRow | undefined> {
    const value = await this.#store.get(toldKey(chain, id));
    return value === undefined ? undefined : { chain, ...readRow(value, id) };
  }

  async knows(chain: Uint8Array): Promise<boolean> {
    return (await this.#store.get(toldVersionKey(chain))) !== undefined;
  }

  async namesUnder(chain: Uint8Array, keys: readonly Uint8Array[]): Promise<readonly string[]> {
    return (await this.#rowsUnder(chain, keys)).flatMap(({ names }) => names);
  }

  async #rowsUnder(chain: Uint8Array, keys: readonly Uint8Array[]): Promise<readonly ToldRow[]> {
    return (await Promise.all(keys.map((id) => this.#row({ chain, id })))).filter((row) => row !== undefined);
  }

  async forget(chain: Uint8Array, keys: readonly Uint8Array[]): Promise<void> {
    let rows: readonly ToldRow[] = [];
    await this.#change(chain, async () => {
      rows = await this.#rowsUnder(chain, keys);
      if (rows.length === 0) return undefined;
      return [...rows.map(({ key }): Change => ({ key: toldKey(chain, key.id) })), ...rows.flatMap(({ names }) => names.map((name): Change => ({ key: toldNameKey(fromHex(name)) })))];
    });
    for (const { key } of rows) await this.#store.compact(startingWith(toldKey(chain, key.id)));
  }
}

/** The next of 8 bytes that count. */
function after(count: Uint8Array | undefined): Buffer {
  const next = Buffer.alloc(8);
  next.writeBigUInt64BE(count === undefined ? 1n : Buffer.from(count).readBigUInt64BE() + 1n);
  return next;
}

const isAt = (row: ToldRow, { chain, key }: Pick<ToldRow, 'chain' | 'key'>): boolean => equalBytes(row.chain, chain) && equalBytes(row.key.id, key.id);

const fromHex = (name: string): Buffer => Buffer.from(name, 'hex');

function readRow(value: Uint8Array, id: Uint8Array): Omit<ToldRow, 'chain'> {
  try {
    const [number, encapsulated, ciphertext, sealed, names] = asArray(decode(value), 'told consents', 5);
    return {
      number: asCount(number, 'number of told consents'),
      key: { id, encapsulated: asBytes(encapsulated, 'encapsulated secret'), ciphertext: asBytes(ciphertext, 'sealed key') },
      sealed: asBytes(sealed, 'sealed consents'),
      names: asArray(names, 'names').map((name) => toHex(asBytes(name, 'name'))),
    };
  } catch (cause) {
    throw new StoreError('VG_STORE_CORRUPT', `what a hospital was told of consents cannot be read: ${messageOf(cause)}`, { cause });
  }
}
