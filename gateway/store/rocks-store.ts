import { rm, statfs, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import rocksdb, { type Operation, type RocksDB } from 'rocksdb';
import { StoreError, messageOf } from '../errors.ts';
import { KiB, MiB } from '../quantity.ts';
import { Turns } from '../turns.ts';
import { seal, unseal } from './checksum.ts';
import { type Change, isValue, type KeyValueStore, type RangeBounds, type Swap } from './key-value.ts';

const CACHE_SIZE = MiB(2);
/** One memory table; RocksDB keeps up to two, so this is what bounds both memory and the log replayed at start. */
const WRITE_BUFFER_SIZE = MiB(2);
/** A quarter of them is opened before the store is: with more, starting would take longer the more there is. */
const MAX_OPEN_FILES = 128;
const RANGE_PAGE_SIZE = MiB(1);
/** What RocksDB says when this or another process has the folder. A lock file that cannot be opened is another trouble. */
const LOCKED = /lock hold by current process|While lock file/;
/** What opening a gateway's two stores anew may write: the memory tables that are rebuilt from their logs. */
const ROOM_TO_OPEN = 4 * WRITE_BUFFER_SIZE;

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
      maxOpenFiles: MAX_OPEN_FILES,
    });
  } catch (cause) {
    const locked = LOCKED.test(messageOf(cause));
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

/**
 * A write that failed may have left half a record at the end of RocksDB's log. RocksDB goes on behind it, and recovery
 * stops in front of it: everything written later, synced or not, would be gone after a crash. So the first failed write
 * is the last: this store refuses every further one until it is opened anew, which cuts the log off at the torn record.
 */
class RocksStore implements KeyValueStore {
  readonly #db: RocksDB;
  readonly #folder: string;
  readonly #underWay = new Set<Promise<void>>();
  /** The folder is this process's alone, so nobody else can come between comparing and writing. */
  readonly #swaps = new Turns();
  #torn: StoreError | undefined;
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
    if (this.#torn !== undefined) throw await this.#refusal(this.#torn);
    const written = this.#batch(operations, options);
    this.#underWay.add(written);
    try {
      await written;
    } finally {
      this.#underWay.delete(written);
    }
    // One that came before this one in the log may have failed without having been heard of yet.
    await Promise.allSettled(this.#underWay);
    this.#assertWhole();
  }

  swap({ key, from, to }: Swap, changes: readonly Change[]): Promise<boolean> {
    return this.#swaps.take(asBuffer(key).toString('hex'), async () => {
      if (!isValue(await this.get(key), from)) return false;
      await this.write([...changes, { key, value: to }], { sync: true });
      return true;
    });
  }

  #assertWhole(): void {
    if (this.#torn !== undefined) throw this.#torn;
  }

  #batch(operations: Operation[], options: Readonly<{ sync: boolean }>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.batch(operations, options, (error) => {
        if (!error) return resolve();
        this.#torn ??= new StoreError('VG_STORE_WRITE', `writing ${this.#folder}: ${error.message}`, { cause: error });
        return reject(this.#torn);
      });
    });
  }

  /** The first failure for as long as the disk is to blame; after that, that this store has to be opened anew. */
  async #refusal(torn: StoreError): Promise<StoreError> {
    if (!(await diskTakesWrites(this.#folder))) return torn;
    return new StoreError('VG_STORE_CLOSED', `${this.#folder} must be opened anew after a write that failed (${torn.message})`, { cause: torn });
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
        this.#assertOpen();
      }
    } finally {
      // Closing ends every iterator, and the binding never answers a second end.
      if (!this.#closed) await promisify(iterator.end.bind(iterator))();
    }
  }

  async compact({ gte, lt }: Pick<RangeBounds, 'gte' | 'lt'>): Promise<void> {
    this.#assertOpen();
    await promisify(this.#db.compactRange.bind(this.#db))(asBuffer(gte), asBuffer(lt));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await promisify(this.#db.close.bind(this.#db))();
  }
}

/** Whether there is room to open the store anew, and a synced write beside it succeeds. */
async function diskTakesWrites(folder: string): Promise<boolean> {
  const path = `${folder}.check`;
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < ROOM_TO_OPEN) return false;
    await writeFile(path, Buffer.alloc(KiB(64)), { mode: 0o600, flush: true });
    return true;
  } catch {
    return false;
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}
