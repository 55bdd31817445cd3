import { setTimeout as pause } from 'node:timers/promises';
import { openBlock } from '../../gateway/ledger/block.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyReceipt } from '../../gateway/ledger/receipt.ts';
import { needs } from '../debian-packages.ts';
import { startPostgres } from '../postgres.ts';
import { targetFor, type Bench, type BenchContext, type Findings } from './bench.ts';
import { spreadOf } from './figures.ts';
import { HospitalProcess } from './hospital-process.ts';
import { offerAll } from './offer-load.ts';
import { simulateGateways, type SimulatedGateway } from './simulated-gateways.ts';

const GATEWAYS = 200;
const BLOCKS = 60;
const CONNECTIONS = 32;
const LOOK_EVERY_MS = 250;

export const failover: Bench = {
  name: 'failover',
  summary: 'Kills the PostgreSQL primary (a standby is promoted), then one of two hospital processes, under load: what is lost, and how soon it goes on',
  run: async (context) => {
    const { missing, note } = needs('postgresql');
    return missing ? { cases: [], targets: [], notes: [`could not run:${note}`] } : await killUnderLoad(context);
  },
};

type Receipted = Readonly<{ gateway: SimulatedGateway; height: number; receipt: Uint8Array }>;

async function killUnderLoad({ options: { quick }, folder, progress, signal }: BenchContext): Promise<Findings> {
  const gateways = await simulateGateways(quick ? 50 : GATEWAYS, BLOCKS, (done) => progress(`${done} gateways have sealed their blocks`), signal);
  await using postgres = await startPostgres({ standbys: 2 });
  const started: HospitalProcess[] = [];
  try {
    for (let i = 0; i < 2; i++) started.push(await HospitalProcess.start(folder, { store: postgres.url }, signal, started[0]));
    const [first, second] = started as [HospitalProcess, HospitalProcess];
    const key = Buffer.from((await (await fetch(`${first.url}/v1/key`)).json() as { key: string }).key, 'hex');
    const receipts: Receipted[] = [];
    const times: number[] = [];
    const total = gateways.length * BLOCKS;
    const load = offerAll({
      urls: started.map(({ url }) => url), gateways, from: 0, to: BLOCKS + 1, together: 1, connections: CONNECTIONS, signal,
      onReceipt: (gateway, height, receipt) => {
        receipts.push({ gateway, height, receipt });
        times.push(performance.now());
      },
    });
    const reached = async (share: number): Promise<void> => {
      while (receipts.length < total * share) {
        progress(`${receipts.length} receipts`);
        await Promise.race([pause(LOOK_EVERY_MS), load]);
      }
    };
    await reached(0.3);
    const primaryKilled = performance.now();
    await postgres.primary.kill();
    await postgres.promote();
    await reached(0.65);
    const processKilled = performance.now();
    await first.kill();
    const { blocks, seconds, latencies, repeated } = await load;
    const { lost, doubled } = await audit(second.url, receipts, key);
    const before = rateBetween(times, times[0] ?? 0, primaryKilled);
    const name = `2 processes, ${gateways.length} gateways`;
    const figures = {
      blocks_per_s: blocks / seconds, before_per_s: before, after_primary_per_s: rateBetween(times, primaryKilled + 5000, processKilled), after_process_per_s: rateBetween(times, processKilled + 2000, times.at(-1) ?? 0),
      longest_gap_after_primary_ms: longestGap(times, primaryKilled, processKilled), longest_gap_after_process_ms: longestGap(times, processKilled, times.at(-1) ?? 0),
      receipts: receipts.length, receipted_and_lost: lost, heights_with_two_hashes: doubled, repeated, ...spreadOf(latencies),
    };
    const cases = [{ name, figures }];
    return {
      cases,
      targets: [targetFor(cases, name, 'receipted_and_lost', 'at most', 0), targetFor(cases, name, 'heights_with_two_hashes', 'at most', 0)],
      notes: ['a primary and two synchronous standbys (ANY 1) on these cores; killed with SIGKILL at 30 % of the receipts, the standby that has most is promoted at once; a hospital process is killed at 65 %', 'a gateway asks the other process when one does not answer'],
      faults: lost + doubled > 0 ? [`${lost} receipted blocks are lost, ${doubled} heights have two`] : [],
    };
  } finally {
    for (const each of started) await each.stop();
  }
}

/** Every receipt is for the block that is recorded now, and it is the one that was offered. */
async function audit(url: string, receipts: readonly Receipted[], key: Uint8Array): Promise<Readonly<{ lost: number; doubled: number }>> {
  let [lost, doubled] = [0, 0];
  const ofChain = Map.groupBy(receipts, ({ gateway }) => gateway);
  for (const [{ chain, blocks }, all] of ofChain) {
    for (const { height, receipt } of all) {
      const { hash } = openBlock(blocks[height] as Uint8Array);
      verifyReceipt(receipt, { key, chain: Buffer.from(chain, 'hex'), lane: 'record', height, hash }, verifyWithNodeCrypto);
      const answer = await fetch(`${url}/v1/chains/${chain}/record/blocks/${height}`);
      const recorded = answer.status === 200 ? Buffer.from(await answer.arrayBuffer()) : undefined;
      if (recorded === undefined) lost += 1;
      else if (Buffer.compare(openBlock(recorded).hash, hash) !== 0) doubled += 1;
    }
  }
  return { lost, doubled };
}

const rateBetween = (times: readonly number[], from: number, to: number): number => (times.filter((time) => time >= from && time < to).length * 1000) / Math.max(1, to - from);

function longestGap(times: readonly number[], from: number, to: number): number {
  const within = [from, ...times.filter((time) => time >= from && time <= to)];
  return Math.max(0, ...within.slice(1).map((time, i) => time - (within[i] as number)));
}
