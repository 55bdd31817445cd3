import type { ErasureStore, PendingErasure } from '../erasure.ts';
import { erasureKey } from './keys.ts';
import type { SealedStore } from './sealed-store.ts';

export class StoredErasures implements ErasureStore {
  readonly #store: SealedStore;

  constructor(store: SealedStore) {
    this.#store = store;
  }

  async begin(order: PendingErasure): Promise<void> {
    await this.#store.write([{ key: erasureKey(), value: Buffer.from(JSON.stringify(order), 'utf8') }], { sync: true });
  }

  async underWay(): Promise<PendingErasure | undefined> {
    const record = await this.#store.get(erasureKey());
    return record === undefined ? undefined : (JSON.parse(Buffer.from(record).toString('utf8')) as PendingErasure);
  }

  async end(): Promise<void> {
    await this.#store.write([{ key: erasureKey() }], { sync: true });
  }

  reseal(): Promise<readonly string[]> {
    return this.#store.reseal();
  }
}
