import { StoreError } from '../errors.ts';
import { seal, unseal } from './checksum.ts';
import type { Change, KeyValueStore, Put, RangeBounds, Swap } from './key-value.ts';
import { byteaArray } from './postgres-arrays.ts';
import type { PostgresPrimary } from './postgres-primary.ts';

/** Records that are in memory while a range is read. */
const PAGE = 128;

const GET = { name: 'vitalgate get', text: 'select value from vitalgate.record where key = $1' };

/** What is put and what is deleted have no key in common. Keys are taken in their order, so that two of these do not wait for each other. */
const CHANGES = `
  gone as (
    delete from vitalgate.record using (select key from vitalgate.record where key = any($1::bytea[]) order by key for update) as going
    where record.key = going.key @deleted
  ), kept as (
    insert into vitalgate.record (key, value) select key, value from unnest($2::bytea[], $3::bytea[]) as put(key, value) @put order by key
    on conflict (key) do update set value = excluded.value
  )`;
const WRITE = { name: 'vitalgate write', text: `with ${CHANGES.replace(' @deleted', '').replace(' @put', '')} select` };
const GUARDED = CHANGES.replace('@deleted', 'and exists (select from guard)').replace('@put', 'where exists (select from guard)');
const REPLACE = {
  name: 'vitalgate replace',
  text: `with guard as (update vitalgate.record set value = $6 where key = $4 and value = $5 returning key), ${GUARDED} select key from guard`,
};
const BEGIN = {
  name: 'vitalgate begin',
  text: `with guard as (insert into vitalgate.record (key, value) values ($4, $5) on conflict do nothing returning key), ${GUARDED} select key from guard`,
};

/**
 * Everything that is no block, in one PostgreSQL database, which any number of processes may share. Every write is durable when it resolves, asked
 * for or not. One that failed may have been made all the same; those after it are not refused, for there is no log here that it could have torn.
 */
export class PostgresStore implements KeyValueStore {
  readonly #primary: PostgresPrimary;
  #compacting: Promise<void> | undefined;
  #compactAgain = false;

  /** The tables MUST be there (postgres-schema.ts). Closing this closes the connections. */
  constructor(primary: PostgresPrimary) {
    this.#primary = primary;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { rows: [row] } = await this.#primary.read((client) => client.query<{ value: Buffer }>({ ...GET, values: [Buffer.from(key)] }));
    return row && unseal(key, row.value);
  }

  async write(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const values = valuesOf(changes);
    await this.#primary.write((client) => client.query({ ...WRITE, values }));
  }

  async swap({ key, from, to }: Swap, changes: readonly Change[]): Promise<boolean> {
    const place = Buffer.from(key);
    const rest = valuesOf(changes);
    const statement = from === undefined ? { ...BEGIN, values: [...rest, place, seal(key, to)] } : { ...REPLACE, values: [...rest, place, seal(key, from), seal(key, to)] };
    const { rows } = await this.#primary.write((client) => client.query(statement));
    return rows.length > 0;
  }

  async *range({ gte, lt, reverse = false, limit }: RangeBounds): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    const order = reverse ? 'desc' : 'asc';
    const asked = `select key, value from vitalgate.record where key >= '\\x${hexOf(gte)}' and key < '\\x${hexOf(lt)}' order by key ${order} ${limit === undefined ? '' : `limit ${limit}`}`;
    const begin = `begin isolation level repeatable read read only; declare page no scroll cursor for ${asked}; fetch ${PAGE} from page`;
    const { first, query, release } = await this.#primary.lend<{ key: Buffer; value: Buffer }>(begin);
    let whole = false;
    try {
      for (let page = first; ; page = await query(`fetch ${PAGE} from page`)) {
        // Most ranges are one page: nobody is kept waiting for a connection while that is read.
        if (page.length < PAGE) {
          await query('commit');
          release(false);
          whole = true;
        }
        for (const { key, value } of page) {
          yield [key, unseal(key, value)];
          this.#assertOpen();
        }
        if (whole) return;
      }
    } finally {
      if (!whole) await query('rollback').then(() => release(false), () => release(true));
    }
  }

  /**
   * Whatever the bounds: has the server give back what was deleted, and does not wait for it. Nobody could say when it is done: what was in the log of the
   * server, on its standbys and in its backups stays there until that is recycled.
   */
  compact(): Promise<void> {
    this.#assertOpen();
    this.#compactAgain = this.#compacting !== undefined;
    // Autovacuum comes to it in any case.
    this.#compacting ??= this.#vacuum().catch(() => undefined);
    return Promise.resolve();
  }

  async #vacuum(): Promise<void> {
    try {
      do {
        this.#compactAgain = false;
        await this.#primary.maintain('vacuum (truncate false) vitalgate.record');
        // What was deleted since it began may have been passed over.
      } while (this.#compactAgain);
    } finally {
      this.#compacting = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#primary.close();
  }

  #assertOpen(): void {
    if (this.#primary.isClosed) throw new StoreError('VG_STORE_CLOSED', `${this.#primary.name} is closed`);
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Deleted keys, keys that are put, their sealed values; for a key that occurs more than once the last change counts. */
function valuesOf(changes: readonly Change[]): [Buffer, Buffer, Buffer] {
  const last = [...new Map(changes.map((change) => [hexOf(change.key), change])).values()];
  const put = last.filter((change): change is Put => change.value !== undefined);
  const gone = last.filter(({ value }) => value === undefined).map(({ key }) => key);
  return [byteaArray(gone), byteaArray(put.map(({ key }) => key)), byteaArray(put.map(({ key, value }) => seal(key, value)))];
}
