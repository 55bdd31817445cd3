/**
 * The rules of the chain, in one place: the gateway's sealer, the hospital node and the offline audit all ask
 * {@link verifyBlock}. It needs the lane's state and the block, no store, no clock, no network.
 */

import { BlockRejected, type RejectReason } from '../errors.ts';
import type { Lane } from '../reading.ts';
import { type Header, NO_PREV, type OpenBlock, openBlock, rejecting } from './block.ts';
import { equalBytes, toHex } from './bytes.ts';
import { DOMAINS, verifySign1 } from './cose.ts';
import { decodeEntry, type Entry } from './entry.ts';
import { type SignatureCheck, verifyWithNoble } from './es256k.ts';
import { firstAuthority } from './authority.ts';
import { chainIdOf, decodeParameters, type GenesisParameters } from './genesis.ts';
import { append, EMPTY_TREE, leafHash, rootOf, type Tree, type TreeNode } from './merkle.ts';
import type { ChainState } from './state.ts';
import { ChangeRejected, isChangeKind, type Succession, successionBy } from './succession.ts';
import { leadingZeroBits } from './work.ts';

export type VerifyOptions = Readonly<{
  /** Which back end judges signatures; verdicts are equal (see es256k.ts). Default {@link verifyWithNoble}. */
  check?: SignatureCheck;
  /** The chain a genesis block must belong to, 16 bytes. Default: whichever it names. Ignored when there is a state. */
  chain?: Uint8Array;
  /** The lane a genesis block must belong to. Default: whichever it names. Ignored when there is a state. */
  lane?: Lane;
}>;

export type VerifiedBlock = Readonly<{
  /** The lane after this block. */
  state: ChainState;
  header: Header;
  /** SHA-256 of the header's bytes. */
  hash: Uint8Array;
  /** The entries' bytes, in order. */
  entries: readonly Uint8Array[];
  /** Their numbers. */
  sequences: readonly number[];
  /** Nodes of the tree this block completed, leaves included, for a store that will make proofs. */
  newNodes: readonly TreeNode[];
  /** The change that the block carries. */
  succession?: Succession;
}>;

function reject(reason: RejectReason, message: string): never {
  throw new BlockRejected(reason, message);
}

/**
 * Judges one block. `state` is the lane before it, undefined before its genesis block. MUST return only when every rule
 * holds; then, and only then, may the block be stored, countersigned or shown as verified.
 * Throws {@link BlockRejected}; `reason` is the first broken rule in the order of the checks below.
 */
export function verifyBlock(state: ChainState | undefined, bytes: Uint8Array, options: VerifyOptions = {}): VerifiedBlock {
  return verifyOpenBlock(state, openBlock(bytes), options);
}

/** The same for a block that was taken apart already. */
export function verifyOpenBlock(state: ChainState | undefined, block: OpenBlock, options: VerifyOptions = {}): VerifiedBlock {
  const { header, hash, entries } = block;
  const check = options.check ?? verifyWithNoble;
  const parameters = state ? checkSuccessor(state, header) : checkGenesis(header, options);
  const before = state ?? { authority: firstAuthority(parameters), changes: [], lastEntrySequence: 0, tree: EMPTY_TREE };
  const { sequences, change } = checkEntries(before.lastEntrySequence, header, entries);
  const { tree, nodes: newNodes } = append(before.tree, entries.map(leafHash));
  checkTree(header, tree);
  checkWork(block, parameters.work);
  const { chain, lane, height } = header;
  const lastEntrySequence = sequences.at(-1) ?? before.lastEntrySequence;
  const succession = change && judging(() => successionBy({ chain, lane, authority: before.authority }, height, change, check));
  checkSignature(block, succession?.signer ?? before.authority.gateway, check);
  const changes = succession ? [...before.changes, height] : before.changes;
  const authority = succession?.authority ?? before.authority;
  const after = { chain, lane, height, hash, tree, lastEntrySequence, parameters, authority, changes };
  return { state: after, header, hash, entries, sequences, newNodes, ...(succession && { succession }) };
}

/** Turns what is said about a change into a verdict about the block that carries it. */
function judging<T>(judge: () => T): T {
  try {
    return rejecting(judge);
  } catch (cause) {
    if (cause instanceof ChangeRejected) throw new BlockRejected(cause.reason, cause.message, { cause });
    throw cause;
  }
}

