import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BlockStore, StorableBlock } from '../../gateway/ledger/block-store.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import type { ChainState } from '../../gateway/ledger/state.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { Witness } from '../../gateway/upstream/witness.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { needs } from '../debian-packages.ts';
import { startPostgres, type Postgres } from '../postgres.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Target } from './bench.ts';
import { spreadOf } from './figures.ts';
import { HospitalProcess } from './hospital-process.ts';
import { offerAll } from './offer-load.ts';
import { memoryOf } from './process-figures.ts';
import { signaturesPerSecond } from './signature-limit.ts';
import { simulateGateways, type SimulatedGateway } from './simulated-gateways.ts';

const CONNECTIONS = 64;
/** As a gateway sends when it drains what waited. */
const TOGETHER = 8;
const GATEWAYS = [1000, 10_000] as const;
const QUICK = [100, 1000] as const;
const BLOCKS_OF_FEW = 8;
const BLOCKS_OF_MANY = 1;
const SIGNATURE_SECONDS = 4;

/** Where a hospital keeps its blocks: how processes are started over it, and the same store by itself. */
type Engine = Readonly<{
  name: string;
  /** Settings of a process, and the store alone, both over a store that is empty. */
  fresh: (folder: string) => Promise<Readonly<{ settings: Readonly<Record<string, unknown>>; bare: () => Promise<BareStore> }>>;
  processes: readonly number[];
}>;
/** Blocks per second: signatures verified and nothing else; and with a receipt signed for each request, too. */
type Limits = Readonly<{ signatures: number; curve: number }>;
type BareStore = Readonly<{ blocks: BlockStore; close: () => Promise<void> }>;

const EMBEDDED: Engine = {
  name: 'rocksdb',
  processes: [1],
  fresh: (folder) => Promise.resolve({
    settings: {},
    bare: async () => {
      const store = await openRocksStore(join(folder, 'bare'));
      return { blocks: new StoredBlocks(store, { removePending: false }), close: () => store.close() };
    },
  }),
};

/** A primary and two standbys, of which one must have a commit before it counts. */
const replicated = (postgres: Postgres): Engine => ({
  name: 'postgresql',
  processes: [1, 2, 4],
  fresh: async () => {
    const [settings, bare] = [{ store: await postgres.database() }, await postgres.database()];
    return { settings, bare: () => openBare(bare) };
  },
});

const openBare = async (url: string): Promise<BareStore> => await openPostgres([url], { durability: 'replicated' });

export const upstream: Bench = {
  name: 'upstream',
  summary: 'Blocks per second that a hospital verifies, keeps and countersigns, of thousands of gateways, against appends and signatures alone',
  run: async (context) => {
    const { options: { quick }, progress, signal } = context;
    const cases: Case[] = [];
    const postgresql = needs('postgresql');
    await using postgres = postgresql.missing ? undefined : await startPostgres({ standbys: 2 });
    const engines = postgres === undefined ? [EMBEDDED] : [EMBEDDED, replicated(postgres)];
    const [few, many] = quick ? QUICK : GATEWAYS;
    for (const count of [few, many]) {
      const blocks = count === few ? BLOCKS_OF_FEW : BLOCKS_OF_MANY;
      const gateways = await simulateGateways(count, blocks, (done) => progress(`${done} of ${count} gateways have sealed their blocks`), signal);
      progress('signatures alone');
      const some = gateways.slice(0, 200).map(({ blocks: [, second = new Uint8Array()], gateway }) => ({ bytes: second, gateway }));
      const limitsOf = async (together: number): Promise<Limits> => ({ signatures: await signaturesPerSecond(some, quick ? 1 : SIGNATURE_SECONDS), curve: await signaturesPerSecond(some, quick ? 1 : SIGNATURE_SECONDS, together) });
      for (const engine of engines) {
        for (const together of count === few ? [1, TOGETHER] : [1]) cases.push(...await measured(engine, gateways, together, await limitsOf(together), context));
      }
    }
    progress('memory');
    cases.push(await memoryCase(quick ? 1000 : 5000, context));
    return { cases, targets: targetsOf(cases), notes: postgresql.missing ? [...NOTES, `could not run:${postgresql.note}`] : NOTES };
  },
};

const NOTES = [
  `blocks of 10 entries, 1.2 KB; ${CONNECTIONS} connections; "${TOGETHER} together": as a gateway sends what waited, one receipt for all of them`,
  'load, hospital and store share these cores; ratio_to_appends: to the same blocks put into the same store, verified beforehand, with the same number of appends under way',
  'ratio_to_signatures: to all cores verifying the same signatures and doing nothing else',
  'ratio_to_curve: to all cores verifying them and signing a receipt for each request, and nothing else: curve_per_s through signatures_per_s is the most that ratio_to_signatures can be',
  'memory: what stays in the heap of a process and its buffers for each gateway it has met, after garbage was collected; RocksDB\'s own caches do not grow with gateways',
];

