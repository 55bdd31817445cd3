import { StoreError } from '../../gateway/errors.ts';
import type { Change, KeyValueStore, RangeBounds, Swap } from '../../gateway/store/key-value.ts';

/** How the next write fails: before anything was written, or after all of it was (the disk answered too late). */
export type WriteFault = 'nothing written' | 'written all the same';

/** A store that fails when it is told to, as a full or dying disk does. */
export class FaultyStore implements KeyValueStore {
  readonly #store: KeyValueStore;
  /** Faults of the next writes, first to last; then writes succeed. */
  readonly writeFaults: WriteFault[] = [];
  /** So many of the next reads fail. */
  readFaults = 0;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#failRead();
    return await this.#store.get(key);
  }

  async write(changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void> {
    await this.#faulty(() => this.#store.write(changes, options));
  }

  async swap(swap: Swap, changes: readonly Change[]): Promise<boolean> {
    return (await this.#faulty(() => this.#store.swap(swap, changes))) ?? false;
  }

  async #faulty<T>(write: () => Promise<T>): Promise<T | undefined> {
    const fault = this.writeFaults.shift();
    const written = fault === 'nothing written' ? undefined : await write();
    if (fault !== undefined) throw new StoreError('VG_STORE_WRITE', 'the disk says no');
    return written;
  }

  async *range(bounds: RangeBounds): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    this.#failRead();
    yield* this.#store.range(bounds);
  }

  compact(bounds: Pick<RangeBounds, 'gte' | 'lt'>): Promise<void> {
    return this.#store.compact(bounds);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #failRead(): void {
    if (this.readFaults === 0) return;
    this.readFaults -= 1;
    throw new StoreError('VG_STORE_READ', 'the disk does not answer');
  }
}
