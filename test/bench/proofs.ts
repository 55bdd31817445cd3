import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { inclusionProof, verifyInclusion } from '../../gateway/ledger/merkle-proof.ts';
import { append, EMPTY_TREE, foldRight, type Tree } from '../../gateway/ledger/merkle.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { changesFor, tileBegun } from '../../gateway/store/tree-tiles.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import type { Bench, BenchContext, Case } from './bench.ts';
import { targetFor } from './bench.ts';
import { percentile } from './figures.ts';

const ENTRIES = 10_000_000;
const QUICK_ENTRIES = 500_000;
const BATCH = 65_536;
const PROOFS = 2000;
const ID = { chain: new Uint8Array(16).fill(3), lane: 'record' } as const;

export const proofs: Bench = {
  name: 'proofs',
  summary: 'Inclusion proofs out of a store with the tree of ten million entries: time and size',
  run: async (context) => {
    const entries = context.options.quick ? QUICK_ENTRIES : ENTRIES;
    const name = `${entries.toLocaleString('en')} entries`;
    const cases: Case[] = [await proveIn(entries, name, context)];
    return {
      cases,
      targets: [targetFor(cases, name, 'proof_p99_ms', 'at most', 5), targetFor(cases, name, 'proof_bytes', 'at most', 1024)],
      notes: ['the nodes of the tree lie in RocksDB as a gateway writes them; leaves are hashes of numbers; every proof is of another leaf and is checked', 'entries at random: most nodes near the leaves are read from disk or from the page cache'],
    };
  },
};

/** Any leaf, the same in every run. */
function leafOf(index: number): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(index));
  return createHash('sha256').update(number).digest();
}

async function proveIn(entries: number, name: string, { folder, progress, signal }: BenchContext): Promise<Case> {
  await using stack = new AsyncDisposableStack();
  const store = stack.adopt(await openRocksStore(join(folder, 'store')), (each) => each.close());
  const tree = await growTree(store, entries, (done) => {
    signal.throwIfAborted();
    progress(`${done.toLocaleString('en')} of ${entries.toLocaleString('en')} leaves`);
  });
  const root = foldRight(tree.frontier);
  const blocks = new StoredBlocks(store, { removePending: false });
  const node = (level: number, index: number): Promise<Uint8Array> => blocks.node(ID, level, index);
  const [times, sizes]: [number[], number[]] = [[], []];
  for (let i = 0; i < PROOFS; i++) {
    signal.throwIfAborted();
    // Spread over the tree without chance.
    const index = Math.floor((i * 0.6180339887498949 % 1) * entries);
    const start = performance.now();
    const path = await inclusionProof(index, entries, node);
    times.push(performance.now() - start);
    verifyInclusion(leafOf(index), index, entries, path, root);
    sizes.push(path.reduce((sum, hash) => sum + hash.length, 0));
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { name, figures: { proof_p50_ms: percentile(sorted, 0.5), proof_p99_ms: percentile(sorted, 0.99), proof_max_ms: sorted.at(-1), proof_bytes: Math.max(...sizes) } };
}

async function growTree(store: KeyValueStore, entries: number, onProgress: (done: number) => void): Promise<Tree> {
  let tree = EMPTY_TREE;
  while (tree.size < entries) {
    const leaves = Array.from({ length: Math.min(BATCH, entries - tree.size) }, (_, i) => leafOf(tree.size + i));
    const { nodes, tree: grown } = append(tree, leaves);
    const begun = tileBegun(ID, nodes);
    await store.write(changesFor(ID, nodes, begun && await store.get(begun)), { sync: false });
    tree = grown;
    onProgress(tree.size);
  }
  return tree;
}
