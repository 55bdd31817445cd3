import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErasableJournal, Journal } from '../../gateway/ingest/journal.ts';
import { evidenceLeaf } from '../../gateway/frame-codec.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { Keyring } from '../../gateway/vault/keyring.ts';
import { countingBytes, MemoryShelf } from '../vault/known-keys.ts';
import { Bytes, MiB } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { journalKey } from '../../gateway/store/keys.ts';
import { STORES } from './engines.ts';
import { FaultyStore, type WriteFault } from './faulty-store.ts';

const bootId = new Uint8Array(16).fill(3);
/** Every third frame is somebody else's; the keys outlive the journal that is opened again. */
const shelf = new MemoryShelf();
const random = countingBytes();

/** Appends under keys of no matter. */
type PlainJournal = Omit<ErasableJournal, 'append'> & Readonly<{ append: (frames: readonly Uint8Array[]) => Promise<Sequence> }>;

async function opened(store: KeyValueStore): Promise<PlainJournal> {
  const keyring = new Keyring(shelf, random);
  const journal = await openJournal(store, { bootId, keys: keyring, random });
  return {
    get next() { return journal.next; },
    append: (all) => journal.append(all, all.map((_, i) => keyring.current(`device/${i % 3}`).id)),
    read: (from, limit) => journal.read(from, limit),
    continueAfter: (last: Sequence) => journal.continueAfter(last),
    probe: () => journal.probe(),
    erase: (...asked) => journal.erase(...asked),
  };
}
const frame = (text: string): Uint8Array => Buffer.from(text);
const frames = (...all: string[]): Uint8Array[] => all.map(frame);

/** The frames from `from` on as texts, read as far as one call goes. */
async function texts(journal: Pick<Journal, 'read'>, from: number, limit = Bytes(1)): Promise<string[] | undefined> {
  const run = await journal.read(Sequence(from), limit);
  if (run === undefined) return undefined;
  expect(run.first).toBe(from);
  return run.frames.map((each) => Buffer.from(each).toString());
}

const CORRUPT = { code: 'VG_STORE_CORRUPT' };
const group = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 5 });
type Step = { do: 'append'; group: Uint8Array[] } | { do: 'fail'; group: Uint8Array[]; fault: WriteFault } | { do: 'reopen' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('append' as const), group }), weight: 5 },
  {
    arbitrary: fc.record(
      { do: fc.constant('fail' as const), group, fault: fc.constantFrom<WriteFault>('nothing written', 'written all the same') }
    ),
    weight: 2,
  },
  { arbitrary: fc.record({ do: fc.constant('reopen' as const) }), weight: 1 },
);

/** Reads everything from `from` on, in calls of about `limit` bytes. */
async function readAll(journal: Pick<Journal, 'read'>, from: number, limit: number): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for (;;) {
    const run = await journal.read(Sequence(from + all.length), Bytes(limit));
    if (run === undefined) return all;
    expect(run.first).toBe(from + all.length);
    expect(run.frames.length).toBeGreaterThan(0);
    all.push(...run.frames.map((each) => Buffer.from(each)));
  }
}

describe.each(STORES)('a journal of which frames were lost, $name', ({ open }) => {
  it('goes on behind them, and they read as erased ones of which nothing is known', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a', 'b'));
    await journal.continueAfter(Sequence(9000));
    expect(journal.next).toBe(9001);
    await journal.append(frames('z'));
    const again = await opened(await engine.reopen());
    expect(again.next).toBe(9002);
    const all = await readAll(again, 1, 100);
    expect([all.length, all.slice(0, 3).map(String), String(all.at(-1))]).toEqual([9001, ['a', 'b', ''], 'z']);
    expect((await again.read(Sequence(5000), Bytes(1)))?.erased?.get(5000)).toEqual(Buffer.alloc(0));
    expect(await texts(again, 9001)).toEqual(['z']);
  });

  it('is as it was where it has come so far already', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a', 'b', 'c'));
    await journal.continueAfter(Sequence(3));
    await journal.continueAfter(Sequence(1));
    expect([journal.next, await texts(journal, 1)]).toEqual([4, ['a', 'b', 'c']]);
  });
});

