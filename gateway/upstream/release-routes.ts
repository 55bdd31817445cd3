/** Where gateways give what lies beside the blocks: payloads, and the keys to open them, sealed for this hospital alone. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UnreadableError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { CborError } from '../ledger/cbor.ts';
import { type SigningKey, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { type Release, verifyRelease } from '../ledger/release.ts';
import type { ChainState } from '../ledger/state.ts';
import { LANES } from '../reading.ts';
import { Turns } from '../turns.ts';
import { readLaneId } from '../web/path.ts';
import { RequestError } from '../web/request-error.ts';
import type { ChainRoutesOptions } from './chain-routes.ts';
import type { ReleaseStore } from './release-store.ts';

/** What a node does with what patients permit, and what it has to say to their gateways. Each throws {@link StoreError}. */
export interface ConsentDoor {
  /** In force and durable when it resolves. Throws {@link UnreadableError} for what this node cannot read; then nothing changed. */
  take(release: Release): Promise<void>;
  /** Whether anything was ever taken of people of a chain: where not, its gateway says it again. */
  knows(chain: Uint8Array): Promise<boolean>;
  /** The number of the last note about people of a chain; 0 before the first. */
  newestNote(chain: Uint8Array): Promise<number>;
  /** Those after a number, signed (consent/hospital-note.ts). */
  notesAfter(chain: Uint8Array, number: number): Promise<readonly Uint8Array[]>;
}

export type ReleaseRoutesOptions = Readonly<{ blocks: BlockStore; releases: ReleaseStore; key: SigningKey; detailsAsked: (chain: Uint8Array) => boolean; /** Default: releases with consents are refused, as nodes did before they knew them. */ consents?: ConsentDoor }> & Pick<ChainRoutesOptions, 'guard'>;

/** Adds the route. Bodies of type application/cbor must be parsed to bytes by the server it is added to. */
export function addReleaseRoutes(app: FastifyInstance, options: ReleaseRoutesOptions): void {
  const turns = new Turns();
  const chainIn = ({ params }: FastifyRequest): Uint8Array => readLaneId({ chain: (params as Readonly<{ chain: string }>).chain, lane: 'record' }).chain;
  const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => await options.guard(request, reply, { chain: chainIn(request) });
  app.post<{ Params: Readonly<{ chain: string }>; Body: Uint8Array | undefined }>('/v1/chains/:chain/releases', { onRequest }, async (request, reply) => {
    const { params, body } = request;
    const chain = chainIn(request);
    const answer = await turns.take(params.chain, () => take(chain, body ?? new Uint8Array(), options));
    return await reply.code(answer.status).send(answer.body);
  });
}

async function take(chain: Uint8Array, bytes: Uint8Array, { blocks, releases, key, detailsAsked, consents }: ReleaseRoutesOptions): Promise<Readonly<{ status: number; body: object }>> {
  const heads = (await Promise.all(LANES.map((lane) => blocks.head({ chain, lane })))).filter((head) => head !== undefined);
  const [head] = heads;
  if (head === undefined) throw new RequestError(404, 'unknown_chain', 'this chain has no block here');
  const release = judged(bytes, head, key);
  const newest = Math.max(...heads.map(({ lastEntrySequence }) => lastEntrySequence));
  const early = release.payloads.find(({ entry }) => entry > newest);
  if (early !== undefined) throw new RequestError(409, 'gap', `entry ${early.entry} is in no block here yet: expected payloads of entries up to ${newest}`);
  const last = await releases.lastNumber(chain);
  if (release.number <= last) return oldNumber(release.number, last);
  // Before the release counts: it comes again when this was not finished.
  await takeConsents(release, consents);
  if (!(await releases.put(release))) return oldNumber(release.number, await releases.lastNumber(chain));
  const more = consents === undefined ? {} : { consents: true, told: await consents.knows(chain), notes: await consents.newestNote(chain) };
  return { status: 200, body: { number: release.number, ...(detailsAsked(chain) && { detailsAsked: true }), ...more } };
}

const oldNumber = (number: number, last: number): Readonly<{ status: number; body: object }> =>
  ({ status: 409, body: { error: 'old_number', last, message: `release ${number} comes after release ${last}: expected a later number` } });

async function takeConsents(release: Release, consents: ConsentDoor | undefined): Promise<void> {
  if (consents === undefined && release.consents === undefined) return;
  if (consents === undefined) throw new RequestError(400, 'malformed', 'this node does not ask what patients permit: expected a release without key 8');
  try {
    await consents.take(release);
  } catch (cause) {
    if (cause instanceof UnreadableError) throw new RequestError(422, 'unreadable_consents', cause.message, { cause });
    throw cause;
  }
}

function judged(bytes: Uint8Array, head: ChainState, key: SigningKey): Release {
  try {
    const release = verifyRelease(bytes, { gateway: head.authority.gateway, chain: head.chain, recipient: key.publicKey }, verifyWithNodeCrypto);
    if (typeof release === 'string') throw new RequestError(422, release, `the release is refused: ${release}`);
    return release;
  } catch (cause) {
    if (cause instanceof CborError) throw new RequestError(400, cause.fault, cause.message, { cause });
    throw cause;
  }
}
