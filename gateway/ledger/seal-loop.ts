import { Doorbell } from '../doorbell.ts';
import { StoreError } from '../errors.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { Lane } from '../reading.ts';
import type { BlockStore, PendingEntries, PendingEntry } from './block-store.ts';
import { decodeEntry } from './entry.ts';
import { verifyWithNodeCrypto, type SigningKey } from './es256k.ts';
import { dueIn, nextBlockLength, type SealPolicy } from './seal-policy.ts';
import { sealBlock } from './sealer.ts';
import type { ChainState } from './state.ts';
import { carriesChange, changeIn, inForce } from './succession.ts';
import { verifyBlock, type VerifiedBlock } from './verify.ts';

export type SealLoopOptions = Readonly<{
  lane: Lane;
  chain: Uint8Array;
  blocks: Pick<BlockStore, 'head' | 'append'>;
  pending: Pick<PendingEntries, 'pending'>;
  /**
   * The secret of a gateway key that may seal now. Which key a block needs stands in the lane and in the change it carries, so both lanes
   * switch at their own boundary, whatever happens in between. Undefined: no block is sealed until there is one.
   */
  keyFor: (publicKey: Uint8Array) => SigningKey | undefined;
  /** The last entry that may be sealed, while a replacement is waited for; undefined: all. */
  until: () => number | undefined;
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
    const waiting = this.#sealable(await pending.pending(lane, state.lastEntrySequence, policy.entries));
    if (waiting.length === 0) this.#waitingSince = undefined;
    else this.#waitingSince ??= uptime();
    const bytes = waiting.reduce((sum, entry) => sum + entry.bytes.length, 0);
    const oldestAge = Millis(uptime() - (this.#waitingSince ?? uptime()));
    const due = endsInChange(waiting) ? 0 : dueIn({ entries: waiting.length, bytes: bytes as SealPolicy['bytes'], oldestAge }, lane, policy);
    if (due !== 0) await this.#doorbell.wait(due);
    else if (!(await this.#seal(state, waiting))) await this.#doorbell.wait();
  }

  /** A change is the last entry of its block. */
  #sealable(waiting: readonly PendingEntry[]): readonly PendingEntry[] {
    const last = this.#options.until() ?? Infinity;
    const allowed = waiting.filter(({ sequence }) => sequence <= last);
    const change = allowed.findIndex(({ bytes }) => carriesChange(bytes));
    return change < 0 ? allowed : allowed.slice(0, change + 1);
  }

  /** Whether there was a key to seal with. */
  async #seal(state: ChainState, waiting: readonly PendingEntry[]): Promise<boolean> {
    const { blocks, keyFor, policy, now, contracts, onSealed } = this.#options;
    const entries = waiting.slice(0, nextBlockLength(waiting.map((entry) => entry.bytes.length), policy)).map((entry) => entry.bytes);
    const key = keyFor(signerOf(state, entries));
    if (key === undefined) return false;
    const { bytes } = await sealBlock({ state, entries, time: now(), key, contracts: contracts(), mining: { signal: this.#stopping.signal } });
    // A block that would not verify must not get into the chain: memory without error correction does flip bits.
    const verified = verifyBlock(state, bytes, { check: verifyWithNodeCrypto });
    const { outcome } = await blocks.append({ bytes, verified });
    if (outcome !== 'committed') throw new StoreError('VG_STORE_CORRUPT', `block ${verified.header.height} of lane ${state.lane}: ${outcome}`);
    this.#waitingSince = undefined;
    onSealed(verified);
    return true;
  }
}

const endsInChange = (waiting: readonly PendingEntry[]): boolean => waiting.some(({ bytes }) => carriesChange(bytes));

/** The gateway key whose signature the next block needs. */
function signerOf(state: ChainState, entries: readonly Uint8Array[]): Uint8Array {
  const last = entries.at(-1);
  if (last === undefined || !carriesChange(last)) return state.authority.gateway;
  return inForce(state.authority, changeIn(decodeEntry(last)).change, state.height + 1).signer;
}
