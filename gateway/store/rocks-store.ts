import { promisify } from 'node:util';
import rocksdb, { type Operation, type RocksDB } from 'rocksdb';
import { StoreError, messageOf } from '../errors.ts';
import { MiB } from '../quantity.ts';
import { seal, unseal } from './checksum.ts';
import type { Change, KeyValueStore, RangeBounds } from './key-value.ts';

const CACHE_SIZE = MiB(8);
/** One memory table; RocksDB keeps up to two, so this is what bounds both memory and the log replayed at start. */
const WRITE_BUFFER_SIZE = MiB(8);
const RANGE_PAGE_SIZE = MiB(1);

/** Opens, and unless `readOnly` creates, a RocksDB folder. Throws {@link StoreError} `VG_STORE_LOCKED` while another process has it. */
export async function openRocksStore(folder: string, options: Readonly<{ readOnly?: boolean }> = {}): Promise<KeyValueStore> {
  const db = rocksdb(folder);
  const open = promisify(db.open.bind(db));
  try {
    await open({
      createIfMissing: options.readOnly !== true,
      readOnly: options.readOnly === true,
      cacheSize: CACHE_SIZE,
      writeBufferSize: WRITE_BUFFER_SIZE,
    });
  } catch (cause) {
    const locked = /lock/i.test(messageOf(cause));
    throw new StoreError(
      locked ? 'VG_STORE_LOCKED' : 'VG_STORE_READ',
      locked ? `${folder} is in use by another process` : `cannot open ${folder}: ${messageOf(cause)}`,
      { cause },
    );
  }
  return new RocksStore(db, folder);
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

class RocksStore implements KeyValueStore {
  readonly #db: RocksDB;
  readonly #folder: string;
  #closed = false;

  constructor(db: RocksDB, folder: string) {
    this.#db = db;
    this.#folder = folder;
  }

  #assertOpen(): void {
    // The binding would end the process on a call after close.
    if (this.#closed) throw new StoreError('VG_STORE_CLOSED', `${this.#folder} is closed`);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const keyBuffer = asBuffer(key);
    const record = await new Promise<Buffer | undefined>((resolve, reject) => {
      this.#db.get(keyBuffer, (error, value) => {
        if (!error) resolve(value);
        else if (/notfound/i.test(error.message)) resolve(undefined);
        else reject(new StoreError('VG_STORE_READ', `reading ${this.#folder}: ${error.message}`, { cause: error }));
      });
    });
    return record === undefined ? undefined : unseal(keyBuffer, record);
  }

  async write(changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void> {
    this.#assertOpen();
    const operations = changes.map((change): Operation => {
      const key = asBuffer(change.key);
      return change.value === undefined ? { type: 'del', key } : { type: 'put', key, value: seal(key, change.value) };
    });
    await new Promise<void>((resolve, reject) => {
      this.#db.batch(operations, options, (error) => {
        if (error) reject(new StoreError('VG_STORE_WRITE', `writing ${this.#folder}: ${error.message}`, { cause: error }));
        else resolve();
      });
    });
  }

  async *range(bounds: RangeBounds): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    this.#assertOpen();
    const iterator = this.#db.iterator({
      gte: asBuffer(bounds.gte),
      lt: asBuffer(bounds.lt),
      reverse: bounds.reverse ?? false,
      limit: bounds.limit ?? -1,
      highWaterMark: RANGE_PAGE_SIZE,
      fillCache: false,
    });
    const next = (): Promise<readonly [Buffer, Buffer] | undefined> =>
      new Promise((resolve, reject) => {
        iterator.next((error, key, value) => {
          if (error) reject(new StoreError('VG_STORE_READ', `reading ${this.#folder}: ${error.message}`, { cause: error }));
          else resolve(key === undefined || value === undefined ? undefined : [key, value]);
        });
      });
    try {
      for (let record = await next(); record !== undefined; record = await next()) {
        yield [record[0], unseal(record[0], record[1])];
      }
    } finally {
      await promisify(iterator.end.bind(iterator))();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await promisify(this.#db.close.bind(this.#db))();
  }
}
