import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sha256, toHex } from '../../gateway/ledger/bytes.ts';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { readReceipt } from '../../gateway/ledger/receipt.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { Millis } from '../../gateway/quantity.ts';
import { HeadBook } from '../../gateway/upstream/head-book.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { ChainWriter, keyOf, parametersOf } from './gateway-chain.ts';
import { ask, lanePath, memoryBlocks, offerAll, offerFrom } from './hospital.ts';
import { startPeerNode } from './peer-node.ts';

const hex = (name: string): string => toHex(keyOf(name).publicKey);

describe('what has changed at a node', () => {
  it('is told from a cursor on, the oldest change first, and each lane once', async () => {
    await using node = await startPeerNode('north');
    const [record, alarm] = [await ChainWriter.of(3), await ChainWriter.of(1, 'alarm')];
    await offerAll(node.address, record);
    await offerAll(node.address, alarm);
    const all = (await ask(node.address, '/v1/heads')).json as { cursor: string; more: boolean; heads: object[] };
    expect(all).toMatchObject({ more: false, heads: [{ chain: toHex(record.id.chain), lane: 'record', height: 2, hash: toHex(record.at(2).hash), forked: false }, { lane: 'alarm', height: 0 }] });
    expect((await ask(node.address, `/v1/heads?since=${all.cursor}`)).json).toEqual({ cursor: all.cursor, more: false, heads: [] });
    await record.seal();
    await offerFrom(node.address, record, 3);
    expect((await ask(node.address, `/v1/heads?since=${all.cursor}`)).json['heads']).toMatchObject([{ lane: 'record', height: 3 }]);
  });

  it('comes in pages, and for one hospital alone', async () => {
    await using node = await startPeerNode('north');
    const writers = [await ChainWriter.of(1, 'record', parametersOf(['north', 'south'])), await ChainWriter.of(1, 'record', parametersOf(['north'])), await ChainWriter.of(1, 'alarm', parametersOf(['north', 'south']))];
    for (const writer of writers) await offerAll(node.address, writer);
    const lanes: unknown[] = [];
    for (let [path, more] = [`/v1/heads?hospital=${hex('south')}&limit=1`, true]; more; ) {
      const { json } = await ask(node.address, path);
      lanes.push(...(json['heads'] as { lane: string }[]).map(({ lane }) => lane));
      [path, more] = [`/v1/heads?hospital=${hex('south')}&limit=1&since=${json['cursor'] as string}`, json['more'] as boolean];
    }
    expect(lanes).toEqual(['record', 'alarm']);
    expect((await ask(node.address, `/v1/heads?hospital=${hex('nobody')}`)).json['heads']).toEqual([]);
  });

  it('holds what was there before the process started, and a cursor of an earlier process gets everything', async () => {
    const blocks = memoryBlocks();
    const writer = await ChainWriter.of(2);
    await writer.keepIn(blocks);
    const book = new HeadBook({ blocks, random: countingBytes(), now: () => Millis(0) });
    expect((await book.since({ since: 'another.17' })).heads).toMatchObject([{ height: 1 }]);
  });

  it('holds what other processes wrote, when the store was read long ago', async () => {
    const blocks = memoryBlocks();
    const writer = await ChainWriter.of(2);
    await writer.keepIn(blocks);
    let now = Millis(0);
    const book = new HeadBook({ blocks, random: countingBytes(), now: () => now, readAgainAfter: Millis(1000) });
    const { cursor } = await book.since({});
    await writer.seal();
    await writer.keepIn(blocks);
    expect((await book.since({ since: cursor })).heads).toEqual([]);
    now = Millis(1000);
    expect((await book.since({ since: cursor })).heads).toMatchObject([{ height: 2 }]);
  });

  it('takes few bytes of ten thousand chains: once all of them, then next to nothing', async () => {
    const { newState } = (await ChainWriter.of(1)).at(0);
    const states = Array.from({ length: 10_000 }, (_, chain): ChainState => ({ ...newState, hash: sha256(Buffer.from(String(chain))), chain: sha256(Buffer.from(`chain ${chain}`)).slice(0, 16) }));
    const byChain = new Map(states.map((state) => [toHex(state.chain), state]));
    const blocks = { chains: () => Promise.resolve(states.map(({ chain }) => chain)), head: ({ chain }: { chain: Uint8Array }) => Promise.resolve(byChain.get(toHex(chain))), forks: () => Promise.resolve([]) };
    const book = new HeadBook({ blocks, random: countingBytes(), now: () => Millis(0) });
    let [cursor, plain, compressed, heads] = ['', 0, 0, 0];
    for (let more = true; more; ) {
      const page = await book.since({ since: cursor });
      const text = JSON.stringify(page);
      [cursor, more, heads] = [page.cursor, page.more, heads + page.heads.length];
      [plain, compressed] = [plain + text.length, compressed + zstdCompressSync(Buffer.from(text)).length];
    }
    expect([heads, plain < 2e6, compressed < 1e6]).toEqual([10_000, true, true]);
    expect(JSON.stringify(await book.since({ since: cursor })).length).toBeLessThan(100);
  });

  it.each([
    ['/v1/heads?limit=0', 400], ['/v1/heads?limit=1001', 400], ['/v1/heads?hospital=abc', 400], ['/v1/heads?since=%00', 200],
    [`/v1/chains/${'ab'.repeat(16)}/record/receipts`, 404], ['/v1/chains?after=xyz', 400], ['/v1/chains?limit=-1', 400],
  ])('answers %s with %i', async (path, status) => {
    await using node = await startPeerNode('north');
    expect((await ask(node.address, path)).status).toBe(status);
  });
});

