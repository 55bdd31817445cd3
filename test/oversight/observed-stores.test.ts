import { describe, expect, it } from 'vitest';
import { StoreError } from '../../gateway/errors.ts';
import { fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import type { Release } from '../../gateway/ledger/release.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { everyObserver, observedBlocks, observedReleases, type StoreObserver } from '../../gateway/oversight/observed-stores.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredReleases } from '../../gateway/store/release-store.ts';
import { ChainWriter, GATEWAY, keyOf } from '../upstream/gateway-chain.ts';
import { memoryBlocks } from '../upstream/hospital.ts';

type Told = readonly [string, unknown];

function listener(): StoreObserver & Readonly<{ told: Told[] }> {
  const told: Told[] = [];
  const note = (name: string) => (what: unknown): void => void told.push([name, what]);
  return { told, took: note('took'), appended: note('appended'), countersigned: note('countersigned'), forked: note('forked'), released: note('released'), wrote: note('wrote') };
}

describe('a store of blocks that is observed', () => {
  it('tells what it took once it is durable, with the newest block of a run, and nothing of what it did not take', async () => {
    const [writer, heard] = [await ChainWriter.of(3), listener()];
    let clock = 0;
    const blocks = observedBlocks(memoryBlocks(), heard, () => (clock += 2));
    const storable = [writer.at(0), writer.at(1), writer.at(2)].map(({ bytes }, index) => ({ bytes, verified: verifyBlock(writer.blocks[index - 1]?.newState, bytes) }));
    const [first, second, third] = storable;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks were sealed');
    expect((await blocks.append(first, second, third)).outcome).toBe('committed');
    expect((await blocks.append(first)).outcome).toBe('same');
    expect(heard.told).toEqual([
      ['wrote', undefined], ['appended', 2],
      ['took', { ...writer.id, height: 2, time: third.verified.header.time, gateway: GATEWAY.publicKey, firstKey: GATEWAY.publicKey, blocks: 3, bytes: storable.reduce((sum, { bytes }) => sum + bytes.length, 0) }],
      ['wrote', undefined], ['appended', 2],
    ]);
  });

  it('tells of receipts and forks, and reads as the store does', async () => {
    const [writer, heard, kept] = [await ChainWriter.of(2), listener(), memoryBlocks()];
    await writer.keepIn(kept);
    const blocks = observedBlocks(kept, heard, () => 0);
    await blocks.putReceipt(writer.id, 1, fingerprintBytes(keyOf('north').publicKey), Uint8Array.of(1));
    await blocks.putFork({ ...writer.id, height: 1, recorded: writer.at(1).bytes, offered: writer.at(0).bytes });
    expect(heard.told).toEqual([['wrote', undefined], ['countersigned', writer.id], ['wrote', undefined], ['forked', { ...writer.id, height: 1 }]]);
    expect([await blocks.head(writer.id), await blocks.block(writer.id, 1), await blocks.chains(), (await blocks.receipts(writer.id, 1)).length, (await blocks.forks()).length, await blocks.pruned(writer.id)])
      .toEqual([await kept.head(writer.id), await kept.block(writer.id, 1), await kept.chains(), 1, 1, undefined]);
    expect((await Array.fromAsync(blocks.blocks(writer.id, 1))).length).toBe(1);
    expect(await blocks.node(writer.id, 0, 0)).toEqual(await kept.node(writer.id, 0, 0));
  });

  it('tells of a write that failed, and fails as the store does', async () => {
    const [writer, heard] = [await ChainWriter.of(1), listener()];
    const fault = new StoreError('VG_STORE_WRITE', 'full');
    const failing = Object.assign(Object.create(StoredBlocks.prototype) as StoredBlocks, { putReceipt: () => Promise.reject(fault) });
    const blocks = observedBlocks(failing, heard, () => 0);
    await expect(blocks.putReceipt(writer.id, 0, new Uint8Array(16), Uint8Array.of(1))).rejects.toBe(fault);
    expect(heard.told).toEqual([['wrote', fault]]);
  });
});

describe('a store of releases that is observed', () => {
  it('tells how much it took and of which chain, and nothing of what is in it', async () => {
    const heard = listener();
    const other = listener();
    const chain = new Uint8Array(16).fill(1);
    const releases = observedReleases(new StoredReleases(openMemoryStore()), everyObserver(heard, other));
    const key = new Uint8Array(16).fill(2);
    const release: Release = {
      chain, recipient: keyOf('north').publicKey, number: 1, erased: [],
      keys: [{ id: key, encapsulated: new Uint8Array(32), ciphertext: new Uint8Array(48) }],
      payloads: [{ key, entry: 1, sealed: new Uint8Array(100) }, { key, entry: 2, sealed: new Uint8Array(50) }],
    };
    await releases.put(release);
    expect(heard.told).toEqual([['wrote', undefined], ['released', { chain, payloads: 2, keys: 1, erased: 0, bytes: 150 }]]);
    expect(other.told).toEqual(heard.told);
    expect([await releases.lastNumber(chain), (await Array.fromAsync(releases.keys(chain))).length, (await Array.fromAsync(releases.payloads(chain, key))).length]).toEqual([1, 1, 2]);
  });
});
