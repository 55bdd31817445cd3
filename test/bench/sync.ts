import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { BlockStore, StorableBlock } from '../../gateway/ledger/block-store.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { DOMAINS, signedBytes } from '../../gateway/ledger/cose.ts';
import { signingKeyFrom, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { Peers } from '../../gateway/upstream/peers.ts';
import { SignatureThreads, type Signed } from '../../gateway/upstream/signature-threads.ts';
import { keyOf } from '../upstream/gateway-chain.ts';
import { LogBook } from '../upstream/hospital.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';
import { GrowingLane } from './chain.ts';
import { accepts, Child, freePort } from './child.ts';
import { cpuSecondsOf, memoryOf } from './process-figures.ts';

const BLOCKS = 20_000;
const QUICK_BLOCKS = 3000;
const ENTRIES = 8;
/** As copying does it. */
const RUN = 256;
/** Of these the limits of the machine are found. */
const SAMPLE = 2048;
const MAIN = join(import.meta.dirname, '../../gateway/main.ts');

export const sync: Bench = {
  name: 'sync',
  summary: 'A new member copies one long lane from the node of another hospital: blocks per second against bare verification and bare appends',
  run: async (context) => {
    const count = context.options.blocks ?? (context.options.quick ? QUICK_BLOCKS : BLOCKS);
    const name = `${count.toLocaleString('en')} blocks of ${ENTRIES} entries`;
    const cases: Case[] = [await copyLane(count, name, context)];
    return {
      cases,
      targets: [targetFor(cases, name, 'ratio_to_limit', 'at least', 0.7), targetFor(cases, name, 'cpu_ratio_to_limit', 'at least', 0.7)],
      notes: [
        'limit: the slower of verifying whole blocks (verifyBlock on one core, times the cores) and of appends (RocksDB, fsync of every run of 256), each by itself, before and after',
        'cpu_ratio_to_limit: the same by processor time, which other programs on the machine disturb less: what verifying and appending take, of all that copying takes',
        'signatures: node:crypto alone, a thread for each core',
        'the node that is copied from runs on the same cores: what it takes is told, and is part of the time',
      ],
    };
  },
};

type Served = Readonly<{ blocks: readonly Uint8Array[]; gateway: Uint8Array; bytes: number }>;

async function copyLane(count: number, name: string, context: BenchContext): Promise<Case> {
  const { folder, progress, signal } = context;
  const source = join(folder, 'source');
  mkdirSync(source, { recursive: true, mode: 0o700 });
  const { blocks: sample, gateway, bytes } = await fillStore(join(source, 'store'), count, context);
  progress('limits of the machine');
  const before = await limitsOf(sample, gateway, join(folder, 'bare-before'));
  const port = await freePort();
  writeFileSync(join(source, 'hospital.key'), `${Buffer.from(keyOf('source').secret).toString('hex')}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'source.yaml'), stringify({ upstream: { name: 'source', data: source, listen: `127.0.0.1:${port}`, gateways: 'open' } }), { mode: 0o600 });
  const node = new Child('source', process.execPath, [MAIN, 'upstream', '--config', join(folder, 'source.yaml')], join(folder, 'source.log'));
  const url = `https://127.0.0.1:${port}`;
  const store = await openRocksStore(join(folder, 'member'));
  const blocks = new StoredBlocks(store, { removePending: false });
  const peers = peersOver(blocks, url);
  try {
    await node.until('port', () => accepts(port), signal);
    const own = process.cpuUsage();
    const [cpu, began, pulledBefore] = [cpuSecondsOf(node.pid), performance.now(), peers.status()[0]?.blocksPulled ?? 0];
    const troubles = await peers.copyAll(({ blocks: done }) => progress(`${done.toLocaleString('en')} of ${count.toLocaleString('en')} blocks`), signal);
    const seconds = (performance.now() - began) / 1000;
    const pulled = (peers.status()[0]?.blocksPulled ?? 0) - pulledBefore;
    if (troubles.length > 0 || pulled === 0) throw new Error(`not everything was copied: ${troubles.join('; ')}`);
    const rate = pulled / seconds;
    const ownCpu = cpuMicros(own) / pulled;
    const sourceCpu = cpuSecondsOf(node.pid) - cpu;
    progress('limits of the machine once more');
    const { signatures, verified, appends, cpu: limitCpu } = meanOf(before, await limitsOf(sample, gateway, join(folder, 'bare-after')));
    return {
      name, sync: 'fsync of every run of 256',
      figures: {
        blocks_per_s: rate, mb_per_s: (bytes / count) * rate / 1e6, signatures_per_s: signatures, verified_per_s: verified, appends_per_s: appends,
        ratio_to_limit: rate / Math.min(verified, appends), ratio_to_signatures: rate / signatures, ratio_to_appends: rate / appends,
        cpu_us_per_block: ownCpu, limit_cpu_us_per_block: limitCpu, cpu_ratio_to_limit: limitCpu / ownCpu,
        source_cpu_us_per_block: (sourceCpu * 1e6) / pulled, peak_rss_mb: memoryOf(process.pid).peak,
      },
    };
  } finally {
    await peers.close();
    await node.stop();
    await store.close();
  }
}

/** Puts a lane into a store; keeps the first blocks of it. */
async function fillStore(path: string, count: number, { progress, signal }: BenchContext): Promise<Served> {
  const store = await openRocksStore(path);
  try {
    const blocks = new StoredBlocks(store, { removePending: false });
    const lane = await GrowingLane.begin();
    const sample: Uint8Array[] = [lane.genesis.bytes];
    let run: StorableBlock[] = [{ bytes: lane.genesis.bytes, verified: verifyBlock(undefined, lane.genesis.bytes) }];
    let bytes = 0;
    for (let height = 1; height < count; height++) {
      const before = lane.state;
      const sealed = await lane.seal(lane.nextEntries(ENTRIES));
      bytes += sealed.bytes.length;
      if (sample.length < SAMPLE) sample.push(sealed.bytes);
      // Sealed here: whether its signature is good is found out by whoever copies it.
      run.push({ bytes: sealed.bytes, verified: verifyBlock(before, sealed.bytes, { check: () => true }) });
      if (run.length < RUN) continue;
      await appendRun(blocks, run);
      run = [];
      signal.throwIfAborted();
      progress(`${height.toLocaleString('en')} of ${count.toLocaleString('en')} blocks sealed`);
      await breath();
    }
    await appendRun(blocks, run);
    return { blocks: sample, gateway: lane.state.authority.gateway, bytes };
  } finally {
    await store.close();
  }
}

async function appendRun(blocks: BlockStore, [first, ...following]: readonly StorableBlock[]): Promise<void> {
  if (first === undefined) return;
  const { outcome } = await blocks.append(first, ...following);
  if (outcome !== 'committed') throw new Error(`a run was not appended: ${outcome}`);
}

/** Each by itself, on all cores. */
type Limits = Readonly<{ signatures: number; verified: number; appends: number; /** Microseconds of processor that verifying and appending take for a block. */ cpu: number }>;

async function limitsOf(sample: readonly Uint8Array[], gateway: Uint8Array, folder: string): Promise<Limits> {
  const signatures = await signaturesPerSecond(sample, gateway);
  const began = process.cpuUsage();
  const verified = verifiedPerSecond(sample) * availableParallelism();
  const between = cpuMicros(began);
  const appends = await appendsPerSecond(sample, folder);
  return { signatures, verified, appends: appends.perSecond, cpu: (between + appends.cpu) / sample.length };
}

function cpuMicros(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** Other programs are not always as busy. */
const meanOf = (one: Limits, other: Limits): Limits =>
  ({ signatures: (one.signatures + other.signatures) / 2, verified: (one.verified + other.verified) / 2, appends: (one.appends + other.appends) / 2, cpu: (one.cpu + other.cpu) / 2 });

async function signaturesPerSecond(sample: readonly Uint8Array[], key: Uint8Array): Promise<number> {
  const signed = sample.map((bytes): Signed => {
    const { envelope } = openBlock(bytes);
    return { message: signedBytes(envelope.payload, DOMAINS.block), signature: envelope.signature, key };
  });
  const threads = new SignatureThreads();
  try {
    await threads.ahead(signed.slice(0, RUN));
    const began = performance.now();
    await threads.ahead(signed);
    return (signed.length * 1000) / (performance.now() - began);
  } finally {
    await threads.close();
  }
}

/** On one core. */
function verifiedPerSecond(sample: readonly Uint8Array[]): number {
  const began = performance.now();
  let state = verifyBlock(undefined, sample[0] as Uint8Array).state;
  for (const bytes of sample.slice(1)) ({ state } = verifyBlock(state, bytes, { check: verifyWithNodeCrypto }));
  return (sample.length * 1000) / (performance.now() - began);
}

async function appendsPerSecond(sample: readonly Uint8Array[], folder: string): Promise<Readonly<{ perSecond: number; cpu: number }>> {
  let before: StorableBlock['verified']['state'] | undefined;
  const judged = sample.map((bytes): StorableBlock => {
    const verified = verifyBlock(before, bytes, { check: () => true });
    before = verified.state;
    return { bytes, verified };
  });
  const store = await openRocksStore(folder);
  try {
    const blocks = new StoredBlocks(store, { removePending: false });
    const [cpu, began] = [process.cpuUsage(), performance.now()];
    for (let at = 0; at < judged.length; at += RUN) await appendRun(blocks, judged.slice(at, at + RUN));
    return { perSecond: (judged.length * 1000) / (performance.now() - began), cpu: cpuMicros(cpu) };
  } finally {
    await store.close();
  }
}

function peersOver(blocks: BlockStore, url: string): Peers {
  const key = signingKeyFrom(keyOf('member').secret);
  return new Peers({
    blocks, key: key.publicKey, promised: () => undefined, now: () => UnixMillis(Date.now()), monotonic: () => Millis(performance.now()), random: Math.random, log: new LogBook(),
    countersigner: { isForked: () => false, stop: () => undefined, receipt: () => Promise.resolve(undefined) },
    onStoreFault: (fault) => {
      throw fault;
    },
    peers: [{ name: 'source', url, key: keyOf('source').publicKey, copy: 'all', every: Millis(1000), parallel: 4 }],
  });
}
