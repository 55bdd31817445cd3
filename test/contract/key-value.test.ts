import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Change, KeyValueStore, RangeBounds } from '../../gateway/store/key-value.ts';
import { needs } from '../debian-packages.ts';
import { type Engine, ENGINES, POSTGRES_ENGINE } from './engines.ts';
import { stopDatabases } from './postgres-databases.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const put = (key: string, value: string): Change => ({ key: bytes(key), value: bytes(value) });
const NOT_SYNCED = { sync: false } as const;
const EVERYTHING = { gte: Buffer.of(0), lt: Buffer.alloc(20, 0xff) };

async function list(store: KeyValueStore, bounds: RangeBounds = EVERYTHING): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of store.range(bounds)) {
    found.push(`${Buffer.from(key).toString('latin1')}=${Buffer.from(value).toString('latin1')}`);
  }
  return found;
}

/** The same store, naively: pairs in an array, sorted byte by byte at every question. */
class NaiveTwin {
  #pairs: (readonly [key: Buffer, value: Buffer])[] = [];

  write(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      this.#pairs = this.#pairs.filter(([known]) => !known.equals(key));
      if (value !== undefined) this.#pairs.push([Buffer.from(key), Buffer.from(value)]);
    }
  }

  list({ gte, lt, reverse = false, limit = Infinity }: RangeBounds): string[] {
    const inside = this.#pairs.filter(([key]) => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0);
    const ordered = inside.toSorted(([a], [b]) => Buffer.compare(a, b) * (reverse ? -1 : 1));
    return ordered.slice(0, limit).map(([key, value]) => `${key.toString('latin1')}=${value.toString('latin1')}`);
  }
}

// Few different bytes, high ones among them, so that keys meet, contain each other and sort as unsigned numbers.
const key = fc.array(fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0xff), { minLength: 1, maxLength: 4 }).map((codes) => Buffer.from(codes));
const value = fc.uint8Array({ maxLength: 40 });
const change: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.record({ key, value }), weight: 3 },
  { arbitrary: fc.record({ key }), weight: 1 },
);
const bounds: fc.Arbitrary<RangeBounds> = fc.record(
  { gte: key, lt: key, reverse: fc.boolean(), limit: fc.nat(5) },
  { requiredKeys: ['gte', 'lt'] },
);

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.each(ENGINES)('a key-value store, $name', (engine) => {
  suite(engine);
});
describe.skipIf(needed.missing)(`a key-value store, postgres${needed.note}`, () => {
  suite(POSTGRES_ENGINE);
});