async function measured(engine: Engine, gateways: readonly SimulatedGateway[], together: number, { signatures, curve }: Limits, { folder, progress, signal }: BenchContext): Promise<readonly Case[]> {
  const cases: Case[] = [];
  const to = (gateways[0]?.blocks.length ?? 0);
  for (const processes of engine.processes) {
    const name = `${engine.name}, ${processes} × ${gateways.length}${together > 1 ? `, ${together} together` : ''}`;
    const place = join(folder, name.replaceAll(/[^a-z0-9]+/g, '-'));
    mkdirSync(place, { recursive: true, mode: 0o700 });
    const { settings, bare } = await engine.fresh(place);
    const started: HospitalProcess[] = [];
    try {
      const appended = await appendsPerSecond(await bare(), gateways, together, (line) => progress(`${name}: ${line}`), signal);
      for (let i = 0; i < processes; i++) started.push(await HospitalProcess.start(place, settings, signal, started[0]));
      const load = { urls: started.map(({ url }) => url), gateways, connections: CONNECTIONS, signal };
      const begun = await offerAll({ ...load, from: 0, to: 1, together: 1, progress: (done) => progress(`${name}: ${done} chains begun`) });
      const { blocks, seconds, latencies, repeated } = await offerAll({ ...load, from: 1, to, together, progress: (done) => progress(`${name}: ${done} receipts`) });
      const rate = blocks / seconds;
      cases.push({ name, figures: {
        blocks_per_s: rate, appends_per_s: appended, ratio_to_appends: rate / appended, signatures_per_s: signatures, ratio_to_signatures: rate / signatures, curve_per_s: curve, ratio_to_curve: rate / curve, genesis_blocks_per_s: begun.blocks / begun.seconds,
        ...spreadOf(latencies), repeated, rss_mb: started.reduce((sum, { pid }) => sum + memoryOf(pid).rss, 0),
      } });
    } finally {
      for (const each of started) await each.stop();
    }
  }
  return cases;
}

/** The same blocks, verified beforehand, into the same store. */
async function appendsPerSecond({ blocks: store, close }: Readonly<{ blocks: BlockStore; close: () => Promise<void> }>, gateways: readonly SimulatedGateway[], together: number, progress: (line: string) => void, signal: AbortSignal): Promise<number> {
  // As many as are worth waiting for: each has to be verified beforehand.
  const some = gateways.slice(0, 1000);
  try {
    const runs: StorableBlock[][] = [];
    for (const { blocks } of some) {
      signal.throwIfAborted();
      let state: ChainState | undefined;
      const verified = blocks.map((bytes): StorableBlock => {
        const judged = verifyBlock(state, bytes, { check: verifyWithNodeCrypto });
        state = judged.state;
        return { bytes, verified: judged };
      });
      await store.append(...verified.slice(0, 1) as [StorableBlock]);
      runs.push(verified.slice(1));
      if (runs.length % 100 === 0) progress(`${runs.length} chains verified for the bare store`);
    }
    const began = performance.now();
    const due = runs.map((run) => ({ run, next: 0 }));
    let done = 0;
    const serve = async (): Promise<void> => {
      for (let turn = due.shift(); turn !== undefined; turn = due.shift()) {
        const [first, ...following] = turn.run.slice(turn.next, turn.next + together) as [StorableBlock, ...StorableBlock[]];
        const { outcome } = await store.append(first, ...following);
        if (outcome !== 'committed') throw new Error(`the bare store says ${outcome}`);
        done += 1 + following.length;
        turn.next += 1 + following.length;
        if (turn.next < turn.run.length) due.push(turn);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, serve));
    return (done * 1000) / (performance.now() - began);
  } finally {
    await close();
  }
}

/** What a witness keeps of a gateway after it has taken its blocks. */
async function memoryCase(count: number, { folder, progress, signal }: BenchContext): Promise<Case> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    for (let i = 0; i < 3; i++) collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const store = await openRocksStore(join(folder, 'memory'));
  const nowhere = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const witness = await Witness.open({ blocks: new StoredBlocks(store, { removePending: false }), key: keyOf('north'), gateways: 'open', now: () => UnixMillis(Date.now()), log: nowhere });
  const feed = async (many: number): Promise<void> => {
    for (const { chain, blocks } of await simulateGateways(many, 1, () => undefined, signal)) {
      for (const [height, bytes] of blocks.entries()) await witness.judge({ chain: Buffer.from(chain, 'hex'), lane: 'record', height }, bytes);
    }
  };
  try {
    // What is kept however many there are (keys that were parsed, compiled code) is there beforehand.
    await feed(Math.min(4200, count));
    const before = held();
    progress(`memory: ${count} gateways more`);
    await feed(count);
    return { name: 'memory', figures: { gateways: count, bytes_per_gateway: Math.max(0, held() - before) / count } };
  } finally {
    await store.close();
  }
}

function targetsOf(cases: readonly Case[]): readonly Target[] {
  const measuredCases = cases.filter(({ figures }) => figures['ratio_to_appends'] !== undefined);
  return [
    ...measuredCases.flatMap(({ name }) => [targetFor(cases, name, 'ratio_to_appends', 'at least', 0.5), targetFor(cases, name, 'ratio_to_signatures', 'at least', 0.7)]),
    targetFor(cases, 'memory', 'bytes_per_gateway', 'at most', 2048),
  ];
}

