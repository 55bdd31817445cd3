import { toHex } from '../ledger/bytes.ts';
import type { Release, ReleasedKey, ReleasedPayload } from '../ledger/release.ts';
import { UnixMillis } from '../quantity.ts';
import type { Arrival } from '../records/record-store.ts';
import type { ReleaseStore } from '../upstream/release-store.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { numberAt, recordKey, recordUnderKey, releasedKeyKey, releasedNumberKey, releasedPayloadKey, startingWith } from './keys.ts';
import { arrivalPut, decodeRecord, decodeSealedKey, encodeSealedKey, numberBytes, recordRemovals } from './record-rows.ts';

const CHAIN_LENGTH = 16;
const KEY_LENGTH = 8;

/**
 * Releases over any engine. That one arrived is written down with it, and what leads to the records of erased payloads goes with them. What is
 * erased is merged out of the files before {@link put} resolves.
 */
export class StoredReleases implements ReleaseStore {
  readonly #store: KeyValueStore;

  readonly #now: () => UnixMillis;

  /** `now`: this hospital's wall clock. */
  constructor(store: KeyValueStore, now: () => UnixMillis = () => UnixMillis(Date.now())) {
    this.#store = store;
    this.#now = now;
  }

  async lastNumber(chain: Uint8Array): Promise<number> {
    return numberIn(await this.#store.get(releasedNumberKey(chain)));
  }

  async put(release: Release): Promise<boolean> {
    const key = releasedNumberKey(release.chain);
    for (;;) {
      const from = await this.#store.get(key);
      if (release.number <= numberIn(from)) return false;
      // Another process has kept one meanwhile: which of the two is newer is asked again, and so is what lies under the erased keys.
      if (await this.#store.swap({ key, from, to: numberBytes(release.number) }, await this.#changesOf(release))) break;
    }
    for (const id of release.erased) {
      await this.#store.compact(startingWith(releasedKeyKey(release.chain, id)));
      await this.#store.compact(startingWith(releasedPayloadKey(release.chain, id)));
    }
    return true;
  }

  async #changesOf(release: Release): Promise<readonly Change[]> {
    const { chain, keys, payloads, erased } = release;
    const gone: Change[] = [];
    for (const id of erased) gone.push(...await this.#removalsUnder(chain, id));
    return [
      ...gone,
      ...keys.map((key) => ({ key: releasedKeyKey(chain, key.id), value: encodeSealedKey(key) })),
      ...payloads.map(({ key, entry, sealed }) => ({ key: releasedPayloadKey(chain, key, entry), value: sealed })),
      arrivalPut(arrivalOf(release, this.#now())),
    ];
  }

  async #removalsUnder(chain: Uint8Array, id: Uint8Array): Promise<readonly Change[]> {
    const gone: Change[] = [{ key: releasedKeyKey(chain, id) }];
    for await (const [key] of this.#store.range(startingWith(releasedPayloadKey(chain, id)))) gone.push({ key });
    for await (const [, value] of this.#store.range(startingWith(recordUnderKey(chain, id)))) {
      const key = recordKey(numberAt(value, 0));
      const record = await this.#store.get(key);
      if (record !== undefined) gone.push(...recordRemovals(decodeRecord(key, record)));
    }
    return gone;
  }

  async *keys(chain: Uint8Array): AsyncIterable<ReleasedKey> {
    for await (const [key, value] of this.#store.range(startingWith(releasedKeyKey(chain)))) {
      yield { id: Uint8Array.from(key.subarray(1 + CHAIN_LENGTH)), ...decodeSealedKey(value) };
    }
  }

  async *payloads(chain: Uint8Array, id: Uint8Array): AsyncIterable<Pick<ReleasedPayload, 'entry' | 'sealed'>> {
    for await (const [key, sealed] of this.#store.range(startingWith(releasedPayloadKey(chain, id)))) {
      yield { entry: numberAt(key, 1 + CHAIN_LENGTH + KEY_LENGTH), sealed };
    }
  }
}

function arrivalOf({ chain, number, keys, payloads, erased }: Release, arrived: UnixMillis): Arrival {
  const entries = new Map<string, { key: Uint8Array; entries: number[] }>();
  for (const { key, entry } of payloads) {
    const name = toHex(key);
    const under = entries.get(name) ?? { key, entries: [] };
    entries.set(name, under);
    under.entries.push(entry);
  }
  return { arrived, chain, number, part: 0, keys: keys.map(({ id }) => id), payloads: [...entries.values()], erased };
}

const numberIn = (bytes: Uint8Array | undefined): number => (bytes === undefined ? 0 : numberAt(bytes, 0));

