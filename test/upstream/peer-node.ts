/** Hospital nodes in this process that copy from each other. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockStore, StorableBlock } from '../../gateway/ledger/block-store.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Distribution } from '../../gateway/upstream/distribution.ts';
import { Peers, type PeerSetting, type PeersOptions } from '../../gateway/upstream/peers.ts';
import type { UpstreamOptions } from '../../gateway/upstream/server.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { type ChainWriter, keyOf } from './gateway-chain.ts';
import { type Hospital, LogBook, memoryBlocks, startHospital } from './hospital.ts';

export type PeerNode = Hospital & Readonly<{ data: string; distribution: Distribution }>;

/** A node with the routes that peers read, over plain HTTP. */
export async function startPeerNode(name: string, options: Partial<UpstreamOptions> = {}): Promise<PeerNode> {
  const data = mkdtempSync(join(tmpdir(), `vitalgate-peer-${name}-`));
  const distribution = await Distribution.open({
    blocks: options.blocks ?? memoryBlocks(), data, peers: [], key: keyOf(name).publicKey, promised: () => undefined, now: () => UnixMillis(1_800_000_000_000), monotonic: () => Millis(performance.now()),
    randomBytes: countingBytes(), random: () => 0.5, log: new LogBook(), onStoreFault: (fault) => { throw fault; },
  });
  const hospital = await startHospital(name, { ...options, blocks: distribution.blocks, register: (app) => distribution.addRoutes(app) });
  return {
    ...hospital, data, distribution,
    [Symbol.asyncDispose]: async () => {
      await hospital.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

type Source = Readonly<{ name: string; address: string }>;

/** What `node` copies from the others; nothing is copied before it is asked to. */
export function peersOf(node: PeerNode, sources: readonly (Source & Partial<PeerSetting>)[], options: Partial<PeersOptions> = {}): Peers & AsyncDisposable {
  const peers = new Peers({
    blocks: node.blocks, countersigner: node.countersigner, key: keyOf(node.name).publicKey, promised: () => undefined, now: () => UnixMillis(1_800_000_000_000), monotonic: () => Millis(performance.now()),
    random: () => 0.5, log: node.log, onStoreFault: (fault) => { throw fault; },
    peers: sources.map(({ name, address, ...setting }) => ({ name, url: address, key: keyOf(name).publicKey, copy: 'own', every: Millis(20), parallel: 4, ...setting })),
    ...options,
  });
  return Object.assign(peers, { [Symbol.asyncDispose]: () => peers.close() });
}

/** Copies all there is now; returns what is in the way of the rest. */
export const copyAll = (peers: Peers): Promise<readonly string[]> => peers.copyAll(() => undefined, new AbortController().signal);

/** Blocks that are put into a store together. */
const RUN = 250;

/** Puts all blocks of the writer into an empty store, as if they had been judged: quick, where a test needs many. */
export async function keepAll(blocks: BlockStore, writer: ChainWriter): Promise<void> {
  let before: StorableBlock['verified']['state'] | undefined;
  const judged = writer.blocks.map(({ bytes }): StorableBlock => {
    const verified = verifyBlock(before, bytes, { check: () => true });
    before = verified.state;
    return { bytes, verified };
  });
  for (let at = 0; at < judged.length; at += RUN) {
    const [first, ...following] = judged.slice(at, at + RUN);
    if (first !== undefined) await blocks.append(first, ...following);
  }
}
