/**
 * Proofs over the tree of RFC 9162 §2.1: that an entry is in it (inclusion), that a smaller tree is its beginning
 * (consistency). Making one needs the completed nodes (see merkle.ts), checking one needs nothing but hashes.
 * Sizes are below 2^53, so halving is done by division; the bit operators of JavaScript end at 32 bits.
 */

import { VitalgateError } from '../errors.ts';
import { equalBytes, HASH_BYTES, toHex } from './bytes.ts';
import { foldRight, nodeHash } from './merkle.ts';

/** Which rule a proof broke. The words are in the test vectors: do not rename. */
export type ProofFault = 'wrong_position' | 'wrong_length' | 'wrong_hash_size' | 'wrong_root';

export class ProofRejected extends VitalgateError {
  readonly code = 'VG_PROOF_REJECTED';
  readonly reason: ProofFault;
  constructor(reason: ProofFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Gives the hash of a completed node. MUST throw when it does not have it; only nodes complete at the asked size are asked for. */
export type NodeReader = (level: number, index: number) => Uint8Array | Promise<Uint8Array>;

const half = (n: number): number => Math.floor(n / 2);
const isOdd = (n: number): boolean => n % 2 === 1;

function checkPosition(holds: boolean, message: string): void {
  if (!holds) throw new ProofRejected('wrong_position', message);
}

/** The largest power of two below `n`, for n > 1: where a tree splits (RFC 9162 §2.1.1). */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The root over the leaves from `start` to before `end`, from completed nodes; `start` is a multiple of the first one's size. */
async function rangeHash(start: number, end: number, node: NodeReader): Promise<Uint8Array> {
  const parts: Promise<Uint8Array>[] = [];
  for (let at = start, width = 2 ** 52, level = 52; at < end; width /= 2, level--) {
    if (at + width > end) continue;
    parts.push(Promise.resolve(node(level, at / width)));
    at += width;
  }
  return foldRight(await Promise.all(parts));
}

/**
 * The hashes that lead from leaf `index` to the root of the tree of `size` leaves, nearest sibling first
 * (RFC 9162 §2.1.3.1). Throws {@link ProofRejected} when the tree has no such leaf.
 */
export async function inclusionProof(index: number, size: number, node: NodeReader): Promise<Uint8Array[]> {
  checkIndex(index, size);
  // All are asked for at once: a store reads them side by side.
  const path: Promise<Uint8Array>[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    path.push(index < middle ? rangeHash(middle, end, node) : rangeHash(start, middle, node));
    [start, end] = index < middle ? [start, middle] : [middle, end];
  }
  return (await Promise.all(path)).reverse();
}

/**
 * The hashes that show the tree of `first` leaves to be the beginning of the tree of `second` (RFC 9162 §2.1.4.1).
 * Empty when the sizes are equal. A tree without leaves is the beginning of every tree and has no proof: `first` MUST be
 * at least 1. Throws {@link ProofRejected} for other sizes.
 */
export async function consistencyProof(first: number, second: number, node: NodeReader): Promise<Uint8Array[]> {
  checkSizes(first, second);
  const path: Promise<Uint8Array>[] = [];
  let [start, end] = [0, second];
  while (end !== first) {
    const middle = start + splitPoint(end - start);
    path.push(first <= middle ? rangeHash(middle, end, node) : rangeHash(start, middle, node));
    [start, end] = first <= middle ? [start, middle] : [middle, end];
  }
  // Only a first tree that is one complete left subtree is known to the verifier already.
  if (start > 0) path.push(rangeHash(start, end, node));
  return (await Promise.all(path)).reverse();
}

function checkIndex(index: number, size: number): void {
  const isInside = Number.isSafeInteger(size) && Number.isSafeInteger(index) && index >= 0 && index < size;
  checkPosition(isInside, `leaf ${index} is not in a tree of ${size}`);
}

function checkSizes(first: number, second: number): void {
  checkPosition(
    Number.isSafeInteger(first) && Number.isSafeInteger(second) && first >= 1 && first <= second,
    `sizes ${first} and ${second}: expected 1 ≤ first ≤ second < 2^53`,
  );
}

function checkHashes(proof: readonly Uint8Array[]): void {
  const odd = proof.findIndex((hash) => hash.length !== HASH_BYTES);
  if (odd >= 0) throw new ProofRejected('wrong_hash_size', `proof hash ${odd} has ${proof[odd]?.length} bytes, expected ${HASH_BYTES}`);
}

function checkRoot(what: string, found: Uint8Array, expected: Uint8Array): void {
  if (!equalBytes(found, expected)) {
    throw new ProofRejected('wrong_root', `the proof leads to the ${what} ${toHex(found)}, expected ${toHex(expected)}`);
  }
}

function checkLength(found: number, expected: number): void {
  if (found !== expected) throw new ProofRejected('wrong_length', `the proof has ${found} hashes, expected ${expected}`);
}

/** Steps from a node to the root of the tree whose last node on the same level is `last`, and how many of them have a sibling. */
function siblingsAbove(node: number, last: number): number {
  let siblings = 0;
  for (; last > 0; node = half(node), last = half(last)) {
    if (isOdd(node) || node < last) siblings++;
  }
  return siblings;
}

/**
 * Checks that the entry with `leaf` hash is number `index` of the tree of `size` leaves and that root (RFC 9162 §2.1.3.2).
 * MUST refuse every proof but the one {@link inclusionProof} makes. Throws {@link ProofRejected}.
 */
export function verifyInclusion(leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[], root: Uint8Array): void {
  checkRoot('root', rootFrom(leaf, index, size, proof), root);
}

/** The root that a proof leads to, for whoever has to find it. Throws {@link ProofRejected} for a proof of another shape. */
export function rootFrom(leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[]): Uint8Array {
  checkIndex(index, size);
  checkHashes(proof);
  checkLength(proof.length, siblingsAbove(index, size - 1));
  let hash = leaf;
  let [node, last] = [index, size - 1];
  for (const sibling of proof) {
    [node, last] = rise(node, last);
    hash = isOdd(node) ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return hash;
}

/** The last node of a level, while it has no right twin, rises unchanged until it is a right child or the root. */
function rise(node: number, last: number): [node: number, last: number] {
  while (last > 0 && !isOdd(node) && node === last) [node, last] = [half(node), half(last)];
  return [node, last];
}

/** One tree head: how many leaves, and the root over them. */
export type TreeHead = Readonly<{ size: number; root: Uint8Array }>;

/** The node both walks start from: the last complete subtree of the first tree, as its position and the last one on its level. */
function commonSubtree(first: number, second: number): [node: number, last: number] {
  let [node, last] = [first - 1, second - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  return [node, last];
}

/**
 * Checks that the tree of `first` is the beginning of the tree of `second` (RFC 9162 §2.1.4.2). Stricter than the RFC
 * in one direction: a first tree without leaves is refused, because nothing would be proved. Throws {@link ProofRejected}.
 */
export function verifyConsistency(first: TreeHead, second: TreeHead, proof: readonly Uint8Array[]): void {
  checkSizes(first.size, second.size);
  checkHashes(proof);
  let [node, last] = commonSubtree(first.size, second.size);
  // A first tree that is one complete subtree is where the walk starts; the proof need not repeat its root.
  const seeded = node === 0;
  const equalSizes = first.size === second.size;
  checkLength(proof.length, equalSizes ? 0 : siblingsAbove(node, last) + (seeded ? 0 : 1));
  if (equalSizes) return checkRoot('second root', first.root, second.root);
  const [seed, ...path] = seeded ? [first.root, ...proof] : proof;
  let [older, newer] = [seed as Uint8Array, seed as Uint8Array];
  for (const sibling of path) {
    [node, last] = rise(node, last);
    if (isOdd(node)) older = nodeHash(sibling, older);
    newer = isOdd(node) ? nodeHash(sibling, newer) : nodeHash(newer, sibling);
    [node, last] = [half(node), half(last)];
  }
  checkRoot('first root', older, first.root);
  checkRoot('second root', newer, second.root);
}
