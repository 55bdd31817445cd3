import { Pool, type Client, type ClientBase, type PoolClient, type QueryResultRow } from 'pg';
import { StoreError } from '../errors.ts';
import { type Millis, Seconds } from '../quantity.ts';
import { Batches } from './batches.ts';
import { type About, about, CONFIRM, connect, connectionOf, type Durability, faultOf, isLost, isToRepeat, isUnconfirmed, prepareSession, STANDBYS, unfit } from './postgres-server.ts';
import { hostsIn, nameOfPostgres, type PostgresHost } from './postgres-url.ts';

/** Connections of one process to one shard. Reads that last have their own, so that they keep nobody waiting. */
const CONNECTIONS = { reads: 6, writes: 4, ranges: 12 } as const;
type Use = keyof typeof CONNECTIONS;

const IDLE = Seconds(60);
const DEADLINE = Seconds(10);
const MOST_ATTEMPTS = 5;
const CONFIRMED_TOGETHER = 10_000;

export type PrimaryOptions = Readonly<{
  durability: Durability;
  /** How long an answer may take before whoever waits is told that there is none. Default 10 s. */
  deadline?: Millis;
}>;

/** A connection that is held: what the first statement has given, further ones, and its end. */
export type Lent<Row> = Readonly<{ first: readonly Row[]; query: (text: string) => Promise<readonly Row[]>; release: (broken: boolean) => void }>;

/** A server that was found to take writes, and the connections to it. */
type Found = Readonly<{ host: PostgresHost; about: About; pools: Readonly<Record<Use, Pool>>; busy: Set<ClientBase>; lent: Set<() => void>; asking: Client; confirmations: Batches<undefined, undefined>; confirmed: Promise<undefined> }>;

/**
 * The one of a shard's servers that takes writes: found, kept connections to, and looked for again when it is gone, so that a promoted standby
 * is gone on with by itself. While there is none, every use throws {@link StoreError} `VG_STORE_READ` or `VG_STORE_WRITE`; never
 * `VG_STORE_CLOSED` before {@link close}, for opening anew would not help.
 *
 * What is read here is as durable as a commit can be: before the first use of a connection a commit of our own is confirmed. So a server that was
 * restarted in the middle of a commit shows it only after its standbys have it, and a primary that was replaced, and still runs, is of no use.
 */
export class PostgresPrimary {
  /** For messages: hosts and database. */
  readonly name: string;
  readonly #hosts: readonly PostgresHost[];
  readonly #durability: Durability;
  readonly #deadline: Millis;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #warned = new WeakSet<ClientBase>();
  #found: Promise<Found> | undefined;
  /** What that has come to. */
  #now: Found | undefined;
  /** The last that has confirmed a commit. */
  #confirmed: Found | undefined;
  readonly #maintaining = new Set<Client>();
  #doubt: Promise<void> | undefined;
  #newest = 0;
  #closed = false;

  /** Throws {@link ConfigError} for a URL that is none. Connects when it is used first. */
  constructor(url: string, { durability, deadline = DEADLINE }: PrimaryOptions) {
    this.#hosts = hostsIn(url);
    this.name = nameOfPostgres(url);
    this.#durability = durability;
    this.#deadline = deadline;
  }

