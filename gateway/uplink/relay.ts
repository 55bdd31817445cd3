/**
 * Carries one lane to one hospital, block after block, for as long as the gateway runs. It waits for no other lane and
 * no other hospital. The block store is the outbox: nothing is queued here, so nothing here can be lost.
 */

import { messageOf } from '../errors.ts';
import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { openBlock, type OpenBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { fingerprintBytes, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { ReceiptRejected, verifyReceipt } from '../ledger/receipt.ts';
import { Bytes, type Millis } from '../quantity.ts';
import type { Lane } from '../reading.ts';
import { BatchSize, MOST_BLOCKS } from './batch-size.ts';
import type { RelayCursor, RelayCursors } from './cursors.ts';
import type { HeadAnswer, HospitalClient, PutAnswer, Refused, Unreachable } from './hospital-client.ts';
import type { RelayTime, RetrySchedule } from './retry.ts';

/** A node that countersigns. `name` is for people, `key` its compressed public key, 33 bytes; `joining`: see uplink.ts. */
export type RelayHospital = Readonly<{ name: string; key: Uint8Array; joining?: boolean }>;

/**
 * `relaying`: asking for the head or sending; `waiting`: everything sealed is countersigned; `retrying`: the hospital did
 * not answer, or not as a hospital; `refused`: it will not take the block, tried again slowly because a person may mend
 * it; `forked`: it holds another history, and this relay has stopped for good.
 */
export type RelayState = 'relaying' | 'waiting' | 'retrying' | 'refused' | 'forked';

/** What this room tells about itself: fields first, as pino takes them. */
export interface UplinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type ReceiptEvent = Readonly<{ hospital: string; lane: Lane; height: number }>;
export type StateEvent = Readonly<{ hospital: string; lane: Lane; state: RelayState; detail: string }>;

export type RelayOptions = Readonly<{
  id: LaneId;
  hospital: RelayHospital;
  client: HospitalClient;
  /** The gateway's own chain. */
  blocks: BlockStore;
  cursors: RelayCursors;
  retry: RetrySchedule;
  time: RelayTime;
  log: UplinkLog;
  /** Awaited before blocks are offered: something more urgent may be on its way. Default: nothing is. */
  turn?: () => Promise<void>;
  /** Resolves when what kept the hospital out of reach may be gone, which ends the pause; or when the signal is aborted. Default: never. */
  mended?: (signal: AbortSignal) => Promise<void>;
  /** Called when the hospital has countersigned up to `height` and the cursor is there. MUST NOT throw. Default: nobody is told. */
  onReceipt?: (event: ReceiptEvent) => void;
  /** Called when the state changes. MUST NOT throw. Default: nobody is told. */
  onState?: (event: StateEvent) => void;
}>;

export type RelayStatus = Readonly<{
  hospital: string;
  lane: Lane;
  state: RelayState;
  /** Up to where the hospital has countersigned; undefined before its first receipt. */
  height: number | undefined;
  /** Blocks sealed here that the hospital does not have, as far as is known. */
  lag: number;
  /** What is in the way, until a block gets through or there is none to send. */
  lastError: string | undefined;
  /** Until the next try, while there is a pause; undefined otherwise. */
  nextTryIn: Millis | undefined;
}>;

/** Why the relay cannot go on, and what it does about it. */
type Trouble = Readonly<{ state: 'retrying' | 'refused' | 'forked'; detail: string; /** What the hospital asks for before the next try. */ retryAfter?: Millis }>;

export class Relay {
  readonly #options: RelayOptions;
  readonly #fingerprint: Uint8Array;
  readonly #stopping = new AbortController();
  #sealed = Promise.withResolvers<void>();
  #cursor: RelayCursor | undefined;
  /** The first block that the hospital is not known to have. Behind the cursor when the hospital has lost blocks. */
  #next: number;
  readonly #batch = new BatchSize();
  #state: RelayState = 'relaying';
  #settled = Promise.withResolvers<void>();
  #trouble: Trouble | undefined;
  #nextTryAt: Millis | undefined;
  #running: Promise<void> | undefined;

  /**
   * Reads how far the hospital has countersigned; nothing is sent before {@link start}. A saved cursor counts only if its
   * receipt still verifies for our own block of that height. Throws {@link StoreError}.
   */
  static async open(options: RelayOptions): Promise<Relay> {
    return new Relay(options, await loadCursor(options));
  }

  private constructor(options: RelayOptions, cursor: RelayCursor | undefined) {
    this.#options = options;
    this.#fingerprint = fingerprintBytes(options.hospital.key);
    this.#cursor = cursor;
    this.#next = (cursor?.height ?? -1) + 1;
  }

  get hospital(): RelayHospital {
    return this.#options.hospital;
  }

  /** Up to where the hospital has countersigned; undefined before its first receipt. */
  get height(): number | undefined {
    return this.#cursor?.height;
  }

  /** Resolves when it is not relaying: at once while there is nothing to send, or something is in the way. */
  async settled(): Promise<void> {
    if (this.#state === 'relaying' && !this.#stopping.signal.aborted) await this.#settled.promise;
  }

  /** Relays in the background until {@link stop}. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** A block was sealed. May be called at any time and too often. */
  wake(): void {
    this.#sealed.resolve();
    this.#sealed = Promise.withResolvers<void>();
  }

  /** Aborts the request under way and resolves when nothing of this relay runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#settled.resolve();
    this.wake();
    await this.#running;
  }

  async status(): Promise<RelayStatus> {
    const { id, hospital, blocks, time } = this.#options;
    const sealed = (await blocks.head(id))?.height ?? -1;
    return {
      hospital: hospital.name,
      lane: id.lane,
      state: this.#state,
      height: this.height,
      lag: Math.max(0, sealed + 1 - this.#next),
      lastError: this.#trouble?.detail,
      nextTryIn: this.#nextTryAt === undefined ? undefined : (Math.max(0, this.#nextTryAt - time.now()) as Millis),
    };
  }

  /** Whatever goes wrong, the next thing asked is where the hospital stands: no memory of ours outlives a doubt. */
  async #run(): Promise<void> {
    let inDoubt = true;
    while (!this.#stopping.signal.aborted && this.#state !== 'forked') {
      const trouble = await this.#step(inDoubt);
      if (this.#stopping.signal.aborted) return;
      // That it tells where it stands mends nothing: what was wrong shows until a block gets through.
      if (trouble !== undefined || !inDoubt) this.#trouble = trouble;
      inDoubt = trouble !== undefined;
      if (trouble === undefined) this.#options.retry.worked();
      else await this.#pause(trouble);
    }
  }

  async #step(inDoubt: boolean): Promise<Trouble | undefined> {
    try {
      return inDoubt ? await this.#findHead() : await this.#relayNext();
    } catch (thrown) {
      this.#options.log.error({ ...this.#place(), error: messageOf(thrown) }, 'relaying fails on the side of the gateway');
      return { state: 'retrying', detail: messageOf(thrown) };
    }
  }

  async #findHead(): Promise<Trouble | undefined> {
    const { client, id } = this.#options;
    const answer = await client.head(id, this.#stopping.signal);
    switch (answer.outcome) {
      case 'unreachable': case 'refused': return troubleOf(answer);
      case 'unknown_chain': return this.#resumeAfter(-1);
      case 'head': return await this.#compareHead(answer);
    }
  }

  async #compareHead(head: HeadAnswer & { outcome: 'head' }): Promise<Trouble | undefined> {
    const { blocks, id } = this.#options;
    const [bytes, pruned] = [await blocks.block(id, head.height), await blocks.pruned(id)];
    if (pruned !== undefined && head.height < pruned.height) return prunedBefore(head.height + 1, pruned.height);
    if (pruned?.height === head.height && equalBytes(pruned.hash, head.hash)) return this.#resumeAfter(head.height);
    if (bytes === undefined) {
      return forked(`it holds block ${head.height}, which this gateway does not have: was an old copy of the gateway's store put back?`);
    }
    const block = openBlock(bytes);
    if (!equalBytes(block.hash, head.hash)) return forked(`its block ${head.height} is ${toHex(head.hash)}, ours is ${toHex(block.hash)}`);
    if (head.height <= (this.height ?? -1)) return this.#resumeAfter(head.height);
    // Without a receipt there is nothing to adopt: offering the blocks again brings one.
    if (head.receipt === undefined) return this.#resumeAfter(this.height ?? -1);
    return await this.#take(head.receipt, block);
  }

  #resumeAfter(height: number): undefined {
    const { log } = this.#options;
    if (height < (this.height ?? -1)) {
      log.warn(
        { ...this.#place(), countersigned: this.height, holds: height },
        'the hospital has lost blocks it had countersigned; sending them again',
      );
    }
    this.#next = height + 1;
  }

  async #relayNext(): Promise<Trouble | undefined> {
    const { client, id, time, turn } = this.#options;
    // Taken before looking, so that a block sealed while we look is not slept through.
    const sealed = this.#sealed.promise;
    const pruned = (await this.#options.blocks.pruned(id))?.height ?? -1;
    if (this.#next <= pruned) return prunedBefore(this.#next, pruned);
    const blocks = await this.#nextBlocks();
    const [first] = blocks;
    if (first === undefined) {
      this.#trouble = undefined;
      this.#enter('waiting', `everything up to block ${this.#next - 1} is countersigned`);
      await sealed;
      return undefined;
    }
    await turn?.();
    this.#enter('relaying', `sending block ${this.#next}`);
    const began = time.now();
    if (blocks.length === 1) return await this.#handle(await client.put(id, this.#next, first, this.#stopping.signal), openBlock(first));
    const answer = await client.putAll(id, blocks, this.#stopping.signal);
    if (answer.outcome === 'unreachable') this.#batch.failed();
    if (answer.outcome !== 'accepted') return await this.#handle(answer, openBlock(first));
    this.#batch.worked(Bytes(sizeOf(blocks)), (time.now() - began) as Millis);
    const trouble = await this.#take(answer.receipt, openBlock(blocks[answer.taken - 1] as Uint8Array));
    return trouble ?? (answer.stopped === undefined ? undefined : await this.#handle(answer.stopped, openBlock(first)));
  }

  /** Those the hospital is not known to have, as many as travel well together. */
  async #nextBlocks(): Promise<readonly Uint8Array[]> {
    const { blocks, id } = this.#options;
    const found: Uint8Array[] = [];
    for (let size = 0; found.length < MOST_BLOCKS; ) {
      const bytes = await blocks.block(id, this.#next + found.length);
      size += bytes?.length ?? 0;
      if (bytes === undefined || (found.length > 0 && size > this.#batch.bytes)) break;
      found.push(bytes);
    }
    return found;
  }

  async #handle(answer: PutAnswer, block: OpenBlock): Promise<Trouble | undefined> {
    switch (answer.outcome) {
      case 'accepted': return await this.#take(answer.receipt, block);
      case 'behind': return { state: 'retrying', detail: answer.message };
      case 'forked': return forked(answer.message);
      case 'unreachable': case 'refused': return troubleOf(answer);
    }
  }

  /** A receipt counts when this hospital's key signed it for exactly this block of ours; then it is kept, then the cursor moves. */
  async #take(receipt: Uint8Array, block: OpenBlock): Promise<Trouble | undefined> {
    const { blocks, cursors, id, hospital } = this.#options;
    const { header: { height }, hash } = block;
    const fault = faultIn(receipt, hospital, block);
    if (fault) return { state: 'refused', detail: `its receipt for block ${height} does not count: ${fault.reason}: ${fault.message}` };
    await blocks.putReceipt(id, height, this.#fingerprint, receipt);
    this.#next = height + 1;
    if (height <= (this.height ?? -1)) return undefined;
    await cursors.save(this.#fingerprint, id.lane, { height, hash, receipt });
    this.#cursor = { height, hash, receipt };
    this.#options.onReceipt?.({ hospital: hospital.name, lane: id.lane, height });
    return undefined;
  }

  async #pause(trouble: Trouble): Promise<void> {
    const { retry, time } = this.#options;
    if (trouble.state === 'forked') return this.#enter('forked', trouble.detail);
    const delay = Math.max(trouble.retryAfter ?? 0, trouble.state === 'refused' ? retry.refused() : retry.failed()) as Millis;
    this.#nextTryAt = (time.now() + delay) as Millis;
    this.#enter(trouble.state, trouble.detail);
    await this.#sleep(delay, trouble);
    this.#nextTryAt = undefined;
  }

  async #sleep(delay: Millis, { state, retryAfter }: Trouble): Promise<void> {
    const { time, mended } = this.#options;
    const awake = new AbortController();
    const slept = time.sleep(delay, AbortSignal.any([this.#stopping.signal, awake.signal]));
    // What a hospital has against us is not mended by another link.
    if (mended !== undefined && state === 'retrying' && retryAfter === undefined) await Promise.race([slept, mended(awake.signal)]);
    else await slept;
    awake.abort();
  }

  #enter(state: RelayState, detail: string): void {
    const { hospital, id, log, onState } = this.#options;
    if (state === this.#state) return;
    this.#state = state;
    this.#settled.resolve();
    this.#settled = Promise.withResolvers<void>();
    const fields = { ...this.#place(), detail };
    if (state === 'forked') log.error(fields, 'FORK: the hospital saw another history of this lane; nothing more is relayed to it');
    if (state === 'refused') log.error(fields, 'the hospital refuses, or its receipt does not count; trying again slowly');
    if (state === 'retrying') log.warn(fields, 'no usable answer of the hospital; trying again');
    onState?.({ hospital: hospital.name, lane: id.lane, state, detail });
  }

  #place(): Readonly<{ hospital: string; lane: Lane; next: number }> {
    return { hospital: this.#options.hospital.name, lane: this.#options.id.lane, next: this.#next };
  }
}

async function loadCursor({ blocks, cursors, id, hospital, log }: RelayOptions): Promise<RelayCursor | undefined> {
  const cursor = await cursors.load(fingerprintBytes(hospital.key), id.lane);
  if (cursor === undefined) return undefined;
  const bytes = await blocks.block(id, cursor.height);
  const block = bytes && openBlock(bytes);
  if (block && equalBytes(block.hash, cursor.hash) && faultIn(cursor.receipt, hospital, block) === undefined) return cursor;
  log.warn(
    { hospital: hospital.name, lane: id.lane, height: cursor.height },
    'the saved cursor is not about a block of this chain; asking the hospital instead',
  );
  return undefined;
}

/** Why the receipt does not count for this block of ours, or undefined. */
function faultIn(receipt: Uint8Array, { key }: RelayHospital, { header, hash }: OpenBlock): ReceiptRejected | undefined {
  const { chain, lane, height, treeSize, treeRoot } = header;
  try {
    verifyReceipt(receipt, { key, chain, lane, height, hash, treeSize, treeRoot }, verifyWithNodeCrypto);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof ReceiptRejected) return thrown;
    throw thrown;
  }
}

function troubleOf(answer: Refused | Unreachable): Trouble {
  if (answer.outcome === 'unreachable') return { state: 'retrying', detail: answer.message, ...(answer.retryAfter !== undefined && { retryAfter: answer.retryAfter }) };
  return { state: 'refused', detail: `${answer.reason}: ${answer.message}` };
}

const sizeOf = (blocks: readonly Uint8Array[]): number => blocks.reduce((sum, { length }) => sum + length, 0);

/** Somebody who joins after blocks were pruned, or has lost them, cannot have them from here. */
function prunedBefore(needed: number, through: number): Trouble {
  return { state: 'refused', detail: `it needs block ${needed}, and blocks up to ${through} were pruned here (storage.keep.blocks): it has to have them from another hospital` };
}

function forked(detail: string): Trouble {
  return { state: 'forked', detail };
}
