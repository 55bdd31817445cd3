import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  consistencyProof, inclusionProof, ProofRejected, verifyConsistency, verifyInclusion,
} from '../../gateway/ledger/merkle-proof.ts';
import { leafHash, rootOf } from '../../gateway/ledger/merkle.ts';
import { NodeShelf, sampleEntries } from './node-shelf.ts';
import { referenceConsistency, referencePath, referenceRoot } from './reference-tree.ts';

const MOST = 70;
const entries = sampleEntries(MOST);
const shelf = new NodeShelf();
shelf.add(entries);
const roots = Array.from({ length: MOST + 1 }, (_, size) => referenceRoot(entries.slice(0, size)));
const rootAt = (size: number): Uint8Array => roots[size] as Uint8Array;

type InclusionVector = {
  desc: string; wantErr: string | false; leafIndex: number; treeSize: number; leafHash: string; root: string; proof: string[];
};
type ConsistencyVector = {
  desc: string; wantErr: string | false; firstSize: number; secondSize: number; firstRoot: string; secondRoot: string; proof: string[];
};

function vectorsIn<T>(folder: string): [name: string, vector: T][] {
  const place = new URL(`vectors/${folder}/`, import.meta.url);
  return readdirSync(place).map((name) => [name.replace('.json', ''), JSON.parse(readFileSync(new URL(name, place), 'utf8')) as T]);
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** The reason of the refusal, or false when nothing is refused. */
function refusal(check: () => void): string | false {
  try {
    check();
    return false;
  } catch (thrown) {
    if (thrown instanceof ProofRejected) return thrown.reason;
    throw thrown;
  }
}

describe('inclusion proofs', () => {
  it('are those of the recursive definition and verify, for every leaf of every size up to 70', async () => {
    for (let size = 1; size <= MOST; size++) {
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, shelf.reader);
        expect(proof).toEqual(referencePath(index, entries.slice(0, size)));
        verifyInclusion(leafHash(entries[index] as Uint8Array), index, size, proof, rootAt(size));
      }
    }
  });

  it('verify for random leaves of bigger trees, and for no other place', async () => {
    const big = new NodeShelf();
    const many = sampleEntries(1500);
    big.add(many);
    await fc.assert(fc.asyncProperty(fc.nat(1499), fc.nat(1499), async (index, other) => {
      const proof = await inclusionProof(index, 1500, big.reader);
      const leaf = leafHash(many[index] as Uint8Array);
      expect(refusal(() => { verifyInclusion(leaf, index, 1500, proof, rootOf(big.tree)); })).toBe(false);
      if (other === index) return;
      expect(refusal(() => { verifyInclusion(leaf, other, 1500, proof, rootOf(big.tree)); })).not.toBe(false);
    }), { numRuns: 60 });
  });

  it('are refused when any one hash is changed, dropped or doubled', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 2, max: MOST }), fc.nat(), fc.nat(), async (size, at, where) => {
      const index = at % size;
      const proof = await inclusionProof(index, size, shelf.reader);
      const place = where % proof.length;
      const leaf = leafHash(entries[index] as Uint8Array);
      const changed = proof.with(place, leafHash(Uint8Array.of(1)));
      for (const forged of [changed, proof.toSpliced(place, 1), proof.toSpliced(place, 0, proof[place] as Uint8Array)]) {
        expect(refusal(() => { verifyInclusion(leaf, index, size, forged, rootAt(size)); })).not.toBe(false);
      }
    }), { numRuns: 100 });
  });

  it('exist for no leaf outside the tree', async () => {
    await expect(inclusionProof(5, 5, shelf.reader)).rejects.toMatchObject({ reason: 'wrong_position' });
  });

  for (const [name, vector] of vectorsIn<InclusionVector>('inclusion')) {
    it(`${vector.wantErr === false ? 'pass' : 'are refused'}: ${name}, ${vector.desc}`, () => {
      expect(refusal(() => {
        verifyInclusion(hex(vector.leafHash), vector.leafIndex, vector.treeSize, vector.proof.map(hex), hex(vector.root));
      })).toBe(vector.wantErr);
    });
  }
});

describe('consistency proofs', () => {
  it('are those of the recursive definition and verify, for every pair of sizes up to 70', async () => {
    for (let second = 1; second <= MOST; second++) {
      for (let first = 1; first <= second; first++) {
        const proof = await consistencyProof(first, second, shelf.reader);
        expect(proof).toEqual(referenceConsistency(first, entries.slice(0, second)));
        verifyConsistency({ size: first, root: rootAt(first) }, { size: second, root: rootAt(second) }, proof);
      }
    }
  });

  it('are refused when any one hash is changed, dropped or doubled', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 2, max: MOST }), fc.nat(), fc.nat(), async (second, at, where) => {
      const first = 1 + (at % (second - 1));
      const proof = await consistencyProof(first, second, shelf.reader);
      const place = where % proof.length;
      const heads = [{ size: first, root: rootAt(first) }, { size: second, root: rootAt(second) }] as const;
      const changed = proof.with(place, leafHash(Uint8Array.of(1)));
      for (const forged of [changed, proof.toSpliced(place, 1), proof.toSpliced(place, 0, proof[place] as Uint8Array)]) {
        expect(refusal(() => { verifyConsistency(...heads, forged); })).not.toBe(false);
      }
    }), { numRuns: 100 });
  });

  it('do not exist from an empty tree or to a smaller one', async () => {
    await expect(consistencyProof(0, 5, shelf.reader)).rejects.toMatchObject({ reason: 'wrong_position' });
    await expect(consistencyProof(6, 5, shelf.reader)).rejects.toMatchObject({ reason: 'wrong_position' });
  });

  for (const [name, vector] of vectorsIn<ConsistencyVector>('consistency')) {
    it(`${vector.wantErr === false ? 'pass' : 'are refused'}: ${name}, ${vector.desc}`, () => {
      const first = { size: vector.firstSize, root: hex(vector.firstRoot) };
      const second = { size: vector.secondSize, root: hex(vector.secondRoot) };
      expect(refusal(() => { verifyConsistency(first, second, vector.proof.map(hex)); })).toBe(vector.wantErr);
    });
  }
});
