/** Where gateways fetch what people here did with the data of theirs, for the chains of those. */

import type { FastifyInstance } from 'fastify';
import { verifyNotesAsked, type NotesAsked } from '../consent/hospital-note.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { CborError, encode } from '../ledger/cbor.ts';
import type { SigningKey } from '../ledger/es256k.ts';
import { LANES } from '../reading.ts';
import { CBOR } from '../web/chain-reading.ts';
import { readLaneId } from '../web/path.ts';
import { RequestError } from '../web/request-error.ts';
import type { ChainRoutesOptions } from './chain-routes.ts';
import type { ConsentDoor } from './release-routes.ts';

export type NoteRoutesOptions = Readonly<{ blocks: BlockStore; key: SigningKey; consents: Pick<ConsentDoor, 'notesAfter'> }> & Pick<ChainRoutesOptions, 'guard'>;

/** Adds the route. Who asks proves by a signature that they are the chain's gateway, whatever is between it and this node. Nothing changes by asking. */
export function addNoteRoutes(app: FastifyInstance, { blocks, key, consents, guard }: NoteRoutesOptions): void {
  app.post<{ Params: Readonly<{ chain: string }>; Body: Uint8Array | undefined }>('/v1/chains/:chain/notes', { onRequest: async (request, reply) => await guard(request, reply, { chain: chainIn(request.params) }) }, async (request, reply) => {
    const chain = chainIn(request.params);
    const head = (await Promise.all(LANES.map((lane) => blocks.head({ chain, lane })))).find((each) => each !== undefined);
    if (head === undefined) throw new RequestError(404, 'unknown_chain', 'this chain has no block here');
    const asked = questionIn(request.body ?? new Uint8Array(), head.authority.gateway);
    if (asked === undefined) throw new RequestError(422, 'bad_signature', 'the question is refused: bad_signature');
    if (!equalBytes(asked.chain, chain)) throw new RequestError(422, 'wrong_chain', 'the question is refused: wrong_chain');
    if (!equalBytes(asked.recipient, key.publicKey)) throw new RequestError(422, 'wrong_recipient', 'the question is refused: wrong_recipient');
    const notes = await consents.notesAfter(chain, asked.after);
    return await reply.type(CBOR).header('cache-control', 'no-store').send(encode([...notes]));
  });
}

const chainIn = ({ chain }: Readonly<{ chain: string }>): Uint8Array => readLaneId({ chain, lane: 'record' }).chain;

function questionIn(bytes: Uint8Array, gateway: Uint8Array): NotesAsked | undefined {
  try {
    return verifyNotesAsked(bytes, gateway);
  } catch (cause) {
    if (cause instanceof CborError) throw new RequestError(400, cause.fault, cause.message, { cause });
    throw cause;
  }
}
