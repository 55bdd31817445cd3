import { afterAll, describe, expect, it, vi } from 'vitest';
import type { BlockStore, StorableBlock } from '../../gateway/ledger/block-store.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { fingerprintBytes, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import type { SealedBlock } from '../../gateway/ledger/sealer.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { headKey, tileKey } from '../../gateway/store/keys.ts';
import { ChainWriter, keyOf, parametersOf } from '../upstream/gateway-chain.ts';
import { until } from '../path/program.ts';
import { BLOCK_STORES, type BlockStoreAdapter, stopNats, storeOver } from './block-stores.ts';
import { STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { stopDatabases } from './postgres-databases.ts';

const HEIGHTS = 300;

/** A block as whoever judged it after `previous` hands it to the store. */
const storable = (block: SealedBlock, previous: SealedBlock | undefined): StorableBlock => ({
  bytes: block.bytes,
  verified: verifyBlock(previous?.newState, block.bytes, { check: verifyWithNodeCrypto }),
});

const storableAt = (writer: ChainWriter, height: number): StorableBlock => storable(
  writer.at(height), height === 0 ? undefined : writer.at(height - 1),
);

async function outcomeOf(blocks: BlockStore, block: StorableBlock): Promise<string> {
  return (await blocks.append(block)).outcome;
}

async function collect(blocks: BlockStore, writer: ChainWriter, from: number): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const bytes of blocks.blocks(writer.id, from)) found.push(Buffer.from(bytes));
  return found;
}

const bytesOf = (writer: ChainWriter): Buffer[] => writer.blocks.map(({ bytes }) => Buffer.from(bytes));

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

afterAll(async () => {
  await stopDatabases();
  await stopNats();
});

for (const adapter of BLOCK_STORES) {
  describe.skipIf(adapter.missing)(`a block store, ${adapter.name}${adapter.note}`, () => {
    suite(adapter);
  });
}

