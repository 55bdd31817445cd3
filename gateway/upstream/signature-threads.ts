/**
 * Signatures are most of the work of judging a block, and no signature needs another: those of a run are verified on all cores before the run is judged.
 * Not by libuv's own threads: whoever decompresses or writes to disk would wait behind hundreds of them.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type SignatureCheck, verifyWithNodeCrypto } from '../ledger/es256k.ts';

export type Signed = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;
/** `packed`: see {@link unpackSigned}; the memory changes hands. */
export type SignatureJob = Readonly<{ number: number; packed: Uint8Array }>;
export type SignatureAnswer = Readonly<{ number: number; good: readonly boolean[] }>;

const HEAD = PUBLIC_KEY_BYTES + SIGNATURE_BYTES + 4;
/** Signatures that a thread is given together. */
const TOGETHER = 32;
/** So few are verified at once where they are asked for: 4 ms. */
const FEW = 16;

type Waiting = Readonly<{ packed: Uint8Array<ArrayBuffer>; resolve: (good: readonly boolean[]) => void; reject: (error: Error) => void }>;
type Thread = { readonly worker: Worker; job: Readonly<{ number: number; waiting: Waiting }> | undefined };

export class SignatureThreads {
  readonly #count: number;
  readonly #threads: Thread[] = [];
  readonly #waiting: Waiting[] = [];
  #number = 0;
  #failure: Error | undefined;

  /** The threads start when there is work for them, and then stay. `threads`: how many. Default: one for each core. */
  constructor({ threads = availableParallelism() }: Readonly<{ threads?: number }> = {}) {
    this.#count = threads;
  }

  /**
   * Verifies these signatures, then answers for them at once; for any other it does what {@link verifyWithNodeCrypto} does. Rejects with
   * {@link InternalError} after {@link close}.
   */
  async ahead(signed: readonly Signed[]): Promise<SignatureCheck> {
    const good = await this.#verify(signed);
    const known = new Map(signed.map((each, index) => [toHex(each.signature), { ...each, good: good[index] === true }]));
    return (message, signature, key) => {
      const found = known.get(toHex(signature));
      const isSame = found !== undefined && equalBytes(found.key, key) && equalBytes(found.message, message);
      return isSame ? found.good : verifyWithNodeCrypto(message, signature, key);
    };
  }

  /** Ends the threads; what waits for them rejects. */
  async close(): Promise<void> {
    this.#fail(new InternalError('nothing is verified any more'));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  async #verify(signed: readonly Signed[]): Promise<readonly boolean[]> {
    if (signed.length <= FEW) return signed.map(({ message, signature, key }) => verifyWithNodeCrypto(message, signature, key));
    const parts: Promise<readonly boolean[]>[] = [];
    for (let at = 0; at < signed.length; at += TOGETHER) parts.push(this.#ask(signed.slice(at, at + TOGETHER)));
    return (await Promise.all(parts)).flat();
  }

  #ask(signed: readonly Signed[]): Promise<readonly boolean[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    while (this.#threads.length < this.#count) this.#threads.push(this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ packed: packSigned(signed), resolve, reject });
      for (const thread of this.#threads) this.#fill(thread);
    });
  }

  #start(): Thread {
    const worker = new Worker(new URL('./signature-worker.ts', import.meta.url), { name: `signatures ${this.#threads.length + 1}` });
    const thread: Thread = { worker, job: undefined };
    worker.on('message', ({ number, good }: SignatureAnswer) => {
      const { job } = thread;
      thread.job = undefined;
      this.#fill(thread);
      if (job?.number === number) job.waiting.resolve(good);
    });
    worker.on('error', (cause) => this.#fail(new InternalError('a thread that verifies signatures failed', { cause })));
    worker.on('exit', () => this.#fail(new InternalError('a thread that verifies signatures ended')));
    return thread;
  }

  #fill(thread: Thread): void {
    if (thread.job !== undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    const number = ++this.#number;
    thread.job = { number, waiting };
    const job: SignatureJob = { number, packed: waiting.packed };
    thread.worker.postMessage(job, [waiting.packed.buffer]);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    for (const thread of this.#threads) {
      thread.job?.waiting.reject(this.#failure);
      thread.job = undefined;
    }
  }
}

/** One after the other: key(33) signature(64) length of the message(4, big endian) message. */
function packSigned(signed: readonly Signed[]): Uint8Array<ArrayBuffer> {
  const packed = Buffer.from(new ArrayBuffer(signed.reduce((sum, { message }) => sum + HEAD + message.length, 0)));
  let at = 0;
  for (const { message, signature, key } of signed) {
    packed.set(key, at);
    packed.set(signature, at + PUBLIC_KEY_BYTES);
    packed.writeUInt32BE(message.length, at + HEAD - 4);
    packed.set(message, at + HEAD);
    at += HEAD + message.length;
  }
  return packed;
}

export function unpackSigned(packed: Uint8Array): Signed[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const signed: Signed[] = [];
  for (let at = 0; at < packed.length; ) {
    const end = at + HEAD + view.getUint32(at + HEAD - 4);
    signed.push({ key: packed.subarray(at, at + PUBLIC_KEY_BYTES), signature: packed.subarray(at + PUBLIC_KEY_BYTES, at + HEAD - 4), message: packed.subarray(at + HEAD, end) });
    at = end;
  }
  return signed;
}
