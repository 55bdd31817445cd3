/**
 * Reads from the node of another hospital (README.md has its API). Who answers is known by the key its connection is bound to, which keeps strangers
 * out and means nothing more: everything that comes is bounded in bytes and in time here, and verified by whoever asked.
 */

import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { BlockRejected, messageOf, PeerError, reasonOf } from '../errors.ts';
import type { LaneId, Place } from '../ledger/block-store.ts';
import { MAX_BLOCK_BYTES } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import { Bytes, formatBytes, formatDuration, KiB, MiB, type Millis, Minutes, Seconds } from '../quantity.ts';
import { connectToNode } from '../tls/connector.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';
import { type HeadsPage, MOST_HEADS } from './head-book.ts';

export type PeerClientOptions = Readonly<{
  /** Base address, without a closing slash. */
  url: string;
  /** The key of its node, 33 bytes. */
  key: Uint8Array;
  /** What we show. Default: nothing. */
  certificate?: () => Promise<NodeCertificate>;
  /** Authorities (PEM) of a node with an ordinary certificate. Default: those of the machine. */
  ca?: string;
  /** Most connections at a time. */
  connections: number;
  /** Hears of bytes of answers as they come. */
  onBytes: (bytes: number) => void;
  /** A clock that only goes forward. */
  now: () => Millis;
  /** How long nothing may come, and how long it may take to send {@link LEAST}. Default 10 s. */
  patience?: Millis;
}>;

/** Less than this in the time that a peer is given is no copy of anything. */
const LEAST: Bytes = KiB(16);
/** Of what was compressed; each piece waits for a thread. */
const PIECE: Bytes = KiB(256);
const MOST_PAGE: Bytes = MiB(1);
/** Two blocks, as they are. */
const MOST_EVIDENCE: Bytes = Bytes(2 * MAX_BLOCK_BYTES);
/** Longest text of a stranger that gets into our logs. */
const MOST_SAID = 300;

const Page = z.object({
  cursor: z.string().max(64),
  more: z.boolean(),
  heads: z.array(z.object({ chain: z.string().regex(/^[0-9a-f]{32}$/), lane: z.enum(['alarm', 'record']), height: z.int().nonnegative(), hash: z.string().regex(/^[0-9a-f]{64}$/), forked: z.boolean() })).max(MOST_HEADS),
});
const Refusal = z.object({ error: z.string(), message: z.string() });