function suite({ open }: BlockStoreAdapter): void {
  it('knows nothing of a chain before its first block', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const { id } = new ChainWriter();
    expect(await blocks.head(id)).toBeUndefined();
    expect(await blocks.block(id, 0)).toBeUndefined();
    expect(await blocks.receipts(id, 0)).toEqual([]);
    expect(await blocks.chains()).toEqual([]);
    expect(await blocks.forks()).toEqual([]);
  });

  it('commits blocks in order and gives back bytes and head, also after it was opened again', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(5);
    const before = engine.blocks;
    for (const { height } of writer.blocks) expect(await outcomeOf(before, storableAt(writer, height))).toBe('committed');
    const blocks = await engine.reopen();
    expect(await blocks.head(writer.id)).toEqual(writer.state);
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(writer));
    expect(await collect(blocks, writer, 3)).toEqual(bytesOf(writer).slice(3));
    expect(await collect(blocks, writer, 5)).toEqual([]);
    expect(Buffer.from(await blocks.block(writer.id, 2) as Uint8Array)).toEqual(bytesOf(writer)[2]);
    expect(await blocks.block(writer.id, 5)).toBeUndefined();
  });

  it('says "same" to a block it has, at the head and below it', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(3);
    await writer.keepIn(blocks);
    for (const height of [0, 1, 2]) expect(await outcomeOf(blocks, storableAt(writer, height))).toBe('same');
    expect(await blocks.head(writer.id)).toEqual(writer.state);
  });

  it('says "gap" to a block that leaves some out, and writes nothing', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(4);
    expect(await blocks.append(storableAt(writer, 1))).toEqual({ outcome: 'gap', head: undefined });
    await blocks.append(storableAt(writer, 0));
    expect(await blocks.append(storableAt(writer, 3))).toEqual({ outcome: 'gap', head: writer.at(0).newState });
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(writer).slice(0, 1));
  });

  it('says "fork" to another block of a height it has, genesis included, and keeps its own', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(3);
    await writer.keepIn(blocks);
    const other = writer.copy(2);
    await other.seal('false');
    await other.seal('false');
    for (const height of [1, 2]) expect(await blocks.append(storableAt(other, height))).toEqual({ outcome: 'fork', head: writer.state });
    const secondGenesis = new ChainWriter();
    await secondGenesis.seal('another time');
    expect(await outcomeOf(blocks, storableAt(secondGenesis, 0))).toBe('fork');
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(writer));
  });

  it('says "fork" to a next block that does not follow its head', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(3);
    await writer.keepIn(blocks);
    const other = writer.copy(1);
    await other.seal('false');
    await other.seal('false');
    expect(await blocks.append(storableAt(other, 3))).toEqual({ outcome: 'fork', head: writer.state });
    expect(await blocks.head(writer.id)).toEqual(writer.state);
  });

  it('commits exactly one of many blocks that race for one height', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(2);
    await writer.keepIn(blocks);
    const rivals = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const rival = writer.copy();
      await rival.seal(`story ${i % 4}`);
      return rival;
    }));
    const outcomes = await Promise.all(rivals.map((rival) => outcomeOf(blocks, storableAt(rival, 2))));
    expect(outcomes.toSorted()).toEqual(['committed', ...Array.from({ length: 6 }, () => 'fork'), 'same'].toSorted());
    const winner = rivals[outcomes.indexOf('committed')] as ChainWriter;
    expect(await blocks.head(writer.id)).toEqual(winner.state);
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(winner));
  });

  it('takes the blocks of a chain offered all at once, in order', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(6);
    const outcomes = await Promise.all(writer.blocks.map(({ height }) => outcomeOf(blocks, storableAt(writer, height))));
    expect(new Set(outcomes)).toEqual(new Set(['committed']));
  });

  it('keeps lanes and chains apart', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const stranger = keyOf('another gateway');
    const writers = [
      await ChainWriter.of(3, 'record'),
      await ChainWriter.of(2, 'alarm'),
      await ChainWriter.of(4, 'record', parametersOf(['north'], stranger), stranger),
    ];
    for (const writer of writers) await writer.keepIn(blocks);
    for (const writer of writers) {
      expect(await blocks.head(writer.id)).toEqual(writer.state);
      expect(await collect(blocks, writer, 0)).toEqual(bytesOf(writer));
    }
    const ids = [writers[0], writers[2]].map((writer) => Buffer.from((writer as ChainWriter).id.chain));
    expect(
      (await blocks.chains()).map((id) => Buffer.from(id)).toSorted((a, b) => a.compare(b))
    ).toEqual(ids.toSorted((a, b) => a.compare(b)));
  });

  it('holds every node that a proof needs', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(8);
    await writer.keepIn(engine.blocks);
    const blocks = await engine.reopen();
    const entries = writer.blocks.flatMap(({ bytes }) => openBlock(bytes).entries);
    const node = (level: number, index: number): Promise<Uint8Array> => blocks.node(writer.id, level, index);
    for (const { newState: { tree }, bytes } of writer.blocks.slice(1)) {
      const { treeRoot } = openBlock(bytes).header;
      for (let index = 0; index < tree.size; index++) {
        const proof = await inclusionProof(index, tree.size, node);
        expect(() => verifyInclusion(leafHash(entries[index] as Uint8Array), index, tree.size, proof, treeRoot)).not.toThrow();
      }
      const last = openBlock((writer.blocks.at(-1) as SealedBlock).bytes).header;
      const proof = await consistencyProof(tree.size, last.treeSize, node);
      expect(
        () => verifyConsistency({ size: tree.size, root: treeRoot }, { size: last.treeSize, root: last.treeRoot }, proof)
      ).not.toThrow();
    }
  });

  it('keeps one receipt for each hospital and height, the last one put', async () => {
    await using engine = await open();
    const { id } = new ChainWriter();
    const hospital = (n: number): Uint8Array => new Uint8Array(16).fill(n);
    const before = engine.blocks;
    // 255 and 256: neighbours whose last bytes carry.
    for (const height of [254, 255, 256]) await before.putReceipt(id, height, hospital(1), Buffer.from(`first of ${height}`));
    await before.putReceipt(id, 255, hospital(0xff), Buffer.from('second of 255'));
    await before.putReceipt(id, 255, hospital(1), Buffer.from('again of 255'));
    await before.putReceipt({ ...id, lane: 'alarm' }, 255, hospital(1), Buffer.from('alarm'));
    const blocks = await engine.reopen();
    const textsAt = async (height: number): Promise<string[]> => (await blocks.receipts(id, height)).map(
      (bytes) => Buffer.from(bytes).toString()
    );
    expect(await textsAt(254)).toEqual(['first of 254']);
    expect(await textsAt(255)).toEqual(['again of 255', 'second of 255']);
    expect(await textsAt(256)).toEqual(['first of 256']);
    expect(await textsAt(257)).toEqual([]);
  });

  it('keeps every fork it was shown, each once', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(2);
    const others = await Promise.all(['a', 'b'].map(async (story) => {
      const other = writer.copy(1);
      return await other.seal(story);
    }));
    const recorded = writer.at(1).bytes;
    const before = engine.blocks;
    for (const { bytes } of [...others, ...others]) await before.putFork({ ...writer.id, height: 1, recorded, offered: bytes });
    const forks = await (await engine.reopen()).forks();
    expect(forks).toHaveLength(2);
    for (const fork of forks) {
      expect(fork).toMatchObject({ lane: 'record', height: 1 });
      expect(Buffer.from(fork.chain)).toEqual(Buffer.from(writer.id.chain));
      expect(Buffer.from(fork.recorded)).toEqual(Buffer.from(recorded));
    }
    const offered = (bytes: readonly Uint8Array[]): string[] => bytes.map((each) => Buffer.from(each).toString('hex')).toSorted();
    expect(offered(forks.map((fork) => fork.offered))).toEqual(offered(others.map(({ bytes }) => bytes)));
  });

  it('commits a run of blocks as one: all of them, or none', async () => {
    await using engine = await open();
    const { blocks } = engine;
    const writer = await ChainWriter.of(7);
    const run = (from: number, to: number): [StorableBlock, ...StorableBlock[]] => {
      const [first, ...following] = writer.blocks.slice(from, to).map(({ height }) => storableAt(writer, height));
      return [first as StorableBlock, ...following];
    };
    expect(await blocks.append(...run(0, 3))).toEqual({ outcome: 'committed' });
    expect(await blocks.append(...run(1, 5))).toEqual({ outcome: 'same' });
    expect(await blocks.append(...run(4, 6))).toEqual({ outcome: 'gap', head: writer.at(2).newState });
    expect(await blocks.head(writer.id)).toEqual(writer.at(2).newState);
    const other = writer.copy(4);
    await other.seal('another story');
    await other.seal();
    expect(await outcomeOf(blocks, storableAt(other, 3))).toBe('committed');
    expect(await blocks.append(...run(3, 6))).toEqual({ outcome: 'fork', head: other.at(3).newState });
    expect(await blocks.append(...run(4, 6))).toEqual({ outcome: 'fork', head: other.at(3).newState });
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(other).slice(0, 4));
    await expect(blocks.node(writer.id, 0, other.at(3).newState.tree.size)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    expect(await (await engine.another()).head(writer.id)).toEqual(other.at(3).newState);
  });

  it(`lets one of three writers win each of ${HEIGHTS} heights that they race for`, async () => {
    await using engine = await open();
    const stores = [engine.blocks, await engine.another(), await engine.another()];
    let chain = await ChainWriter.of(1);
    await chain.keepIn(engine.blocks);
    let wins = 0;
    for (let height = 1; height <= HEIGHTS; height++) {
      const rivals = await Promise.all(stores.map(async (_, n) => {
        const rival = chain.copy();
        await rival.seal(`story ${n}`);
        return rival;
      }));
      const outcomes = await Promise.all(rivals.map(async (rival, n) => await outcomeOf(stores[n] as BlockStore, storableAt(rival, height))));
      wins += outcomes.filter((outcome) => outcome === 'committed').length;
      expect(outcomes.toSorted()).toEqual(['committed', 'fork', 'fork']);
      chain = rivals[outcomes.indexOf('committed')] as ChainWriter;
    }
    expect(wins).toBe(HEIGHTS);
    expect(await collect(engine.blocks, chain, 0)).toEqual(bytesOf(chain));
    expect((await verifyChain(engine.blocks.blocks(chain.id, 0), { check: verifyWithNodeCrypto })).ok).toBe(true);
  });

  it('says "same" when a commit whose answer was lost is tried again', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(4);
    await engine.blocks.append(storableAt(writer, 0));
    await engine.unanswered(async (blocks) => {
      await expect(blocks.append(storableAt(writer, 1), storableAt(writer, 2))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    });
    // The engine may have been a moment behind the connection that died.
    await until('the blocks are there', async () => (await engine.blocks.head(writer.id))?.height === 2);
    expect(await outcomeOf(engine.blocks, storableAt(writer, 1))).toBe('same');
    expect(await outcomeOf(engine.blocks, storableAt(writer, 2))).toBe('same');
    expect(await outcomeOf(engine.blocks, storableAt(writer, 3))).toBe('committed');
    expect(await collect(engine.blocks, writer, 0)).toEqual(bytesOf(writer));
  });

  it('answers for a lane whether there is a fork of it, whoever has kept it', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(3);
    const [low, high] = [writer.copy(2), writer.copy(1)];
    const forks = [await high.seal('x'), await low.seal('y')].map(({ bytes }, n) => ({ ...writer.id, height: 2 - n, recorded: writer.at(2 - n).bytes, offered: bytes }));
    expect(await engine.blocks.fork(writer.id)).toBeUndefined();
    for (const fork of forks) await (await engine.another()).putFork(fork);
    const found = await engine.blocks.fork(writer.id);
    const kept = forks.find(({ height }) => height === found?.height);
    expect(found).toMatchObject({ lane: 'record', height: kept?.height });
    expect([found?.chain, found?.offered, found?.recorded].map((each) => Buffer.from(each ?? []))).toEqual([writer.id.chain, kept?.offered, kept?.recorded].map((each) => Buffer.from(each ?? [])));
    expect(await engine.blocks.fork({ ...writer.id, lane: 'alarm' })).toBeUndefined();
    expect(await Promise.all([writer.id, { ...writer.id, chain: new Uint8Array(16) }].map(async (id) => (await engine.blocks.fork(id))?.lane))).toEqual(['record', undefined]);
  });
}

