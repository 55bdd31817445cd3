/** Which nodes of a tree (see merkle.ts) are needed for what is still to be proven, once the leaves before it are not. */

import { InternalError } from '../errors.ts';
import type { Tree, TreeNode } from './merkle.ts';

type Place = Pick<TreeNode, 'level' | 'index'>;

/** The roots of the complete subtrees of a tree of that size, the largest first. */
export function frontierOf(size: number): readonly Place[] {
  const places: Place[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) if (rest % 2 === 1) places.unshift({ level, index: rest - 1 });
  return places;
}

/** The tree of that size that a tree becomes when these nodes are completed. Throws {@link InternalError} when they are not those of that growth. */
export function grownBy(tree: Tree, nodes: readonly TreeNode[], size: number): Tree {
  const hashes = new Map<string, Uint8Array>();
  for (const [position, { level, index }] of frontierOf(tree.size).entries()) hashes.set(`${level}/${index}`, tree.frontier[position] as Uint8Array);
  const places = frontierOf(size).map(({ level, index }) => `${level}/${index}`);
  const missing = new Set(places.filter((place) => !hashes.has(place)));
  for (let at = nodes.length - 1; at >= 0 && missing.size > 0; at--) {
    const { level, index, hash } = nodes[at] as TreeNode;
    if (missing.delete(`${level}/${index}`)) hashes.set(`${level}/${index}`, hash);
  }
  if (missing.size > 0) throw new InternalError(`a tree of ${tree.size} leaves does not become one of ${size} by these nodes`);
  return { size, frontier: places.map((place) => hashes.get(place) as Uint8Array) };
}

/**
 * Nodes that no proof about a leaf from `to` on, nor about a tree of that size or a larger one, ever needs: all whose parent lies before it,
 * too. Those of the first `from` leaves were told before.
 */
export function* nodesOnlyUnder(from: number, to: number): Iterable<Place> {
  for (let level = 0, width = 2; width <= to; level++, width *= 2) {
    for (let index = 2 * Math.floor(from / width); index < 2 * Math.floor(to / width); index++) yield { level, index };
  }
}
