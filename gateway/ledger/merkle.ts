/**
 * The Merkle tree of RFC 9162 §2.1 over SHA-256, grown entry by entry. What is kept is the frontier: the roots of the
 * complete subtrees, one for each 1 in the binary form of the size, largest (leftmost) first.
 *
 *     size 7 = 4 + 2 + 1        level 2      f0
 *                               level 1   n     n    f1
 *                               level 0  0 1   2 3  4 5  f2 = 6
 *
 * Node (level, index) covers the leaves index · 2^level up to (index + 1) · 2^level. Once complete it never changes, so
 * a store that keeps every completed node can prove any leaf at any later size.
 */

import { InternalError } from '../errors.ts';
import { HASH_BYTES, sha256, sha256Latin1 } from './bytes.ts';

export type Tree = Readonly<{
  /** Number of leaves, below 2^53. */
  size: number;
  /** Roots of the complete subtrees, largest first; as many as `size` has ones in binary. */
  frontier: readonly Uint8Array[];
}>;

/** A complete subtree of 2^`level` leaves, the `index`-th of its level. Level 0 holds the leaf hashes. */
export type TreeNode = Readonly<{ level: number; index: number; hash: Uint8Array }>;

export const EMPTY_TREE: Tree = { size: 0, frontier: [] };

/** Root of the tree without leaves: SHA-256 of nothing (RFC 9162 §2.1.1). */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array());

/** SHA-256(00 ‖ entry). The first byte keeps a leaf from ever passing for a node (RFC 9162 §2.1.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + entry.length);
  input[0] = 0;
  input.set(entry, 1);
  return sha256(input);
}

/** SHA-256(01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + left.length + right.length);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return sha256(input);
}

/** How many subtrees the frontier of a tree of that size has: the ones in its binary form. */
export function frontierLength(size: number): number {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

/** Joins subtrees of growing-to-the-left size into the root above them: the last two first. */
export function foldRight(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The tree's root hash: one hash for each subtree of the frontier less one. */
export function rootOf(tree: Tree): Uint8Array {
  return foldRight(tree.frontier);
}

/** Adds one leaf at position `size`; like adding 1 in binary, every subtree of a carried level is joined with its left twin. */
function appendLeaf(size: number, frontier: Uint8Array[], leaf: Uint8Array, nodes: TreeNode[]): void {
  let hash = leaf;
  let index = size;
  nodes.push({ level: 0, index, hash });
  for (let level = 1; index % 2 === 1; level++) {
    hash = nodeHash(frontier.pop() as Uint8Array, hash);
    index = Math.floor(index / 2);
    nodes.push({ level, index, hash });
  }
  frontier.push(hash);
}

/**
 * The tree with more leaves, given by their hashes, and every node that became complete, in the order of completion,
 * leaves included. The tree passed in is not changed.
 */
export function append(tree: Tree, leafHashes: readonly Uint8Array[]): { tree: Tree; nodes: TreeNode[] } {
  const size = tree.size + leafHashes.length;
  if (!Number.isSafeInteger(size)) throw new InternalError(`a tree of ${size} leaves is larger than 2^53 − 1`);
  const frontier = [...tree.frontier];
  const nodes: TreeNode[] = [];
  for (const [position, leaf] of leafHashes.entries()) appendLeaf(tree.size + position, frontier, leaf, nodes);
  return { tree: { size, frontier }, nodes };
}

/**
 * The root over leaves that come one by one, when no proof will be asked for and every leaf is hashed as it comes: the
 * same root as {@link append} and {@link rootOf} give. Hashes are held as strings of 32 Latin-1 characters (bytes.ts).
 */
export class RootAccumulator {
  readonly #frontier: string[] = [];
  readonly #node = Buffer.alloc(1 + 2 * HASH_BYTES, 1);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf. `input` is 00 ‖ entry, as {@link leafHash} hashes it. */
  add(input: Uint8Array): void {
    let hash = sha256Latin1(input);
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) hash = this.#join(this.#frontier.pop() as string, hash);
    this.#frontier.push(hash);
    this.#size += 1;
  }

  get root(): Uint8Array {
    if (this.#frontier.length === 0) return EMPTY_ROOT;
    return new Uint8Array(Buffer.from(this.#frontier.reduceRight((right, left) => this.#join(left, right)), 'latin1'));
  }

  #join(left: string, right: string): string {
    this.#node.write(left, 1, 'latin1');
    this.#node.write(right, 1 + HASH_BYTES, 'latin1');
    return sha256Latin1(this.#node);
  }
}
