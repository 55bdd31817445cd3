import { messageOf, StoreError } from '../errors.ts';
import { CborFields } from '../ledger/cbor-fields.ts';
import { type CborKey, type CborValue, decode, encode } from '../ledger/cbor.ts';
import type { ReleaseCursor, ReleaseCursors } from '../uplink/release-cursors.ts';
import type { KeyValueStore } from './key-value.ts';
import { erasedReleaseKey, releaseCursorKey, startingWith, toldMarkKey } from './keys.ts';

const CURSOR_VERSION = 2;
/** Before the id in a key: its letter and the fingerprint. */
const ID_OFFSET = 17;

/**
 * Release cursors over any engine. A cursor lies there as
 *
 *     { 1: 2, 2: number uint, 3: height of alarm uint, 4: of record uint, 5: of detail uint }
 *
 * The first version did not know the last: details went along with everything else.
 */
export class StoredReleaseCursors implements ReleaseCursors {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async load(hospital: Uint8Array): Promise<ReleaseCursor | undefined> {
    const bytes = await this.#store.get(releaseCursorKey(hospital));
    return bytes === undefined ? undefined : decodeCursor(bytes);
  }

  async save(hospital: Uint8Array, { number, heights }: ReleaseCursor): Promise<void> {
    const value = encode(new Map<CborKey, CborValue>([[1, CURSOR_VERSION], [2, number], [3, heights.alarm], [4, heights.record], [5, heights.detail]]));
    await this.#store.write([{ key: releaseCursorKey(hospital), value }], { sync: false });
  }

  async addErased(hospital: Uint8Array, ids: readonly Uint8Array[]): Promise<void> {
    if (ids.length > 0) await this.#store.write(ids.flatMap((id) => [{ key: erasedReleaseKey(hospital, id), value: new Uint8Array() }, { key: toldMarkKey(hospital, id) }]), { sync: true });
  }

  async erased(hospital: Uint8Array, limit: number): Promise<readonly Uint8Array[]> {
    const keys = await Array.fromAsync(this.#store.range({ ...startingWith(erasedReleaseKey(hospital)), limit }));
    return keys.map(([key]) => Uint8Array.from(key.subarray(ID_OFFSET)));
  }

  async removeErased(hospital: Uint8Array, ids: readonly Uint8Array[]): Promise<void> {
    if (ids.length > 0) await this.#store.write(ids.map((id) => ({ key: erasedReleaseKey(hospital, id) })), { sync: false });
  }

  async told(hospital: Uint8Array, id: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#store.get(toldMarkKey(hospital, id));
  }

  async saveTold(hospital: Uint8Array, told: readonly Readonly<{ id: Uint8Array; mark: Uint8Array }>[]): Promise<void> {
    if (told.length > 0) await this.#store.write(told.map(({ id, mark }) => ({ key: toldMarkKey(hospital, id), value: mark })), { sync: false });
  }

  async forgetTold(hospital: Uint8Array): Promise<void> {
    const keys = (await Array.fromAsync(this.#store.range(startingWith(toldMarkKey(hospital))))).map(([key]) => ({ key: Uint8Array.from(key) }));
    if (keys.length > 0) await this.#store.write(keys, { sync: false });
  }
}

function decodeCursor(bytes: Uint8Array): ReleaseCursor {
  try {
    const map = decode(bytes);
    const isFirst = map instanceof Map && map.get(1) === 1;
    const fields = new CborFields(map, 'release cursor', isFirst ? [1, 2, 3, 4] : [1, 2, 3, 4, 5]);
    if (!isFirst) fields.version(1, CURSOR_VERSION);
    const heights = { alarm: fields.count(3), record: fields.count(4) };
    return { number: fields.count(2), heights: { ...heights, detail: isFirst ? heights.record : fields.count(5) } };
  } catch (cause) {
    throw new StoreError('VG_STORE_CORRUPT', `a release cursor cannot be read: ${messageOf(cause)}`, { cause });
  }
}
