/** Who may make this node work, how much of it at a time, and how long they may take to say what they want: asked before a body is read. */

import { constants, type Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LaneId } from '../ledger/block-store.ts';
import { fingerprint } from '../ledger/es256k.ts';
import type { Lane } from '../reading.ts';
import { type Bytes, formatDuration, type Millis, type UnixMillis } from '../quantity.ts';
import { nodeKeyOf } from '../tls/node-certificate.ts';
import { RequestError } from '../web/request-error.ts';
import type { Intake } from './intake.ts';
import type { Witness } from './witness.ts';

/** What a request is about. `lane`: absent for what goes along with blocks. */
export type Asked = Readonly<{ chain: Uint8Array; lane?: Lane }>;

/** Throws {@link RequestError} for a request that is not let in. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, asked: Asked) => Promise<void>;

export type GuardOptions = Readonly<{
  witness: Pick<Witness, 'mayOffer'>;
  intake: Intake;
  /** TLS: who asks has to show a certificate that is bound to the key of a gateway. */
  mutual: boolean;
  maxBody: Bytes;
  /** How long a body may take to arrive. */
  bodyWithin: Millis;
  now: () => UnixMillis;
  onRefused: (id: LaneId, error: string) => void;
}>;

/** What the certificate of a connection says: the key it is bound to and when it ends. */
type Shown = Readonly<{ key: Uint8Array; from: number; to: number }>;

export function guardOf({ witness, intake, mutual, maxBody, bodyWithin, now, onRefused }: GuardOptions): Guard {
  // A signature is judged once for each connection.
  const shownOver = new WeakMap<object, Shown>();

  const authorise = async (socket: object, chain: Uint8Array): Promise<void> => {
    const shown = shownOver.get(socket) ?? readShown(socket as TLSSocket);
    shownOver.set(socket, shown);
    if (now() < shown.from || now() > shown.to) throw new RequestError(401, 'expired_certificate', `the client certificate is good from ${iso(shown.from)} to ${iso(shown.to)}, and it is ${iso(now())} here`);
    if (!(await witness.mayOffer(chain, shown.key))) throw new RequestError(403, 'not_admitted', `gateway key ${fingerprint(shown.key)} is not among those admitted here`);
  };

  return async (request, reply, { chain, lane }) => {
    try {
      if (mutual) await authorise(request.raw.socket, chain);
      const size = announced(request, maxBody);
      const leave = intake.enter({ chain: Buffer.from(chain).toString('hex'), ...(lane && { lane }), size });
      reply.raw.once('close', leave);
    } catch (thrown) {
      if (thrown instanceof RequestError) onRefused({ chain, lane: lane ?? 'record' }, thrown.error);
      throw thrown;
    }
    expectBody(request, reply, bodyWithin);
  };
}

function readShown(socket: TLSSocket): Shown {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new RequestError(401, 'no_certificate', 'expected a client certificate: TLS between gateway and hospital is mutual');
  const key = nodeKeyOf(certificate);
  if (key === undefined) throw new RequestError(401, 'unknown_certificate', 'the client certificate is not bound to the key of a gateway');
  return { key, from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}

const iso = (at: number): string => new Date(at).toISOString();

/** The length that was announced; without one it may become as long as is allowed. */
function announced({ headers }: FastifyRequest, most: Bytes): number {
  const length = Number(headers['content-length'] ?? most);
  if (length > most) throw new RequestError(413, 'too_large', `the body has ${length} bytes, expected at most ${most}`);
  return Number.isSafeInteger(length) && length >= 0 ? length : most;
}

/** Ends a request whose body does not come: HTTP/2 has no such time of its own. */
function expectBody({ raw }: FastifyRequest, reply: FastifyReply, within: Millis): void {
  const late = setTimeout(() => {
    if (raw.complete) return;
    // The answer is whole; what else the peer sends on this stream is not wanted (RFC 9113 §8.1).
    if (isOverHttp2(raw)) raw.stream.once('finish', () => raw.stream.close(constants.NGHTTP2_NO_ERROR));
    else reply.raw.once('finish', () => raw.destroy());
    void reply.code(408).send({ error: 'too_slow', message: `the body did not arrive within ${formatDuration(within)}` });
  }, within);
  reply.raw.once('close', () => clearTimeout(late));
}

const isOverHttp2 = (raw: FastifyRequest['raw'] | Http2ServerRequest): raw is Http2ServerRequest => 'stream' in raw;
