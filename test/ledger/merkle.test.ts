import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { append, EMPTY_ROOT, EMPTY_TREE, frontierLength, leafHash, nodeHash, RootAccumulator, rootOf } from '../../gateway/ledger/merkle.ts';
import { NodeShelf, sampleEntries } from './node-shelf.ts';
import { referenceRoot } from './reference-tree.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('hashes of the tree', () => {
  it('are the published ones for the empty tree, the empty leaf and the leaf "L123456"', () => {
    expect(toHex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(leafHash(utf8('')))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(toHex(leafHash(utf8('L123456')))).toBe('395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56');
  });

  it('are the published one for the node above "N123" and "N456"', () => {
    expect(toHex(nodeHash(utf8('N123'), utf8('N456')))).toBe('aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb');
  });

  it('give the published root for the eight well-known entries', () => {
    const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const leaves = entries.map((hex) => leafHash(Buffer.from(hex, 'hex')));
    const { tree } = append(EMPTY_TREE, leaves);
    expect(toHex(rootOf(tree))).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  it('tell an entry made of two node hashes from the node above them (second preimage)', () => {
    const [left, right] = [leafHash(utf8('l')), leafHash(utf8('r'))];
    expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right));
  });

  it('tell left from right', () => {
    const [left, right] = [leafHash(utf8('l')), leafHash(utf8('r'))];
    expect(nodeHash(left, right)).not.toEqual(nodeHash(right, left));
  });
});

describe('a root accumulated leaf by leaf', () => {
  it('is the root of the growing tree over the same entries, at every size', () => {
    const accumulator = new RootAccumulator();
    const shelf = new NodeShelf();
    expect(toHex(accumulator.root)).toBe(toHex(EMPTY_ROOT));
    for (const entry of sampleEntries(70)) {
      accumulator.add(Buffer.concat([Buffer.of(0), entry]));
      shelf.add([entry]);
      expect(toHex(accumulator.root)).toBe(toHex(rootOf(shelf.tree)));
      expect(accumulator.size).toBe(shelf.tree.size);
    }
  });

  it('is the root of the recursive definition for any entries', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 150 }), (entries) => {
      const accumulator = new RootAccumulator();
      for (const entry of entries) accumulator.add(Buffer.concat([Buffer.of(0), entry]));
      expect(toHex(accumulator.root)).toBe(toHex(referenceRoot(entries)));
    }), { numRuns: 60 });
  });
});

describe('a growing tree', () => {
  it('has the root of the recursive definition at every size up to 70', () => {
    const shelf = new NodeShelf();
    const entries = sampleEntries(70);
    expect(rootOf(shelf.tree)).toEqual(referenceRoot([]));
    for (const [index, entry] of entries.entries()) {
      shelf.add([entry]);
      expect(rootOf(shelf.tree)).toEqual(referenceRoot(entries.slice(0, index + 1)));
      expect(shelf.tree.frontier).toHaveLength(frontierLength(index + 1));
    }
  });

  it('does not depend on how the entries are batched', () => {
    const batches = fc.array(fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 40 }), { maxLength: 12 });
    fc.assert(fc.property(batches, (parts) => {
      const shelf = new NodeShelf();
      for (const part of parts) shelf.add(part);
      expect(rootOf(shelf.tree)).toEqual(referenceRoot(parts.flat()));
      expect(shelf.tree.size).toBe(parts.flat().length);
    }), { numRuns: 60 });
  });

  it('completes each node exactly once, with the hash of the recursive definition', () => {
    const entries = sampleEntries(37);
    const shelf = new NodeShelf();
    const nodes = [...shelf.add(entries.slice(0, 5)), ...shelf.add(entries.slice(5, 21)), ...shelf.add(entries.slice(21))];
    expect(new Set(nodes.map(({ level, index }) => `${level}/${index}`)).size).toBe(nodes.length);
    expect(nodes).toHaveLength([37, 18, 9, 4, 2, 1].reduce((sum, count) => sum + count));
    for (const { level, index, hash } of nodes) {
      expect(hash).toEqual(referenceRoot(entries.slice(index * 2 ** level, (index + 1) * 2 ** level)));
    }
  });

  it('leaves the tree it grew from as it was', () => {
    const { tree } = append(EMPTY_TREE, sampleEntries(3).map(leafHash));
    const before = structuredClone(tree);
    append(tree, sampleEntries(6).map(leafHash));
    expect(tree).toEqual(before);
  });

  it('counts beyond 32 bits', () => {
    const size = 2 ** 40 + 1;
    const frontier = [leafHash(utf8('big')), leafHash(utf8('small'))];
    const { tree, nodes } = append({ size, frontier }, [leafHash(utf8('next'))]);
    expect(tree.size).toBe(size + 1);
    expect(nodes.map(({ level, index }) => [level, index])).toEqual([[0, size], [1, 2 ** 39]]);
    expect(tree.frontier).toHaveLength(2);
  });

  it('refuses to pass 2^53 leaves', () => {
    const full = { size: Number.MAX_SAFE_INTEGER, frontier: Array.from({ length: 53 }, () => EMPTY_ROOT) };
    expect(() => append(full, [EMPTY_ROOT])).toThrow(expect.objectContaining({ code: 'VG_INTERNAL' }));
  });
});
