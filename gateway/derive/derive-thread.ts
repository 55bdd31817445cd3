import { Worker } from 'node:worker_threads';
import type { WatchState } from '../context/watch.ts';
import { InternalError } from '../errors.ts';
import { packFrames } from '../frame-codec.ts';
import type { FrameRun, Sequence } from '../reading.ts';
import type { VaultKey } from '../vault/keyring.ts';
import type { Resumption } from './derive-store.ts';
import type { BegunChain } from './succession-state.ts';
import type { Derived, Deriver } from './deriver.ts';

/** What the thread is started with. */
export type DeriveWorkerData = Readonly<{ keys: readonly VaultKey[]; resumption: Resumption; begun: BegunChain }>;
/** Frames on their way to the thread: packed (frame-codec.ts), the memory changes hands. */
export type DeriveRequest = Readonly<{ first: Sequence; packed: Uint8Array; /** With the newest readings. */ tells: boolean }>;
/** Asks what is remembered of a patient or a room, by name; the answer has the same number. */
export type WatchRequest = Readonly<{ question: number; watchOf: string }>;
export type WatchAnswer = Readonly<{ question: number; watch: WatchState | undefined }>;

type Waiting = { resolve: (derived: Derived) => void; reject: (error: Error) => void };
type Asking = { resolve: (watch: WatchState | undefined) => void; reject: (error: Error) => void };

/**
 * Derives in a thread of its own, so that acknowledgements never wait for decoding and hashing, and a second core is
 * used. Derivation is a pure function of frames and state, so nothing but bytes goes back and forth.
 */
export class DeriveThread implements Deriver {
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  readonly #asking = new Map<number, Asking>();
  #questions = 0;
  #failure: Error | undefined;
  /** Somebody wants to hear of readings. */
  tells = false;

  constructor(data: DeriveWorkerData) {
    this.#worker = new Worker(new URL('./derive-worker.ts', import.meta.url), { workerData: data, name: 'derive' });
    this.#worker.on('message', (message: Derived | WatchAnswer) => {
      if ('question' in message) this.#answer(message);
      else this.#settle(({ resolve }) => resolve(message));
    });
    this.#worker.on('error', (cause) => this.#fail(new InternalError('derivation failed', { cause })));
    this.#worker.on('exit', () => this.#fail(new InternalError('the derivation thread ended')));
  }

  derive({ first, frames }: FrameRun): Promise<Derived> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const packed = packFrames(frames);
      const request: DeriveRequest = { first, packed, tells: this.tells };
      this.#worker.postMessage(request, [packed.buffer as ArrayBuffer]);
    });
  }

  /** What is remembered of a patient or a room, by name (`patient/anna`), as of the last frame that was derived. */
  watchOf(name: string): Promise<WatchState | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const request: WatchRequest = { question: ++this.#questions, watchOf: name };
      this.#asking.set(request.question, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  #answer({ question, watch }: WatchAnswer): void {
    this.#asking.get(question)?.resolve(watch);
    this.#asking.delete(question);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#settle(({ reject }) => reject(this.#failure as Error));
    for (const { reject } of this.#asking.values()) reject(this.#failure);
    this.#asking.clear();
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}
