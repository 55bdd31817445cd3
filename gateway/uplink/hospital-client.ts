/** Speaks to one hospital node (see ../upstream/README.md) and turns whatever comes back into an outcome. */

import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { z } from 'zod';
import { PeerError } from '../errors.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import { asArray, asBytes } from '../ledger/cbor-fields.ts';
import { CborError, decode } from '../ledger/cbor.ts';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { verifyPayloadKey } from '../ledger/release.ts';
import type { Millis } from '../quantity.ts';
import type { Asked, Channel, Reply } from './channel.ts';

/** Sends one request and resolves with whatever answers. Rejects with {@link PeerError} when nothing does. */
export type Send = (asked: Asked) => Promise<Reply>;

/** How requests get to the hospital: over one connection, or over several. */
export interface Way {
  /**
   * Runs `attempt` over a connection, or over several until one of them gets an answer. An attempt that rejects with {@link PeerError} has
   * met no hospital node there; when none does, the last of them is what it rejects with.
   */
  reach<T>(attempt: (send: Send) => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** The way over one channel. */
export const over = (channel: Channel): Way => ({ reach: (attempt, signal) => attempt((asked) => channel.request(asked, signal)) });

/** The hospital understood and refused; asking again changes nothing before a person acts. */
export type Refused = Readonly<{ outcome: 'refused'; reason: string; message: string }>;
/** Nobody knows whether the hospital has the block: no answer, or one that is not a hospital node's. */
export type Unreachable = Readonly<{ outcome: 'unreachable'; message: string; /** What the hospital asks for before the next try. */ retryAfter?: Millis }>;

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

/** What became of blocks offered together: the first `taken` were, with the receipt for the last of them; the next met `stopped`. */
export type BatchAnswer = Readonly<{ outcome: 'accepted'; taken: number; receipt: Uint8Array; stopped: Exclude<PutAnswer, { outcome: 'accepted' }> | undefined }> | Exclude<PutAnswer, { outcome: 'accepted' }>;

const Head = z.object({
  height: z.int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  receipt: z.base64().nullable(),
});

const Key = z.object({ payloadKey: z.base64().optional(), consents: z.boolean().optional() });
const Taken = z.object({ detailsAsked: z.boolean().optional(), consents: z.boolean().optional(), told: z.boolean().optional(), notes: z.int().nonnegative().optional() });
const OldNumber = z.object({ error: z.string(), last: z.int().nonnegative().optional() });
const Ping = z.object({ from: z.string().nullable(), time: z.int().optional() });
const ErrorBody = z.object({ error: z.string(), message: z.string(), reason: z.string().optional() });

const Batch = z.object({ taken: z.int().positive(), receipt: z.base64(), stopped: ErrorBody.nullable() });

/** What content keys are sealed for, 32 bytes, and whether the hospital asks what patients permit: nodes did not always. */
export type PayloadKey = Readonly<{ outcome: 'key'; hpke: Uint8Array; takesConsents: boolean }>;

/** What became of a release. `old_number`: it has to come after `last`. */
export type ReleaseAnswer = Readonly<{ outcome: 'taken'; /** Whether waveforms are wanted whatever they cost. */ detailsAsked: boolean; /** Whether it asks what patients permit. */ takesConsents: boolean; /** Whether it was ever told any of this chain, as far as it says. */ told: boolean; /** The number of its last note about people of this chain. */ notes: number }> | Readonly<{ outcome: 'old_number'; last: number }> | Refused | Unreachable;

const CBOR = 'application/cbor';
const CBOR_SEQUENCE = 'application/cbor-seq';
const compress = promisify(zstdCompress);
/** A flipped bit passes silently without the checksum. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };
/** Longest text of a stranger that gets into our logs. */
const MESSAGE_LENGTH = 300;

export class HospitalClient {
  readonly #way: Way;

  constructor(way: Way) {
    this.#way = way;
  }

  /** Where the hospital stands. Never rejects; aborting the signal makes it `unreachable`. */
  async head(id: LaneId, signal: AbortSignal): Promise<HeadAnswer> {
    return await this.#reach(signal, async (send) => {
      const reply = await send({ method: 'GET', path: `${pathOf(id)}/head` });
      if (reply.status === 200) return readHead(reply);
      const answer = readRefusal(reply);
      return answer.outcome === 'refused' && answer.reason === 'unknown_chain' ? { outcome: 'unknown_chain' } : answer;
    });
  }

