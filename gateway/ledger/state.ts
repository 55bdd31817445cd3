/** What must be remembered of one lane to judge its next block, and nothing more. */

import type { Lane } from '../reading.ts';
import { equalBytes, HASH_BYTES } from './bytes.ts';
import { type Authority, decodeAuthority, encodeAuthority, firstAuthority } from './authority.ts';
import { asBytes, asCount, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { CHAIN_ID_BYTES, chainIdOf, decodeParameters, encodeParameters, type GenesisParameters } from './genesis.ts';
import { readLane } from './lane.ts';
import { frontierLength, type Tree } from './merkle.ts';

const STATE_VERSION = 2;
/** Without keys 10 and 11: the chain has had no change. */
const FIRST_VERSION = 1;

/**
 * A lane after its block `height`. For stores it is encoded as
 *
 *     { 1: 2, 2: chain bstr 16, 3: lane text, 4: height uint, 5: hash bstr 32, 6: tree_size uint,
 *       7: frontier array of bstr 32, 8: last entry sequence uint, 9: genesis parameters bstr,
 *       10: authority bstr, 11: heights of the blocks that carry a change, array of uint }
 *
 * Version 1, of a lane that carries no change, is 1: 1 and has neither 10 nor 11.
 */
export type ChainState = Readonly<{
  chain: Uint8Array;
  lane: Lane;
  height: number;
  /** Hash of the block at `height`: `prev` of the next. */
  hash: Uint8Array;
  tree: Tree;
  /** Sequence of the lane's last entry; 0 before the first. */
  lastEntrySequence: number;
  parameters: GenesisParameters;
  /** In force for the next block, unless that carries a replacement (succession.ts). */
  authority: Authority;
  /** Heights of the blocks that carry a change, ascending. */
  changes: readonly number[];
}>;

export function encodeState(state: ChainState): Uint8Array {
  const known = readFrom.get(state);
  if (known !== undefined) return known;
  return encode(new Map<CborKey, CborValue>([
    [1, state.changes.length === 0 ? FIRST_VERSION : STATE_VERSION],
    [2, state.chain],
    [3, state.lane],
    [4, state.height],
    [5, state.hash],
    [6, state.tree.size],
    [7, state.tree.frontier],
    [8, state.lastEntrySequence],
    [9, encodeParameters(state.parameters)],
    ...changedIn(state),
  ]));
}

/** The bytes that a state was read from: there is one encoding, and a hospital encodes what it has just read. */
const readFrom = new WeakMap<ChainState, Uint8Array>();

function changedIn({ authority, changes }: ChainState): readonly (readonly [CborKey, CborValue])[] {
  return changes.length === 0 ? [] : [[10, encodeAuthority(authority)], [11, changes]];
}

/** Throws {@link CborError} when the bytes are not a state. */
export function decodeState(bytes: Uint8Array): ChainState {
  const fields = new CborFields(decode(bytes), 'chain state', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const isFirst = !fields.has(11);
  fields.version(1, isFirst ? FIRST_VERSION : STATE_VERSION);
  const parameters = decodeParameters(fields.bytes(9));
  const chain = fields.bytes(2, CHAIN_ID_BYTES);
  if (!equalBytes(chainIdOf(fields.bytes(9)), chain)) {
    throw new CborError('malformed', 'chain state: the parameters are not those of the chain');
  }
  const state: ChainState = {
    chain,
    lane: readLane(fields.text(3)),
    height: fields.count(4),
    hash: fields.bytes(5, HASH_BYTES),
    tree: readTree(fields),
    lastEntrySequence: fields.count(8),
    parameters,
    authority: isFirst ? firstAuthority(parameters) : decodeAuthority(fields.bytes(10)),
    changes: isFirst ? [] : fields.array(11).map((height) => asCount(height, 'height of a change', 1)),
  };
  readFrom.set(state, bytes);
  return state;
}

function readTree(fields: CborFields): Tree {
  const size = fields.count(6);
  const frontier = fields.array(7, frontierLength(size)).map((hash, index) => asBytes(hash, `frontier hash ${index}`, HASH_BYTES));
  return { size, frontier };
}
