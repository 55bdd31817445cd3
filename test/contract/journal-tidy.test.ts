import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evidenceLeaf } from '../../gateway/frame-codec.ts';
import type { TidyJournal } from '../../gateway/ingest/journal.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { Bytes, MiB } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { Keyring } from '../../gateway/vault/keyring.ts';
import { fuzzRuns } from '../fuzz-runs.ts';
import { countingBytes, MemoryShelf } from '../vault/known-keys.ts';
import { STORES } from './engines.ts';

const shelf = new MemoryShelf();
const random = countingBytes();

type Opened = Readonly<{ journal: TidyJournal; keyring: Keyring; append: (from: number, count: number) => Promise<void> }>;

/** Like what devices send: much of every frame is in the next one, too. */
const textOf = (n: number): string => `devices/oximeter-${n % 3}/readings {"seq":${n},"measurement":"spo2","value":${90 + (n % 9)},"unit":"%"} ${sha256(Buffer.from([n % 256, n >> 8])).subarray(0, 16).toString()}`;

async function opened(store: KeyValueStore, boot = 3): Promise<Opened> {
  const keyring = new Keyring(shelf, random);
  const journal = await openJournal(store, { bootId: new Uint8Array(16).fill(boot), keys: keyring, random });
  return {
    journal, keyring,
    append: async (from, count) => {
      const all = Array.from({ length: count }, (_, i) => Buffer.from(textOf(from + i)));
      await journal.append(all, all.map((_, i) => keyring.current(`device/${(from + i) % 3}`).id));
    },
  };
}

async function fill(store: KeyValueStore, count: number, group = 20): Promise<Opened> {
  const open = await opened(store);
  for (let at = 1; at <= count; at += group) await open.append(at, Math.min(group, count + 1 - at));
  return open;
}

async function textsOf({ journal }: Pick<Opened, 'journal'>, from = 1, limit = 1000): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const run = await journal.read(Sequence(from + all.length), Bytes(limit));
    if (run === undefined) return all;
    all.push(...run.frames.map((each) => Buffer.from(each).toString()));
  }
}

const expected = (count: number, from = 1): string[] => Array.from({ length: count - from + 1 }, (_, i) => textOf(from + i));

async function foldAll({ journal }: Pick<Opened, 'journal'>, end = journal.next): Promise<number> {
  let saved = 0;
  for (;;) {
    const folded = await journal.fold(end);
    if (folded === undefined) return saved;
    saved += folded.bytesBefore - folded.bytesAfter;
  }
}

async function keysIn(store: KeyValueStore): Promise<number> {
  let count = 0;
  for await (const _ of store.range({ gte: Buffer.from('J'), lt: Buffer.from('K') })) count += 1;
  return count;
}

describe.each(STORES)('a journal that makes room, $name', ({ open }) => {
  it('folds many small records into few large ones that say the same, from wherever it is read, also after a restart', async () => {
    await using engine = await open();
    const full = await fill(engine.store, 5000);
    const saved = await foldAll(full);
    expect(saved).toBeGreaterThan(300_000);
    expect(await keysIn(engine.store)).toBeLessThan(60);
    expect(await textsOf(full)).toEqual(expected(5000));
    expect(await textsOf(full, 777)).toEqual(expected(5000, 777));
    const again = await opened(engine.store, 4);
    expect(await textsOf(again)).toEqual(expected(5000));
    // Nothing is folded twice.
    expect(await foldAll(again)).toBe(0);
  });

  it('folds nothing that is too new or too little, and records of two processes never together', async () => {
    await using engine = await open();
    const before = await fill(engine.store, 1500);
    expect(await before.journal.fold(Sequence(1000))).toBeUndefined();
    const after = await opened(engine.store, 4);
    await after.append(1501, 1200);
    await foldAll(after);
    expect(await textsOf(after)).toEqual(expected(2700));
    await after.append(2701, 10);
    expect(await textsOf(after)).toEqual(expected(2710));
  });

  it('gives up what lies under a key of folded records, too, and keeps what evidence hashed of it', async () => {
    await using engine = await open();
    const full = await fill(engine.store, 3000);
    await foldAll(full);
    const gone = full.keyring.current('device/1').id;
    expect(await full.journal.erase(new Set([gone]), full.journal.next, () => undefined)).toBe(1000);
    const run = await full.journal.read(Sequence(1), MiB(10));
    for (const [i, bytes] of (run?.frames ?? []).entries()) {
      const sequence = 1 + i;
      expect(Buffer.from(bytes).toString()).toBe(sequence % 3 === 1 ? '' : textOf(sequence));
      if (sequence % 3 === 1) expect(Buffer.from(run?.erased?.get(sequence) ?? [])).toEqual(Buffer.from(sha256(evidenceLeaf(sequence, Buffer.from(textOf(sequence))))));
    }
  });

  it('drops the oldest frames as far as it is told, says which, and reads on behind them', async () => {
    await using engine = await open();
    const full = await fill(engine.store, 5000);
    await foldAll(full, Sequence(3000));
    const dropped = await full.journal.drop(Sequence(4000), MiB(100));
    expect(dropped).toMatchObject({ first: 1 });
    const last = dropped?.last ?? 0;
    expect(last).toBeLessThanOrEqual(4000);
    expect(last).toBeGreaterThan(3900);
    expect(full.journal.oldest).toBe(last + 1);
    expect(await textsOf(full)).toEqual([...Array.from({ length: last }, () => ''), ...expected(5000, last + 1)]);
    expect(await full.journal.drop(Sequence(last), MiB(100))).toBeUndefined();
    const again = await opened(engine.store, 4);
    expect([again.journal.oldest, again.journal.next]).toEqual([last + 1, 5001]);
    await again.append(5001, 3);
    expect(await textsOf(again, last + 1)).toEqual(expected(5003, last + 1));
  });

  it('drops no more bytes at once than it is told, give or take a record', async () => {
    await using engine = await open();
    const full = await fill(engine.store, 1000);
    const dropped = await full.journal.drop(Sequence(1000), Bytes(10_000));
    expect(dropped?.bytes).toBeGreaterThanOrEqual(10_000);
    expect(dropped?.bytes).toBeLessThan(20_000);
  });

  it('whatever is appended, folded, dropped and opened again, in any order: it holds what an array would hold', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 1500 }) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('fold' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (story) => {
      await using engine = await open();
      let current = await opened(engine.store);
      const twin: string[] = [];
      for (const [i, each] of story.entries()) {
        if (each.do === 'append') {
          await current.append(twin.length + 1, each.count);
          twin.push(...Array.from({ length: each.count }, (_, n) => textOf(twin.length + 1 + n)));
        } else if (each.do === 'reopen') current = await opened(engine.store, 10 + i);
        else if (each.do === 'fold') await current.journal.fold(Sequence(1 + Math.floor(twin.length * each.share)));
        else {
          const through = Math.floor(twin.length * each.share);
          const dropped = through === 0 ? undefined : await current.journal.drop(Sequence(through), MiB(100));
          if (dropped !== undefined) for (let at = dropped.first; at <= dropped.last; at++) twin[at - 1] = '';
        }
        expect(current.journal.next).toBe(twin.length + 1);
      }
      expect(await textsOf(current, 1, 50_000)).toEqual(twin);
    }), { numRuns: fuzzRuns(10) });
  });
});