  /** Offers a block; offering it again is safe. Never rejects; aborting the signal makes it `unreachable`. */
  async put(id: LaneId, height: number, block: Uint8Array, signal: AbortSignal): Promise<PutAnswer> {
    return await this.#reach(signal, async (send) => {
      const reply = await send({ method: 'PUT', path: `${pathOf(id)}/blocks/${height}`, type: CBOR, body: block });
      if (reply.status === 200 || reply.status === 201) return { outcome: 'accepted', receipt: readReceipt(reply) };
      return readPutRefusal(readRefusal(reply));
    });
  }

  /** Offers blocks that follow each other, compressed; offering them again is safe. Never rejects; aborting the signal makes it `unreachable`. */
  async putAll(id: LaneId, blocks: readonly Uint8Array[], signal: AbortSignal): Promise<BatchAnswer> {
    const body = await compress(Buffer.concat(blocks), ZSTD);
    return await this.#reach(signal, async (send): Promise<BatchAnswer> => {
      const reply = await send({ method: 'POST', path: `${pathOf(id)}/blocks`, type: CBOR_SEQUENCE, encoding: 'zstd', body });
      if (reply.status !== 200) return readPutRefusal(readRefusal(reply));
      const { taken, receipt, stopped } = readJson(reply, Batch);
      if (taken > blocks.length) throw notAHospital(reply, `at most ${blocks.length} blocks taken`);
      return { outcome: 'accepted', taken, receipt: Uint8Array.from(Buffer.from(receipt, 'base64')), stopped: stopped === null ? undefined : readPutRefusal(refusalIn(stopped)) };
    });
  }

  /** The key that content keys are sealed for, as the hospital has signed it with `key`. Never rejects; aborting the signal makes it `unreachable`. */
  async payloadKey(key: Uint8Array, signal: AbortSignal): Promise<PayloadKey | Refused | Unreachable> {
    return await this.#reach(signal, async (send): Promise<PayloadKey | Refused | Unreachable> => {
      const reply = await send({ method: 'GET', path: '/v1/key' });
      if (reply.status !== 200) return readRefusal(reply);
      const { payloadKey, consents = false } = readJson(reply, Key);
      if (payloadKey === undefined) return { outcome: 'refused', reason: 'no_payload_key', message: 'this node takes no payloads' };
      const hpke = readPayloadKey(Buffer.from(payloadKey, 'base64'), key);
      if (hpke === undefined) return { outcome: 'refused', reason: 'bad_signature', message: 'its key for payloads is not signed by the key it is known by' };
      return { outcome: 'key', hpke, takesConsents: consents };
    });
  }

  /** Gives payloads and keys (ledger/release.ts). Never rejects; aborting the signal makes it `unreachable`. */
  async release(chain: Uint8Array, release: Uint8Array, signal: AbortSignal): Promise<ReleaseAnswer> {
    return await this.#reach(signal, async (send) => {
      const reply = await send({ method: 'POST', path: `/v1/chains/${toHex(chain)}/releases`, type: CBOR, body: release });
      if (reply.status === 200) {
        const { detailsAsked = false, consents = false, told = true, notes = 0 } = readJson(reply, Taken);
        return { outcome: 'taken', detailsAsked, takesConsents: consents, told, notes };
      }
      if (reply.status === 409) {
        const { error, last } = readJson(reply, OldNumber);
        if (error === 'old_number' && last !== undefined) return { outcome: 'old_number', last };
      }
      return readRefusal(reply);
    });
  }

  /** What people there did with the data of ours (consent/hospital-note.ts): unverified. `question`: signed. Never rejects; aborting the signal makes it `unreachable`. */
  async notes(chain: Uint8Array, question: Uint8Array, signal: AbortSignal): Promise<Readonly<{ outcome: 'notes'; notes: readonly Uint8Array[] }> | Refused | Unreachable> {
    return await this.#reach(signal, async (send) => {
      const reply = await send({ method: 'POST', path: `/v1/chains/${toHex(chain)}/notes`, type: CBOR, body: question });
      return reply.status === 200 ? { outcome: 'notes', notes: readNotes(reply) } : readRefusal(reply);
    });
  }

  async #reach<T>(signal: AbortSignal, attempt: (send: Send) => Promise<T>): Promise<T | Unreachable> {
    try {
      return await this.#way.reach(attempt, signal);
    } catch (thrown) {
      if (thrown instanceof PeerError) return { outcome: 'unreachable', message: thrown.message };
      throw thrown;
    }
  }
}

/** What a hospital node says to a probe; `time`: what its clock shows, Unix milliseconds. Throws {@link PeerError} for anything else. */
export function readPing(reply: Reply): Readonly<{ time: number | undefined }> {
  if (reply.status !== 200) throw notAHospital(reply, 'status 200');
  const { time } = readJson(reply, Ping);
  return { time };
}

function pathOf({ chain, lane }: LaneId): string {
  return `/v1/chains/${toHex(chain)}/${lane}`;
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

function readNotes(reply: Reply): readonly Uint8Array[] {
  try {
    if (reply.type === CBOR) return asArray(decode(reply.body), 'notes').map((note) => asBytes(note, 'note'));
  } catch (thrown) {
    if (!(thrown instanceof CborError)) throw thrown;
  }
  throw notAHospital(reply, 'an array of notes');
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
  const said = readJson(reply, ErrorBody);
  if (reply.status !== 429 && reply.status < 500) return refusalIn(said);
  const message = `status ${reply.status}: ${said.message.slice(0, MESSAGE_LENGTH)}`;
  return { outcome: 'unreachable', message, ...(reply.retryAfter !== undefined && { retryAfter: reply.retryAfter }) };
}

function refusalIn({ error, reason = error, message }: z.infer<typeof ErrorBody>): Refused {
  return { outcome: 'refused', reason: reason.slice(0, MESSAGE_LENGTH), message: message.slice(0, MESSAGE_LENGTH) };
}

function readPutRefusal(answer: Refused | Unreachable): Exclude<PutAnswer, { outcome: 'accepted' }> {
  if (answer.outcome === 'unreachable') return answer;
  if (answer.reason === 'fork') return { outcome: 'forked', message: answer.message };
  if (answer.reason === 'gap' || answer.reason === 'unknown_chain') return { outcome: 'behind', message: answer.message };
  return answer;
}
