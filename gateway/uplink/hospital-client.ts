/** Speaks to one hospital node over HTTP (see ../upstream/README.md) and turns whatever comes back into an outcome. */

import { z } from 'zod';
import { messageOf, PeerError } from '../errors.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import { CborError } from '../ledger/cbor.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { verifyPayloadKey } from '../ledger/release.ts';
import { type Bytes, formatBytes, formatDuration, KiB, type Millis, Seconds } from '../quantity.ts';

export type HospitalClientOptions = Readonly<{
  /** Base address of the node, for example `https://hospital.example:8480`. */
  url: string;
  /** How long one request may take from first byte to last; TCP alone notices a dead link after minutes. Default 10 s. */
  deadline?: Millis;
  /** Most bytes read of one answer. Default 64 KiB. */
  maxAnswer?: Bytes;
  /** How requests leave. Default: the global fetch, which keeps connections alive and opens one for each lane. */
  fetch?: typeof fetch;
}>;

/** The hospital understood and refused; asking again changes nothing before a person acts. */
export type Refused = Readonly<{ outcome: 'refused'; reason: string; message: string }>;
/** Nobody knows whether the hospital has the block: no answer, or one that is not a hospital node's. */
export type Unreachable = Readonly<{ outcome: 'unreachable'; message: string }>;

/** The hospital's last block of a lane. `receipt` is unverified, and absent where the hospital does not countersign. */
export type HeadAnswer =
  | Readonly<{ outcome: 'head'; height: number; hash: Uint8Array; receipt: Uint8Array | undefined }>
  | Readonly<{ outcome: 'unknown_chain' }>
  | Refused
  | Unreachable;

/** What became of an offered block. `receipt` is unverified. `behind`: blocks before it are missing at the hospital. */
export type PutAnswer =
  | Readonly<{ outcome: 'accepted'; receipt: Uint8Array }>
  | Readonly<{ outcome: 'behind' | 'forked'; message: string }>
  | Refused
  | Unreachable;

const Head = z.object({
  height: z.int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  receipt: z.base64().nullable(),
});

const Key = z.object({ payloadKey: z.base64().optional() });
const OldNumber = z.object({ error: z.string(), last: z.int().nonnegative().optional() });
const ErrorBody = z.object({ error: z.string(), message: z.string(), reason: z.string().optional() });

/** What became of a release. `old_number`: it has to come after `last`. */
export type ReleaseAnswer = Readonly<{ outcome: 'taken' }> | Readonly<{ outcome: 'old_number'; last: number }> | Refused | Unreachable;

type Reply = Readonly<{ status: number; type: string; body: Uint8Array }>;

const CBOR = 'application/cbor';
/** Longest text of a stranger that gets into our logs. */
const MESSAGE_LENGTH = 300;

export class HospitalClient {
  readonly #base: string;
  readonly #deadline: Millis;
  readonly #maxAnswer: Bytes;
  readonly #fetch: typeof fetch;

  constructor(options: HospitalClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#deadline = options.deadline ?? Seconds(10);
    this.#maxAnswer = options.maxAnswer ?? KiB(64);
    this.#fetch = options.fetch ?? fetch;
  }

  /** Where the hospital stands. Never rejects; aborting the signal makes it `unreachable`. */
  async head(id: LaneId, signal: AbortSignal): Promise<HeadAnswer> {
    return await unreachableWhenThrown(async () => {
      const reply = await this.#request(`${pathOf(id)}/head`, {}, signal);
      if (reply.status === 200) return readHead(reply);
      const answer = readRefusal(reply);
      return answer.outcome === 'refused' && answer.reason === 'unknown_chain' ? { outcome: 'unknown_chain' } : answer;
    });
  }

  /** Offers a block; offering it again is safe. Never rejects; aborting the signal makes it `unreachable`. */
  async put(id: LaneId, height: number, block: Uint8Array, signal: AbortSignal): Promise<PutAnswer> {
    return await unreachableWhenThrown(async () => {
      const init = { method: 'PUT', headers: { 'content-type': CBOR }, body: block as Uint8Array<ArrayBuffer> };
      const reply = await this.#request(`${pathOf(id)}/blocks/${height}`, init, signal);
      if (reply.status === 200 || reply.status === 201) return { outcome: 'accepted', receipt: readReceipt(reply) };
      return readPutRefusal(readRefusal(reply));
    });
  }