function suite({ name, open }: Engine): void {
  it('holds what its naive twin holds, in the order of unsigned bytes, whatever is asked', async () => {
    const steps = fc.array(fc.tuple(fc.array(change, { maxLength: 6 }), bounds), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(steps, async (rounds) => {
        await using engine = await open();
        const twin = new NaiveTwin();
        for (const [changes, asked] of rounds) {
          await engine.store.write(changes, NOT_SYNCED);
          twin.write(changes);
          expect(await list(engine.store, asked)).toEqual(twin.list(asked));
        }
        expect(await list(await engine.reopen())).toEqual(twin.list(EVERYTHING));
      }),
      { numRuns: name === 'postgres' ? 8 : 25 },
    );
  });

  it('gives back the bytes of a key, and nothing for a key that was never written or was removed', async () => {
    await using engine = await open();
    await engine.store.write([put('a', 'one'), put('empty', ''), put('gone', 'x')], NOT_SYNCED);
    await engine.store.write([{ key: bytes('gone') }], { sync: true });
    expect(await engine.store.get(bytes('a'))).toEqual(bytes('one'));
    expect(await engine.store.get(bytes('empty'))).toHaveLength(0);
    expect(await engine.store.get(bytes('gone'))).toBeUndefined();
    expect(await engine.store.get(bytes('never'))).toBeUndefined();
  });

  it('keeps its own copy of what it was given', async () => {
    await using engine = await open();
    const mine = bytes('before');
    await engine.store.write([{ key: bytes('k'), value: mine }], NOT_SYNCED);
    mine.fill(0);
    expect(await engine.store.get(bytes('k'))).toEqual(bytes('before'));
  });

  it('applies the changes of one write in order, the last one for a key winning', async () => {
    await using engine = await open();
    await engine.store.write(
      [put('k', '1'), put('k', '2'), { key: bytes('k') }, put('k', '3'), put('l', '1'), { key: bytes('l') }], NOT_SYNCED,
    );
    expect(await list(engine.store)).toEqual(['k=3']);
  });

  it('shows all changes of a write or none to whoever reads meanwhile', async () => {
    await using engine = await open();
    const all = Array.from({ length: 50 }, (_, i) => bytes(`k${String(i).padStart(2, '0')}`));
    await engine.store.write(all.map((each) => ({ key: each, value: bytes('0') })), NOT_SYNCED);
    let writing = true;
    const writer = (async () => {
      for (let round = 1; round <= 40; round++) {
        await engine.store.write(all.map((each) => ({ key: each, value: bytes(String(round)) })), NOT_SYNCED);
      }
      writing = false;
    })();
    while (writing) {
      const seen = new Set((await list(engine.store)).map((pair) => pair.split('=')[1]));
      expect(seen.size).toBe(1);
      await new Promise(setImmediate);
    }
    await writer;
  });

  it('iterates over the moment at which iteration began', async () => {
    await using engine = await open();
    await engine.store.write([put('a', '1'), put('b', '1'), put('c', '1')], NOT_SYNCED);
    const seen: string[] = [];
    for await (const [each, found] of engine.store.range(EVERYTHING)) {
      seen.push(`${Buffer.from(each).toString('latin1')}=${Buffer.from(found).toString('latin1')}`);
      if (seen.length === 1) await engine.store.write([put('b', '2'), { key: bytes('c') }, put('d', '2')], NOT_SYNCED);
    }
    expect(seen).toEqual(['a=1', 'b=1', 'c=1']);
    expect(await list(engine.store)).toEqual(['a=1', 'b=2', 'd=2']);
  });

  it('lets a reader leave early', async () => {
    await using engine = await open();
    await engine.store.write([put('a', '1'), put('b', '1')], NOT_SYNCED);
    for await (const [each] of engine.store.range(EVERYTHING)) {
      expect(each).toEqual(bytes('a'));
      break;
    }
    expect(await list(engine.store)).toHaveLength(2);
  });

  it('takes a range whose end is before its beginning for empty, and a write without changes for done', async () => {
    await using engine = await open();
    await engine.store.write([], { sync: true });
    await engine.store.write([put('b', '1')], NOT_SYNCED);
    expect(await list(engine.store, { gte: bytes('c'), lt: bytes('a') })).toEqual([]);
    expect(await list(engine.store, { gte: bytes('b'), lt: bytes('b') })).toEqual([]);
  });

  it('reports a record whose bytes were altered, alone and in a range, and nothing but that record', async () => {
    await using engine = await open();
    await engine.store.write([put('a', 'sound'), put('b', 'altered'), put('c', 'sound')], { sync: true });
    await engine.alter(bytes('b'));
    await expect(engine.store.get(bytes('b'))).rejects.toMatchObject(
      { code: 'VG_STORE_CORRUPT', message: expect.stringContaining('62') as string }
    );
    await expect(list(engine.store)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    expect(await engine.store.get(bytes('a'))).toEqual(bytes('sound'));
    expect(await list(engine.store, { gte: bytes('c'), lt: bytes('d') })).toEqual(['c=sound']);
  });

  it('refuses everything once it is closed, and may be closed twice', async () => {
    await using engine = await open();
    const { store } = engine;
    await store.write([put('a', '1')], NOT_SYNCED);
    await store.close();
    await store.close();
    await expect(store.get(bytes('a'))).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
    await expect(store.write([put('a', '2')], NOT_SYNCED)).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
    await expect(list(store)).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
  });

  it('finishes the writes under way before it is closed', async () => {
    await using engine = await open();
    const { store } = engine;
    const writes = Array.from({ length: 20 }, (_, i) => store.write([put(`k${i}`, '1')], { sync: true }));
    const outcomes = await Promise.allSettled([...writes, store.close()]);
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 21 }, () => 'fulfilled'));
  });

  const MANY = Array.from({ length: 3000 }, (_, i) => put(`k${i}`, 'v'.repeat(1000)));

  it('tells a reader in the middle of a range that it was closed', async () => {
    await using engine = await open();
    await engine.store.write(MANY, NOT_SYNCED);
    const iterator = engine.store.range(EVERYTHING)[Symbol.asyncIterator]();
    await iterator.next();
    await engine.store.close();
    await expect(iterator.next()).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
  });

  it('answers a reader that waits for its next record while it is closed, and no later than that record', async () => {
    await using engine = await open();
    await engine.store.write(MANY, NOT_SYNCED);
    const iterator = engine.store.range(EVERYTHING)[Symbol.asyncIterator]();
    const waiting = iterator.next();
    const [answer] = await Promise.all([waiting, engine.store.close()]);
    expect(answer.done).toBe(false);
    await expect(iterator.next()).rejects.toMatchObject({ code: 'VG_STORE_CLOSED' });
  });

  it('lets a reader leave a range after it was closed', async () => {
    await using engine = await open();
    await engine.store.write(MANY, NOT_SYNCED);
    const iterator = engine.store.range(EVERYTHING)[Symbol.asyncIterator]();
    await iterator.next();
    await engine.store.close();
    expect(await iterator.return?.()).toMatchObject({ done: true });
  });

  it('swaps a value for another with all that goes with it, or does nothing', async () => {
    await using engine = await open();
    const { store } = engine;
    const swapped = (from: string | undefined, to: string, ...changes: readonly Change[]): Promise<boolean> =>
      store.swap({ key: bytes('n'), from: from === undefined ? undefined : bytes(from), to: bytes(to) }, changes);
    expect(await swapped('0', '1', put('a', 'lost'))).toBe(false);
    expect(await list(store)).toEqual([]);
    expect(await swapped(undefined, '1', put('a', 'one'), put('b', 'one'))).toBe(true);
    expect(await swapped(undefined, '2', put('a', 'lost'))).toBe(false);
    expect(await swapped('', '2', put('a', 'lost'))).toBe(false);
    expect(await swapped('1', '2', put('a', 'two'), { key: bytes('b') })).toBe(true);
    expect(await list(await engine.reopen())).toEqual(['a=two', 'n=2']);
  });

  it('lets exactly one of many swaps that race from one value happen', async () => {
    await using engine = await open();
    const { store } = engine;
    let from: Buffer | undefined;
    for (let round = 0; round < 10; round++) {
      const seen = from;
      const told = await Promise.all([1, 2, 3, 4].map((n) => store.swap({ key: bytes('n'), from: seen, to: bytes(`${round} ${n}`) }, [put('winner', String(n))])));
      expect(told.filter(Boolean)).toHaveLength(1);
      from = bytes(`${round} ${told.indexOf(true) + 1}`);
      expect(await list(store)).toEqual([`n=${from.toString()}`, `winner=${told.indexOf(true) + 1}`]);
    }
  });
}
