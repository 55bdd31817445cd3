/**
 * The nodes of a chain's Merkle tree (ledger/merkle.ts) in an ordered map. A node by itself costs more than its 32 bytes, and half of all are leaves:
 * so leaves lie sixteen in a record, a tile, the nodes between them and its root are hashed when somebody asks, and what lies above is kept one by one.
 */

import { StoreError } from '../errors.ts';
import { HASH_BYTES } from '../ledger/bytes.ts';
import type { LaneId } from '../ledger/block-store.ts';
import { nodeHash, type TreeNode } from '../ledger/merkle.ts';
import { nodesOnlyUnder } from '../ledger/merkle-prune.ts';
import type { Change, Delete } from './key-value.ts';
import { nodeKey, tileKey } from './keys.ts';

/** Where the root of a tile stands, and from where on nodes are kept one by one. */
export const TILE_LEVEL = 4;
const TILE_LEAVES = 2 ** TILE_LEVEL;

const tileOf = (leaf: number): number => Math.floor(leaf / TILE_LEAVES);

/** Key of the record that holds a node: a tile, or the node itself. */
export const recordOf = ({ chain, lane }: LaneId, { level, index }: Pick<TreeNode, 'level' | 'index'>): Buffer =>
  level < TILE_LEVEL ? tileKey(chain, lane, tileOf(index * 2 ** level)) : nodeKey(chain, lane, level, index);

/** The hash of a node, from the record of {@link recordOf}; undefined when that does not reach to it. */
export function nodeIn(record: Uint8Array, { level, index }: Pick<TreeNode, 'level' | 'index'>): Uint8Array | undefined {
  if (level >= TILE_LEVEL) return record;
  const first = (index * 2 ** level) % TILE_LEAVES;
  return (first + 2 ** level) * HASH_BYTES > record.length ? undefined : rootOver(record, first, 2 ** level);
}

/** The root over `width` leaves of a tile; `width` is a power of two. */
function rootOver(tile: Uint8Array, first: number, width: number): Uint8Array {
  if (width === 1) return tile.subarray(first * HASH_BYTES, (first + 1) * HASH_BYTES);
  return nodeHash(rootOver(tile, first, width / 2), rootOver(tile, first + width / 2, width / 2));
}

/** Key of the tile that the first of these new nodes goes on with; undefined where it begins one, and where there are none. */
export function tileBegun({ chain, lane }: LaneId, nodes: readonly TreeNode[]): Buffer | undefined {
  const first = nodes.find(({ level }) => level === 0)?.index ?? 0;
  return first % TILE_LEAVES === 0 ? undefined : tileKey(chain, lane, tileOf(first));
}

/**
 * What to write for nodes that were completed, leaves in their order. `begun`: the record under {@link tileBegun}.
 * Throws {@link StoreError} `VG_STORE_CORRUPT` when that does not end where they begin.
 */
export function changesFor({ chain, lane }: LaneId, nodes: readonly TreeNode[], begun: Uint8Array | undefined): Change[] {
  const leaves = nodes.filter(({ level }) => level === 0);
  const first = leaves[0]?.index ?? 0;
  const before = (first % TILE_LEAVES) * HASH_BYTES;
  if ((begun?.length ?? 0) !== before) throw new StoreError('VG_STORE_CORRUPT', `lane ${lane}: leaves of the tree are missing before ${first}`);
  const changes: Change[] = [];
  for (let at = 0; at < leaves.length; ) {
    const start = first + at;
    const room = TILE_LEAVES - (start % TILE_LEAVES);
    const some = leaves.slice(at, at + room).map(({ hash }) => hash);
    const kept = at === 0 && begun !== undefined ? [begun] : [];
    changes.push({ key: tileKey(chain, lane, tileOf(start)), value: Buffer.concat([...kept, ...some]) });
    at += some.length;
  }
  for (const { level, index, hash } of nodes) if (level >= TILE_LEVEL) changes.push({ key: nodeKey(chain, lane, level, index), value: hash });
  return changes;
}

/** Takes out what proves nothing any more when the leaves before `to` have gone; those of the first `from` leaves went before. */
export function* nodesGone({ chain, lane }: LaneId, from: number, to: number): Iterable<Delete> {
  for (let tile = tileOf(from); tile < tileOf(to); tile++) yield { key: tileKey(chain, lane, tile) };
  for (const { level, index } of nodesOnlyUnder(from, to)) if (level >= TILE_LEVEL) yield { key: nodeKey(chain, lane, level, index) };
}