  /** Work that may be done twice: it is, when its connection turns out to be gone. */
  async read<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await this.#tracked(this.#use('reads', work));
    } catch (thrown) {
      if (!isLost(thrown) || this.#closed) throw faultOf(thrown, 'VG_STORE_READ', this.name);
    }
    return await this.#tracked(this.#use('reads', work)).catch((thrown: unknown) => {
      throw faultOf(thrown, 'VG_STORE_READ', this.name);
    });
  }

  /**
   * Work whose commit is confirmed when it resolves. When it rejects it may have been committed all the same, except for a deadlock, after
   * which it is done again: it MUST be one statement or one transaction.
   */
  async write<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    this.#assertOpen();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#tracked(this.#use('writes', (client) => this.#unwarned(client, work)));
      } catch (thrown) {
        if (!isToRepeat(thrown) || attempt === MOST_ATTEMPTS) throw faultOf(thrown, 'VG_STORE_WRITE', this.name);
      }
    }
  }

  /**
   * Holds a connection for what takes several statements, and runs the first. `release` MUST be called; with true when the
   * connection is in the middle of something.
   */
  async lend<Row extends QueryResultRow>(text: string): Promise<Lent<Row>> {
    this.#assertOpen();
    try {
      return await this.#tracked(this.#lent<Row>(text));
    } catch (thrown) {
      throw faultOf(thrown, 'VG_STORE_READ', this.name);
    }
  }

  async #lent<Row extends QueryResultRow>(text: string): Promise<Lent<Row>> {
    const found = await this.#current();
    const client = await this.#connection(found, 'ranges');
    const release = (broken: boolean): void => {
      if (found.lent.delete(cut)) client.release(broken);
    };
    const cut = (): void => release(true);
    found.lent.add(cut);
    const rows = async (statement: string): Promise<readonly Row[]> => {
      // Several statements have several results, which the types of `pg` do not know.
      const results = [await this.#inTime(found, client.query<Row>(statement))].flat();
      return results.at(-1)?.rows ?? [];
    };
    const query = async (statement: string): Promise<readonly Row[]> => {
      try {
        this.#assertOpen();
        return await this.#tracked(rows(statement));
      } catch (thrown) {
        throw faultOf(thrown, 'VG_STORE_READ', this.name);
      }
    };
    try {
      return { first: await rows(text), query, release };
    } catch (thrown) {
      release(true);
      throw thrown;
    }
  }

  /** A statement that may take as long as it likes, on a connection of its own; {@link close} does not wait for it. */
  async maintain(text: string): Promise<void> {
    this.#assertOpen();
    const { host } = await this.#current();
    const { client } = await connect(host);
    this.#maintaining.add(client);
    try {
      if (!this.#closed) await client.query(text);
    } finally {
      this.#maintaining.delete(client);
      await client.end().catch(() => undefined);
    }
  }

  /** Resolves when everything that was to be seen before the call is as durable as a commit can be. */
  async confirm(): Promise<void> {
    this.#assertOpen();
    try {
      const found = await this.#current();
      await this.#inTime(found, found.confirmations.add(undefined));
    } catch (thrown) {
      throw faultOf(thrown, 'VG_STORE_WRITE', this.name);
    }
  }

  /**
   * Throws {@link StoreError} when no standby is there that a commit could wait for: without this the first use would say so, only later. Who may not
   * see the standbys of a server has to wait for that.
   */
  async assertReplicated(): Promise<void> {
    if (this.#durability === 'local') return;
    this.#assertOpen();
    const { client, host, about: what } = await this.#best();
    const { rows: [seen] } = await client.query<{ allowed: boolean; count: number }>(STANDBYS).catch((thrown: unknown) => { throw faultOf(thrown, 'VG_STORE_READ', host.name); });
    await client.end();
    const reason = unfit(what, this.#durability);
    if (reason !== undefined) throw new StoreError('VG_STORE_WRITE', `${host.name}: ${reason}`);
    if (seen?.allowed === true && seen.count === 0) throw new StoreError('VG_STORE_WRITE', `${host.name}: no synchronous standby is connected, so that no commit would ever be confirmed (or durability: local)`);
  }

  /** Waits for what is under way. Later calls throw `VG_STORE_CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#doubt;
    await this.#found?.catch(() => undefined);
    await Promise.all([...this.#maintaining].map((client) => client.end().catch(() => undefined)));
    if (this.#now !== undefined) await this.#leave(this.#now);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError('VG_STORE_CLOSED', `${this.name} is closed`);
  }

  async #tracked<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  async #use<T>(use: Use, work: (client: ClientBase) => Promise<T>): Promise<T> {
    const found = await this.#current();
    const client = await this.#connection(found, use);
    found.busy.add(client);
    const done = (async () => await work(client))();
    // Beyond the deadline nobody waits for it; the connection stays taken until it answers, so that there are never more in its state than may be.
    void done.then(() => undefined, (thrown: unknown) => thrown).then((thrown) => {
      found.busy.delete(client);
      const lost = thrown !== undefined && isLost(thrown);
      client.release(lost);
      if (lost) this.#discard(found);
    });
    return await this.#inTime(found, done);
  }

  async #connection(found: Found, use: Use): Promise<PoolClient> {
    const pool = found.pools[use];
    const full = pool.totalCount >= CONNECTIONS[use];
    try {
      return await pool.connect();
    } catch (thrown) {
      if (!full && isLost(thrown)) this.#discard(found);
      throw thrown;
    }
  }

  /** A commit that an administrator ends while it waits for a standby succeeds, with a warning. */
  async #unwarned<T>(client: ClientBase, work: (client: ClientBase) => Promise<T>): Promise<T> {
    this.#warned.delete(client);
    const result = await work(client);
    if (this.#warned.has(client)) throw new StoreError('VG_STORE_WRITE', `${this.name}: the commit was not confirmed`);
    return result;
  }

  async #inTime<T>(found: Found, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#startDoubt(found);
      late.reject(new StoreError('VG_STORE_WRITE', `${found.host.name} has not answered within ${this.#deadline} ms: is a synchronous standby missing?`));
    }, this.#deadline);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #current(): Promise<Found> {
    if (this.#now !== undefined && this.#now === this.#confirmed) return this.#now;
    this.#found ??= this.#find();
    const finding = this.#found;
    const found = await finding.catch((thrown: unknown) => {
      if (this.#found === finding) this.#found = undefined;
      throw thrown;
    });
    await this.#inTime(found, found.confirmed);
    this.#confirmed = found;
    return found;
  }

  async #find(): Promise<Found> {
    const { host, client: asking, about: what } = await this.#best();
    const reason = unfit(what, this.#durability);
    if (reason !== undefined) {
      await asking.end().catch(() => undefined);
      throw new StoreError('VG_STORE_WRITE', `${host.name}: ${reason}`);
    }
    this.#newest = what.timeline;
    this.#heed(asking);
    const confirmations = new Batches<undefined, undefined>({
      lines: 1, most: CONFIRMED_TOGETHER,
      work: async (asked) => {
        await this.#unwarned(asking, (client) => client.query(CONFIRM));
        return asked;
      },
    });
    const found: Found = {
      host, about: what, asking, confirmations, busy: new Set(), lent: new Set(),
      confirmed: this.#durability === 'local' ? Promise.resolve(undefined) : confirmations.add(undefined),
      pools: { reads: this.#pool(host, 'reads', () => found), writes: this.#pool(host, 'writes', () => found), ranges: this.#pool(host, 'ranges', () => found) },
    };
    this.#now = found;
    found.confirmed.catch(() => this.#discard(found));
    asking.on('error', () => this.#discard(found));
    asking.on('end', () => this.#discard(found));
    return found;
  }

  #pool(host: PostgresHost, use: Use, found: () => Found): Pool {
    const pool = new Pool({
      ...connectionOf(host), max: CONNECTIONS[use], idleTimeoutMillis: IDLE,
      verify: (client, done) => {
        this.#verify(client, found()).then(() => done(), (thrown: unknown) => done(thrown as Error));
      },
    });
    pool.on('connect', (client) => {
      client.on('error', () => this.#discard(found()));
      this.#heed(client);
    });
    pool.on('error', () => this.#discard(found()));
    return pool;
  }

  #heed(client: ClientBase): void {
    client.on('notice', ({ code }) => {
      if (isUnconfirmed(code)) this.#warned.add(client);
    });
  }

  async #verify(client: ClientBase, found: Found): Promise<void> {
    await this.#inTime(found, prepareSession(client).then(() => about(client)).then(async (what) => {
      const reason = what.takesWrites ? unfit(what, this.#durability) : 'it takes no writes any more';
      if (reason !== undefined) {
        this.#discard(found);
        throw new StoreError('VG_STORE_WRITE', `${found.host.name}: ${reason}`);
      }
      if (this.#durability === 'replicated') await found.confirmations.add(undefined);
    }));
  }

  /** Of those that take writes the one with the newest history. Throws {@link StoreError}. */
  async #best(): Promise<Readonly<{ host: PostgresHost; client: Client; about: About }>> {
    const asked = await Promise.all(this.#hosts.map(async (host) => await this.#ask(host)));
    const reached = asked.filter((each) => 'client' in each);
    const fit = reached.filter(({ about: what }) => what.takesWrites && what.timeline >= this.#newest).sort((a, b) => b.about.timeline - a.about.timeline);
    const [best] = fit;
    await Promise.all(reached.filter((each) => each !== best).map(({ client }) => client.end().catch(() => undefined)));
    if (best !== undefined) return best;
    const why = asked.map((each) => ('fault' in each ? each.fault : `${each.host.name}: ${each.about.takesWrites ? 'it was replaced as primary' : 'it takes no writes'}`));
    throw new StoreError('VG_STORE_WRITE', `no server of ${this.name} takes writes (${why.join('; ')})`);
  }

  async #ask(host: PostgresHost): Promise<Readonly<{ host: PostgresHost; client: Client; about: About } | { fault: string }>> {
    try {
      const { client, about: what } = await connect(host);
      return { host, client, about: what };
    } catch (thrown) {
      return { fault: faultOf(thrown, 'VG_STORE_READ', host.name).message };
    }
  }

  /** Nobody knows any more whether it is there: asked anew, with connections of their own. It stays when it is the same, and only slow. */
  #startDoubt(found: Found): void {
    this.#doubt ??= (async () => {
      const best = await this.#best().catch(() => undefined);
      await best?.client.end().catch(() => undefined);
      if (best?.host !== found.host || best.about.started !== found.about.started) this.#discard(found);
      this.#doubt = undefined;
    })();
  }

  #discard(found: Found): void {
    if (this.#now !== found) return;
    this.#now = undefined;
    this.#found = undefined;
    void this.#leave(found);
  }

  /** Whatever still waits there for an answer is cut off. */
  async #leave(found: Found): Promise<void> {
    const ended = Object.values(found.pools).map((pool) => pool.end());
    for (const cut of found.lent) cut();
    for (const client of found.busy) void (client as PoolClient & Pick<Client, 'end'>).end().catch(() => undefined);
    await Promise.allSettled([...ended, found.asking.end()]);
  }
}
