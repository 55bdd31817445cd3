import { StoreError } from '../errors.ts';
import { seal, unseal } from './checksum.ts';
import { type Change, isValue, type KeyValueStore, type RangeBounds, type Swap } from './key-value.ts';

/**
 * The twin of rocks-store.ts for tests and for trying out a configuration. Nothing here survives the process, so no
 * command that acknowledges readings uses it.
 */
export function openMemoryStore(): KeyValueStore {
  return new MemoryStore();
}

class MemoryStore implements KeyValueStore {
  readonly #records = new Map<string, Buffer>();
  #sortedKeys: string[] | undefined;
  #closed = false;

  #assertOpen(): void {
    if (this.#closed) throw new StoreError('VG_STORE_CLOSED', 'the memory store is closed');
  }

  // 'latin1' keeps one character per byte, so string order is byte order.
  #name(key: Uint8Array): string {
    return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const record = this.#records.get(this.#name(key));
    return record === undefined ? undefined : unseal(key, record);
  }

  async write(changes: readonly Change[]): Promise<void> {
    this.#assertOpen();
    this.#apply(changes);
  }

  async swap({ key, from, to }: Swap, changes: readonly Change[]): Promise<boolean> {
    this.#assertOpen();
    const record = this.#records.get(this.#name(key));
    if (!isValue(record === undefined ? undefined : unseal(key, record), from)) return false;
    this.#apply([...changes, { key, value: to }]);
    return true;
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) {
      const name = this.#name(change.key);
      if (change.value === undefined) {
        if (this.#records.delete(name)) this.#sortedKeys = undefined;
      } else {
        if (!this.#records.has(name)) this.#sortedKeys = undefined;
        this.#records.set(name, seal(change.key, change.value));
      }
    }
  }

  async *range(bounds: RangeBounds): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    this.#assertOpen();
    this.#sortedKeys ??= [...this.#records.keys()].sort((a, b) => (a < b ? -1 : 1));
    const first = this.#name(bounds.gte);
    const end = this.#name(bounds.lt);
    const names = this.#sortedKeys.filter((name) => name >= first && name < end);
    if (bounds.reverse === true) names.reverse();
    const snapshot = names.slice(0, bounds.limit).map((name) => [Buffer.from(name, 'latin1'), this.#records.get(name)] as const);
    for (const [key, record] of snapshot) {
      if (record === undefined) continue;
      yield [key, unseal(key, record)];
      this.#assertOpen();
    }
  }

  /** What is replaced here is gone at once. */
  async compact(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}
