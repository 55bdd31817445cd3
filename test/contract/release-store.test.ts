import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Release } from '../../gateway/ledger/release.ts';
import { StoredReleaseCursors } from '../../gateway/store/release-cursor-store.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import { needs } from '../debian-packages.ts';
import { type Engine, POSTGRES_ENGINE, STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { stopDatabases } from './postgres-databases.ts';

const bytes = (size: number, fill: number): Uint8Array => new Uint8Array(size).fill(fill);
const CHAIN = bytes(16, 1);
const OTHER_CHAIN = bytes(16, 0xff);
const [K1, K2] = [bytes(8, 1), bytes(8, 0xff)];
const keyOf = (id: Uint8Array): Release['keys'][number] => ({ id, encapsulated: bytes(32, 3), ciphertext: bytes(80, 4) });
const release = (number: number, parts: Partial<Release>, chain = CHAIN): Release => ({ chain, recipient: bytes(33, 2), number, keys: [], payloads: [], erased: [], ...parts });
const paid = (key: Uint8Array, entry: number): Release['payloads'][number] => ({ key, entry, sealed: bytes(40, entry) });

const copy = (each: Uint8Array): Uint8Array => Uint8Array.from(each);

async function allIn(store: StoredReleases, chain = CHAIN): Promise<unknown[]> {
  const keys = await Array.fromAsync(store.keys(chain));
  return await Promise.all(keys.map(async ({ id, encapsulated, ciphertext }) => [
    { id: copy(id), encapsulated: copy(encapsulated), ciphertext: copy(ciphertext) },
    (await Array.fromAsync(store.payloads(chain, id))).map(({ entry, sealed }) => ({ entry, sealed: copy(sealed) })),
  ]));
}

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.each(STORES)('a release store, $name', (engine) => {
  releasesSuite(engine);
});
describe.skipIf(needed.missing)(`a release store, postgres${needed.note}`, () => {
  releasesSuite(POSTGRES_ENGINE);
});

function releasesSuite({ open }: Engine): void {
  it('keeps keys and payloads by key and entry, each chain for itself, after it was opened again', async () => {
    await using engine = await open();
    const store = new StoredReleases(engine.store);
    expect([await store.lastNumber(CHAIN), await allIn(store)]).toEqual([0, []]);
    await store.put(release(1, { keys: [keyOf(K2), keyOf(K1)], payloads: [paid(K2, 300), paid(K2, 7), paid(K1, 8)] }));
    await store.put(release(9, { keys: [keyOf(K1)] }, OTHER_CHAIN));
    const again = new StoredReleases(await engine.reopen());
    expect(await allIn(again)).toEqual([[keyOf(K1), [{ entry: 8, sealed: bytes(40, 8) }]], [keyOf(K2), [{ entry: 7, sealed: bytes(40, 7) }, { entry: 300, sealed: bytes(40, 300) }]]]);
    expect([await again.lastNumber(CHAIN), await again.lastNumber(OTHER_CHAIN)]).toEqual([1, 9]);
  });

  it('destroys what lies under an erased key, and nothing else', async () => {
    await using engine = await open();
    const store = new StoredReleases(engine.store);
    await store.put(release(1, { keys: [keyOf(K1), keyOf(K2)], payloads: [paid(K1, 1), paid(K1, 2), paid(K2, 3)] }));
    await store.put(release(1, { keys: [keyOf(K1)], payloads: [paid(K1, 1)] }, OTHER_CHAIN));
    await store.put(release(2, { erased: [K1, bytes(8, 0x77)] }));
    expect(await allIn(store)).toEqual([[keyOf(K2), [{ entry: 3, sealed: bytes(40, 3) }]]]);
    expect(await allIn(store, OTHER_CHAIN)).toHaveLength(1);
  });

  it('keeps nothing of a release whose write failed', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const store = new StoredReleases(faulty);
    faulty.writeFaults.push('nothing written');
    await expect(store.put(release(1, { keys: [keyOf(K1)] }))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await new StoredReleases(engine.store).lastNumber(CHAIN)).toBe(0);
  });

  it('keeps nothing of a release that is not newer, and of releases that race all that each newer one adds', async () => {
    await using engine = await open();
    const stores = [1, 2, 3].map(() => new StoredReleases(engine.store));
    const kept = await Promise.all(stores.map((store, n) => store.put(release(n + 1, { keys: [keyOf(bytes(8, n + 1))] }))));
    expect(kept[2]).toBe(true);
    const there = (await Array.fromAsync(stores[0]?.keys(CHAIN) ?? [])).map(({ id }) => id[0]);
    expect(there).toEqual(kept.flatMap((each, n) => (each ? [n + 1] : [])));
    expect(await stores[1]?.put(release(3, { keys: [keyOf(bytes(8, 9))], erased: [bytes(8, 3)] }))).toBe(false);
    expect((await Array.fromAsync(stores[2]?.keys(CHAIN) ?? [])).map(({ id }) => id[0])).toEqual(there);
  });
}

describe.each(STORES)('release cursors, $name', ({ open }) => {
  const [north, south] = [bytes(16, 5), bytes(16, 6)];

  it('are kept for each hospital', async () => {
    await using engine = await open();
    const cursors = new StoredReleaseCursors(engine.store);
    expect(await cursors.load(north)).toBeUndefined();
    await cursors.save(north, { number: 4, heights: { alarm: 2, record: 900, detail: 7 } });
    expect(await new StoredReleaseCursors(await engine.reopen()).load(north)).toEqual({ number: 4, heights: { alarm: 2, record: 900, detail: 7 } });
    expect(await cursors.load(south).catch(() => undefined)).toBeUndefined();
  });

  it('remember which keys a hospital is to be told are erased, until it was', async () => {
    await using engine = await open();
    const cursors = new StoredReleaseCursors(engine.store);
    await cursors.addErased(north, [K2, K1]);
    await cursors.addErased(north, [K1]);
    await cursors.addErased(south, [K1]);
    await cursors.addErased(south, []);
    expect(await cursors.erased(north, 1)).toEqual([K1]);
    await cursors.removeErased(north, [K1]);
    const again = new StoredReleaseCursors(await engine.reopen());
    expect([await again.erased(north, 9), await again.erased(south, 9)]).toEqual([[K2], [K1]]);
  });
});
