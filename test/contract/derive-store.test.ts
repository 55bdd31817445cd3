import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { Sequence } from '../../gateway/reading.ts';
import { StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { derivationKey, pendingKey, quarantineKey, windowKey } from '../../gateway/store/keys.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import {
  bind, derive, EMPTY_STATE, fold, HIGH_PULSE, journal, message, plainState, pulse, rules, START, tick, unbind,
} from '../derive/story.ts';
import { STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';

const STORY = [
  rules(HIGH_PULSE), bind('w'), message('w', pulse(140, { seq: 1, time: START })), message('w', 'garbage'), tick(),
  unbind('w'), bind('x'), message('x', pulse(70)), tick(),
];

/** Every record of the store. */
async function dump(store: KeyValueStore): Promise<string[]> {
  const records: string[] = [];
  for await (const [key, value] of store.range({ gte: Buffer.of(0), lt: Buffer.of(0xff) })) {
    records.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`);
  }
  return records;
}

/** Which evidence entry each frame up to `last` belongs to, by the checkpoints alone. */
const spansOf = (checkpoints: readonly Checkpoint[], last: number): unknown[] =>
  Array.from({ length: last }, (_, i) => checkpoints.find(({ evidence }) => evidence.first <= i + 1 && i + 1 <= evidence.last)?.evidence);

describe.each(STORES)('a derive store, $name', ({ open }) => {
  it('begins with nothing', async () => {
    await using engine = await open();
    const store = new StoredDerivation(engine.store);
    expect(await store.load()).toEqual({ state: EMPTY_STATE, committed: { cursor: 0, entrySequence: 0 } });
    expect(await store.evidenceFor(Sequence(1))).toBeUndefined();
    await store.commit([]);
    expect(await dump(engine.store)).toEqual([]);
  });

  it('loads, once it was opened again, what folding the checkpoints in memory gives, however they were grouped', async () => {
    const closed = journal.map((frames) => [...frames, tick()]);
    await fc.assert(fc.asyncProperty(closed, fc.integer({ min: 1, max: 5 }), async (frames, size) => {
      await using engine = await open();
      const checkpoints = derive(frames);
      for (let at = 0; at < checkpoints.length; at += size) {
        await new StoredDerivation(engine.store).commit(checkpoints.slice(at, at + size));
      }
      const store = new StoredDerivation(await engine.reopen());
      expect(plainState((await store.load()).state)).toEqual(plainState(fold(checkpoints)));
      const spans = await Promise.all(frames.map((_, i) => store.evidenceFor(Sequence(i + 1))));
      expect(spans).toEqual(spansOf(checkpoints, frames.length));
    }), { numRuns: 25 });
  });

  it('takes all of a commit or nothing', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const store = new StoredDerivation(faulty);
    const checkpoints = derive(STORY);
    await store.commit(checkpoints.slice(0, 1));
    const before = await dump(engine.store);
    faulty.writeFaults.push('nothing written');
    await expect(store.commit(checkpoints.slice(1))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await dump(engine.store)).toEqual(before);
    expect(plainState((await store.load()).state)).toEqual(plainState(fold(checkpoints.slice(0, 1))));
  });

  it('is left the same by a commit that is repeated because its answer was lost', async () => {
    await using engine = await open();
    const checkpoints = derive(STORY);
    const store = new StoredDerivation(engine.store);
    await store.commit(checkpoints);
    const once = await dump(engine.store);
    await store.commit(checkpoints);
    expect(await dump(engine.store)).toEqual(once);
  });

  it('keeps entries for sealing, payloads beside them, and why a frame was not understood', async () => {
    await using engine = await open();
    const checkpoints = derive(STORY);
    await new StoredDerivation(engine.store).commit(checkpoints);
    const pending = new StoredPendingEntries(engine.store);
    const entries = checkpoints.flatMap((checkpoint) => checkpoint.entries);
    for (const { lane, sequence, bytes, sealed } of entries) {
      expect(
        (await pending.pending(lane, sequence - 1, 1)).map((entry) => [entry.sequence, Buffer.from(entry.bytes)])
      ).toEqual([[sequence, Buffer.from(bytes)]]);
      const kept = await pending.sealedPayload(sequence);
      expect(kept === undefined ? undefined : toHex(kept)).toBe(sealed === undefined ? undefined : toHex(sealed));
    }
    const quarantined = JSON.parse(Buffer.from(await engine.store.get(quarantineKey(4)) as Uint8Array).toString()) as object;
    expect(quarantined).toEqual(
      { device: 'w', rejections: [{ reason: 'invalid_json', message: expect.any(String) as string }], decoder: { name: 'native-json', version: 1 } }
    );
  });

  it('keeps the state with what is remembered of everybody, and until then only what was said', async () => {
    await using engine = await open();
    const store = new StoredDerivation(engine.store);
    const [first, second, ...rest] = derive(STORY) as [Checkpoint, Checkpoint, ...Checkpoint[]];
    await store.commit([first, { ...second, remembered: undefined }]);
    const { state, committed } = await new StoredDerivation(engine.store).load();
    expect([plainState(state), committed]).toEqual([plainState(fold([first])), { cursor: second.cursor, entrySequence: second.entrySequence }]);
    await store.commit(rest);
    expect(plainState((await store.load()).state)).toEqual(plainState(fold([first, second, ...rest])));
  });

  it('says nothing twice that was said before a restart', async () => {
    await using engine = await open();
    const checkpoints = derive(STORY);
    await new StoredDerivation(engine.store).commit(checkpoints);
    const pending = new StoredPendingEntries(engine.store);
    const [entry] = checkpoints.flatMap(({ entries }) => entries);
    await engine.store.write([{ key: pendingKey((entry as { lane: 'record' }).lane, 1) }], { sync: false });
    await new StoredDerivation(engine.store).commit(checkpoints);
    expect((await pending.pending('record', 0, 1)).map(({ sequence }) => sequence)).not.toContain(1);
  });

  it('forgets identities that fell out of the window', async () => {
    await using engine = await open();
    const store = new StoredDerivation(engine.store);
    const windows = Array.from(
      { length: 4 },
      (_, w) => [...Array.from({ length: 1100 }, (_unused, i) => message('w', pulse(70, { seq: w * 1100 + i, time: START }))), tick()],
    );
    const checkpoints = derive(windows.flat());
    await store.commit(checkpoints);
    const kept = await Promise.all(checkpoints.map(async ({ cursor }) => (await engine.store.get(windowKey(cursor, 'w'))) !== undefined));
    expect(kept).toEqual([false, false, true, true]);
  });

  it('reports state that was altered instead of beginning anew', async () => {
    await using engine = await open();
    await new StoredDerivation(engine.store).commit(derive(STORY));
    await engine.alter(derivationKey());
    await expect(new StoredDerivation(engine.store).load()).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
  });
});
