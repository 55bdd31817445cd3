import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { StoreError, messageOf } from '../../gateway/errors.ts';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { Seconds } from '../../gateway/quantity.ts';
import { openPostgres, type PostgresStores } from '../../gateway/store/postgres.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import { needs } from '../debian-packages.ts';
import { until } from '../path/program.ts';
import { type Postgres, startPostgres } from '../postgres.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const needed = needs('postgresql');

const local = (...urls: readonly string[]): Promise<PostgresStores> => openPostgres(urls, { durability: 'local' });

/** Expects it to be refused, for this reason; and closes it, should it not be. */
async function expectRefused(opening: Promise<PostgresStores>, reason: string): Promise<void> {
  const outcome = await opening.then(async ({ close }) => { await close(); return 'it was opened'; }, messageOf);
  expect(outcome).toContain(reason);
}

async function sealedAndKept(writer: ChainWriter, blocks: BlockStore): Promise<void> {
  const before = writer.state;
  const { bytes } = await writer.seal();
  const { outcome } = await blocks.append({ bytes, verified: verifyBlock(before, bytes, { check: verifyWithNodeCrypto }) });
  expect(outcome).toBe('committed');
}

const writerNamed = (name: string): ChainWriter => new ChainWriter('record', parametersOf(['north'], keyOf(name)), keyOf(name));

