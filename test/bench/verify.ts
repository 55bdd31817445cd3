import { verifyWithNoble, verifyWithNodeCrypto, type SignatureCheck } from '../../gateway/ledger/es256k.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import type { Bench, BenchContext, Case } from './bench.ts';
import { GrowingLane } from './chain.ts';
import { median } from './figures.ts';

const ENTRIES_PER_BLOCK = [1, 100];
const BLOCKS = 50;
const SECONDS = 4;
const ROUNDS = 3;

type Judgeable = Readonly<{ before: ChainState; bytes: Uint8Array }>;

export const verify: Bench = {
  name: 'verify',
  summary: 'Blocks per second through verifyBlock with both signature back ends',
  run: async (context) => {
    const cases: Case[] = [];
    for (const entries of ENTRIES_PER_BLOCK) cases.push(await compareOn(await laneOf(entries), entries, context));
    return { cases, targets: [], notes: ['both back ends judge the same blocks in turns; one thread; medians of rounds'] };
  },
};

async function laneOf(entries: number): Promise<Judgeable[]> {
  const lane = await GrowingLane.begin();
  const blocks: Judgeable[] = [];
  for (let i = 0; i < BLOCKS; i++) {
    const before = lane.state;
    blocks.push({ before, bytes: (await lane.seal(lane.nextEntries(entries))).bytes });
  }
  return blocks;
}

async function compareOn(blocks: readonly Judgeable[], entries: number, context: BenchContext): Promise<Case> {
  const { options, progress, signal } = context;
  const rounds = options.rounds ?? ROUNDS;
  const seconds = (options.seconds ?? (options.quick ? 1 : SECONDS)) / rounds / 2;
  const [noble, native]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    signal.throwIfAborted();
    progress(`blocks of ${entries}: ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`);
    const rates = [blocksPerSecond(blocks, verifyWithNoble, seconds), blocksPerSecond(blocks, verifyWithNodeCrypto, seconds)] as const;
    if (round === 0) continue;
    noble.push(rates[0]);
    native.push(rates[1]);
    await new Promise(setImmediate);
  }
  const [nobleRate, nativeRate] = [median(noble) ?? NaN, median(native) ?? NaN];
  return {
    name: `${entries} in a block`,
    figures: { noble_blocks_per_s: nobleRate, node_crypto_blocks_per_s: nativeRate, ratio_node_crypto_to_noble: nativeRate / nobleRate },
  };
}

function blocksPerSecond(blocks: readonly Judgeable[], check: SignatureCheck, seconds: number): number {
  const start = performance.now();
  const end = start + seconds * 1000;
  let judged = 0;
  while (performance.now() < end) {
    const { before, bytes } = blocks[judged % blocks.length] as Judgeable;
    verifyBlock(before, bytes, { check });
    judged += 1;
  }
  return (judged * 1000) / (performance.now() - start);
}
