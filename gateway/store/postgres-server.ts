/** One PostgreSQL server: reached, asked what it is, and judged by it. */

import { Client, type ClientBase, DatabaseError } from 'pg';
import { messageOf, StoreError } from '../errors.ts';
import { Seconds } from '../quantity.ts';
import type { PostgresHost } from './postgres-url.ts';

/** What a commit means: `replicated`, it would survive the loss of the server too; `local`, a power cut there. */
export type Durability = 'replicated' | 'local';

const CONNECT_TIMEOUT = Seconds(3);
const KEEP_ALIVE = Seconds(10);
const OLDEST_VERSION = 140_000;

export type About = Readonly<{
  takesWrites: boolean;
  /** Of its history: a promoted standby has a higher one than the primary it followed. 0 while it takes no writes. */
  timeline: number;
  /** When it was started, as text. */
  started: string;
  version: number;
  /** Settings by name. */
  settings: Readonly<Record<string, string>>;
}>;

const SETTINGS = ['fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'default_transaction_read_only'] as const;

const ABOUT = `
  select pg_is_in_recovery() as recovering,
    case when pg_is_in_recovery() then '0' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline,
    pg_postmaster_start_time()::text as started,
    current_setting('server_version_num')::int as version,
    ${SETTINGS.map((name) => `current_setting('${name}') as ${name}`).join(', ')}`;

/**
 * Somebody else's transaction that has a row must not make ours wait for longer than a request may: a backend that waits for a lock cannot be
 * left behind, those that wait for a standby can. A plan for unknown arrays reads by index, whatever the statistics say.
 */
const SESSION = `set lock_timeout = '5s'; set statement_timeout = 0; set plan_cache_mode = force_generic_plan;
  set default_transaction_isolation = 'read committed'; set bytea_output = hex`;

/** As `pg` takes it. */
export const connectionOf = (host: PostgresHost): Readonly<{ connectionString: string; connectionTimeoutMillis: number; keepAlive: true; keepAliveInitialDelayMillis: number; application_name: string }> =>
  ({ connectionString: host.connection, connectionTimeoutMillis: CONNECT_TIMEOUT, keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE, application_name: 'vitalgate' });

/** A connection of its own, and what is at its end. It MUST be ended. Throws what `pg` throws, also when a server takes a connection and says nothing. */
export async function connect(host: PostgresHost): Promise<Readonly<{ client: Client; about: About }>> {
  const client = new Client(connectionOf(host));
  client.on('error', () => undefined);
  const cut = setTimeout(() => void client.end().catch(() => undefined), 2 * CONNECT_TIMEOUT);
  try {
    await client.connect();
    await prepareSession(client);
    return { client, about: await about(client) };
  } catch (thrown) {
    await client.end().catch(() => undefined);
    throw thrown;
  } finally {
    clearTimeout(cut);
  }
}

export async function prepareSession(client: ClientBase): Promise<void> {
  await client.query(SESSION);
}

export async function about(client: ClientBase): Promise<About> {
  const { rows: [row] } = await client.query<Readonly<{ recovering: boolean; timeline: string; started: string; version: number }> & Record<(typeof SETTINGS)[number], string>>(ABOUT);
  if (row === undefined) throw new StoreError('VG_STORE_READ', 'the server does not say what it is');
  const { recovering, timeline, started, version, ...settings } = row;
  return { takesWrites: !recovering && row.default_transaction_read_only === 'off', timeline: Number.parseInt(timeline, 16), started, version, settings };
}

/** What makes a server unfit to keep receipted blocks; undefined where it is fit. */
export function unfit({ version, settings }: About, durability: Durability): string | undefined {
  if (version < OLDEST_VERSION) return `version ${Math.trunc(version / 10_000)} of PostgreSQL is too old: expected 14 or later`;
  for (const name of ['fsync', 'full_page_writes'] as const) {
    if (settings[name] !== 'on') return `${name} is ${settings[name]}: a power cut could take blocks that were countersigned; expected on`;
  }
  const commit = settings['synchronous_commit'] ?? '';
  if (commit === 'off') return 'synchronous_commit is off: a power cut could take blocks that were countersigned; expected on';
  if (durability === 'local') return undefined;
  if (commit !== 'on' && commit !== 'remote_apply') return `synchronous_commit is ${commit}: a commit does not wait until a standby has it on its disk; expected on or remote_apply (or durability: local)`;
  if (settings['synchronous_standby_names'] === '') return 'synchronous_standby_names is empty: no commit waits for a standby; expected for example ANY 1 (one, two) (or durability: local)';
  return undefined;
}

/** Standbys that commits wait for, and whether this role may see them: pg_monitor, or a superuser. */
export const STANDBYS = `
  select pg_has_role('pg_read_all_stats', 'usage') as allowed, count(*)::int as count from pg_stat_replication where sync_state in ('sync', 'quorum')`;

/**
 * A commit that changes nothing: when it is confirmed, everything that was to be seen before it is as durable as a commit can be. A server that
 * was restarted shows what it had written before it had a standby's word for it.
 */
export const CONFIRM = "select pg_logical_emit_message(true, 'vitalgate', '')";

/** States in which the connection, not the statement, is at fault: https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const LOST = new Set(['25006', '57P01', '57P02', '57P03', '57P05', '08000', '08003', '08006', '08P01']);
/** Serialization failures and deadlocks: nothing was written, and the same again may succeed. */
const AGAIN = new Set(['40001', '40P01']);
const CORRUPT = new Set(['XX001', 'XX002']);

/** What a commit says that was ended while it waited for a standby (syncrep.c): it counts, and nobody knows whether a standby has it. */
export const isUnconfirmed = (state: string | undefined): boolean => state === '01000' || state === '57P01';

const stateOf = (thrown: unknown): string | undefined => (thrown instanceof DatabaseError ? thrown.code : undefined);

/** Whether the server has to be looked for again. */
export const isLost = (thrown: unknown): boolean => !(thrown instanceof StoreError) && (stateOf(thrown) === undefined || LOST.has(stateOf(thrown) ?? ''));
export const isToRepeat = (thrown: unknown): boolean => AGAIN.has(stateOf(thrown) ?? '');

/** In our words. Of what `pg` throws only what the server said is passed on: some of it holds the connection, and that the password. */
export function faultOf(thrown: unknown, code: 'VG_STORE_READ' | 'VG_STORE_WRITE', name: string): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const state = stateOf(thrown);
  return new StoreError(CORRUPT.has(state ?? '') ? 'VG_STORE_CORRUPT' : code, `${name}: ${said(thrown)}${state === undefined ? '' : ` (${state})`}`, thrown instanceof DatabaseError ? { cause: thrown } : {});
}

/** Whether the server has refused a statement, and would refuse it again: another one may be well. */
export function isRefused(thrown: unknown): boolean {
  const cause = thrown instanceof StoreError ? thrown.cause : thrown;
  return cause instanceof DatabaseError && !isLost(cause);
}

function said(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') return thrown.errors.map(messageOf).join('; ');
  return messageOf(thrown);
}
