/** Reading chains over HTTP: the same on a gateway and at a hospital, so that one auditor's tool reads both. */

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import type { ChainState } from '../ledger/state.ts';
import { LANES } from '../reading.ts';
import { readHeight, readLaneId, readPlace, type LaneParams, type PlaceParams } from './path.ts';
import { RequestError } from './request-error.ts';

/** Media types: one CBOR item (RFC 8949 §9.3), and a sequence of them (RFC 8742 §6). */
export const CBOR = 'application/cbor';
export const CBOR_SEQUENCE = 'application/cbor-seq';

export type ChainReadingOptions = Readonly<{
  blocks: BlockStore;
  /** What else is to be told of a lane. Default nothing. */
  describe?: (lane: LaneId) => object;
}>;

/**
 * Adds
 *
 *     GET /v1/chains                                every chain with the head of its lanes
 *     GET /v1/chains/{chain}/{lane}/blocks?from=N   its blocks from height N (default 0) as a CBOR sequence
 *     GET /v1/chains/{chain}/{lane}/blocks/{height} one block
 */
export function addChainReading(app: FastifyInstance, { blocks, describe = () => ({}) }: ChainReadingOptions): void {
  app.get('/v1/chains', async () => ({ chains: await Promise.all((await blocks.chains()).map(describeChain)) }));

  async function describeChain(chain: Uint8Array): Promise<object> {
    const heads = await Promise.all(LANES.map((lane) => blocks.head({ chain, lane })));
    const lanes = heads.flatMap((head) => (head ? [{ lane: head.lane, ...shortHead(head), ...describe(head) }] : []));
    return { chain: toHex(chain), lanes };
  }

  app.get<{ Params: LaneParams; Querystring: { from?: string | string[] } }>('/v1/chains/:chain/:lane/blocks', async (request, reply) => {
    const id = readLaneId(request.params);
    const from = readHeight(String(request.query.from ?? '0'));
    await headOf(blocks, id);
    await refusePruned(blocks, id, from);
    return await reply.type(CBOR_SEQUENCE).send(Readable.from(blocks.blocks(id, from), { objectMode: false }));
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
