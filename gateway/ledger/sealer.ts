/**
 * Makes blocks. Sealing is the mirror of verify.ts: what is sealed here from good entries verifies there. When
 * to seal is the business of seal-policy.ts, where to put the result that of the block store.
 */

import { InternalError } from '../errors.ts';
import type { Lane } from '../reading.ts';
import type { UnixMillis } from '../quantity.ts';
import { blockHash, encodeBlock, encodeHeader, type Header, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES, NO_PREV } from './block.ts';
import { firstAuthority } from './authority.ts';
import { equalBytes, toHex } from './bytes.ts';
import { CborError } from './cbor.ts';
import { DOMAINS, sign1Value } from './cose.ts';
import { decodeEntry, type Entry } from './entry.ts';
import type { SigningKey } from './es256k.ts';
import { chainIdOf, encodeParameters, type GenesisParameters } from './genesis.ts';
import { append, EMPTY_ROOT, EMPTY_TREE, leafHash, rootOf, type TreeNode } from './merkle.ts';
import type { ChainState } from './state.ts';
import { isChangeKind, successionBy } from './succession.ts';
import { mine, type MiningOptions, WORK_NONCE_BYTES } from './work.ts';

export type SealedBlock = Readonly<{
  bytes: Uint8Array;
  hash: Uint8Array;
  height: number;
  /** The lane after this block. */
  newState: ChainState;
  /** Nodes of the tree this block completed, leaves included. */
  newNodes: readonly TreeNode[];
}>;

export type SealRequest = Readonly<{
  state: ChainState;
  /** Encoded entries of this lane, at least one, in ascending sequence after `state.lastEntrySequence`. */
  entries: readonly Uint8Array[];
  time: UnixMillis;
  /** The gateway's key in force, or the one that the change in the last entry puts in force (succession.ts). */
  key: SigningKey;
  /** Hashes of the rule packs in force, 32 bytes each, in any order. */
  contracts: readonly Uint8Array[];
  /** How to search where the chain demands work. */
  mining?: MiningOptions;
}>;

export type GenesisRequest = Readonly<{
  lane: Lane;
  parameters: GenesisParameters;
  time: UnixMillis;
  key: SigningKey;
  mining?: MiningOptions;
}>;

/**
 * The next block of a lane; an entry with a change has to be its last. Only the first and the last entry are read: the caller MUST have `verifyBlock` judge the block
 * before it stores or sends it, as that reads them all. Entries made by `encodeEntry`, in ascending order, always pass.
 * Throws {@link InternalError} for entries that cannot be a row, too many of them or a foreign key, ChangeRejected for a change that may not be.
 */
export async function sealBlock(request: SealRequest): Promise<SealedBlock> {
  const { state, entries, key } = request;
  const { entryRange, last } = rangeOf(state, entries);
  const height = state.height + 1;
  const succession = isChangeKind(last.kind) ? successionBy(state, height, last) : undefined;
  checkKey(key, succession?.signer ?? state.authority.gateway);
  const { tree, nodes } = append(state.tree, entries.map(leafHash));
  const header: Header = {
    chain: state.chain,
    lane: state.lane,
    height,
    prev: state.hash,
    treeSize: tree.size,
    treeRoot: rootOf(tree),
    time: request.time,
    entryRange,
    contracts: asSet(request.contracts),
  };
  const sealed = await signHeader(header, state.parameters.work, entries, key, request.mining);
  const authority = succession?.authority ?? state.authority;
  const changes = succession ? [...state.changes, height] : state.changes;
  const newState = { ...state, height, hash: sealed.hash, tree, lastEntrySequence: entryRange[1], authority, changes };
  return { ...sealed, newState, newNodes: nodes };
}

/**
 * The block of height 0 of a lane. Both lanes of a chain are made from the same parameters and have the same chain id.
 * Throws {@link InternalError} for a foreign key, CborError for parameters no chain may have.
 */
export async function sealGenesis({ lane, parameters, time, key, mining }: GenesisRequest): Promise<SealedBlock> {
  checkKey(key, parameters.gateway);
  const encoded = encodeParameters(parameters);
  const chain = chainIdOf(encoded);
  const header: Header = {
    chain, lane, height: 0, prev: NO_PREV, treeSize: 0, treeRoot: EMPTY_ROOT, time, contracts: [], parameters: encoded,
  };
  const sealed = await signHeader(header, parameters.work, [], key, mining);
  const newState = { chain, lane, height: 0, hash: sealed.hash, tree: EMPTY_TREE, lastEntrySequence: 0, parameters, authority: firstAuthority(parameters), changes: [] };
  return { ...sealed, newState, newNodes: [] };
}

function checkKey(key: SigningKey, gateway: Uint8Array): void {
  if (!equalBytes(key.publicKey, gateway)) {
    throw new InternalError(`the signing key ${toHex(key.publicKey)} is not the chain's gateway key ${toHex(gateway)}`);
  }
}

function rangeOf(state: ChainState, entries: readonly Uint8Array[]): Readonly<{ entryRange: readonly [number, number]; last: Entry }> {
  if (entries.length === 0) throw new InternalError('a block needs at least one entry');
  if (entries.length > MAX_BLOCK_ENTRIES) throw new InternalError(`${entries.length} entries are over the limit of ${MAX_BLOCK_ENTRIES}`);
  const lastEntry = entryOf(entries.at(-1) as Uint8Array);
  const [first, last] = [entryOf(entries[0] as Uint8Array).sequence, lastEntry.sequence];
  if (first <= state.lastEntrySequence || last - first < entries.length - 1) {
    throw new InternalError(`${entries.length} entries from ${first} to ${last} are no ascending row after ${state.lastEntrySequence}`);
  }
  return { entryRange: [first, last], last: lastEntry };
}

function entryOf(entry: Uint8Array): Entry {
  try {
    return decodeEntry(entry);
  } catch (cause) {
    if (cause instanceof CborError) throw new InternalError(`what is to be sealed is no entry: ${cause.message}`, { cause });
    throw cause;
  }
}

function asSet(hashes: readonly Uint8Array[]): Uint8Array[] {
  const sorted = hashes.toSorted((a, b) => Buffer.compare(a, b));
  return sorted.filter((hash, index) => index === 0 || !equalBytes(hash, sorted[index - 1] as Uint8Array));
}

async function signHeader(
  header: Header, work: number, entries: readonly Uint8Array[], key: SigningKey, mining?: MiningOptions,
): Promise<Pick<SealedBlock, 'bytes' | 'hash' | 'height'>> {
  const payload = await withWork(header, work, mining);
  const bytes = encodeBlock(sign1Value(payload, key, DOMAINS.block), entries);
  if (bytes.length > MAX_BLOCK_BYTES) throw new InternalError(`a block of ${bytes.length} bytes is over the limit of ${MAX_BLOCK_BYTES}`);
  return { bytes, hash: blockHash(payload), height: header.height };
}

async function withWork(header: Header, work: number, mining?: MiningOptions): Promise<Uint8Array> {
  if (work === 0) return encodeHeader(header);
  const low = encodeHeader({ ...header, nonce: new Uint8Array(WORK_NONCE_BYTES) });
  const high = encodeHeader({ ...header, nonce: new Uint8Array(WORK_NONCE_BYTES).fill(255) });
  // Both encodings differ in the nonce only, so the first difference is where it starts.
  await mine(low, low.findIndex((byte, index) => byte !== high[index]), work, mining);
  return low;
}
