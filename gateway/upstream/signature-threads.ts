/**
 * Signatures are most of the work of judging a block, and no signature needs another: those of a run are verified on all cores before the run is judged.
 * Not by libuv's own threads: whoever decompresses or writes to disk would wait behind hundreds of them.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type SignatureCheck, verifyWithNodeCrypto } from '../ledger/es256k.ts';

export type Signed = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;
export type SignatureJob = Readonly<{ number: number; signed: readonly Signed[] }>;
export type SignatureAnswer = Readonly<{ number: number; good: readonly boolean[] }>;

/** Signatures that a thread is given together. */
const TOGETHER = 32;
/** So few are verified at once where they are asked for: 4 ms. */
const FEW = 16;

type Waiting = Readonly<{ signed: readonly Signed[]; resolve: (good: readonly boolean[]) => void; reject: (error: Error) => void }>;
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
      this.#waiting.push({ signed: signed.map(copied), resolve, reject });
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
    const job: SignatureJob = { number, signed: waiting.signed };
    thread.worker.postMessage(job);
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

/** A view into a larger buffer would take all of that along. */
const copied = ({ message, signature, key }: Signed): Signed => ({ message: new Uint8Array(message), signature: new Uint8Array(signature), key: new Uint8Array(key) });
