import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { equalBytes, toHex } from '../../gateway/ledger/bytes.ts';
import { fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import { signerOf, verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { Bytes, Millis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { until } from '../path/program.ts';
import { ChainWriter, keyOf, parametersOf } from './gateway-chain.ts';
import { ask, lanePath, offerAll, offerFrom } from './hospital.ts';
import { copyAll, keepAll, type PeerNode, peersOf, startPeerNode } from './peer-node.ts';

const BOTH = parametersOf(['north', 'south']);

async function two(): Promise<AsyncDisposable & { north: PeerNode; south: PeerNode }> {
  const [north, south] = await Promise.all([startPeerNode('north'), startPeerNode('south')]);
  return {
    north, south,
    [Symbol.asyncDispose]: async () => {
      await north[Symbol.asyncDispose]();
      await south[Symbol.asyncDispose]();
    },
  };
}

const heightAt = async ({ blocks }: PeerNode, writer: ChainWriter): Promise<number> => (await blocks.head(writer.id))?.height ?? -1;

describe('a node with a peer', () => {
  it('copies all history of the chains that name it, verified and countersigned', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const [record, alarm] = [await ChainWriter.of(300, 'record', BOTH), await ChainWriter.of(3, 'alarm', BOTH)];
    const other = await ChainWriter.of(3, 'record', parametersOf(['north']));
    for (const writer of [record, alarm, other]) await keepAll(north.blocks, writer);
    await using peers = peersOf(south, [north]);
    expect(await copyAll(peers)).toEqual([]);
    expect(await verifyChain(south.blocks.blocks(record.id, 0))).toMatchObject({ ok: true, blocks: 300 });
    expect([await heightAt(south, alarm), await heightAt(south, other)]).toEqual([2, -1]);
    const [receipt] = (await south.blocks.receipts(record.id, 299)).filter((each) => equalBytes(signerOf(each), fingerprintBytes(keyOf('south').publicKey)));
    verifyReceipt(receipt as Uint8Array, { key: keyOf('south').publicKey, ...record.id, height: 299, hash: record.at(299).hash });
    expect(peers.status()).toMatchObject([{ name: 'north', reachable: true, chainsBehind: 0, blocksBehind: 0, blocksPulled: 303, refused: 0, lastError: null }]);
  });

  it('copies every chain when it is told to, and countersigns those alone that name it', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const other = await ChainWriter.of(3, 'record', parametersOf(['north']));
    await offerAll(north.address, other);
    await using peers = peersOf(south, [{ ...north, copy: 'all' }]);
    expect(await copyAll(peers)).toEqual([]);
    expect(await heightAt(south, other)).toBe(2);
    expect((await Array.fromAsync(south.blocks.receiptsFrom(other.id, 0))).map((each) => toHex(signerOf(each)))).not.toContain(toHex(fingerprintBytes(keyOf('south').publicKey)));
  });

  it('copies a chain that names it of a gateway that may not offer anything here', async () => {
    await using north = await startPeerNode('north');
    await using south = await startPeerNode('south', { gateways: [] });
    const writer = await ChainWriter.of(3, 'record', BOTH);
    await offerAll(north.address, writer);
    expect((await offerFrom(south.address, writer, 0)).status).toBe(403);
    await using peers = peersOf(south, [north]);
    expect(await copyAll(peers)).toEqual([]);
    expect(await heightAt(south, writer)).toBe(2);
  });

  it('goes on where it ended, and takes what comes later by itself', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const writer = await ChainWriter.of(5, 'record', BOTH);
    await offerAll(north.address, writer);
    await using peers = peersOf(south, [north], { gatewayBrings: 0 });
    peers.start();
    await until('the beginning is copied', async () => (await heightAt(south, writer)) === 4);
    for (let i = 0; i < 5; i++) {
      const { height } = await writer.seal();
      await offerFrom(north.address, writer, height);
    }
    await until('the rest is copied', async () => (await heightAt(south, writer)) === 9);
    expect(peers.status()[0]?.blocksPulled).toBe(10);
  });

  it('leaves what a gateway is about to bring to it, for one round', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const writer = await ChainWriter.of(3, 'record', BOTH);
    await offerAll(north.address, writer);
    await offerFrom(south.address, writer, 0);
    await using peers = peersOf(south, [north]);
    peers.start();
    await until('the rest is copied', async () => (await heightAt(south, writer)) === 2);
    expect(peers.status()[0]?.blocksPulled).toBe(2);
  });

  it('copies one lane from several peers at once without a fault', async () => {
    await using nodes = await two();
    await using west = await startPeerNode('west');
    const { north, south } = nodes;
    const parameters = parametersOf(['north', 'south', 'west']);
    const writers = await Promise.all(['record', 'alarm'].map((lane) => ChainWriter.of(40, lane as 'record', parameters)));
    for (const node of [north, south]) for (const writer of writers) await offerAll(node.address, writer);
    await using peers = peersOf(west, [north, south]);
    expect(await copyAll(peers)).toEqual([]);
    for (const writer of writers) expect(await verifyChain(west.blocks.blocks(writer.id, 0))).toMatchObject({ ok: true, blocks: 40 });
    expect(peers.status().map(({ refused }) => refused)).toEqual([0, 0]);
  });

  it('keeps the receipts that its peer has, of every hospital of the chain', async () => {
    await using nodes = await two();
    await using west = await startPeerNode('west');
    const { north, south } = nodes;
    const writer = await ChainWriter.of(12, 'record', parametersOf(['north', 'south', 'west']));
    for (const node of [north, south]) await offerAll(node.address, writer);
    await using fromSouth = peersOf(north, [south]);
    expect(await copyAll(fromSouth)).toEqual([]);
    await using fromNorth = peersOf(west, [north]);
    expect(await copyAll(fromNorth)).toEqual([]);
    const signers = async (height: number): Promise<string[]> => (await west.blocks.receipts(writer.id, height)).map((each) => toHex(signerOf(each))).toSorted();
    const fingerprints = (...names: string[]): string[] => names.map((name) => toHex(fingerprintBytes(keyOf(name).publicKey))).toSorted();
    expect(await signers(5)).toEqual(fingerprints('north', 'south'));
    expect(await signers(11)).toEqual(fingerprints('north', 'south', 'west'));
    expect(fromNorth.status()[0]?.receiptsPulled).toBe(24);
    expect(await copyAll(fromNorth)).toEqual([]);
    expect(fromNorth.status()[0]?.receiptsPulled).toBe(24);
  });

  it('copies a lane while its gateway brings the same blocks', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const writer = await ChainWriter.of(40, 'record', BOTH);
    await offerAll(north.address, writer);
    await using peers = peersOf(south, [north]);
    const bringing = async (): Promise<void> => {
      for (const { height } of writer.blocks) expect((await offerFrom(south.address, writer, height)).status).toBeLessThan(202);
    };
    const [troubles] = await Promise.all([copyAll(peers), bringing()]);
    expect([troubles, await south.blocks.forks(), peers.status()[0]?.refused]).toEqual([[], [], 0]);
    expect(await verifyChain(south.blocks.blocks(writer.id, 0))).toMatchObject({ ok: true, blocks: 40 });
  });

  it('ends at once when it is closed, and leaves the store to whoever closes that', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const writer = await ChainWriter.of(900, 'record', BOTH);
    await keepAll(north.blocks, writer);
    const begun = Promise.withResolvers<void>();
    const append: BlockStore['append'] = async (...run) => {
      const outcome = await south.blocks.append(...run);
      begun.resolve();
      return outcome;
    };
    const peers = peersOf(south, [north], { blocks: { ...south.blocks, append } });
    peers.start();
    await begun.promise;
    await peers.close();
    const height = await heightAt(south, writer);
    expect(height).toBeLessThan(899);
    await using again = peersOf(south, [north]);
    expect(await copyAll(again)).toEqual([]);
    expect(again.status()[0]?.blocksPulled).toBe(899 - height);
  });

  it('tells of a store that fails, and goes on when it works again', async () => {
    const faulty = new FaultyStore(openMemoryStore());
    await using north = await startPeerNode('north');
    await using south = await startPeerNode('south', { blocks: new StoredBlocks(faulty, { removePending: false }) });
    const writer = await ChainWriter.of(40, 'record', BOTH);
    await offerAll(north.address, writer);
    const faults: string[] = [];
    await using peers = peersOf(south, [north], { onStoreFault: ({ code }) => void faults.push(code) });
    for (const fault of ['nothing written', 'written all the same'] as const) {
      faulty.writeFaults.push(fault);
      await expect(copyAll(peers)).rejects.toThrow('the disk says no');
    }
    expect(await copyAll(peers)).toEqual([]);
    expect([faults, await heightAt(south, writer)]).toEqual([['VG_STORE_WRITE', 'VG_STORE_WRITE'], 39]);
    expect(await verifyChain(south.blocks.blocks(writer.id, 0))).toMatchObject({ ok: true, blocks: 40 });
  });

  it('reads no more in a day than it may', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const writer = await ChainWriter.of(600, 'record', BOTH);
    await keepAll(north.blocks, writer);
    await using peers = peersOf(south, [{ ...north, budget: Bytes(64 * 1024) }]);
    expect(await copyAll(peers)).toEqual([expect.stringContaining('64 KiB of this day are used up')]);
    expect(await heightAt(south, writer)).toBeLessThan(599);
    expect(peers.status()[0]).toMatchObject({ reachable: true, refused: 0 });
  });

  it('says that a peer cannot be reached, and tries again', async () => {
    await using south = await startPeerNode('south');
    const north = await startPeerNode('north');
    await north[Symbol.asyncDispose]();
    await using peers = peersOf(south, [north]);
    peers.start();
    await until('it was tried', () => peers.status()[0]?.lastError !== null);
    expect(peers.status()[0]).toMatchObject({ reachable: false, lastContact: null, lastError: expect.stringContaining(north.address) as string });
  });
});

