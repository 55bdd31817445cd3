/** Real PostgreSQL servers on free ports, from the Debian package: a primary and its synchronous standbys, over a folder of their own. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { freePorts } from './path/program.ts';

const PACKAGE = '/usr/lib/postgresql';
const USER = 'postgres';
const PATIENCE_MS = 30_000;
const POLL_MS = 20;

/** Small, and as durable as a hospital's has to be. */
const SETTINGS = {
  shared_buffers: '64MB',
  max_connections: '200',
  wal_level: 'replica',
  max_wal_senders: '8',
  wal_sender_timeout: '5s',
  wal_receiver_timeout: '5s',
  wal_retrieve_retry_interval: '100ms',
  wal_keep_size: '256MB',
  log_min_messages: 'fatal',
};

export type PostgresOptions = Readonly<{
  /** Synchronous standbys; a commit waits for any one of them. Default 0. */
  standbys?: number;
  /** Settings of the servers, in place of those of this file. */
  settings?: Readonly<Record<string, string>>;
}>;

/** PostgreSQL does not run as root. */
const OTHER_USER = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined;

function idOf(which: '-u' | '-g'): number {
  try {
    return Number(execFileSync('id', [which, USER], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    // Without the package there is no such user; needs('postgresql') keeps these suites out then.
    return 65_534;
  }
}

function program(name: string): string {
  const versions = existsSync(PACKAGE) ? readdirSync(PACKAGE).map(Number).filter(Number.isInteger).sort((a, b) => b - a) : [];
  const found = versions.map((version) => join(PACKAGE, String(version), 'bin', name)).find(existsSync);
  if (found === undefined) throw new Error(`${PACKAGE}/*/bin/${name} is not there: apt-get install postgresql`);
  return found;
}

function run(name: string, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program(name), words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', ...OTHER_USER });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}: ${said}`))));
  });
}

/** One server. Its data stays when it is killed or stopped, and it can be started again. */
export class PostgresServer {
  readonly port: number;
  readonly name: string;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #said = '';

  constructor({ port, name, folder, settings }: Readonly<{ port: number; name: string; folder: string; settings: Readonly<Record<string, string>> }>) {
    this.port = port;
    this.name = name;
    this.#folder = folder;
    this.#settings = settings;
  }

  /** Of the database that every cluster has. */
  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/postgres`;
  }

  /** Folder of its data. */
  get data(): string {
    return join(this.#folder, this.name);
  }

  /** What it has logged. */
  get log(): string {
    return this.#said;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Makes an empty cluster. */
  async create(): Promise<void> {
    await run('initdb', ['-D', this.data, '-U', USER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']);
  }

  /** Makes it a standby of `primary`, as that is now. */
  async copy(primary: PostgresServer): Promise<void> {
    const source = `host=127.0.0.1 port=${primary.port} user=${USER} application_name=${this.name}`;
    await run('pg_basebackup', ['-D', this.data, '-d', source, '-X', 'stream', '-c', 'fast', '-R', '--no-sync']);
  }

  /** Starts it; resolves when it takes connections. Should this process die, it is shut down at once. */
  async start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const set = Object.entries({ ...SETTINGS, ...this.#settings, ...settings }).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const words = [program('postgres'), '-D', this.data, '-p', String(this.port), '-h', '127.0.0.1', '-k', this.#folder, ...set];
    const user = OTHER_USER === undefined ? [] : ['--reuid', String(OTHER_USER.uid), '--regid', String(OTHER_USER.gid), '--clear-groups'];
    const child = spawn('setpriv', [...user, '--pdeathsig', 'QUIT', '--', ...words], { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    this.#process = child;
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    await this.until('takes connections', async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${this.#said}`);
      return await this.query('select 1').then(() => true, () => false);
    });
  }

  /** Ends it as a power cut of the process would: kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends it; connections are closed. */
  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** As behind a network that is cut: it is there, and nobody hears of it. */
  freeze(): void {
    this.#signalAll('SIGSTOP');
  }

  thaw(): void {
    this.#signalAll('SIGCONT');
  }

  #signalAll(signal: NodeJS.Signals): void {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number);
    for (const pid of [this.pid, ...children]) process.kill(pid, signal);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
    await this.#ended;
  }

  /** The rows of a statement on a connection of its own. */
  async query<Row extends Record<string, unknown>>(text: string, database = 'postgres'): Promise<Row[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user: USER, database, connectionTimeoutMillis: PATIENCE_MS });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Sets what a reload can set. */
  async set(name: string, value: string): Promise<void> {
    await this.query(`alter system set ${name} = '${value}'`);
    await this.query('select pg_reload_conf()');
  }

  /** Asks again until it is so. */
  async until(what: string, ask: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await ask())) {
      if (performance.now() > deadline) throw new Error(`${this.name} does not get to where it ${what}: ${this.#said}`);
      await pause(POLL_MS);
    }
  }

  /** Waits until a commit would be confirmed by one of `standbys`. */
  async synchronous(standbys: readonly PostgresServer[]): Promise<void> {
    await this.set('synchronous_standby_names', standbys.length === 0 ? '' : `ANY 1 (${standbys.map(({ name }) => name).join(', ')})`);
    await this.until('has its standbys', async () => {
      const [row] = await this.query<{ count: number }>("select count(*)::int as count from pg_stat_replication where state = 'streaming' and sync_state = 'quorum'");
      return row?.count === standbys.length;
    });
  }
}

