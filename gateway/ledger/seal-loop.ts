import { Doorbell } from '../doorbell.ts';
import { StoreError } from '../errors.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { Lane } from '../reading.ts';
import type { BlockStore, PendingEntries, PendingEntry } from './block-store.ts';
import { verifyWithNodeCrypto, type SigningKey } from './es256k.ts';
import { dueIn, nextBlockLength, type SealPolicy } from './seal-policy.ts';
import { sealBlock } from './sealer.ts';
import type { ChainState } from './state.ts';
import { verifyBlock, type VerifiedBlock } from './verify.ts';

export type SealLoopOptions = Readonly<{
  lane: Lane;
  chain: Uint8Array;
  blocks: Pick<BlockStore, 'head' | 'append'>;
  pending: Pick<PendingEntries, 'pending'>;
  key: SigningKey;
  policy: SealPolicy;
  now: () => UnixMillis;
  uptime: () => Millis;
  /** Hashes of the rule packs in force. */
  contracts: () => readonly Uint8Array[];
  /** Called when a block is durable. */
  onSealed: (block: VerifiedBlock) => void;
  onFault: (fault: StoreError) => void;
}>;

const RETRY_AFTER = Seconds(1);

/**
 * Seals one lane: takes the entries that wait, as many as fit, and puts them into the next block when the policy says
 * so. The other lane has a loop of its own, so neither waits for the other.
 *
 * A block MUST be durable before anyone hears of it: were it lost after a hospital saw it, the next block of that height
 * would be a fork.
 */
export class SealLoop {
  readonly #options: SealLoopOptions;
  #waitingSince: Millis | undefined;
  readonly #doorbell = new Doorbell();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: SealLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** New entries may wait. */
  wake(): void {
    this.#doorbell.ring();
  }

  /** Finishes the block at hand and stops; entries without a block wait for the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#doorbell.ring();
    await this.#running;
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      try {
        await this.#sealWhatIsDue();
      } catch (fault) {
        // A search for proof of work ends with the loop.
        if (this.#stopped()) return;
        if (!(fault instanceof StoreError)) throw fault;
        this.#options.onFault(fault);
        await this.#doorbell.wait(RETRY_AFTER);
      }
    }
  }

  async #sealWhatIsDue(): Promise<void> {
    const { blocks, pending, lane, chain, policy, uptime } = this.#options;
    const state = await blocks.head({ chain, lane });
    if (state === undefined) throw new StoreError('VG_STORE_CORRUPT', `lane ${lane} has no genesis block`);
    const waiting = await pending.pending(lane, state.lastEntrySequence, policy.entries);
    if (waiting.length === 0) this.#waitingSince = undefined;
    else this.#waitingSince ??= uptime();
    const bytes = waiting.reduce((sum, entry) => sum + entry.bytes.length, 0);
    const oldestAge = Millis(uptime() - (this.#waitingSince ?? uptime()));
    const due = dueIn({ entries: waiting.length, bytes: bytes as SealPolicy['bytes'], oldestAge }, lane, policy);
    if (due === 0) await this.#seal(state, waiting);
    else await this.#doorbell.wait(due);
  }

  async #seal(state: ChainState, waiting: readonly PendingEntry[]): Promise<void> {
    const { blocks, key, policy, now, contracts, onSealed } = this.#options;
    const entries = waiting.slice(0, nextBlockLength(waiting.map((entry) => entry.bytes.length), policy)).map((entry) => entry.bytes);
    const { bytes } = await sealBlock({ state, entries, time: now(), key, contracts: contracts(), mining: { signal: this.#stopping.signal } });
    // A block that would not verify must not get into the chain: memory without error correction does flip bits.
    const verified = verifyBlock(state, bytes, { check: verifyWithNodeCrypto });
    const { outcome } = await blocks.append({ bytes, verified });
    if (outcome !== 'committed') throw new StoreError('VG_STORE_CORRUPT', `block ${verified.header.height} of lane ${state.lane}: ${outcome}`);
    this.#waitingSince = undefined;
    onSealed(verified);
  }
}