function checkSuccessor(state: ChainState, header: Header): GenesisParameters {
  if (!equalBytes(header.chain, state.chain)) reject('wrong_chain', `chain ${toHex(header.chain)}, expected ${toHex(state.chain)}`);
  if (header.lane !== state.lane) reject('wrong_lane', `lane ${header.lane}, expected ${state.lane}`);
  if (header.height !== state.height + 1) reject('wrong_height', `height ${header.height}, expected ${state.height + 1}`);
  if (!equalBytes(header.prev, state.hash)) {
    reject('wrong_prev', `follows block ${toHex(header.prev)}, but the block of height ${state.height} is ${toHex(state.hash)}`);
  }
  return state.parameters;
}

function checkGenesis(header: Header, { chain, lane }: VerifyOptions): GenesisParameters {
  if (chain && !equalBytes(header.chain, chain)) reject('wrong_chain', `chain ${toHex(header.chain)}, expected ${toHex(chain)}`);
  if (lane && header.lane !== lane) reject('wrong_lane', `lane ${header.lane}, expected ${lane}`);
  if (header.height !== 0) reject('wrong_height', `height ${header.height}, expected 0: lane ${header.lane} has no block yet`);
  if (!equalBytes(header.prev, NO_PREV)) reject('wrong_prev', 'a genesis block follows no other: expected 32 zero bytes');
  const encoded = header.parameters as Uint8Array;
  const named = chainIdOf(encoded);
  if (!equalBytes(named, header.chain)) reject('wrong_genesis', `the parameters are those of chain ${toHex(named)}`);
  return rejecting(() => decodeParameters(encoded), 'wrong_genesis');
}

type CheckedEntries = Readonly<{ sequences: readonly number[]; /** The entry that carries a change. */ change?: Entry }>;

/** Strict decoding, ascending sequences, and the range the header claims. */
function checkEntries(before: number, { height, entryRange }: Header, entries: readonly Uint8Array[]): CheckedEntries {
  if (entryRange === undefined) {
    if (entries.length > 0) reject('wrong_genesis', `the block of height ${height} carries ${entries.length} entries`);
    return { sequences: [] };
  }
  if (entries.length === 0) reject('wrong_entry_range', `block ${height} has no entries`);
  const { sequences, change } = readEntries(before, entries);
  const [first, last] = entryRange;
  if (sequences[0] !== first || sequences.at(-1) !== last) {
    reject('wrong_entry_range', `the header claims entries ${first} to ${last}, the block holds ${sequences[0]} to ${sequences.at(-1)}`);
  }
  return { sequences, ...(change && { change }) };
}

/**
 * The sequences of a block's entries. Throws {@link BlockRejected} unless each is greater than the one before it, and a change, if there is
 * one, is the last: what comes after it is said under another authority.
 */
function readEntries(before: number, entries: readonly Uint8Array[]): Readonly<{ sequences: readonly number[]; change: Entry | undefined }> {
  let previous = before;
  let change: Entry | undefined;
  const sequences = entries.map((bytes, index) => {
    const entry = rejecting(() => decodeEntry(bytes));
    const { sequence } = entry;
    if (sequence <= previous) reject('wrong_entry_order', `entry ${index} has sequence ${sequence}, expected more than ${previous}`);
    if (change !== undefined) reject('change_misplaced', `entry ${index} comes after the change in entry ${index - 1}, which has to be the last of its block`);
    if (isChangeKind(entry.kind)) change = entry;
    previous = sequence;
    return sequence;
  });
  return { sequences, change };
}

function checkTree(header: Header, tree: Tree): void {
  if (header.treeSize !== tree.size) reject('wrong_tree_size', `tree size ${header.treeSize}, expected ${tree.size}`);
  const root = rootOf(tree);
  if (!equalBytes(header.treeRoot, root)) reject('wrong_tree_root', `tree root ${toHex(header.treeRoot)}, the entries give ${toHex(root)}`);
}

function checkWork({ header, hash }: OpenBlock, work: number): void {
  if (work === 0 && header.nonce) reject('not_canonical', 'the header has a nonce (key 11), but the chain demands no work');
  if (work > 0 && !header.nonce) reject('insufficient_work', 'the header has no nonce (key 11), but the chain demands work');
  const found = leadingZeroBits(hash);
  if (found < work) reject('insufficient_work', `the block hash starts with ${found} zero bits, the chain demands ${work}`);
}

function checkSignature({ envelope }: OpenBlock, gateway: Uint8Array, check: SignatureCheck): void {
  if (!verifySign1(envelope, gateway, DOMAINS.block, check)) reject('bad_signature', `not a signature of gateway key ${toHex(gateway)}`);
}
