/** What must be remembered of one lane to judge its next block, and nothing more. */

import type { Lane } from '../reading.ts';
import { equalBytes, HASH_BYTES } from './bytes.ts';
import { asBytes, CborFields } from './cbor-fields.ts';
import { CborError, type CborKey, type CborValue, decode, encode } from './cbor.ts';
import { CHAIN_ID_BYTES, chainIdOf, decodeParameters, encodeParameters, type GenesisParameters } from './genesis.ts';
import { readLane } from './lane.ts';
import { frontierLength, type Tree } from './merkle.ts';

const STATE_VERSION = 1;

/**
 * A lane after its block `height`. For stores it is encoded as
 *
 *     { 1: 1, 2: chain bstr 16, 3: lane text, 4: height uint, 5: hash bstr 32, 6: tree_size uint,
 *       7: frontier array of bstr 32, 8: last entry sequence uint, 9: genesis parameters bstr }
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
}>;

export function encodeState(state: ChainState): Uint8Array {
  return encode(new Map<CborKey, CborValue>([
    [1, STATE_VERSION],
    [2, state.chain],
    [3, state.lane],
    [4, state.height],
    [5, state.hash],
    [6, state.tree.size],
    [7, state.tree.frontier],
    [8, state.lastEntrySequence],
    [9, encodeParameters(state.parameters)],
  ]));
}

/** Throws {@link CborError} when the bytes are not a state. */
export function decodeState(bytes: Uint8Array): ChainState {
  const fields = new CborFields(decode(bytes), 'chain state', [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  fields.version(1, STATE_VERSION);
  const chain = fields.bytes(2, CHAIN_ID_BYTES);
  if (!equalBytes(chainIdOf(fields.bytes(9)), chain)) {
    throw new CborError('malformed', 'chain state: the parameters are not those of the chain');
  }
  return {
    chain,
    lane: readLane(fields.text(3)),
    height: fields.count(4),
    hash: fields.bytes(5, HASH_BYTES),
    tree: readTree(fields),
    lastEntrySequence: fields.count(8),
    parameters: decodeParameters(fields.bytes(9)),
  };
}

function readTree(fields: CborFields): Tree {
  const size = fields.count(6);
  const frontier = fields.array(7, frontierLength(size)).map((hash, index) => asBytes(hash, `frontier hash ${index}`, HASH_BYTES));
  return { size, frontier };
}
