/** The engines every contract is proved over. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import rocksdb from 'rocksdb';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { SealedStore } from '../../gateway/store/sealed-store.ts';
import { countingBytes, memoryKeyring } from '../vault/known-keys.ts';
import { queryIn, takeDatabase } from './postgres-databases.ts';

/** One engine at work. Disposing of it closes the store and removes its files. */
export interface OpenEngine extends AsyncDisposable {
  readonly store: KeyValueStore;
  /** Closes the store and opens it again, where the engine outlives its process; otherwise the store at hand. */
  reopen(): Promise<KeyValueStore>;
  /** Changes one byte of a record behind the store's back. */
  alter(key: Uint8Array): Promise<void>;
}

export type Engine = Readonly<{ name: string; open: () => Promise<OpenEngine> }>;

export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'vitalgate-store-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Rewrites one record as it lies on disk, with RocksDB alone. The store MUST be closed. */
export async function rewriteOnDisk(
  folder: string, key: Uint8Array, rewrite: (record: Buffer) => { key: Buffer; value: Buffer },
): Promise<void> {
  const db = rocksdb(folder);
  await promisify(db.open.bind(db))({ createIfMissing: false });
  const record = await promisify(db.get.bind(db))(Buffer.from(key));
  await promisify(db.batch.bind(db))([{ type: 'put', ...rewrite(record) }], { sync: true });
  await promisify(db.close.bind(db))();
}

class RocksEngine implements OpenEngine {
  readonly #folder: string;
  store: KeyValueStore;

  private constructor(folder: string, store: KeyValueStore) {
    this.#folder = folder;
    this.store = store;
  }

  static async open(): Promise<RocksEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'vitalgate-store-'));
    return new RocksEngine(folder, await openRocksStore(folder));
  }

  async reopen(): Promise<KeyValueStore> {
    await this.store.close();
    this.store = await openRocksStore(this.#folder);
    return this.store;
  }

  async alter(key: Uint8Array): Promise<void> {
    await this.store.close();
    await rewriteOnDisk(this.#folder, key, (record) => ({ key: Buffer.from(key), value: withLastByteTurned(record) }));
    this.store = await openRocksStore(this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await rm(this.#folder, { recursive: true });
  }
}

class MemoryEngine implements OpenEngine {
  readonly store = openMemoryStore();

  async reopen(): Promise<KeyValueStore> {
    return this.store;
  }

  async alter(key: Uint8Array): Promise<void> {
    // What the memory store hands out is a view of what it keeps.
    const value = await this.store.get(key);
    value?.set(withLastByteTurned(Buffer.from(value)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

function withLastByteTurned(record: Buffer): Buffer {
  const altered = Buffer.from(record);
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  return altered;
}

/** Over a memory engine, what is about people sealed. */
class SealedEngine implements OpenEngine {
  readonly #inner = openMemoryStore();
  readonly store = new SealedStore(this.#inner, { keyring: memoryKeyring(), random: countingBytes() });

  async reopen(): Promise<KeyValueStore> {
    return this.store;
  }

  async alter(key: Uint8Array): Promise<void> {
    const value = await this.#inner.get(this.store.placeOf(key));
    value?.set(withLastByteTurned(Buffer.from(value)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

/** In a database of its own, of the server that all of a test file share (postgres-databases.ts). */
class PostgresEngine implements OpenEngine {
  readonly #url: string;
  readonly #giveBack: () => Promise<void>;
  store: KeyValueStore;

  private constructor({ url, giveBack }: Awaited<ReturnType<typeof takeDatabase>>, store: KeyValueStore) {
    this.#url = url;
    this.#giveBack = giveBack;
    this.store = store;
  }

  static async open(): Promise<PostgresEngine> {
    const database = await takeDatabase();
    return new PostgresEngine(database, (await openPostgres([database.url], { durability: 'local' })).store);
  }

  async reopen(): Promise<KeyValueStore> {
    await this.store.close();
    this.store = (await openPostgres([this.#url], { durability: 'local' })).store;
    return this.store;
  }

  async alter(key: Uint8Array): Promise<void> {
    const place = Buffer.from(key).toString('hex');
    await queryIn(this.#url, `update vitalgate.record set value = set_byte(value, length(value) - 1, get_byte(value, length(value) - 1) # 1) where key = '\\x${place}'`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.#giveBack();
  }
}

/** Runs where the Debian package is; {@link stopDatabases} MUST be called after all tests. */
export const POSTGRES_ENGINE: Engine = { name: 'postgres', open: () => PostgresEngine.open() };

export const ENGINES: readonly Engine[] = [
  { name: 'memory', open: async () => new MemoryEngine() },
  { name: 'rocks', open: () => RocksEngine.open() },
];

/** And what is written over them. It does not take any key, but every key of store/keys.ts. */
export const STORES: readonly Engine[] = [...ENGINES, { name: 'sealed', open: async () => new SealedEngine() }];
