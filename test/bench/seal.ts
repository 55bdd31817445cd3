import { join } from 'node:path';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';
import { GrowingLane } from './chain.ts';
import { mediansOf, percentile } from './figures.ts';

const ENTRIES_PER_BLOCK = [1, 100, 1000];
const SECONDS = 5;
const WARM_UP_BLOCKS = 20;

export const seal: Bench = {
  name: 'seal',
  summary: 'Blocks and entries per second: seal, verify and append with fsync on RocksDB',
  run: async (context) => {
    const cases: Case[] = [];
    for (const entries of ENTRIES_PER_BLOCK) cases.push(await sealBlocksOf(entries, context));
    return { cases, targets: [targetFor(cases, '1000 in a block', 'main_ms', 'at most', 50)], notes: ['verified with node:crypto before it is appended, as the gateway does; entries are made outside the measured time'] };
  },
};

/** `main_ms`: what of it the main thread was busy, and could do nothing else. */
type Step = Readonly<{ seal_ms: number; verify_ms: number; append_ms: number; main_ms: number }>;

async function sealBlocksOf(entries: number, { options, folder, progress, signal }: BenchContext): Promise<Case> {
  const seconds = options.seconds ?? (options.quick ? 1 : SECONDS);
  const store = await openRocksStore(join(folder, `blocks-of-${entries}`));
  try {
    const blocks = new StoredBlocks(store, { removePending: true });
    const lane = await GrowingLane.begin();
    await blocks.append({ bytes: lane.genesis.bytes, verified: verifyBlock(undefined, lane.genesis.bytes) });
    for (let i = 0; i < WARM_UP_BLOCKS; i++) await sealOne(lane, entries, blocks);
    progress(`blocks of ${entries}`);
    const steps: Step[] = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end; signal.throwIfAborted()) steps.push(await sealOne(lane, entries, blocks));
    return { name: `${entries} in a block`, sync: 'fsync of every block', figures: figuresOf(steps, entries) };
  } finally {
    await store.close();
  }
}

async function sealOne(lane: GrowingLane, count: number, blocks: BlockStore): Promise<Step> {
  const before = lane.state;
  const entries = lane.nextEntries(count);
  const busy = performance.eventLoopUtilization();
  const start = performance.now();
  const { bytes } = await lane.seal(entries);
  const sealed = performance.now();
  const verified = verifyBlock(before, bytes, { check: verifyWithNodeCrypto });
  const judged = performance.now();
  const { outcome } = await blocks.append({ bytes, verified });
  if (outcome !== 'committed') throw new Error(`block ${verified.header.height}: ${outcome}`);
  return { seal_ms: sealed - start, verify_ms: judged - sealed, append_ms: performance.now() - judged, main_ms: performance.eventLoopUtilization(busy).active };
}

function figuresOf(steps: readonly Step[], entries: number): Case['figures'] {
  const times = steps.map(({ seal_ms, verify_ms, append_ms }) => seal_ms + verify_ms + append_ms).sort((a, b) => a - b);
  const blocksPerSecond = (times.length * 1000) / times.reduce((sum, time) => sum + time, 0);
  return {
    blocks_per_s: blocksPerSecond,
    entries_per_s: blocksPerSecond * entries,
    block_p50_ms: percentile(times, 0.5),
    block_p99_ms: percentile(times, 0.99),
    ...mediansOf(steps),
  };
}