/** Every method rejects with a {@link PeerError} for whatever is the peer's fault or the network's, and with it when the signal is aborted. */
export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #patience: Millis;
  readonly #agent: Agent;

  constructor(options: PeerClientOptions) {
    this.#options = options;
    this.#patience = options.patience ?? Seconds(10);
    const { key: peer, certificate, ca, connections } = options;
    this.#agent = new Agent({
      connections,
      // A peer that rests is asked over the same connection again: to open one takes ten times the bytes.
      keepAliveTimeout: Minutes(10),
      headersTimeout: this.#patience,
      bodyTimeout: this.#patience,
      connect: (target, callback) => {
        connectToNode(target, { peer, protocols: ['http/1.1'], timeout: this.#patience, ...(certificate && { certificate }), ...(ca !== undefined && { ca }) }).then(
          (socket) => callback(null, socket),
          (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), null),
        );
      },
    });
  }

  /** Lanes that changed there since the cursor. */
  async heads({ since, hospital }: Readonly<{ since: string | undefined; hospital: string | undefined }>, signal: AbortSignal): Promise<HeadsPage> {
    const query = new URLSearchParams({ ...(since !== undefined && { since }), ...(hospital !== undefined && { hospital }) });
    const bytes = await collected(this.#read(`/v1/heads?${query.toString()}`, signal), MOST_PAGE);
    try {
      return Page.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    } catch {
      throw new PeerError('VG_PEER_MALFORMED', `${this.#options.url}/v1/heads: expected JSON of the agreed shape`);
    }
  }

  /** Blocks `from` to `to` of a lane, as many as there are; nothing of them is verified. */
  blocks(id: LaneId, { from, to }: Readonly<{ from: number; to: number }>, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return itemsOf(this.#read(`${pathOf(id)}/blocks?from=${from}&to=${to}`, signal));
  }

  async block(place: Place, signal: AbortSignal): Promise<Uint8Array> {
    return await collected(this.#read(`${pathOf(place)}/blocks/${place.height}`, signal), Bytes(MAX_BLOCK_BYTES));
  }

  /** The two blocks of a fork that it has seen. */
  async fork({ chain, lane }: LaneId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    return await Array.fromAsync(itemsOf([await collected(this.#read(`/v1/forks/${toHex(chain)}/${lane}`, signal), MOST_EVIDENCE)]));
  }

  receipts(id: LaneId, from: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return itemsOf(this.#read(`${pathOf(id)}/receipts?from=${from}`, signal));
  }

  /** Ends its connections, and with them what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async *#read(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { url } = this.#options;
    try {
      const answer = await request(`${url}${path}`, { dispatcher: this.#agent, signal, headers: { 'accept-encoding': 'zstd' } });
      const body = this.#paced(answer.body as AsyncIterable<Uint8Array>);
      const plain = answer.headers['content-encoding'] === 'zstd' ? unzstd(body) : body;
      if (answer.statusCode !== 200) throw await refusal(answer.statusCode, plain);
      yield* plain;
    } catch (cause) {
      if (cause instanceof PeerError) throw cause.message.startsWith(url) ? cause : new PeerError(cause.code, `${url}${path}: ${cause.message}`, { cause });
      throw new PeerError('VG_PEER_UNREACHABLE', `${url}${path}: ${signal.aborted ? 'given up' : reasonOf(cause)}`, { cause });
    }
  }

  /** Somebody who sends a byte now and then would hold a lane for ever. Only the time that is waited counts. */
  async *#paced(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const { now, onBytes } = this.#options;
    let [waited, got, asked] = [0, 0, now() as number];
    for await (const piece of body) {
      onBytes(piece.length);
      waited += now() - asked;
      got += piece.length;
      if (waited > this.#patience) {
        if (got < LEAST) throw new PeerError('VG_PEER_MALFORMED', `it sent ${got} bytes in ${formatDuration(this.#patience)}: expected at least ${formatBytes(LEAST)}`);
        [waited, got] = [0, 0];
      }
      yield piece;
      asked = now();
    }
  }
}

function unzstd(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // An error of either is met by whoever reads.
  return pipeline(Readable.from(body, { objectMode: false }), createZstdDecompress({ chunkSize: PIECE }), () => undefined);
}

/** 429 and 5xx pass by themselves. */
async function refusal(status: number, body: AsyncIterable<Uint8Array>): Promise<PeerError> {
  const text = Buffer.from(await collected(body, KiB(64))).toString('utf8');
  const said = Refusal.safeParse(jsonIn(text));
  const message = `status ${status}: ${said.success ? said.data.message.slice(0, MOST_SAID) : 'not the answer of a hospital node'}`;
  return new PeerError(status === 429 || status >= 500 || !said.success ? 'VG_PEER_UNREACHABLE' : 'VG_PEER_REFUSED', message);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function collected(body: AsyncIterable<Uint8Array>, most: Bytes): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > most) throw new PeerError('VG_PEER_MALFORMED', `an answer is longer than ${formatBytes(most)}`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The items of a CBOR sequence, none longer than a block may be. */
async function* itemsOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* readBlocks(source);
  } catch (cause) {
    if (cause instanceof BlockRejected) throw new PeerError('VG_PEER_MALFORMED', cause.message, { cause });
    throw cause;
  }
}

const pathOf = ({ chain, lane }: LaneId): string => `/v1/chains/${toHex(chain)}/${lane}`;
