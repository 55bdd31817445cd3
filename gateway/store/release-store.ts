import { messageOf, StoreError } from '../errors.ts';
import { asArray, asBytes } from '../ledger/cbor-fields.ts';
import { decode, encode } from '../ledger/cbor.ts';
import type { Release, ReleasedKey, ReleasedPayload } from '../ledger/release.ts';
import type { ReleaseStore } from '../upstream/release-store.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { numberAt, releasedKeyKey, releasedNumberKey, releasedPayloadKey, startingWith } from './keys.ts';

const CHAIN_LENGTH = 16;
const KEY_LENGTH = 8;

/** Releases over any engine. What is erased is merged out of the files before {@link put} resolves. */
export class StoredReleases implements ReleaseStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
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

  async #changesOf({ chain, keys, payloads, erased }: Release): Promise<readonly Change[]> {
    const gone: Change[] = [];
    for (const id of erased) {
      gone.push({ key: releasedKeyKey(chain, id) });
      for await (const [key] of this.#store.range(startingWith(releasedPayloadKey(chain, id)))) gone.push({ key });
    }
    return [
      ...gone,
      ...keys.map(({ id, encapsulated, ciphertext }) => ({ key: releasedKeyKey(chain, id), value: encode([encapsulated, ciphertext]) })),
      ...payloads.map(({ key, entry, sealed }) => ({ key: releasedPayloadKey(chain, key, entry), value: sealed })),
    ];
  }

  async *keys(chain: Uint8Array): AsyncIterable<ReleasedKey> {
    for await (const [key, value] of this.#store.range(startingWith(releasedKeyKey(chain)))) {
      yield { id: Uint8Array.from(key.subarray(1 + CHAIN_LENGTH)), ...readKey(value) };
    }
  }

  async *payloads(chain: Uint8Array, id: Uint8Array): AsyncIterable<Pick<ReleasedPayload, 'entry' | 'sealed'>> {
    for await (const [key, sealed] of this.#store.range(startingWith(releasedPayloadKey(chain, id)))) {
      yield { entry: numberAt(key, 1 + CHAIN_LENGTH + KEY_LENGTH), sealed };
    }
  }
}

function readKey(value: Uint8Array): Omit<ReleasedKey, 'id'> {
  try {
    const [encapsulated, ciphertext] = asArray(decode(value), 'released key', 2);
    return { encapsulated: asBytes(encapsulated, 'encapsulated secret'), ciphertext: asBytes(ciphertext, 'sealed key') };
  } catch (cause) {
    throw new StoreError('VG_STORE_CORRUPT', `a released key cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const numberIn = (bytes: Uint8Array | undefined): number => (bytes === undefined ? 0 : numberAt(bytes, 0));

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}
