/** The part of the hospital's API that is about chains: offering blocks, and reading what is recorded. */

import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BlockRejected, messageOf } from '../errors.ts';
import type { BlockStore, Fork, LaneId } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import { rootOf } from '../ledger/merkle.ts';
import { addChainReading, CBOR, CBOR_SEQUENCE, headOf, shortHead } from '../web/chain-reading.ts';
import { type LaneParams, type PlaceParams, readLaneId, readPlace } from '../web/path.ts';
import { RequestError } from '../web/request-error.ts';
import { type Bytes, formatBytes } from '../quantity.ts';
import type { Guard } from './guard.ts';
import type { BatchJudgement, Judgement, Witness } from './witness.ts';

const unzstd = promisify(zstdDecompress);

export type ChainRoutesOptions = Readonly<{
  blocks: BlockStore;
  witness: Witness;
  /** Called once for every offered block that was judged. */
  onJudged: (outcome: Judgement['outcome']) => void;
  /** Called for what was not taken: with `gap`, `fork`, the rule that a block broke, the outcome, or why nothing was judged. Of blocks offered together, for the one that stopped them. */
  onRefused: (id: LaneId, reason: string) => void;
  /** Longest block, and longest run of blocks, that is taken. */
  maxBlock: Bytes;
  guard: Guard;
}>;

/** Most blocks that are taken together. */
const MOST_TOGETHER = 100;

type Answer = Readonly<{ status: number; type: string; body: Uint8Array | object }>;

const json = (status: number, body: object): Answer => ({ status, type: 'application/json', body });

/** The one place where a judgement becomes HTTP. */
function answerFor(judgement: Judgement): Answer {
  switch (judgement.outcome) {
    case 'committed': return { status: 201, type: CBOR, body: judgement.receipt };
    case 'repeated': return { status: 200, type: CBOR, body: judgement.receipt };
    case 'misplaced': return json(400, { error: 'misplaced', message: judgement.message });
    case 'not_admitted': return json(403, { error: 'not_admitted', message: judgement.message });
    case 'unknown_chain': return json(404, { error: 'unknown_chain', message: judgement.message });
    case 'gap': return json(409, { error: 'gap', message: judgement.message, head: shortHead(judgement.head) });
    case 'forked': return json(422, { error: 'fork', reason: 'fork', message: judgement.message });
    case 'rejected': return rejection(judgement.reason, judgement.message);
  }
}

function rejection(reason: string, message: string): Answer {
  const unreadable = reason === 'malformed' || reason === 'not_canonical';
  return json(unreadable ? 400 : 422, { error: unreadable ? reason : 'rejected', reason, message });
}

/** Adds the routes. Bodies of type application/cbor must be parsed to bytes by the server they are added to. */
export function addChainRoutes(app: FastifyInstance, options: ChainRoutesOptions): void {
  addOffering(app, options);
  addHeads(app, options);
  addReceipts(app, options);
  addForks(app, options);
}

function addOffering(app: FastifyInstance, { witness, onJudged, onRefused, maxBlock, guard }: ChainRoutesOptions): void {
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => await guard(request, reply, readLaneId(request.params as LaneParams));

  app.put<{ Params: PlaceParams; Body: Uint8Array | undefined }>('/v1/chains/:chain/:lane/blocks/:height', { onRequest }, async (request, reply) => {
    const place = readPlace(request.params);
    const judgement = await witness.judge(place, request.body ?? new Uint8Array());
    onJudged(judgement.outcome);
    noteRefusal(place, judgement);
    const { status, type, body } = answerFor(judgement);
    return await reply.code(status).type(type).send(body);
  });

  app.post<{ Params: LaneParams; Body: Uint8Array | undefined }>('/v1/chains/:chain/:lane/blocks', { onRequest }, async (request, reply) => {
    const id = readLaneId(request.params);
    const blocks = await blocksIn(request.body ?? new Uint8Array(), request.headers['content-encoding'], maxBlock);
    const judged = await witness.judgeAll(id, blocks, onJudged);
    noteRefusal(id, judged.stopped);
    const { status, type, body } = answerForAll(judged);
    return await reply.code(status).type(type).send(body);
  });

  function noteRefusal(id: LaneId, judgement: Judgement | undefined): void {
    if (judgement === undefined || 'receipt' in judgement) return;
    onRefused(id, judgement.outcome === 'rejected' ? judgement.reason : judgement.outcome === 'forked' ? 'fork' : judgement.outcome);
  }
}

