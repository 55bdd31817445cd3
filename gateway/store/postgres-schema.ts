/** The tables of a shard, made and brought up to date by whichever process comes first. */

import type { ClientBase } from 'pg';
import { ConfigError } from '../errors.ts';

const SCHEMA_VERSION = 1;
/** What processes that start at the same time wait for each other with. */
const LOCK = 'hashtext(\'vitalgate schema\')';
const PARTITIONS = 16;

/** Bodies are encrypted or signed bytes: trying to compress them is lost time, and in a table beside they would be written twice. */
const PLAIN_BYTES = `alter column body set storage external`;
const IN_ROW = 'toast_tuple_target = 8160';
/** Rows that are written again and again find room beside themselves, so that no index has to follow them. */
const ROOM = 'fillfactor = 50';

/**
 * A lane is named by its chain and one byte (keys.ts: laneName). Bytes are sealed with a checksum (checksum.ts) as any engine's are.
 *
 *     installation   one row: version of the tables, which installation this is a shard of, which shard
 *     slot           which shard holds a slot of chains (postgres-shards.ts); the same in every shard
 *     head           height, hash and state of a lane at its head
 *     block          body, and the nodes of the Merkle tree that it completed; tree_size: entries of the lane up to it
 *     receipt, fork  by height
 *     record         everything else, an ordered map (key-value.ts)
 */
const TABLES = [
  'create table vitalgate.installation (single boolean primary key default true check (single), version int not null, id bytea, shard int)',
  'create table vitalgate.slot (slot int primary key, shard int not null)',
  `create table vitalgate.head (lane bytea primary key, height bigint not null, hash bytea not null, state bytea not null) with (${ROOM})`,
  'create table vitalgate.block (lane bytea, height bigint, tree_size bigint not null, body bytea not null, nodes bytea not null, primary key (lane, height)) partition by hash (lane)',
  `alter table vitalgate.block ${PLAIN_BYTES}, alter column nodes set storage external`,
  ...partitions('block', ` with (${IN_ROW})`),
  'create table vitalgate.receipt (lane bytea, height bigint, fingerprint bytea, body bytea not null, primary key (lane, height, fingerprint)) partition by hash (lane)',
  ...partitions('receipt', ''),
  'create table vitalgate.fork (lane bytea, height bigint, hash bytea, body bytea not null, primary key (lane, height, hash))',
  'create table vitalgate.record (key bytea primary key, value bytea not null)',
  'alter table vitalgate.record alter column value set storage external',
  `insert into vitalgate.installation (version) values (${SCHEMA_VERSION})`,
];

function partitions(table: string, storage: string): readonly string[] {
  return Array.from({ length: PARTITIONS }, (_, n) => `create table vitalgate.${table}_${n} partition of vitalgate.${table} for values with (modulus ${PARTITIONS}, remainder ${n})${storage}`);
}

/** One transaction. Throws {@link ConfigError} for tables of a later version of Vitalgate. */
export async function ensureSchema(client: ClientBase, name: string): Promise<void> {
  await client.query('begin');
  try {
    await client.query(`select pg_advisory_xact_lock(${LOCK})`);
    const { rows: [there] } = await client.query<{ there: boolean }>("select to_regclass('vitalgate.installation') is not null as there");
    if (there?.there !== true) await create(client);
    const { rows: [row] } = await client.query<{ version: number }>('select version from vitalgate.installation');
    if (row === undefined || row.version > SCHEMA_VERSION) {
      throw new ConfigError(`${name} has tables of version ${row?.version ?? 'none'}, this program knows version ${SCHEMA_VERSION}: a later Vitalgate has been here`);
    }
    await client.query('commit');
  } catch (thrown) {
    await client.query('rollback').catch(() => undefined);
    throw thrown;
  }
}

async function create(client: ClientBase): Promise<void> {
  await client.query('create schema if not exists vitalgate');
  for (const statement of TABLES) await client.query(statement);
}