  /**
   * The key that content keys are sealed for, 32 bytes, as the hospital has signed it with `key`. Never rejects; aborting the signal makes
   * it `unreachable`.
   */
  async payloadKey(key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | Refused | Unreachable> {
    return await unreachableWhenThrown(async () => {
      const reply = await this.#request('/v1/key', {}, signal);
      if (reply.status !== 200) return readRefusal(reply);
      const { payloadKey } = readJson(reply, Key);
      if (payloadKey === undefined) return { outcome: 'refused', reason: 'no_payload_key', message: 'this node takes no payloads' };
      return readPayloadKey(Buffer.from(payloadKey, 'base64'), key) ?? { outcome: 'refused', reason: 'bad_signature', message: 'its key for payloads is not signed by the key it is known by' };
    });
  }

  /** Gives payloads and keys (ledger/release.ts). Never rejects; aborting the signal makes it `unreachable`. */
  async release(chain: Uint8Array, release: Uint8Array, signal: AbortSignal): Promise<ReleaseAnswer> {
    return await unreachableWhenThrown(async () => {
      const init = { method: 'POST', headers: { 'content-type': CBOR }, body: release as Uint8Array<ArrayBuffer> };
      const reply = await this.#request(`/v1/chains/${toHex(chain)}/releases`, init, signal);
      if (reply.status === 200) return { outcome: 'taken' };
      if (reply.status === 409) {
        const { error, last } = readJson(reply, OldNumber);
        if (error === 'old_number' && last !== undefined) return { outcome: 'old_number', last };
      }
      return readRefusal(reply);
    });
  }

  async #request(path: string, init: RequestInit, signal: AbortSignal): Promise<Reply> {
    const deadline = AbortSignal.timeout(this.#deadline);
    try {
      const response = await this.#fetch(this.#base + path, { ...init, redirect: 'error', signal: AbortSignal.any([signal, deadline]) });
      const type = (response.headers.get('content-type') ?? '').split(';', 1)[0] as string;
      return { status: response.status, type: type.trim().toLowerCase(), body: await readCapped(response, this.#maxAnswer) };
    } catch (cause) {
      if (cause instanceof PeerError) throw cause;
      const why = deadline.aborted ? `no answer within ${formatDuration(this.#deadline)}` : describeFailure(cause);
      throw new PeerError('VG_PEER_UNREACHABLE', `${this.#base}: ${why}`, { cause });
    }
  }
}

function pathOf({ chain, lane }: LaneId): string {
  return `/v1/chains/${toHex(chain)}/${lane}`;
}

async function unreachableWhenThrown<T>(ask: () => Promise<T>): Promise<T | Unreachable> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof PeerError) return { outcome: 'unreachable', message: thrown.message };
    throw thrown;
  }
}

/** Reads no more than the limit, whatever Content-Length says. */
async function readCapped(response: Response, limit: Bytes): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > limit) throw new PeerError('VG_PEER_MALFORMED', `${response.url}: the answer is longer than ${formatBytes(limit)}`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** fetch says "fetch failed" and hides the reason one level down. */
function describeFailure(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause === undefined ? messageOf(thrown) : messageOf(cause) || messageOf(thrown);
}

function notAHospital({ status, type }: Reply, expected: string): PeerError {
  const found = `status ${status} with ${type === '' ? 'no content type' : type}`;
  return new PeerError('VG_PEER_MALFORMED', `${found}: not the answer of a hospital node, expected ${expected}`);
}

/** A login page of a network between us and the hospital also answers 200. */
function readReceipt(reply: Reply): Uint8Array {
  if (reply.type !== CBOR) throw notAHospital(reply, CBOR);
  return reply.body;
}

/** Undefined when it is not signed by that key. */
function readPayloadKey(bytes: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  try {
    return verifyPayloadKey(bytes, key, verifyWithNodeCrypto);
  } catch (thrown) {
    if (thrown instanceof CborError) return undefined;
    throw thrown;
  }
}

function readJson<T>(reply: Reply, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(reply.body).toString('utf8')));
  } catch {
    throw notAHospital(reply, 'JSON of the agreed shape');
  }
}

function readHead(reply: Reply): HeadAnswer {
  const { height, hash, receipt } = readJson(reply, Head);
  return {
    outcome: 'head',
    height,
    hash: Uint8Array.from(Buffer.from(hash, 'hex')),
    receipt: receipt === null ? undefined : Uint8Array.from(Buffer.from(receipt, 'base64')),
  };
}

/** 429 and 5xx pass by themselves; every other error in the agreed shape is a verdict. */
function readRefusal(reply: Reply): Refused | Unreachable {
  if (reply.status < 400) throw notAHospital(reply, 'status 200, or an error');
  const { error, reason = error, message } = readJson(reply, ErrorBody);
  const told = message.slice(0, MESSAGE_LENGTH);
  if (reply.status === 429 || reply.status >= 500) return { outcome: 'unreachable', message: `status ${reply.status}: ${told}` };
  return { outcome: 'refused', reason: reason.slice(0, MESSAGE_LENGTH), message: told };
}

function readPutRefusal(answer: Refused | Unreachable): PutAnswer {
  if (answer.outcome === 'unreachable') return answer;
  if (answer.reason === 'fork') return { outcome: 'forked', message: answer.message };
  if (answer.reason === 'gap' || answer.reason === 'unknown_chain') return { outcome: 'behind', message: answer.message };
  return answer;
}