describe('reading much from a node', () => {
  it('pages chains', async () => {
    await using node = await startPeerNode('north');
    const writers = await Promise.all(['a', 'b', 'c'].map((name) => ChainWriter.of(1, 'record', parametersOf([name]))));
    for (const writer of writers) await offerAll(node.address, writer);
    const seen: string[] = [];
    for (let path: string | undefined = '/v1/chains?limit=2'; path !== undefined; ) {
      const { json } = await ask(node.address, path);
      seen.push(...(json['chains'] as { chain: string }[]).map(({ chain }) => chain));
      path = json['next'] === null ? undefined : `/v1/chains?limit=2&after=${json['next'] as string}`;
    }
    expect(seen).toEqual(writers.map(({ id }) => toHex(id.chain)).toSorted());
  });

  it('gives a part of a lane, compressed for whoever takes that', async () => {
    await using node = await startPeerNode('north');
    const writer = await ChainWriter.of(6);
    await offerAll(node.address, writer);
    const part = await ask(node.address, `${lanePath(writer.id)}/blocks?from=2&to=3`, { headers: { 'accept-encoding': 'identity' } });
    expect(toHex(part.bytes)).toBe(toHex(Buffer.concat([writer.at(2).bytes, writer.at(3).bytes])));
    expect((await ask(node.address, `${lanePath(writer.id)}/blocks?from=3&to=2`)).bytes).toHaveLength(0);
    const compressed = await nodeFetch(`${node.address}${lanePath(writer.id)}/blocks`, { headers: { 'accept-encoding': 'zstd' } });
    expect(compressed.headers.get('content-encoding')).toBe('zstd');
    expect((await Array.fromAsync(readBlocks(new Uint8Array(await compressed.arrayBuffer())))).map(toHex)).toEqual(writer.blocks.map(({ bytes }) => toHex(bytes)));
  });

  it('gives all receipts of a lane from a height on', async () => {
    await using node = await startPeerNode('north');
    const writer = await ChainWriter.of(4);
    await offerAll(node.address, writer);
    const { bytes, type } = await ask(node.address, `${lanePath(writer.id)}/receipts?from=2`);
    expect(type).toBe('application/cbor-seq');
    expect((await Array.fromAsync(readBlocks(bytes))).map((receipt) => readReceipt(receipt).height)).toEqual([2, 3]);
  });
});
