/** The audit of a whole chain: every block of both lanes from the genesis on, until the first that breaks a rule. */

import { BlockRejected, type RejectReason } from '../errors.ts';
import type { Lane } from '../reading.ts';
import { openBlock } from './block.ts';
import { equalBytes, toHex } from './bytes.ts';
import type { SignatureCheck } from './es256k.ts';
import type { ChainState } from './state.ts';
import { sequenceIn, type Succession } from './succession.ts';
import { verifyOpenBlock } from './verify.ts';

/** A block known from elsewhere, for example from a receipt: the chain MUST contain it. */
export type KnownBlock = Readonly<{ lane: Lane; height: number; hash: Uint8Array }>;

export type AuditOptions = Readonly<{
  /** Which back end judges signatures. Default `verifyWithNoble`. */
  check?: SignatureCheck;
  /** The expected chain, 16 bytes. Default: the one the first block names. */
  chain?: Uint8Array;
  /**
   * Blocks the chain must contain. Without any, a file from which the newest blocks were removed verifies: it is what the
   * chain was earlier. Default none.
   */
  known?: readonly KnownBlock[];
  /** Lanes of which only what comes after this is there (BlockStore.pruned). Default: from the genesis on. */
  begun?: readonly ChainState[];
}>;

/**
 * `ends_early`: a known block is not there; `other_history`: another block is in its place; `lanes_disagree`: the lanes carry different
 * changes of one number; `one_lane_only`: one lane has gone on past the place of a change that the other carries. A lane that has not
 * come so far is no fault: the change is under way.
 */
export type ChainFault = RejectReason | 'ends_early' | 'other_history' | 'lanes_disagree' | 'one_lane_only';

export type ChainVerdict =
  | Readonly<{ ok: true; states: ReadonlyMap<Lane, ChainState>; blocks: number; entries: number }>
  | Readonly<{
      ok: false;
      /** How many good blocks came before the broken one. */
      position: number;
      /** What the broken block says it is; absent when it cannot be read that far. */
      lane?: Lane;
      height?: number;
      reason: ChainFault;
      message: string;
    }>;

type CarriedChange = Readonly<{ lane: Lane; height: number; succession: Succession }>;

class Audit {
  readonly #options: AuditOptions;
  readonly #states = new Map<Lane, ChainState>();
  readonly #carried: CarriedChange[] = [];
  #missing: readonly KnownBlock[];
  #blocks = 0;
  #entries = 0;
  #place: { lane?: Lane; height?: number } = {};

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#missing = options.known ?? [];
    for (const state of options.begun ?? []) this.#states.set(state.lane, state);
  }

  /** Judges the next block. Returns a verdict when it is the last to be looked at. */
  judge(bytes: Uint8Array): ChainVerdict | undefined {
    this.#place = {};
    const block = openBlock(bytes);
    this.#place = { lane: block.header.lane, height: block.header.height };
    const chain = this.#states.values().next().value?.chain ?? this.#options.chain;
    const options = { ...(this.#options.check && { check: this.#options.check }), ...(chain && { chain }) };
    const { state, entries, succession } = verifyOpenBlock(this.#states.get(block.header.lane), block, options);
    const forked = this.#missing.find((known) => isAt(known, state) && !equalBytes(known.hash, state.hash));
    if (forked) return this.fail('other_history', `block ${toHex(state.hash)}, expected the known block ${toHex(forked.hash)}`);
    this.#missing = this.#missing.filter((known) => !isAt(known, state));
    this.#states.set(state.lane, state);
    if (succession) this.#carried.push({ lane: state.lane, height: state.height, succession });
    this.#blocks += 1;
    this.#entries += entries.length;
    return undefined;
  }

  end(): ChainVerdict {
    this.#place = {};
    const missing = this.#missing[0];
    if (missing) {
      this.#place = { lane: missing.lane, height: missing.height };
      return this.fail('ends_early', `the chain ends before the known block ${toHex(missing.hash)}`);
    }
    if (this.#blocks === 0) return this.fail('malformed', 'there is no block at all');
    for (const carried of this.#carried) {
      const fault = this.#disagreement(carried);
      if (fault === undefined) continue;
      this.#place = { lane: carried.lane, height: carried.height };
      return this.fail(...fault);
    }
    return { ok: true, states: this.#states, blocks: this.#blocks, entries: this.#entries };
  }

  /** Both lanes carry every change, unless a later replacement passed it over. */
  #disagreement({ lane, succession: { authority: { number }, signed, sequence } }: CarriedChange): [ChainFault, string] | undefined {
    for (const [name, other] of this.#states) {
      if (name === lane) continue;
      const twin = this.#carried.find((each) => each.lane === name && each.succession.authority.number === number)?.succession;
      const differ = twin !== undefined && !equalBytes(twin.signed.statement, signed.statement);
      if (differ) return ['lanes_disagree', `lane ${name} carries another change to authority ${number}`];
      const place = sequenceIn(name, { lane, sequence });
      if (other.authority.number < number && other.lastEntrySequence >= place) {
        return ['one_lane_only', `the change to authority ${number} would be entry ${place} of lane ${name}, which has come to entry ${other.lastEntrySequence} without it`];
      }
    }
    return undefined;
  }

  fail(reason: ChainFault, message: string): ChainVerdict {
    return { ok: false, position: this.#blocks, ...this.#place, reason, message };
  }

  /** The source broke off where the next block should have started or ended. */
  forgetPlace(): void {
    this.#place = {};
  }
}

function isAt(known: KnownBlock, state: ChainState): boolean {
  return known.lane === state.lane && known.height === state.height;
}

/**
 * Judges blocks in the order given, usually from `readBlocks`. The verdict names the first broken block and the rule it
 * broke; blocks after it are not judged. What the source throws passes through, unless it is a {@link BlockRejected}.
 */
export async function verifyChain(
  blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: AuditOptions = {},
): Promise<ChainVerdict> {
  const audit = new Audit(options);
  try {
    for await (const bytes of blocks) {
      const verdict = audit.judge(bytes);
      if (verdict) return verdict;
      audit.forgetPlace();
    }
    return audit.end();
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return audit.fail(thrown.reason, thrown.message);
    throw thrown;
  }
}