/** 200 as soon as one was taken: what stopped the rest stands beside the receipt. */
function answerForAll({ taken, receipt, stopped }: BatchJudgement): Answer {
  if (receipt === undefined) return answerFor(stopped as Judgement);
  return json(200, { taken, receipt: Buffer.from(receipt).toString('base64'), stopped: stopped === undefined ? null : answerFor(stopped).body });
}

async function blocksIn(body: Uint8Array, encoding: string | undefined, limit: Bytes): Promise<readonly Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  try {
    for await (const block of readBlocks(await decompressed(body, encoding, limit))) {
      if (blocks.push(block) > MOST_TOGETHER) throw new RequestError(413, 'too_large', `expected at most ${MOST_TOGETHER} blocks together`);
    }
  } catch (cause) {
    if (cause instanceof BlockRejected) throw new RequestError(400, 'malformed', cause.message, { cause });
    throw cause;
  }
  if (blocks.length === 0) throw new RequestError(400, 'malformed', 'expected at least one block');
  return blocks;
}

/** No more than the limit is ever made of what a stranger compressed. */
async function decompressed(body: Uint8Array, encoding: string | undefined, limit: Bytes): Promise<Uint8Array> {
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding !== 'zstd') throw new RequestError(415, 'unsupported_encoding', `content encoding ${encoding.slice(0, 40)} is not known here: expected zstd (RFC 8878), or none`);
  try {
    return await unzstd(body, { maxOutputLength: limit });
  } catch (cause) {
    if (cause instanceof RangeError) throw new RequestError(413, 'too_large', `the blocks are longer than ${formatBytes(limit)} together`, { cause });
    throw new RequestError(400, 'malformed', `the body is not zstd: ${messageOf(cause)}`, { cause });
  }
}

function addHeads(app: FastifyInstance, { blocks, witness }: ChainRoutesOptions): void {
  addChainReading(app, { blocks, describe: (lane) => ({ forked: witness.isForked(lane) }) });
  app.get<{ Params: LaneParams }>('/v1/chains/:chain/:lane/head', (request) => describeHead(readLaneId(request.params)));

  async function describeHead(id: LaneId): Promise<object> {
    const head = await headOf(blocks, id);
    const receipt = await witness.receipt(head);
    return {
      ...shortHead(head),
      treeSize: head.tree.size,
      treeRoot: toHex(rootOf(head.tree)),
      receipt: receipt === undefined ? null : Buffer.from(receipt).toString('base64'),
      forked: witness.isForked(id),
    };
  }
}

function addReceipts(app: FastifyInstance, { witness }: ChainRoutesOptions): void {
  app.get<{ Params: PlaceParams }>('/v1/chains/:chain/:lane/receipts/:height', async (request, reply) => {
    const place = readPlace(request.params);
    const receipt = await witness.receipt(place);
    if (receipt === undefined) {
      throw new RequestError(404, 'unknown_receipt', `lane ${place.lane} has no receipt for block ${place.height} here`);
    }
    return await reply.type(CBOR).send(receipt);
  });
}

function addForks(app: FastifyInstance, { blocks }: ChainRoutesOptions): void {
  // The list names the blocks; the evidence itself, which may be large, is fetched lane by lane.
  app.get('/v1/forks', async () => ({ forks: (await blocks.forks()).map(describeFork) }));

  app.get<{ Params: LaneParams }>('/v1/forks/:chain/:lane', async (request, reply) => {
    const id = readLaneId(request.params);
    const fork = (await blocks.forks()).find(({ chain, lane }) => lane === id.lane && equalBytes(chain, id.chain));
    if (fork === undefined) throw new RequestError(404, 'unknown_fork', `no fork of lane ${id.lane} of chain ${toHex(id.chain)} was seen`);
    return await reply.type(CBOR_SEQUENCE).send(Buffer.concat([fork.recorded, fork.offered]));
  });
}

/** `recorded` and `offered` are two blocks of one height, or the block that `offered` should have followed. */
function describeFork({ chain, lane, height, recorded, offered }: Fork): object {
  return { chain: toHex(chain), lane, height, recorded: describeBlock(recorded), offered: describeBlock(offered) };
}

function describeBlock(bytes: Uint8Array): object {
  const { header, hash } = openBlock(bytes);
  return { height: header.height, hash: toHex(hash), prev: toHex(header.prev) };
}