describe.skipIf(needed.missing)(`a PostgreSQL server${needed.note}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => await postgres.stop());

  /** While a setting is another than it should be. */
  async function withSetting(name: string, value: string, work: () => Promise<void>): Promise<void> {
    const now = async (): Promise<unknown> => (await postgres.primary.query<{ value: string }>(`select current_setting('${name}') as value`))[0]?.value;
    const before = await now();
    await postgres.primary.set(name, value);
    await until('it is set', async () => (await now()) === value);
    try {
      await work();
    } finally {
      await postgres.primary.query(`alter system reset ${name}`);
      await postgres.primary.query('select pg_reload_conf()');
      await until('it is as before', async () => (await now()) === before);
    }
  }

  it.each([
    ['fsync', 'off', 'fsync is off'],
    ['full_page_writes', 'off', 'full_page_writes is off'],
    ['synchronous_commit', 'off', 'synchronous_commit is off'],
    ['default_transaction_read_only', 'on', 'it takes no writes'],
  ])('is refused with %s = %s', async (name, value, reason) => {
    const url = await postgres.database();
    await withSetting(name, value, async () => await expectRefused(local(url), reason));
    await (await local(url)).close();
  });

  it('is refused without a standby that commits wait for, unless that is not asked for', async () => {
    const url = await postgres.database();
    await expectRefused(openPostgres([url], { durability: 'replicated' }), 'synchronous_standby_names is empty');
    await withSetting('synchronous_commit', 'local', async () => await expectRefused(openPostgres([url], { durability: 'replicated' }), 'synchronous_commit is local'));
    await (await local(url)).close();
    await withSetting('synchronous_standby_names', 'ANY 1 (nobody)', async () => await expectRefused(openPostgres([url], { durability: 'replicated' }), 'no synchronous standby is connected'));
  });

  it('is refused where a later Vitalgate has been', async () => {
    const url = await postgres.database();
    await (await local(url)).close();
    await postgres.primary.query('update vitalgate.installation set version = 999', url.slice(url.lastIndexOf('/') + 1));
    await expectRefused(local(url), 'a later Vitalgate has been here');
  });

  it('is set up once by processes that start at the same time', async () => {
    for (const count of [1, 2, 1, 3, 1]) {
      const urls = await Promise.all(Array.from({ length: count }, () => postgres.database()));
      const opened = await Promise.all([1, 2, 3, 4].map(() => local(...urls)));
      const writer = writerNamed('any');
      await sealedAndKept(writer, (opened[0] as PostgresStores).blocks);
      for (const { blocks } of opened) expect(await blocks.head(writer.id)).toEqual(writer.state);
      await Promise.all(opened.map(({ close }) => close()));
    }
  });

  it('that is gone, or says no, is told of without its password', async () => {
    const secret = 'correct-horse';
    const withSecret = (url: string): string => url.replace('postgres@', `postgres:${secret}@`);
    const url = withSecret(await postgres.database());
    await (await local(url)).close();
    for (const bad of [url.replace(/:\d+\//, ':1/'), url.replace(/\/test\d+$/, '/nowhere'), withSecret('postgres://postgres@127.0.0.1:nonsense/x'), `postgres://u:${secret}@@h/x`]) {
      const fault: unknown = await local(bad).then(async ({ close }) => await close(), (thrown: unknown) => thrown);
      expect(fault).toBeInstanceOf(Error);
      expect(JSON.stringify(fault, Object.getOwnPropertyNames(fault)) + messageOf(fault) + (fault as Error).stack).not.toContain(secret);
      expect(JSON.stringify((fault as Error).cause ?? null)).not.toContain(secret);
    }
  });

  it('keeps chains in the shard that the map says', async () => {
    const urls = [await postgres.database(), await postgres.database(), await postgres.database()];
    const { blocks, close } = await local(...urls);
    const writers = Array.from({ length: 12 }, (_, n) => writerNamed(`gateway ${n}`));
    for (const writer of writers) await sealedAndKept(writer, blocks);
    const counts = await Promise.all(urls.map(async (url) => {
      const rows = await postgres.primary.query<{ chain: string }>("select encode(substring(lane for 16), 'hex') as chain from vitalgate.head", url.slice(url.lastIndexOf('/') + 1));
      return rows.map(({ chain }) => chain);
    }));
    for (const { id } of writers) expect(counts.findIndex((chains) => chains.includes(Buffer.from(id.chain).toString('hex')))).toBe((id.chain[0] as number) % 3);
    expect((await blocks.chains()).length).toBe(12);
    for (const { id, state } of writers) expect(await blocks.head(id)).toEqual(state);
    await close();
  });

  it('is refused as a shard that is missing, too many, in another place, or of another store', async () => {
    const [one, two, three, strange] = [await postgres.database(), await postgres.database(), await postgres.database(), await postgres.database()];
    const { blocks, close } = await local(one, two);
    await sealedAndKept(writerNamed('any'), blocks);
    await close();
    await (await local(strange)).close();
    await expectRefused(local(one), 'the store has 2 shards, 1 are configured');
    await expectRefused(local(one, two, three), 'the store has 2 shards, 3 are configured');
    await expectRefused(local(two, one), 'the order has changed');
    await expectRefused(local(one, strange), 'is no shard of the store');
    await expectRefused(local(one, three), 'is no shard of the store');
    await (await local(one, two)).close();
  });

  it('lets a lane whose rows are damaged fail alone, and not those whose blocks came with it', async () => {
    const url = await postgres.database();
    const { blocks, close } = await local(url);
    const writers = Array.from({ length: 5 }, (_, n) => writerNamed(`gateway ${n}`));
    for (const writer of writers) await sealedAndKept(writer, blocks);
    const [first] = writers as [ChainWriter];
    const lane = `'\\x${Buffer.from(first.id.chain).toString('hex')}01'`;
    await postgres.primary.query(`insert into vitalgate.block select lane, 1, tree_size, body, nodes from vitalgate.block where lane = ${lane} or lane = ${lane.replace('01\'', '00\'')}`, url.slice(url.lastIndexOf('/') + 1));
    const outcomes = await Promise.allSettled(writers.map((writer) => sealedAndKept(writer, blocks)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    await postgres.primary.query("update vitalgate.head set state = set_byte(state, 9, 255 - get_byte(state, 9)) where height = 0", url.slice(url.lastIndexOf('/') + 1));
    const heads = await Promise.allSettled(writers.map(({ id }) => blocks.head(id)));
    expect(heads.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect(heads[0]).toMatchObject({ reason: { code: 'VG_STORE_CORRUPT' } });
    await postgres.primary.query("update vitalgate.head set hash = set_byte(hash, 0, 255 - get_byte(hash, 0))", url.slice(url.lastIndexOf('/') + 1));
    await expect(sealedAndKept(writers[1] as ChainWriter, blocks)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    await close();
  });

  it('says no to a write whose row somebody holds, and goes on when it is free', async () => {
    const url = await postgres.database();
    const { store, close } = await openPostgres([url], { durability: 'local', deadline: Seconds(30) });
    const key = Buffer.from('held');
    await store.write([{ key, value: Buffer.from('1') }], { sync: true });
    const holder = postgres.primary.query("begin; select * from vitalgate.record for update; select pg_sleep(6); commit", url.slice(url.lastIndexOf('/') + 1));
    await until('it is held', async () => ((await postgres.primary.query("select 1 from pg_stat_activity where wait_event = 'PgSleep'")).length > 0));
    await expect(store.write([{ key, value: Buffer.from('2') }], { sync: true })).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await holder;
    await store.write([{ key, value: Buffer.from('3') }], { sync: true });
    expect(Buffer.from((await store.get(key)) ?? []).toString()).toBe('3');
    await close();
  });
});

describe.skipIf(needed.missing)(`a PostgreSQL primary with standbys${needed.note}`, () => {
  it('may be killed: what was confirmed is on the standby that takes its place, and the same store goes on', async () => {
    await using postgres = await startPostgres({ standbys: 2 });
    const { blocks, store, close } = await openPostgres([postgres.url], { durability: 'replicated' });
    const writers = Array.from({ length: 20 }, (_, n) => writerNamed(`gateway ${n}`));
    const faults = new Set<string>();
    let over = false;
    const confirmed = writers.map(() => -1);
    const all = writers.map(async (writer, n) => {
      for (let height = 0; !over; height++) {
        const before = writer.state;
        const { bytes } = await writer.seal();
        const block = { bytes, verified: verifyBlock(before, bytes, { check: verifyWithNodeCrypto }) };
        for (;;) {
          const outcome = await blocks.append(block).then(({ outcome: said }) => said, (thrown: unknown) => (thrown instanceof StoreError ? thrown.code : messageOf(thrown)));
          if (outcome === 'committed' || outcome === 'same') break;
          faults.add(outcome);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        confirmed[n] = height;
      }
    });
    const sum = (): number => confirmed.reduce((total, height) => total + height + 1, 0);
    await until('blocks are confirmed', () => sum() > 300);
    await postgres.primary.kill();
    await expect(store.write([{ key: Buffer.from('k'), value: Buffer.from('v') }], { sync: true })).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(store.get(Buffer.from('k'))).rejects.toBeInstanceOf(StoreError);
    await postgres.promote();
    const at = sum();
    await until('blocks are confirmed again', () => sum() > at + 300);
    over = true;
    await Promise.all(all);
    expect([...faults].every((code) => code === 'VG_STORE_WRITE' || code === 'VG_STORE_READ')).toBe(true);
    for (const [n, writer] of writers.entries()) {
      expect((await blocks.head(writer.id))?.height).toBe(confirmed[n]);
      expect((await Array.fromAsync(blocks.blocks(writer.id, 0))).map((bytes) => Buffer.from(bytes))).toEqual(writer.blocks.map(({ bytes }) => Buffer.from(bytes)));
    }
    await close();
  });

  it('that hangs is left for the standby that takes its place, and is not gone back to when it wakes up', async () => {
    await using postgres = await startPostgres({ standbys: 2 });
    const old = postgres.primary;
    const { blocks, store, close } = await openPostgres([postgres.url], { durability: 'replicated', deadline: Seconds(2) });
    const writer = writerNamed('any');
    await sealedAndKept(writer, blocks);
    old.freeze();
    await expect(store.write([{ key: Buffer.of(1), value: Buffer.of(1) }], { sync: true })).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await postgres.promote();
    await until('it goes on', async () => { await store.write([{ key: Buffer.of(1), value: Buffer.of(2) }], { sync: true }); return true; });
    await sealedAndKept(writer, blocks);
    old.thaw();
    await until('it is awake', async () => (await old.query('select 1')).length === 1);
    const again = await openPostgres([postgres.url], { durability: 'replicated' });
    for (const each of [blocks, again.blocks]) await sealedAndKept(writer, each);
    expect((await again.blocks.head(writer.id))?.height).toBe(3);
    await again.close();
    await close();
    expect(await old.query('select height::int from vitalgate.head')).toEqual([{ height: 0 }]);
  });

  it('serves a role that owns its database and may nothing else, by its password', async () => {
    await using postgres = await startPostgres({ standbys: 1 });
    const hba = join(postgres.primary.data, 'pg_hba.conf');
    writeFileSync(hba, `host all keeper 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, 'utf8')}`);
    await postgres.primary.query('select pg_reload_conf()');
    await postgres.primary.query("create role keeper login password 'correct-horse'");
    await postgres.primary.query('create database kept owner keeper');
    const url = postgres.urlOf('kept').replace('postgres@', 'keeper:correct-horse@');
    const { blocks, store, close } = await openPostgres([url], { durability: 'replicated' });
    const writer = writerNamed('any');
    await sealedAndKept(writer, blocks);
    await blocks.putReceipt(writer.id, 0, new Uint8Array(16), new Uint8Array(100));
    expect(await new StoredReleases(store).lastNumber(writer.id.chain)).toBe(0);
    await store.write([{ key: Buffer.of(1), value: Buffer.of(1) }, { key: Buffer.of(1) }], { sync: true });
    await store.compact({ gte: Buffer.of(0), lt: Buffer.of(2) });
    await close();
    await expectRefused(openPostgres([url.replace('correct', 'wrong')], { durability: 'replicated' }), 'password authentication failed');
    // Without the right to see the standbys it takes a commit to find out that there is none.
    await postgres.standbys[0]?.kill();
    await expectRefused(openPostgres([url], { durability: 'replicated', deadline: Seconds(1) }), 'is a synchronous standby missing?');
  });

  it('that loses all its standbys confirms nothing, holds no more connections than it may, and goes on when one is back', async () => {
    await using postgres = await startPostgres({ standbys: 1 });
    const { blocks, store, close } = await openPostgres([postgres.url], { durability: 'replicated', deadline: Seconds(3) });
    const [first] = postgres.standbys;
    const writers = Array.from({ length: 8 }, (_, n) => writerNamed(`gateway ${n}`));
    for (const writer of writers) await sealedAndKept(writer, blocks);
    await first?.stop();
    for (let round = 0; round < 3; round++) {
      for (const { status } of await Promise.allSettled([...writers.map((writer) => sealedAndKept(writer.copy(), blocks)), store.write([{ key: Buffer.of(round), value: Buffer.of(1) }], { sync: true })])) expect(status).toBe('rejected');
    }
    const [{ count } = { count: 0 }] = await postgres.primary.query<{ count: number }>("select count(*)::int as count from pg_stat_activity where application_name = 'vitalgate'");
    expect(count).toBeLessThanOrEqual(25);
    await first?.start();
    await until('it goes on', async () => { await store.write([{ key: Buffer.of(99), value: Buffer.of(1) }], { sync: true }); return true; });
    for (const writer of writers) {
      // What was offered may have been committed before the standby was back.
      await until('its lane goes on', async () => { await blocks.append({ bytes: writer.at(0).bytes, verified: verifyBlock(undefined, writer.at(0).bytes, { check: verifyWithNodeCrypto }) }); return true; });
      expect((await blocks.head(writer.id))?.height).toBeGreaterThanOrEqual(0);
    }
    await close();
  });

  it('on which somebody ends the wait for a standby has confirmed nothing', async () => {
    await using postgres = await startPostgres({ standbys: 1 });
    const { store, close } = await openPostgres([postgres.url], { durability: 'replicated', deadline: Seconds(30) });
    await store.write([{ key: Buffer.of(1), value: Buffer.of(1) }], { sync: true });
    await postgres.standbys[0]?.stop();
    const written = store.write([{ key: Buffer.of(2), value: Buffer.of(2) }], { sync: true }).then(() => 'confirmed', (thrown: unknown) => (thrown as StoreError).code);
    await until('it waits', async () => (await postgres.primary.query("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")).length > 0);
    expect(await written).toBe('VG_STORE_WRITE');
    await postgres.standbys[0]?.start();
    await close();
  });
});
