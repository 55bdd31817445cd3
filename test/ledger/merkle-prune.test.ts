import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { append, EMPTY_TREE, rootOf } from '../../gateway/ledger/merkle.ts';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import { frontierOf, nodesOnlyUnder } from '../../gateway/ledger/merkle-prune.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const leaves = (count: number): Uint8Array[] => Array.from({ length: count }, (_, n) => sha256(Buffer.from(String(n))));
const placeOf = ({ level, index }: Readonly<{ level: number; index: number }>): string => `${level}/${index}`;

describe('a tree without the nodes before a leaf', () => {
  it('proves every later leaf in every later tree, and that these only grew, as the whole tree does; pruned at once or in steps', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.nat(), fc.nat(), fc.nat(), async (size, a, b, c) => {
      const [from, to] = [a % (size + 1), b % (size + 1)].toSorted((one, other) => one - other) as [number, number];
      const all = leaves(size);
      const { nodes, tree } = append(EMPTY_TREE, all);
      const kept = new Map(nodes.map((node) => [placeOf(node), node.hash]));
      const gone = [...nodesOnlyUnder(0, from), ...nodesOnlyUnder(from, to)].map(placeOf);
      expect(gone.toSorted()).toEqual([...nodesOnlyUnder(0, to)].map(placeOf).toSorted());
      for (const place of gone) expect(kept.delete(place)).toBe(true);
      const node = (level: number, index: number): Uint8Array => {
        const hash = kept.get(placeOf({ level, index }));
        if (hash === undefined) throw new Error(`node ${level}/${index} is needed`);
        return hash;
      };
      const headAt = (count: number): Readonly<{ size: number; root: Uint8Array }> => ({ size: count, root: rootOf(append(EMPTY_TREE, all.slice(0, count)).tree) });
      expect(frontierOf(to).map(({ level, index }) => node(level, index))).toEqual(append(EMPTY_TREE, all.slice(0, to)).tree.frontier);
      if (to === size) return;
      const index = to + (c % (size - to));
      const later = index + 1 + (a % (size - index));
      verifyInclusion(all[index] as Uint8Array, index, later, await inclusionProof(index, later, node), headAt(later).root);
      const earlier = Math.max(1, to);
      verifyConsistency(headAt(earlier), { size, root: rootOf(tree) }, await consistencyProof(earlier, size, node));
    }), { numRuns: fuzzRuns(500) });
  });

  it('is small: of two nodes a leaf one in the length of its binary form is left', () => {
    const { nodes } = append(EMPTY_TREE, leaves(1000));
    expect(nodes.length - [...nodesOnlyUnder(0, 1000)].length).toBe(frontierOf(1000).length);
  });
});
