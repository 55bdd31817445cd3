/**
 * Judging what gateways offer, apart from the store: bytes in, a verdict out, so that it can be done in any thread (verify-pool.ts). What has to be
 * compared with blocks that are recorded already is the witness's part.
 */

import { BlockRejected, type RejectReason } from '../errors.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { type Header, type OpenBlock, openBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type SigningKey, verifyWithNodeCrypto } from '../ledger/es256k.ts';
import type { TreeNode } from '../ledger/merkle.ts';
import { type Receipt, signReceipt } from '../ledger/receipt.ts';
import { type ChainState, decodeState, encodeState } from '../ledger/state.ts';
import { verifyOpenBlock } from '../ledger/verify.ts';

/** Blocks of one lane that were offered together, and where the lane stands here. */
export type OfferedRun = LaneId & Readonly<{
  /** The lane's head, encoded (ledger/state.ts); undefined before its genesis block. */
  head: Uint8Array | undefined;
  /** Height that the first has to have. Default: whatever it says. */
  height?: number;
  blocks: readonly Uint8Array[];
}>;

/** A block that was taken apart and belongs where it was offered; nothing of it is verified. */
export type PlacedBlock = Readonly<{ height: number; hash: Uint8Array; prev: Uint8Array }>;

/** A block that breaks no rule. */
export type GoodBlock = Readonly<{ header: Header; hash: Uint8Array; sequences: readonly number[]; nodes: readonly TreeNode[] }>;

/** Why a block is not taken, whatever is recorded. */
export type Fault = Readonly<{ outcome: 'misplaced'; message: string } | { outcome: 'rejected'; reason: RejectReason; message: string }>;

/**
 * What became of a run, block after block until one cannot be judged any further. `below`: those up to the head's height; they may be repetitions, or
 * another history. `good`: those that follow the head. `after`: the lane after the last of them, encoded, where that is a genesis block or carries a change; a
 * run ends with such a one, because what follows is said under another authority. `stopped`: what is wrong with the next one; `unfitting`: it does not follow.
 */
export type JudgedRun = Readonly<{
  below: readonly PlacedBlock[];
  good: readonly GoodBlock[];
  after?: Uint8Array;
  stopped?: Fault | Readonly<{ outcome: 'unfitting'; block: PlacedBlock }>;
}>;

/** Does the work that takes a processor. */
export interface Verifier {
  verify(run: OfferedRun): Promise<JudgedRun>;
  /** Signs as {@link signReceipt} does. The block MUST be durable. */
  countersign(receipt: Receipt): Promise<Uint8Array>;
}

/** In the thread that asks. */
export const verifierHere = (key: SigningKey): Verifier => ({
  verify: (run) => Promise.resolve(judgeRun(run)),
  countersign: (receipt) => Promise.resolve(signReceipt(receipt, key)),
});

/** Judges a run. A pure function; MUST NOT throw for any bytes of blocks. */
export function judgeRun({ chain, lane, head, height, blocks }: OfferedRun): JudgedRun {
  let state = head === undefined ? undefined : decodeState(head);
  const below: PlacedBlock[] = [];
  const good: GoodBlock[] = [];
  let expected = height;
  for (const bytes of blocks) {
    const judged = judgeNext({ chain, lane }, bytes, expected, state);
    if ('outcome' in judged) return { below, good, stopped: judged };
    expected = judged.height + 1;
    if (!('good' in judged)) {
      below.push(judged);
      continue;
    }
    good.push(judged.good);
    if (state === undefined || judged.state.changes.length > state.changes.length) return { below, good, after: encodeState(judged.state) };
    state = judged.state;
  }
  return { below, good };
}

type Followed = Readonly<{ height: number; good: GoodBlock; state: ChainState }>;

function judgeNext(id: LaneId, bytes: Uint8Array, expected: number | undefined, state: ChainState | undefined): PlacedBlock | Followed | NonNullable<JudgedRun['stopped']> {
  try {
    const block = openBlock(bytes);
    const { header, hash } = block;
    const misplaced = differenceFrom(id, expected ?? header.height, header);
    if (misplaced !== undefined) return { outcome: 'misplaced', message: misplaced };
    const placed = { height: header.height, hash, prev: header.prev };
    if (state !== undefined && header.height <= state.height) return placed;
    if (header.height !== (state?.height ?? -1) + 1 || (state !== undefined && !equalBytes(header.prev, state.hash))) return { outcome: 'unfitting', block: placed };
    return followed(id, block, state);
  } catch (thrown) {
    if (thrown instanceof BlockRejected) return { outcome: 'rejected', reason: thrown.reason, message: thrown.message };
    throw thrown;
  }
}

function followed({ chain, lane }: LaneId, block: OpenBlock, before: ChainState | undefined): Followed {
  const { state, header, hash, sequences, newNodes } = verifyOpenBlock(before, block, { chain, lane, check: verifyWithNodeCrypto });
  return { height: header.height, good: { header, hash, sequences, nodes: newNodes }, state };
}

/** What the sender says about the block and the block does not. */
function differenceFrom({ chain, lane }: LaneId, height: number, header: Header): string | undefined {
  if (!equalBytes(header.chain, chain)) return `the block is of chain ${toHex(header.chain)}, expected ${toHex(chain)}`;
  if (header.lane !== lane) return `the block is of lane ${header.lane}, expected ${lane}`;
  if (header.height !== height) return `the block has height ${header.height}, expected ${height}`;
  return undefined;
}
