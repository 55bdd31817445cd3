/** What other hospitals' nodes ask for beside the blocks: what has changed here, and everybody's receipts. */

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { BlockStore } from '../ledger/block-store.ts';
import { PUBLIC_KEY_BYTES } from '../ledger/es256k.ts';
import { CBOR_SEQUENCE, headOf, sendCompressed } from '../web/chain-reading.ts';
import { type LaneParams, readCount, readHeight, readLaneId } from '../web/path.ts';
import { RequestError } from '../web/request-error.ts';
import { type HeadBook, MOST_HEADS } from './head-book.ts';

type Query = Readonly<Record<string, string | string[] | undefined>>;

const HOSPITAL = new RegExp(`^0[23][0-9a-f]{${PUBLIC_KEY_BYTES * 2 - 2}}$`);

/**
 * Adds
 *
 *     GET /v1/heads?since=C&hospital=K&limit=N         {cursor, more, heads: [{chain, lane, height, hash, forked}]}: lanes that changed since cursor C
 *     GET /v1/chains/{chain}/{lane}/receipts?from=N    all receipts kept here from height N on (default 0) as a CBOR sequence
 */
export function addHeadRoutes(app: FastifyInstance, { blocks, book }: Readonly<{ blocks: BlockStore; book: HeadBook }>): void {
  app.get<{ Querystring: Query }>('/v1/heads', async (request, reply) => {
    const { since, hospital, limit } = request.query;
    if (hospital !== undefined && !HOSPITAL.test(String(hospital))) throw new RequestError(400, 'bad_path', `hospital in the path: expected a compressed public key, ${PUBLIC_KEY_BYTES * 2} hexadecimal digits, lower case`);
    const page = await book.since({
      ...(since !== undefined && { since: String(since) }),
      ...(hospital !== undefined && { hospital: String(hospital) }),
      limit: readCount(limit, MOST_HEADS),
    });
    return await sendCompressed(request, reply.type('application/json'), Readable.from([JSON.stringify(page)]));
  });

  app.get<{ Params: LaneParams; Querystring: Query }>('/v1/chains/:chain/:lane/receipts', async (request, reply) => {
    const id = readLaneId(request.params);
    const from = readHeight(String(request.query['from'] ?? '0'));
    await headOf(blocks, id);
    return await sendCompressed(request, reply.type(CBOR_SEQUENCE), Readable.from(blocks.receiptsFrom(id, from), { objectMode: false }));
  });
}
