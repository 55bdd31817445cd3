/**
 * A store whose records about people lie on the disk encrypted, and whose keys do not name anybody. Records of other letters pass
 * as they are: they hold nothing about a person (the chain), or are encrypted by whoever writes them (payloads).
 *
 * Under the letter of a named record lies HMAC-like KDF(index key, the rest of the key)[0..16]; the value is
 *
 *     key id (8) ‖ nonce (12) ‖ AES-256-GCM(length of key (2) ‖ key ‖ value) ‖ tag (16)       bound to the key it lies under
 *
 * All of it is under one key, that of the owner `state`: it is small and written again and again, so that another key is as easily
 * had as a new version of everything ({@link SealedStore.reseal}). The index key never changes: names are found again.
 */

import { StoreError } from '../errors.ts';
import { NONCE_BYTES, openBytes, sealBytes } from '../vault/aead.ts';
import { deriveSecret } from '../vault/kdf.ts';
import { INDEX_OWNER, KEY_ID_BYTES, type Keyring, type VaultKey } from '../vault/keyring.ts';
import { type Change, isValue, type KeyValueStore, type Put, type RangeBounds, type Swap } from './key-value.ts';
import { allOf, SEALED_LETTERS, NAMED_LETTERS } from './keys.ts';

const STATE_OWNER = 'state';
const NAME_BYTES = 16;
/** Changes in one write while everything is sealed anew. */
const BATCH = 256;

const letterOf = (key: Uint8Array): string => String.fromCharCode(key[0] ?? 0);
const isNamed = (key: Uint8Array): boolean => key.length > 1 && NAMED_LETTERS.has(letterOf(key));
const isSealed = (key: Uint8Array): boolean => SEALED_LETTERS.has(letterOf(key));

export type SealedStoreOptions = Readonly<{ keyring: Keyring; random: (size: number) => Uint8Array }>;

export class SealedStore implements KeyValueStore {
  readonly #store: KeyValueStore;
  readonly #keyring: Keyring;
  readonly #random: (size: number) => Uint8Array;
  readonly #valueKeys = new Map<string, Buffer>();
  #index: Buffer | undefined;

  constructor(store: KeyValueStore, { keyring, random }: SealedStoreOptions) {
    this.#store = store;
    this.#keyring = keyring;
    this.#random = random;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (!isSealed(key)) return await this.#store.get(key);
    const place = this.placeOf(key);
    const sealed = await this.#store.get(place);
    return sealed === undefined ? undefined : this.#open(place, sealed)[1];
  }

  async write(changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void> {
    const sealed = this.#allSealed(changes);
    await this.#store.write(sealed, options);
  }

  /** Sealed again the same value is other bytes: what lies there is opened and compared, and swapped as it lies there. */
  async swap({ key, from, to }: Swap, changes: readonly Change[]): Promise<boolean> {
    const place = this.placeOf(key);
    const there = await this.#store.get(place);
    const found = there === undefined || !isSealed(key) ? there : this.#open(place, there)[1];
    if (!isValue(found, from)) return false;
    const [{ value }, ...sealed] = this.#allSealed([{ key, value: to }, ...changes]) as readonly [Put, ...Change[]];
    return await this.#store.swap({ key: place, from: there, to: value }, sealed);
  }

  #allSealed(changes: readonly Change[]): readonly Change[] {
    const sealed = changes.map((change) => (isSealed(change.key) ? this.#seal(change) : change));
    this.#keyring.save();
    return sealed;
  }

  /** Of named records only whole letters: names lie in no order, and come in theirs all the same. Of all others whatever an engine can. */
  async *range(bounds: RangeBounds): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    const named = NAMED_LETTERS.has(letterOf(bounds.gte));
    const found: (readonly [Uint8Array, Uint8Array])[] = [];
    for await (const record of this.#store.range(bounds)) {
      const opened = isSealed(record[0]) ? this.#open(...record) : record;
      if (named) found.push(opened);
      else yield opened;
    }
    yield* found.sort(([a], [b]) => Buffer.compare(a, b));
  }

  async compact(bounds: Pick<RangeBounds, 'gte' | 'lt'>): Promise<void> {
    await this.#store.compact(bounds);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** Writes all sealed records again under a new key. The ids of the keys that nothing lies under any more: they are to be destroyed. */
  async reseal(): Promise<readonly string[]> {
    const before = this.#keyring.all().filter(({ owner }) => owner === STATE_OWNER).map(({ id }) => id);
    this.#keyring.turn(STATE_OWNER, []);
    for (const letter of SEALED_LETTERS) {
      let batch: Change[] = [];
      for await (const [place, sealed] of this.#store.range(allOf(letter))) {
        const [key, value] = this.#open(place, sealed);
        batch.push({ key, value });
        if (batch.length < BATCH) continue;
        await this.write(batch, { sync: false });
        batch = [];
      }
      await this.write(batch, { sync: true });
      await this.compact(allOf(letter));
    }
    return before;
  }

  /** The key that a record lies under. */
  placeOf(key: Uint8Array): Uint8Array {
    if (!isNamed(key)) return key;
    this.#index ??= deriveSecret(this.#keyring.first(INDEX_OWNER).secret, 'names');
    return Buffer.concat([key.subarray(0, 1), deriveSecret(this.#index, key).subarray(0, NAME_BYTES)]);
  }

  #seal({ key, value }: Change): Change {
    const place = this.placeOf(key);
    if (value === undefined) return { key: place };
    const vault = this.#keyring.current(STATE_OWNER);
    const nonce = this.#random(NONCE_BYTES);
    const plain = Buffer.allocUnsafe(2 + key.length + value.length);
    plain.writeUInt16BE(key.length, 0);
    plain.set(key, 2);
    plain.set(value, 2 + key.length);
    return { key: place, value: Buffer.concat([Buffer.from(vault.id, 'hex'), nonce, sealBytes(this.#keyOf(vault), nonce, plain, place)]) };
  }

  #open(place: Uint8Array, sealed: Uint8Array): readonly [key: Uint8Array, value: Uint8Array] {
    const vault = this.#keyring.byId(Buffer.from(sealed.subarray(0, KEY_ID_BYTES)).toString('hex'));
    if (vault === undefined) throw new StoreError('VG_STORE_CORRUPT', `the key of a record of kind ${letterOf(place)} is not in the keyring: store and keyring are copies of different age`);
    const plain = openBytes(this.#keyOf(vault), sealed.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES), sealed.subarray(KEY_ID_BYTES + NONCE_BYTES), place);
    if (plain === undefined) throw new StoreError('VG_STORE_CORRUPT', `a record of kind ${letterOf(place)} does not open: it was changed`);
    const end = 2 + plain.readUInt16BE(0);
    return [plain.subarray(2, end), plain.subarray(end)];
  }

  #keyOf(vault: VaultKey): Buffer {
    let key = this.#valueKeys.get(vault.id);
    if (key === undefined) {
      key = deriveSecret(vault.secret, 'values');
      this.#valueKeys.set(vault.id, key);
    }
    return key;
  }
}
