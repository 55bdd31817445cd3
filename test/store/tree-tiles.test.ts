import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { append, EMPTY_TREE, type TreeNode } from '../../gateway/ledger/merkle.ts';
import { frontierOf } from '../../gateway/ledger/merkle-prune.ts';
import { changesFor, nodeIn, nodesGone, recordOf, tileBegun } from '../../gateway/store/tree-tiles.ts';

const ID = { chain: new Uint8Array(16).fill(7), lane: 'record' } as const;
const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A map to which trees are written as they grow, block after block. */
function grown(sizes: readonly number[]): Readonly<{ records: Map<string, Uint8Array>; nodes: readonly TreeNode[] }> {
  const [records, all]: [Map<string, Uint8Array>, TreeNode[]] = [new Map(), []];
  let tree = EMPTY_TREE;
  for (const size of sizes) {
    const { tree: next, nodes } = append(tree, Array.from({ length: size }, (_, n) => sha256(Buffer.from(`${tree.size + n}`))));
    const begun = tileBegun(ID, nodes);
    for (const { key, value } of changesFor(ID, nodes, begun && records.get(nameOf(begun)))) records.set(nameOf(key), value as Uint8Array);
    all.push(...nodes);
    tree = next;
  }
  return { records, nodes: all };
}

const nodeOf = (records: ReadonlyMap<string, Uint8Array>, place: Pick<TreeNode, 'level' | 'index'>): string | undefined => {
  const record = records.get(nameOf(recordOf(ID, place)));
  const hash = record && nodeIn(record, place);
  return hash && nameOf(hash);
};
const sizes = fc.array(fc.nat(70), { maxLength: 12 });

describe('a tree in tiles', () => {
  it('has every node that was ever completed, whatever the blocks were', () => {
    fc.assert(fc.property(sizes, (blocks) => {
      const { records, nodes } = grown(blocks);
      for (const { hash, ...place } of nodes) expect(nodeOf(records, place)).toBe(nameOf(hash));
    }));
  });

  it('has no node that is not complete', () => {
    const { records } = grown([21]);
    expect([nodeOf(records, { level: 0, index: 21 }), nodeOf(records, { level: 1, index: 10 }), nodeOf(records, { level: 3, index: 3 }), nodeOf(records, { level: 4, index: 1 })]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('keeps, when it is pruned in steps, every node that the leaves left need, and little else', () => {
    fc.assert(fc.property(sizes, fc.nat(), fc.nat(), (blocks, one, other) => {
      const { records, nodes } = grown(blocks);
      const size = blocks.reduce((sum, each) => sum + each, 0);
      const [from, to] = [one % (size + 1), other % (size + 1)].toSorted((a, b) => a - b) as [number, number];
      for (const { key } of [...nodesGone(ID, 0, from), ...nodesGone(ID, from, to)]) expect(records.delete(nameOf(key))).toBe(true);
      const frontier = new Set(frontierOf(to).map(({ level, index }) => `${level}/${index}`));
      for (const { level, index, hash } of nodes) if ((index + 1) * 2 ** level > to || frontier.has(`${level}/${index}`)) expect(nodeOf(records, { level, index })).toBe(nameOf(hash));
      expect(records.size).toBeLessThanOrEqual(Math.ceil((size - to) / 16) + Math.floor(size / 16) - Math.floor(to / 16) + (size - to) / 8 + 64);
    }));
  });

  it('is not gone on with where leaves are missing', () => {
    const { nodes } = append(append(EMPTY_TREE, [sha256(Buffer.of(1))]).tree, [sha256(Buffer.of(2))]);
    for (const begun of [undefined, new Uint8Array(64)]) expect(() => changesFor(ID, nodes, begun)).toThrow(expect.objectContaining({ code: 'VG_STORE_CORRUPT' }) as Error);
  });

  it('takes one record for sixteen leaves, and one for each node above', () => {
    expect(grown([1600]).records.size).toBe(100 + 197);
  });
});
