import { afterAll, describe, expect, it } from 'vitest';
import type { ToldRow } from '../../gateway/records/told-store.ts';
import { StoredTold } from '../../gateway/store/told-store.ts';
import { needs } from '../debian-packages.ts';
import { type Engine, POSTGRES_ENGINE, STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { stopDatabases } from './postgres-databases.ts';

const bytes = (size: number, fill: number): Uint8Array => new Uint8Array(size).fill(fill);
const [CHAIN, OTHER_CHAIN] = [bytes(16, 1), bytes(16, 0xff)];
const [K1, K2, K3] = [bytes(8, 1), bytes(8, 2), bytes(8, 0xff)] as [Uint8Array, Uint8Array, Uint8Array];
const [P1, P2, P3] = ['1', '2', 'f'].map((digit) => digit.repeat(32)) as [string, string, string];
const row = (number: number, id: Uint8Array, names: readonly string[], chain = CHAIN): ToldRow => ({ chain, number, key: { id, encapsulated: bytes(32, 3), ciphertext: bytes(80, 4) }, sealed: bytes(40, number), names });
const plain = (found: ToldRow | undefined): unknown => found && { ...found, key: { id: [...found.key.id], encapsulated: [...found.key.encapsulated], ciphertext: [...found.key.ciphertext] }, chain: [...found.chain], sealed: [...found.sealed] };

function toldSuite({ open }: Engine): void {
  it('is found by every name, after it was opened again', async () => {
    await using engine = await open();
    const store = new StoredTold(engine.store);
    expect([await store.of(P1), await store.knows(CHAIN)]).toEqual([undefined, false]);
    await store.put(row(1, K1, [P1, P2]));
    await store.put(row(1, K1, [P3], OTHER_CHAIN));
    const again = new StoredTold(await engine.reopen());
    expect([await again.knows(CHAIN), await again.knows(bytes(16, 7))]).toEqual([true, false]);
    for (const name of [P1, P2]) expect(plain(await again.of(name))).toEqual(plain(row(1, K1, [P1, P2])));
    expect(plain(await again.of(P3))).toEqual(plain(row(1, K1, [P3], OTHER_CHAIN)));
  });

  it('is the newest, also under another key, with the names that were known before', async () => {
    await using engine = await open();
    const store = new StoredTold(engine.store);
    await store.put(row(5, K1, [P1]));
    await store.put(row(4, K1, [P1]));
    expect((await store.of(P1))?.number).toBe(5);
    await store.put(row(6, K2, [P2, P1]));
    await store.put(row(5, K1, [P1]));
    await store.put(row(7, K3, [P3, P2]));
    for (const name of [P1, P2, P3]) expect(await store.of(name)).toMatchObject({ number: 7, names: [P3, P2, P1] });
    expect([await store.namesUnder(CHAIN, [K1, K2]), await store.namesUnder(CHAIN, [K3])]).toEqual([[], [P3, P2, P1]]);
  });

  it('is the newest, whichever of several processes is told of it first', async () => {
    await using engine = await open();
    const [one, two] = [new StoredTold(engine.store), new StoredTold(engine.store)];
    await Promise.all([3, 9, 1, 7, 5].map((number, index) => (index % 2 === 0 ? one : two).put(row(number, K1, [P1]))));
    expect((await one.of(P1))?.number).toBe(9);
  });

  it('goes with its key, and nothing else goes', async () => {
    await using engine = await open();
    const store = new StoredTold(engine.store);
    await store.put(row(1, K1, [P1, P2]));
    await store.put(row(2, K3, [P3]));
    await store.forget(CHAIN, [K1, K2]);
    await store.forget(OTHER_CHAIN, [K3]);
    expect([await store.of(P1), await store.of(P2), (await store.of(P3))?.number]).toEqual([undefined, undefined, 2]);
  });

  it('is what it was when a write failed', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    await new StoredTold(faulty).put(row(1, K1, [P1]));
    faulty.writeFaults.push('nothing written', 'nothing written');
    await expect(new StoredTold(faulty).put(row(2, K2, [P1]))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await expect(new StoredTold(faulty).forget(CHAIN, [K1])).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect((await new StoredTold(engine.store).of(P1))?.number).toBe(1);
  });
}

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.each(STORES)('what people permit, at a hospital, $name', (engine) => {
  toldSuite(engine);
});
describe.skipIf(needed.missing)(`what people permit, over PostgreSQL${needed.note}`, () => {
  toldSuite(POSTGRES_ENGINE);
});
