import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { Millis } from '../../gateway/quantity.ts';
import { ChainWriter, keyOf, parametersOf, withBrokenSignature } from './gateway-chain.ts';
import { offerAll } from './hospital.ts';
import { copyAll, type PeerNode, peersOf, startPeerNode } from './peer-node.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
type Liar = AsyncDisposable & Readonly<{ name: string; address: string }>;

const BOTH = parametersOf(['south', 'liar']);
const OTHER = keyOf('other gateway');
const ELSEWHERE = await ChainWriter.of(1, 'record', parametersOf(['south'], OTHER), OTHER);
/** Times over which a fast machine and a busy one agree that nothing comes. */
const PATIENCE = Millis(300);

/** A node that answers with these functions, the first whose words are in the path. */
async function liar(answers: Readonly<Record<string, Answer>>): Promise<Liar> {
  const server = createServer((request, response) => {
    const answer = Object.entries(answers).find(([words]) => request.url?.includes(words) === true)?.[1];
    if (answer !== undefined) return answer(request, response);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not_found","message":"there is none"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name: 'liar', address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const json = (body: object): Answer => (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const bytes = (...all: readonly Uint8Array[]): Answer => (_request, response) => void response.writeHead(200, { 'content-type': 'application/cbor-seq' }).end(Buffer.concat(all));

const told = (writer: ChainWriter, height: number, more: object = {}): object =>
  ({ chain: toHex(writer.id.chain), lane: writer.id.lane, height, hash: toHex(writer.blocks[height]?.hash ?? new Uint8Array(32)), forked: false, ...more });
const heads = (...all: readonly object[]): Answer => json({ cursor: 'a.1', more: false, heads: all });

/** What a node makes of a liar, asked once for everything. */
async function made(answers: Readonly<Record<string, Answer>>, prepare: (south: PeerNode) => Promise<void> = () => Promise.resolve()): Promise<{ south: PeerNode; troubles: readonly string[]; status: ReturnType<ReturnType<typeof peersOf>['status']>[number] }> {
  const south = await startPeerNode('south');
  await prepare(south);
  await using node = await liar(answers);
  await using peers = peersOf(south, [node], { patience: PATIENCE });
  const troubles = await copyAll(peers);
  const [status] = peers.status();
  if (status === undefined) throw new Error('no peer');
  return { south, troubles, status };
}

describe('a peer that lies', () => {
  it.each<[string, (writer: ChainWriter) => Answer, RegExp, number]>([
    ['invents a block in the middle', (writer) => bytes(writer.at(0).bytes, writer.at(1).bytes, withBrokenSignature(writer.at(2)), writer.at(3).bytes), /bad_signature/, 1],
    ['invents a genesis block', (writer) => bytes(withBrokenSignature(writer.at(0))), /bad_signature/, -1],
    ['leaves one out', (writer) => bytes(writer.at(0).bytes, writer.at(2).bytes), /wrong_height/, 0],
    ['claims heights that it does not give', (writer) => bytes(writer.at(0).bytes), /claims block 3 and gives none after 0/, 0],
    ['gives nothing', () => bytes(), /claims blocks and gives none/, -1],
    ['gives no CBOR', () => bytes(Buffer.from('<h1>Welcome to the network of the hospital</h1>'.repeat(50))), /RFC 8949/, -1],
    ['gives CBOR that is no block', () => bytes(...Array.from({ length: 1000 }, () => Buffer.of(0xf6))), /malformed/, -1],
    ['gives half a block', (writer) => bytes(writer.at(0).bytes, writer.at(1).bytes.subarray(0, 200)), /ends inside a block/, 0],
    ['announces a block of a gigabyte', () => bytes(Buffer.from('5a40000000', 'hex'), Buffer.alloc(5 * 1024 * 1024)), /longer than/, -1],
    ['gives what opens to a thousand times as much', () => (_request, response) => void response.writeHead(200, { 'content-encoding': 'zstd' }).end(zstdCompressSync(Buffer.concat([Buffer.from('5a40000000', 'hex'), Buffer.alloc(64 * 1024 * 1024)]))), /longer than/, -1],
    ['gives another chain', () => bytes(ELSEWHERE.at(0).bytes), /wrong_chain/, -1],
    ['says that it has none of them', () => (_request, response) => void response.writeHead(410, { 'content-type': 'application/json' }).end('{"error":"pruned","message":"they went"}'), /they went/, -1],
    ['sends a byte now and then', () => (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/cbor-seq' });
      const drip = setInterval(() => response.write(Buffer.of(0x82)), 50);
      response.once('close', () => clearInterval(drip));
    }, /it sent \d+ bytes in 300 ms/, -1],
  ])('and %s is refused, and nothing but good blocks stay', async (_what, answer, why, height) => {
    const writer = await ChainWriter.of(4, 'record', BOTH);
    const { south, status } = await made({ '/v1/heads': heads(told(writer, 3)), '/blocks': answer(writer) });
    await using _ = south;
    expect(status).toMatchObject({ refused: 1, lastError: expect.stringMatching(why) as string });
    expect((await south.blocks.head(writer.id))?.height ?? -1).toBe(height);
    expect(await south.blocks.forks()).toEqual([]);
    if (height >= 0) expect(await verifyChain(south.blocks.blocks(writer.id, 0))).toMatchObject({ ok: true, blocks: height + 1 });
  });

  it('cannot be made to send for ever: what is more than it claimed is not read', async () => {
    const writer = await ChainWriter.of(3, 'record', BOTH);
    const { south, troubles, status } = await made({
      '/v1/heads': heads(told(writer, 2)),
      '/blocks': (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/cbor-seq' });
        response.write(Buffer.concat(writer.blocks.map((block) => block.bytes)));
        const more = (): void => {
          while (!response.destroyed && response.write(writer.at(2).bytes));
        };
        response.on('drain', more);
        more();
      },
      '/receipts': bytes(),
    });
    await using _ = south;
    expect([troubles, status.refused, (await south.blocks.head(writer.id))?.height]).toEqual([[], 0, 2]);
  });

  it.each<[string, Answer, RegExp]>([
    ['no JSON', (_request, response) => void response.writeHead(200).end('<html>'), /expected JSON of the agreed shape/],
    ['another shape', json({ cursor: 'a', more: false, heads: [{ chain: '../../etc', lane: 'record', height: 1, hash: '', forked: false }] }), /expected JSON of the agreed shape/],
    ['a list without an end', (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write('[{"chain":"'.repeat(1000)));
      };
      response.on('drain', more);
      more();
    }, /longer than 1 MiB/],
    ['the same page again and again', json({ cursor: 'a.1', more: true, heads: [] }), /gives the same cursor again/],
    ['nothing', () => undefined, /liar: http.+\/v1\/heads/],
    ['a login page', (_request, response) => void response.writeHead(302, { location: 'http://example.org/' }).end(), /status 302: not the answer of a hospital node/],
  ])('about what has changed, with %s, is tried again later', async (_what, answer, why) => {
    const { south, troubles } = await made({ '/v1/heads': answer });
    await using _ = south;
    expect(troubles).toEqual([expect.stringMatching(why)]);
    expect(await south.blocks.chains()).toEqual([]);
  });

  it('harms none of its other chains', async () => {
    const [bad, good] = [await ChainWriter.of(3, 'record', BOTH), await ChainWriter.of(3, 'record', parametersOf(['south'], OTHER), OTHER)];
    const { south, status, troubles } = await made({
      '/v1/heads': heads(told(bad, 2), told(good, 2)),
      [`${toHex(bad.id.chain)}/record/blocks`]: bytes(withBrokenSignature(bad.at(0))),
      [`${toHex(good.id.chain)}/record/blocks`]: bytes(...good.blocks.map((block) => block.bytes)),
      '/receipts': bytes(),
    });
    await using _ = south;
    expect([status.refused, (await south.blocks.head(good.id))?.height]).toEqual([1, 2]);
    expect(troubles).toEqual([expect.stringContaining('1 lanes refused')]);
  });

  it('accuses a gateway in vain without blocks that its key has signed', async () => {
    const writer = await ChainWriter.of(3, 'record', BOTH);
    const twin = writer.copy(1);
    await twin.seal('another story');
    const cases: Readonly<Record<string, Answer>>[] = [
      { '/v1/heads': heads(told(writer, 2, { hash: toHex(twin.at(2).hash) })), '/blocks/2': bytes(withBrokenSignature(twin.at(2))) },
      { '/v1/heads': heads(told(writer, 2, { hash: 'ab'.repeat(32) })), '/blocks/2': bytes(writer.at(2).bytes) },
      { '/v1/heads': heads(told(writer, 2, { forked: true })), '/v1/forks': bytes(writer.at(2).bytes, withBrokenSignature(twin.at(2))) },
      { '/v1/heads': heads(told(writer, 2, { forked: true })), '/v1/forks': bytes(writer.at(1).bytes, writer.at(2).bytes) },
      { '/v1/heads': heads(told(writer, 2, { forked: true })), '/v1/forks': bytes(writer.at(2).bytes) },
      { '/v1/heads': heads(told(writer, 2, { forked: true })) },
    ];
    for (const answers of cases) {
      const { south, status } = await made(answers, (node) => offerAll(node.address, writer));
      await using _ = south;
      expect(status).toMatchObject({ refused: 1, forks: 0 });
      expect([south.countersigner.isForked(writer.id), await south.blocks.forks()]).toEqual([false, []]);
    }
  });

  it('makes up receipts in vain', async () => {
    const writer = await ChainWriter.of(3, 'record', BOTH);
    await using other = await startPeerNode('liar');
    const elsewhere = await ChainWriter.of(3, 'record', parametersOf(['south', 'liar'], OTHER), OTHER);
    await offerAll(other.address, elsewhere);
    const receipts = await Array.fromAsync(other.blocks.receiptsFrom(elsewhere.id, 0));
    const { south, status } = await made({ '/v1/heads': heads(told(writer, 2)), '/receipts': bytes(...receipts) }, (node) => offerAll(node.address, writer));
    await using _ = south;
    expect(status).toMatchObject({ refused: 1, receiptsPulled: 0, lastError: expect.stringContaining('a receipt is not what it says') as string });
  });
});
