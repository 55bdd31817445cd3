/** Keeps completed nodes as a store would and refuses to know any other. For tests only. */

import type { NodeReader } from '../../gateway/ledger/merkle-proof.ts';
import { append, EMPTY_TREE, leafHash, type Tree, type TreeNode } from '../../gateway/ledger/merkle.ts';

export class NodeShelf {
  readonly #nodes = new Map<string, Uint8Array>();
  tree: Tree = EMPTY_TREE;

  add(entries: readonly Uint8Array[]): TreeNode[] {
    const { tree, nodes } = append(this.tree, entries.map(leafHash));
    for (const { level, index, hash } of nodes) this.#nodes.set(`${level}/${index}`, hash);
    this.tree = tree;
    return nodes;
  }

  readonly reader: NodeReader = (level, index) => {
    const hash = this.#nodes.get(`${level}/${index}`);
    if (hash === undefined) throw new Error(`node ${level}/${index} was never completed`);
    return hash;
  };
}

/** `count` different entries. */
export function sampleEntries(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => new TextEncoder().encode(`entry ${index}`));
}
