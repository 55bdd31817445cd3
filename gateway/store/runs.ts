/** Runs of blocks, and the nodes of the Merkle tree that a block completes, as a shared store keeps them. */

import type { StorableBlock } from '../ledger/block-store.ts';
import type { TreeNode } from '../ledger/merkle.ts';

/** Blocks of one lane that follow each other. */
export type Run = readonly [StorableBlock, ...StorableBlock[]];

/** What a run counts towards the size of a statement. */
export const bytesOf = (run: Run): number => run.reduce((sum, { bytes }) => sum + bytes.length, 0);

const LEVEL_BYTES = 1;
const INDEX_BYTES = 6;
const HASH_BYTES = 32;
const NODE_BYTES = LEVEL_BYTES + INDEX_BYTES + HASH_BYTES;

/** The nodes that a block completed, one after the other: level(1) index(6, big endian) hash(32). */
export function packNodes(nodes: readonly TreeNode[]): Buffer {
  const packed = Buffer.allocUnsafe(nodes.length * NODE_BYTES);
  let at = 0;
  for (const { level, index, hash } of nodes) {
    at = packed.writeUInt8(level, at);
    at = packed.writeUIntBE(index, at, INDEX_BYTES);
    packed.set(hash, at);
    at += HASH_BYTES;
  }
  return packed;
}

/** The hash of one of them; undefined when it is not there. */
export function nodeIn(packed: Buffer, level: number, index: number): Buffer | undefined {
  for (let at = 0; at < packed.length; at += NODE_BYTES) {
    if (packed.readUInt8(at) === level && packed.readUIntBE(at + LEVEL_BYTES, INDEX_BYTES) === index) return packed.subarray(at + LEVEL_BYTES + INDEX_BYTES, at + NODE_BYTES);
  }
  return undefined;
}