describe.each(STORES)('a journal, $name', ({ open }) => {
  it('begins at 1 and has nothing to read', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    expect(journal.next).toBe(1);
    expect(await journal.read(Sequence(1), MiB(1))).toBeUndefined();
  });

  it('numbers frames without gaps and gives them back, also after it was opened again', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    expect(await journal.append(frames('a', 'b'))).toBe(1);
    expect(await journal.append(frames('c'))).toBe(3);
    expect(await journal.append(frames('', 'e', 'f'))).toBe(4);
    const again = await opened(await engine.reopen());
    expect(again.next).toBe(7);
    expect(await texts(again, 1, MiB(1))).toEqual(['a', 'b', 'c', '', 'e', 'f']);
    expect(await again.append(frames('g'))).toBe(7);
    expect(await texts(again, 7)).toEqual(['g']);
    expect(await texts(again, 8)).toBeUndefined();
  });

  it('reads from the middle of a record, and whole records until the limit is passed', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a', 'b', 'c'));
    await journal.append(frames('d', 'e'));
    await journal.append(frames('f'));
    expect(await texts(journal, 1)).toEqual(['a', 'b', 'c']);
    expect(await texts(journal, 2)).toEqual(['b', 'c']);
    expect(await texts(journal, 3)).toEqual(['c']);
    expect(await texts(journal, 5)).toEqual(['e']);
    // The first record lies there as 37 bytes, 3 sections of 17 + 5 + 16 and 3 places: one more byte needs the second.
    expect(await texts(journal, 1, Bytes(154))).toEqual(['a', 'b', 'c']);
    expect(await texts(journal, 1, Bytes(155))).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('holds what an array would hold, through failed appends and restarts, from wherever it is read', async () => {
    const asked = fc.record({ from: fc.nat(40), limit: fc.integer({ min: 1, max: 300 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), asked, async (steps, { from, limit }) => {
        await using engine = await open();
        const twin: Buffer[] = [];
        let faulty = new FaultyStore(engine.store);
        let journal = await opened(faulty);
        for (const each of steps) {
          if (each.do === 'reopen') {
            faulty = new FaultyStore(await engine.reopen());
            const { next } = journal;
            journal = await opened(faulty);
            // What a failed append left on disk may be taken up after a restart; what was accepted never changes.
            expect(journal.next).toBeGreaterThanOrEqual(next);
            twin.push(...(await readAll(journal, twin.length + 1, limit)));
          } else if (each.do === 'fail') {
            faulty.writeFaults.push(each.fault);
            await expect(journal.append(each.group)).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
          } else {
            expect(await journal.append(each.group)).toBe(twin.length + 1);
            twin.push(...each.group.map((bytes) => Buffer.from(bytes)));
          }
          expect(journal.next).toBe(twin.length + 1);
        }
        const start = Math.min(from, twin.length) + 1;
        expect(await readAll(journal, start, limit)).toEqual(twin.slice(start - 1));
      }),
      { numRuns: 40 },
    );
  });

  it('stays where it is when an append fails, and writes the next one over what that left behind', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const journal = await opened(faulty);
    await journal.append(frames('a'));
    faulty.writeFaults.push('written all the same');
    await expect(journal.append(frames('lost', 'lost too'))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(journal.next).toBe(2);
    expect(await texts(journal, 2)).toBeUndefined();
    expect(await texts(journal, 1, MiB(1))).toEqual(['a']);
    expect(await journal.append(frames('b'))).toBe(2);
    expect(await texts(await opened(await engine.reopen()), 1, MiB(1))).toEqual(['a', 'b']);
  });

  it('says so when a record is missing, wherever it is read from', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a', 'b'));
    await journal.append(frames('c', 'd'));
    await journal.append(frames('e'));
    await engine.store.write([{ key: journalKey(3) }], { sync: true });
    await expect(texts(journal, 1, MiB(1))).rejects.toMatchObject(CORRUPT);
    await expect(texts(journal, 3)).rejects.toMatchObject(CORRUPT);
    await expect(texts(journal, 4)).rejects.toMatchObject(CORRUPT);
    expect(await texts(journal, 2)).toEqual(['b']);
    expect(await texts(journal, 5)).toEqual(['e']);
  });

  it('says so when its first or its last record is missing', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a'));
    await journal.append(frames('b'));
    await journal.append(frames('c'));
    await engine.store.write([{ key: journalKey(1) }, { key: journalKey(3) }], { sync: true });
    await expect(texts(journal, 1)).rejects.toMatchObject(CORRUPT);
    expect(await texts(journal, 2, MiB(1))).toEqual(['b']);
    await expect(texts(journal, 3)).rejects.toMatchObject(CORRUPT);
  });

  it('says so when a record was altered, and does not open on an altered last one', async () => {
    await using engine = await open();
    await (await opened(engine.store)).append(frames('a', 'b'));
    await (await opened(engine.store)).append(frames('c'));
    await engine.alter(journalKey(1));
    const journal = await opened(engine.store);
    await expect(texts(journal, 1)).rejects.toMatchObject(CORRUPT);
    await expect(texts(journal, 2)).rejects.toMatchObject(CORRUPT);
    expect(await texts(journal, 3)).toEqual(['c']);
    await engine.alter(journalKey(3));
    await expect(opened(engine.store)).rejects.toMatchObject(CORRUPT);
  });

  it('refuses a record of another version', async () => {
    await using engine = await open();
    await engine.store.write([{ key: journalKey(1), value: Buffer.concat([Buffer.of(1), new Uint8Array(30)]) }], { sync: true });
    await expect(opened(engine.store)).rejects.toMatchObject(CORRUPT);
  });

  it('gives up what lies under a key, keeps what evidence hashed of it, and all the rest', async () => {
    await using engine = await open();
    const keyring = new Keyring(new MemoryShelf(), random);
    const keys = { keys: keyring, random, bootId };
    const journal = await openJournal(engine.store, keys);
    const [anna, otto] = [keyring.current('device/anna').id, keyring.current('device/otto').id];
    await journal.append(frames('a1', 'o1', 'a2'), [anna, otto, anna]);
    await journal.append(frames('o2'), [otto]);
    await journal.append(frames('a3'), [anna]);
    const told: number[] = [];
    expect(await journal.erase(new Set([anna]), journal.next, (sequence) => told.push(sequence))).toBe(3);
    expect(told).toEqual([3, 4, 5]);
    keyring.destroy(new Set([anna]));
    for (const each of [journal, await openJournal(engine.store, keys)]) {
      const run = await each.read(Sequence(1), MiB(1));
      expect(run?.frames.map((bytes) => Buffer.from(bytes).toString())).toEqual(['', 'o1', '', 'o2', '']);
      expect([...(run?.erased ?? [])].map(([sequence, hash]) => [sequence, Buffer.from(hash).toString('hex')])).toEqual(
        ([[1, 'a1'], [3, 'a2'], [5, 'a3']] as const).map(([sequence, text]) => [sequence, Buffer.from(sha256(evidenceLeaf(sequence, frame(text)))).toString('hex')]),
      );
    }
    // Done again, as after a crash, it finds nothing.
    expect(await journal.erase(new Set([anna]), journal.next, () => undefined)).toBe(0);
    await journal.append(frames('o3'), [otto]);
    expect(await texts(journal, 6)).toEqual(['o3']);
  });

  it('refuses a section that was changed, and one that was put into another record', async () => {
    await using engine = await open();
    const journal = await opened(engine.store);
    await journal.append(frames('a'));
    await journal.append(frames('b'));
    const first = await engine.store.get(journalKey(1)) as Uint8Array;
    await engine.store.write([{ key: journalKey(2), value: first }], { sync: true });
    await expect(journal.read(Sequence(2), MiB(1))).rejects.toMatchObject(CORRUPT);
  });

  it('probes by writing, and changes nothing by it', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const journal = await opened(faulty);
    await journal.append(frames('a'));
    faulty.writeFaults.push('nothing written');
    await expect(journal.probe()).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await journal.probe();
    const again = await opened(await engine.reopen());
    expect(again.next).toBe(2);
    expect(await texts(again, 1, MiB(1))).toEqual(['a']);
  });
});
