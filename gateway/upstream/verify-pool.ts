/**
 * Threads that judge what gateways offer and sign receipts, so that a block of thousands of entries holds nobody up and every core is used. Whose turn
 * it is: receipts first, for their blocks are durable and somebody waits; then alarms; then records; within each of these one chain after the other,
 * so that a gateway that drains a week waits behind itself.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import { HASH_BYTES, toHex } from '../ledger/bytes.ts';
import type { SigningKey } from '../ledger/es256k.ts';
import type { TreeNode } from '../ledger/merkle.ts';
import type { Receipt } from '../ledger/receipt.ts';
import { FairQueue } from './fair-queue.ts';
import type { GoodBlock, JudgedRun, OfferedRun, Verifier } from './verifier.ts';

/** level(1) index(8) hash(32) */
export const NODE_BYTES = 1 + 8 + HASH_BYTES;

type Work = Readonly<{ run: OfferedRun } | { receipt: Receipt }>;
export type Job = Readonly<{ number: number; work: Work }>;
export type PackedGood = Omit<GoodBlock, 'nodes'> & Readonly<{ /** {@link NODE_BYTES} each. */ nodes: Uint8Array }>;
export type PackedRun = Omit<JudgedRun, 'good'> & Readonly<{ good: readonly PackedGood[] }>;
export type WorkerAnswer = Readonly<{ number: number } & ({ judged: PackedRun } | { receipt: Uint8Array })>;

type Settle = Readonly<{ resolve: (answer: WorkerAnswer) => void; reject: (error: Error) => void }>;
type Queued = Readonly<{ work: Work }> & Settle;
/** Jobs that a thread was given: what comes next is there before it has answered. */
const AHEAD = 2;
const URGENCIES = ['receipt', 'alarm', 'record'] as const;

export type VerifyPoolOptions = Readonly<{
  key: SigningKey;
  /** Default: one for each core. */
  threads?: number;
  /** A thread failed, which no block can make it do: nothing is judged any more. Default: nobody is told. */
  onFailure?: (error: Error) => void;
}>;

type Thread = Readonly<{ worker: Worker; jobs: Map<number, Settle> }>;

export class VerifyPool implements Verifier {
  readonly #threads: Thread[] = [];
  readonly #queue = new FairQueue<Queued>(URGENCIES);
  readonly #onFailure: NonNullable<VerifyPoolOptions['onFailure']>;
  #number = 0;
  #failure: Error | undefined;

  constructor({ key, threads = availableParallelism(), onFailure = () => undefined }: VerifyPoolOptions) {
    this.#onFailure = onFailure;
    for (let i = 0; i < threads; i++) this.#threads.push(this.#start(key.secret, i));
  }

  async verify(run: OfferedRun): Promise<JudgedRun> {
    const { chain, lane } = run;
    const answer = await this.#ask(lane, toHex(chain), { run: { ...run, blocks: run.blocks.map(copy), chain: copy(chain), ...(run.head && { head: copy(run.head) }) } });
    if (!('judged' in answer)) throw new InternalError('a run was asked to be judged, and a receipt came');
    const { good, ...rest } = answer.judged;
    return { ...rest, good: good.map((each) => ({ ...each, nodes: nodesIn(each.nodes) })) };
  }

  async countersign(receipt: Receipt): Promise<Uint8Array> {
    const { chain, hash, treeRoot } = receipt;
    const answer = await this.#ask('receipt', toHex(chain), { receipt: { ...receipt, chain: copy(chain), hash: copy(hash), treeRoot: copy(treeRoot) } });
    if (!('receipt' in answer)) throw new InternalError('a receipt was asked for, and a judgement came');
    return answer.receipt;
  }

  /** Jobs that no thread has begun. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Ends the threads; what they were asked and have not answered rejects. */
  async close(): Promise<void> {
    this.#fail(new InternalError('the node is closing'));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(secret: Uint8Array, index: number): Thread {
    const worker = new Worker(new URL('./verify-worker.ts', import.meta.url), { workerData: { secret: copy(secret) }, name: `verify ${index + 1}` });
    const thread: Thread = { worker, jobs: new Map() };
    worker.on('message', (answer: WorkerAnswer) => {
      const job = thread.jobs.get(answer.number);
      thread.jobs.delete(answer.number);
      this.#fill(thread);
      job?.resolve(answer);
    });
    // judgeRun throws for no bytes of blocks: this is a fault of ours, and what is in memory is not to be believed.
    worker.on('error', (cause) => this.#lose(new InternalError('a verifying thread failed', { cause })));
    worker.on('exit', () => this.#lose(new InternalError('a verifying thread ended')));
    return thread;
  }

  #ask(urgency: (typeof URGENCIES)[number], whose: string, work: Work): Promise<WorkerAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#queue.add(urgency, whose, { work, resolve, reject });
      const idlest = this.#threads.reduce((least, each) => (each.jobs.size < least.jobs.size ? each : least));
      this.#fill(idlest);
    });
  }

  #fill({ worker, jobs }: Thread): void {
    while (jobs.size < AHEAD) {
      const next = this.#queue.take();
      if (next === undefined) return;
      const { work, resolve, reject } = next;
      const number = ++this.#number;
      jobs.set(number, { resolve, reject });
      const job: Job = { number, work };
      worker.postMessage(job);
    }
  }

  #lose(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#fail(error);
    this.#onFailure(error);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) next.reject(error);
    for (const { jobs } of this.#threads) {
      for (const { reject } of jobs.values()) reject(error);
      jobs.clear();
    }
  }
}

/** A view into a larger buffer would take all of that along. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function nodesIn(packed: Uint8Array): TreeNode[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const nodes: TreeNode[] = [];
  for (let at = 0; at < bytes.length; at += NODE_BYTES) nodes.push({ level: bytes.readUInt8(at), index: Number(bytes.readBigUInt64BE(at + 1)), hash: packed.subarray(at + 9, at + NODE_BYTES) });
  return nodes;
}