/** A primary and its standbys. Disposing of it ends all of them and removes their folder. */
export class Postgres implements AsyncDisposable {
  readonly #folder: string;
  #primary: PostgresServer;
  #standbys: readonly PostgresServer[];
  readonly #members: readonly PostgresServer[];
  #databases = 0;

  constructor(folder: string, primary: PostgresServer, standbys: readonly PostgresServer[]) {
    this.#folder = folder;
    this.#primary = primary;
    this.#standbys = standbys;
    this.#members = [primary, ...standbys];
  }

  /** Names all servers, as `--store` takes it. */
  get url(): string {
    return this.urlOf('postgres');
  }

  /** The server that takes writes, as far as {@link promote} knows. */
  get primary(): PostgresServer {
    return this.#primary;
  }

  get standbys(): readonly PostgresServer[] {
    return this.#standbys;
  }

  urlOf(database: string): string {
    return `postgres://${USER}@${this.#members.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${database}`;
  }

  /** Makes an empty database and returns the URL that names it. */
  async database(): Promise<string> {
    const name = `test${++this.#databases}`;
    await this.#primary.query(`create database ${name}`);
    return this.urlOf(name);
  }

  /** Makes the standby that has most the primary, and the others its synchronous standbys. The old primary MUST have been ended. */
  async promote(): Promise<PostgresServer> {
    const received = await Promise.all(this.#standbys.map(async (standby) => {
      const [row] = await standby.query<{ bytes: string }>("select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::text as bytes");
      return { standby, bytes: BigInt(row?.bytes ?? '0') };
    }));
    const [first, ...others] = received.sort((a, b) => Number(b.bytes - a.bytes)).map(({ standby }) => standby);
    if (first === undefined) throw new Error('there is no standby to promote');
    await first.query('select pg_promote()');
    for (const other of others) await other.set('primary_conninfo', `host=127.0.0.1 port=${first.port} user=${USER} application_name=${other.name}`);
    await first.synchronous(others);
    this.#primary = first;
    this.#standbys = others;
    return first;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a primary and its synchronous standbys; resolves when the first commit would be confirmed. */
export async function startPostgres({ standbys: count = 0, settings = {} }: PostgresOptions = {}): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-postgres-'));
  if (OTHER_USER !== undefined) chownSync(folder, OTHER_USER.uid, OTHER_USER.gid);
  const [port = 0, ...ports] = await freePorts(1 + count);
  const primary = new PostgresServer({ port, name: 'primary', folder, settings });
  const standbys = ports.map((own, index) => new PostgresServer({ port: own, name: `standby${index + 1}`, folder, settings }));
  const postgres = new Postgres(folder, primary, standbys);
  try {
    await primary.create();
    await primary.start();
    await Promise.all(standbys.map(async (standby) => {
      await standby.copy(primary);
      await standby.start();
    }));
    if (count > 0) await primary.synchronous(standbys);
    return postgres;
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}
