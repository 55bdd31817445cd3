import { describe, expect, it } from 'vitest';
import type { PendingEntries } from '../../gateway/ledger/block-store.ts';
import { sealBlock, sealGenesis } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import type { Lane } from '../../gateway/reading.ts';
import { StoredBlocks, StoredPendingEntries } from '../../gateway/store/block-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { payloadKey, pendingKey } from '../../gateway/store/keys.ts';
import { entryOf, gatewayKey, NOW, parameters } from '../ledger/chain-fixture.ts';
import { STORES } from './engines.ts';

const RECORD = [1, 2, 4, 6, 255, 256, 257] as const;
const ALARM = [3, 5] as const;

async function fill(store: KeyValueStore): Promise<PendingEntries> {
  const put = (lane: Lane, n: number): { key: Buffer; value: Uint8Array } => ({ key: pendingKey(lane, n), value: entryOf(n) });
  await store.write([...RECORD.map((n) => put('record', n)), ...ALARM.map((n) => put('alarm', n))], { sync: false });
  return new StoredPendingEntries(store);
}

async function sequences(pending: PendingEntries, lane: Lane, after = 0, limit = 100): Promise<number[]> {
  const entries = await pending.pending(lane, after, limit);
  for (const { sequence, bytes } of entries) expect(Buffer.from(bytes)).toEqual(Buffer.from(entryOf(sequence)));
  return entries.map(({ sequence }) => sequence);
}

/** Seals these entries into the next block of the lane; with `genesis` first. */
async function seal(store: KeyValueStore, lane: Lane, entries: readonly number[]): Promise<string> {
  const blocks = new StoredBlocks(store, { removePending: true });
  const genesis = await sealGenesis({ lane, parameters, time: NOW, key: gatewayKey });
  await blocks.append({ bytes: genesis.bytes, verified: verifyBlock(undefined, genesis.bytes) });
  const state = (await blocks.head(genesis.newState)) ?? genesis.newState;
  const { bytes } = await sealBlock({ state, entries: entries.map((n) => entryOf(n)), time: NOW, key: gatewayKey, contracts: [] });
  return (await blocks.append({ bytes, verified: verifyBlock(state, bytes) })).outcome;
}

describe.each(STORES)('entries waiting for a block, $name', ({ open }) => {
  it('come in order, lane by lane, after a given one and no more than asked for', async () => {
    await using engine = await open();
    const pending = await fill(engine.store);
    expect(await sequences(pending, 'record')).toEqual([...RECORD]);
    expect(await sequences(pending, 'alarm')).toEqual([...ALARM]);
    expect(await sequences(pending, 'record', 4)).toEqual([6, 255, 256, 257]);
    expect(await sequences(pending, 'record', 5, 2)).toEqual([6, 255]);
    expect(await sequences(pending, 'record', 257)).toEqual([]);
  });

  it('leave with the block that holds them, and only those', async () => {
    await using engine = await open();
    await fill(engine.store);
    expect(await seal(engine.store, 'record', [1, 2, 4])).toBe('committed');
    const pending = new StoredPendingEntries(await engine.reopen());
    expect(await sequences(pending, 'record')).toEqual([6, 255, 256, 257]);
    expect(await sequences(pending, 'alarm')).toEqual([...ALARM]);
    expect(await seal(engine.store, 'alarm', [3])).toBe('committed');
    expect(await sequences(new StoredPendingEntries(engine.store), 'alarm')).toEqual([5]);
  });

  it('stay when a hospital stores the block: it has none', async () => {
    await using engine = await open();
    await fill(engine.store);
    const blocks = new StoredBlocks(engine.store, { removePending: false });
    const genesis = await sealGenesis({ lane: 'record', parameters, time: NOW, key: gatewayKey });
    await blocks.append({ bytes: genesis.bytes, verified: verifyBlock(undefined, genesis.bytes) });
    const { bytes } = await sealBlock({ state: genesis.newState, entries: [entryOf(1)], time: NOW, key: gatewayKey, contracts: [] });
    await blocks.append({ bytes, verified: verifyBlock(genesis.newState, bytes) });
    expect(await sequences(new StoredPendingEntries(engine.store), 'record')).toEqual([...RECORD]);
  });

  it('keep what lies beside the chain after they left', async () => {
    await using engine = await open();
    await fill(engine.store);
    await engine.store.write([{ key: payloadKey(1), value: Buffer.from('sealed') }], { sync: false });
    await seal(engine.store, 'record', [1, 2]);
    const pending = new StoredPendingEntries(await engine.reopen());
    expect(Buffer.from(await pending.sealedPayload(1) ?? []).toString()).toBe('sealed');
    expect(await pending.sealedPayload(2)).toBeUndefined();
  });

  it('are reported when they were altered', async () => {
    await using engine = await open();
    await fill(engine.store);
    await engine.alter(pendingKey('record', 2));
    const pending = new StoredPendingEntries(engine.store);
    await expect(pending.pending('record', 0, 10)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    expect(await sequences(pending, 'record', 2, 1)).toEqual([4]);
  });
});
