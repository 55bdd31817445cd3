/** Reading chains over HTTP: the same on a gateway and at a hospital, so that one auditor's tool reads both. */

import { pipeline, Readable } from 'node:stream';
import { constants, createZstdCompress } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import type { ChainState } from '../ledger/state.ts';
import { type Bytes, KiB } from '../quantity.ts';
import { LANES } from '../reading.ts';
import { readChain, readCount, readHeight, readLaneId, readPlace, type LaneParams, type PlaceParams } from './path.ts';
import { RequestError } from './request-error.ts';

/** Media types: one CBOR item (RFC 8949 §9.3), and a sequence of them (RFC 8742 §6). */
export const CBOR = 'application/cbor';
export const CBOR_SEQUENCE = 'application/cbor-seq';

export type ChainReadingOptions = Readonly<{
  blocks: BlockStore;
  /** What else is to be told of a lane. Default nothing. */
  describe?: (lane: LaneId) => object;
}>;

/** Most chains of one answer. */
const MOST_CHAINS = 1000;
/** Blocks are sent together up to this size. */
const CHUNK: Bytes = KiB(64);
/** Blocks are half hashes. A flipped bit passes silently without the checksum. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/**
 * Adds
 *
 *     GET /v1/chains?after=C&limit=N                     chains with the heads of their lanes, by id, those after chain C; `next`: what to ask after, null at the end
 *     GET /v1/chains/{chain}/{lane}/blocks?from=N&to=M   its blocks from height N (default 0) to M (default: the last) as a CBOR sequence
 *     GET /v1/chains/{chain}/{lane}/blocks/{height}      one block
 *
 * Lists of blocks are compressed for whoever accepts zstd (RFC 8878).
 */
export function addChainReading(app: FastifyInstance, { blocks, describe = () => ({}) }: ChainReadingOptions): void {
  app.get<{ Querystring: { after?: string | string[]; limit?: string | string[] } }>('/v1/chains', async ({ query }) => {
    const after = query.after === undefined ? new Uint8Array() : readChain(String(query.after));
    const limit = readCount(query.limit, MOST_CHAINS);
    const following = (await blocks.chains()).filter((chain) => Buffer.compare(chain, after) > 0).toSorted((one, other) => Buffer.compare(one, other));
    const page = following.slice(0, limit);
    const last = page.at(-1);
    return { chains: await Promise.all(page.map(describeChain)), next: last !== undefined && following.length > limit ? toHex(last) : null };
  });

  async function describeChain(chain: Uint8Array): Promise<object> {
    const heads = await Promise.all(LANES.map((lane) => blocks.head({ chain, lane })));
    const lanes = heads.flatMap((head) => (head ? [{ lane: head.lane, ...shortHead(head), ...describe(head) }] : []));
    return { chain: toHex(chain), lanes };
  }

  app.get<{ Params: LaneParams; Querystring: { from?: string | string[]; to?: string | string[] } }>('/v1/chains/:chain/:lane/blocks', async (request, reply) => {
    const id = readLaneId(request.params);
    const from = readHeight(String(request.query.from ?? '0'));
    const to = request.query.to === undefined ? Infinity : readHeight(String(request.query.to));
    await headOf(blocks, id);
    await refusePruned(blocks, id, from);
    return await sendCompressed(request, reply.type(CBOR_SEQUENCE), Readable.from(inChunks(blocks.blocks(id, from), to - from + 1), { objectMode: false }));
  });

  app.get<{ Params: PlaceParams }>('/v1/chains/:chain/:lane/blocks/:height', async (request, reply) => {
    const place = readPlace(request.params);
    const block = await blocks.block(place, place.height);
    if (block === undefined) {
      await refusePruned(blocks, place, place.height);
      throw new RequestError(404, 'unknown_block', `lane ${place.lane} has no block ${place.height} here`);
    }
    return await reply.type(CBOR).send(block);
  });
}

/** Sends the body, compressed when the client takes that. */
export async function sendCompressed(request: FastifyRequest, reply: FastifyReply, body: Readable): Promise<FastifyReply> {
  if (!/(?:^|[,\s])zstd(?:[,;\s]|$)/.test(request.headers['accept-encoding'] ?? '')) return await reply.send(body);
  // What goes wrong ends the answer, and the client sees that it is cut off.
  return await reply.header('content-encoding', 'zstd').send(pipeline(body, createZstdCompress(ZSTD), () => undefined));
}

/** The first `count` blocks, many at a time: one by one, more is done for the pieces than for what is in them. */
async function* inChunks(blocks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Uint8Array[] = [];
  let [left, size] = [count, 0];
  if (left <= 0) return;
  for await (const block of blocks) {
    held.push(block);
    size += block.length;
    left -= 1;
    if (left <= 0) break;
    if (size < CHUNK) continue;
    yield Buffer.concat(held);
    [held, size] = [[], 0];
  }
  if (held.length > 0) yield Buffer.concat(held);
}

export function shortHead({ height, hash }: ChainState): Readonly<{ height: number; hash: string }> {
  return { height, hash: toHex(hash) };
}

/** 410 for blocks that were here once. */
async function refusePruned(blocks: BlockStore, id: LaneId, from: number): Promise<void> {
  const pruned = await blocks.pruned(id);
  if (pruned !== undefined && from <= pruned.height) throw new RequestError(410, 'pruned', `blocks of lane ${id.lane} up to ${pruned.height} were pruned here: ask a hospital for them, or from ${pruned.height + 1} on`);
}

/** The head of a lane, or a 404. */
export async function headOf(blocks: BlockStore, id: LaneId): Promise<ChainState> {
  const head = await blocks.head(id);
  if (head === undefined) throw new RequestError(404, 'unknown_chain', `lane ${id.lane} of chain ${toHex(id.chain)} has no block here`);
  return head;
}
