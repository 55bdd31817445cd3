import { verifyWithNoble, verifyWithNodeCrypto, type SignatureCheck } from '../../gateway/ledger/es256k.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { DOMAINS, signedBytes } from '../../gateway/ledger/cose.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';
import { GrowingLane } from './chain.ts';
import { median } from './figures.ts';

const ENTRIES_PER_BLOCK = [1, 100];
const BLOCKS = 50;
const SECONDS = 4;
const ROUNDS = 3;
/** Signatures alone, by the same back end: nothing that verifies blocks can be quicker. */
const SIGNATURES = 'signatures alone';

type Judgeable = Readonly<{ before: ChainState; bytes: Uint8Array }>;

export const verify: Bench = {
  name: 'verify',
  summary: 'Blocks per second through verifyBlock with both signature back ends',
  run: async (context) => {
    const cases: Case[] = [];
    for (const entries of ENTRIES_PER_BLOCK) cases.push(await compareOn(await laneOf(entries), entries, context));
    return { cases, targets: [targetFor(cases, '1 in a block', 'node_crypto_blocks_per_s', 'at least', 1500), targetFor(cases, '1 in a block', 'ratio_to_signatures', 'at least', 0.8)], notes: [`${SIGNATURES}: node:crypto over the same headers, in the same turns`, 'both back ends judge the same blocks in turns; one thread; medians of rounds'] };
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
  const [noble, native, alone]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= rounds; round++) {
    signal.throwIfAborted();
    progress(`blocks of ${entries}: ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`);
    const rates = [blocksPerSecond(blocks, verifyWithNoble, seconds), blocksPerSecond(blocks, verifyWithNodeCrypto, seconds), signaturesPerSecond(blocks, seconds)] as const;
    if (round === 0) continue;
    noble.push(rates[0]);
    native.push(rates[1]);
    alone.push(rates[2]);
    await new Promise(setImmediate);
  }
  const [nobleRate, nativeRate, aloneRate] = [median(noble) ?? NaN, median(native) ?? NaN, median(alone) ?? NaN];
  return {
    name: `${entries} in a block`,
    figures: { noble_blocks_per_s: nobleRate, node_crypto_blocks_per_s: nativeRate, ratio_node_crypto_to_noble: nativeRate / nobleRate, signatures_per_s: aloneRate, ratio_to_signatures: nativeRate / aloneRate },
  };
}

function signaturesPerSecond(blocks: readonly Judgeable[], seconds: number): number {
  const signed = blocks.map(({ before, bytes }) => {
    const { envelope } = openBlock(bytes);
    return { message: signedBytes(envelope.payload, DOMAINS.block), signature: envelope.signature, key: before.authority.gateway };
  });
  return perSecond(seconds, (turn) => {
    const { message, signature, key } = signed[turn % signed.length] as (typeof signed)[number];
    if (!verifyWithNodeCrypto(message, signature, key)) throw new Error('a signature of the lane is not good');
  });
}

function blocksPerSecond(blocks: readonly Judgeable[], check: SignatureCheck, seconds: number): number {
  return perSecond(seconds, (turn) => {
    const { before, bytes } = blocks[turn % blocks.length] as Judgeable;
    verifyBlock(before, bytes, { check });
  });
}

function perSecond(seconds: number, work: (turn: number) => void): number {
  const start = performance.now();
  const end = start + seconds * 1000;
  let done = 0;
  for (; performance.now() < end; done++) work(done);
  return (done * 1000) / (performance.now() - start);
}