describe.each(STORES)('a block store over keys and values, $name', ({ open }) => {
  it('goes on behind what was pruned: same head, same proofs of what came after it, and blocks that an auditor can judge', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(40);
    const before = new StoredBlocks(engine.store, { removePending: false });
    await writer.keepIn(before);
    for (const height of [10, 20, 30]) await before.putReceipt(writer.id, height, new Uint8Array(16), Uint8Array.of(height));
    const kept = [5, 17];
    for (const [from, through] of [[1, 12], [13, 25]] as const) {
      const going = Array.from({ length: through - from + 1 }, (_, n) => from + n).filter((height) => !kept.includes(height));
      await before.prune(writer.id, { through, going });
    }
    const blocks = storeOver(await engine.reopen());
    const pruned = await blocks.pruned(writer.id);
    expect(pruned).toEqual(writer.at(25).newState);
    expect(await blocks.head(writer.id)).toEqual(writer.state);
    expect((await collect(blocks, writer, 0)).map((bytes) => openBlock(bytes).header.height)).toEqual([0, ...kept, ...Array.from({ length: 14 }, (_, n) => 26 + n)]);
    expect(await verifyChain(await collect(blocks, writer, 26), { begun: [pruned as ChainState] })).toMatchObject({ ok: true, blocks: 14 });
    expect([await blocks.receipts(writer.id, 20), (await blocks.receipts(writer.id, 30)).map((receipt) => [...receipt])]).toEqual([[], [[30]]]);

    await writer.seal();
    expect(await outcomeOf(blocks, storableAt(writer, 40))).toBe('committed');
    const [{ newState: { tree: older } }, { newState: { tree: newest } }] = [writer.at(25), writer.at(40)];
    const node = (level: number, index: number): Promise<Uint8Array> => blocks.node(writer.id, level, index);
    const entry = openBlock(writer.at(31).bytes).entries.at(-1) as Uint8Array;
    const index = writer.at(31).newState.tree.size - 1;
    verifyInclusion(leafHash(entry), index, newest.size, await inclusionProof(index, newest.size, node), rootOf(newest));
    verifyConsistency({ size: older.size, root: rootOf(older) }, { size: newest.size, root: rootOf(newest) }, await consistencyProof(older.size, newest.size, node));
    await expect(node(0, 0)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
  });

  it('is not pruned up to its head', async () => {
    await using engine = await open();
    const blocks = new StoredBlocks(engine.store, { removePending: false });
    const writer = await ChainWriter.of(3);
    await writer.keepIn(blocks);
    await expect(blocks.prune(writer.id, { through: 2, going: [1, 2] })).rejects.toThrow('cannot be pruned up to block 2');
    expect(await collect(blocks, writer, 0)).toEqual(bytesOf(writer));
  });

  it('reports a node that must exist and does not, and a head that was altered', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(2);
    await writer.keepIn(storeOver(engine.store));
    const { chain, lane } = writer.id;
    const tile = await engine.store.get(tileKey(chain, lane, 0));
    await engine.store.write([{ key: tileKey(chain, lane, 0), value: (tile as Uint8Array).subarray(32) }], { sync: true });
    const { size } = writer.at(1).newState.tree;
    await expect(storeOver(engine.store).node(writer.id, 0, size - 1)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    await writer.seal();
    await expect(storeOver(engine.store).append(storableAt(writer, 2))).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
    await engine.alter(headKey(chain, lane));
    await expect(storeOver(engine.store).head(writer.id)).rejects.toMatchObject({ code: 'VG_STORE_CORRUPT' });
  });

  it('has block, head and nodes, or none of them, after a write that failed', async () => {
    await using engine = await open();
    const writer = await ChainWriter.of(3);
    const faulty = new FaultyStore(engine.store);
    const blocks = storeOver(faulty);
    await blocks.append(storableAt(writer, 0));
    faulty.writeFaults.push('nothing written');
    await expect(blocks.append(storableAt(writer, 1))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await blocks.head(writer.id)).toEqual(writer.at(0).newState);
    expect(await outcomeOf(blocks, storableAt(writer, 1))).toBe('committed');
    faulty.writeFaults.push('written all the same');
    await expect(blocks.append(storableAt(writer, 2))).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect(await outcomeOf(blocks, storableAt(writer, 2))).toBe('same');
  });

  it('gives all receipts of one lane from a height on, in order of height', async () => {
    await using engine = await open();
    const blocks = storeOver(engine.store);
    const { id } = new ChainWriter();
    const [one, other] = ['one', 'other'].map((name) => fingerprintBytes(keyOf(name).publicKey)) as [Uint8Array, Uint8Array];
    for (const height of [300, 2, 7]) await blocks.putReceipt(id, height, one, Buffer.from(`one ${height}`));
    await blocks.putReceipt(id, 7, other, Buffer.from('other 7'));
    await blocks.putReceipt({ ...id, lane: 'alarm' }, 8, one, Buffer.from('of another lane'));
    const from = async (height: number): Promise<string[]> => (await Array.fromAsync(blocks.receiptsFrom(id, height))).map((receipt) => Buffer.from(receipt).toString());
    expect((await from(0)).toSorted()).toEqual(['one 2', 'one 300', 'one 7', 'other 7']);
    expect([(await from(3)).length, await from(8), await from(301)]).toEqual([3, ['one 300'], []]);
  });
});