describe('a gateway with two faces', () => {
  async function twoFaced({ north, south }: { north: PeerNode; south: PeerNode }): Promise<[ChainWriter, ChainWriter]> {
    const writer = await ChainWriter.of(4, 'record', BOTH);
    const twin = writer.copy(1);
    await twin.seal('another story');
    await offerAll(north.address, writer);
    await offerAll(south.address, twin);
    return [writer, twin];
  }

  it('is found out by comparing heads; nothing of the lane is countersigned any more, and the evidence is in a file', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const [writer, twin] = await twoFaced(nodes);
    await using peers = peersOf(south, [north]);
    await copyAll(peers);
    expect(south.countersigner.isForked(writer.id)).toBe(true);
    expect(peers.status()[0]).toMatchObject({ forks: 1, refused: 0 });
    await twin.seal('another story');
    expect((await offerFrom(south.address, twin, 4)).json['error']).toBe('fork');
    const evidence = readFileSync(join(south.data, 'evidence', `${toHex(writer.id.chain)}-record-3.fork`));
    expect(toHex(evidence)).toBe(toHex(Buffer.concat([twin.at(3).bytes, writer.at(3).bytes])));
  });

  it('is found out where the peer has gone on on the other side', async () => {
    await using nodes = await two();
    const { north, south } = nodes;
    const [writer] = await twoFaced(nodes);
    for (let i = 0; i < 3; i++) await offerFrom(north.address, writer, (await writer.seal()).height);
    await using peers = peersOf(south, [north]);
    await copyAll(peers);
    const [fork] = await south.blocks.forks();
    expect(fork).toMatchObject({ lane: 'record', height: 4 });
    expect(await heightAt(south, writer)).toBe(3);
  });

  it('is told of to peers that have seen one side alone', async () => {
    await using nodes = await two();
    await using west = await startPeerNode('west');
    const { north } = nodes;
    const writer = await ChainWriter.of(4, 'record', parametersOf(['north', 'south', 'west']));
    const twin = writer.copy(1);
    await twin.seal('another story');
    for (const node of [north, west]) await offerAll(node.address, writer);
    await using peers = peersOf(west, [north]);
    expect(await copyAll(peers)).toEqual([]);
    await offerFrom(north.address, twin, 3);
    await copyAll(peers);
    expect([west.countersigner.isForked(writer.id), (await west.blocks.forks()).length, peers.status()[0]?.forks]).toEqual([true, 1, 1]);
    await writer.seal();
    expect((await offerFrom(west.address, writer, 4)).json['error']).toBe('fork');
    expect((await ask(west.address, `${lanePath(writer.id)}/head`)).json).toMatchObject({ forked: true });
  });
});

it('signs nothing of a lane that was forked before it had any of it', async () => {
  await using nodes = await two();
  const { north, south } = nodes;
  const writer = await ChainWriter.of(4, 'record', BOTH);
  const twin = writer.copy(1);
  await twin.seal('another story');
  await offerAll(north.address, writer);
  await offerFrom(north.address, twin, 3);
  await using peers = peersOf(south, [north]);
  expect(await copyAll(peers)).toEqual([]);
  expect([await heightAt(south, writer), south.countersigner.isForked(writer.id), peers.status()[0]?.forks]).toEqual([3, true, 1]);
  expect(await Array.fromAsync(south.blocks.receiptsFrom(writer.id, 0))).toEqual([]);
});

it('tells two nodes with nothing new little', async () => {
  await using nodes = await two();
  const { north, south } = nodes;
  await offerAll(north.address, await ChainWriter.of(3, 'record', BOTH));
  await using peers = peersOf(south, [north], { receiptsEvery: Millis(3_600_000) });
  await copyAll(peers);
  await copyAll(peers);
  const before = peers.status()[0]?.bytesRead ?? 0;
  await copyAll(peers);
  expect((peers.status()[0]?.bytesRead ?? 0) - before).toBeLessThan(100);
});

