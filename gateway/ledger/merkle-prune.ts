/** Which nodes of a tree (see merkle.ts) are needed for what is still to be proven, once the leaves before it are not. */

import type { TreeNode } from './merkle.ts';

type Place = Pick<TreeNode, 'level' | 'index'>;

/** The roots of the complete subtrees of a tree of that size, the largest first. */
export function frontierOf(size: number): readonly Place[] {
  const places: Place[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) if (rest % 2 === 1) places.unshift({ level, index: rest - 1 });
  return places;
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
