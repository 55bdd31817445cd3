/** Hospital nodes in this process that copy from each other. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { Distribution } from '../../gateway/upstream/distribution.ts';
import { Peers, type PeerSetting, type PeersOptions } from '../../gateway/upstream/peers.ts';
import type { UpstreamOptions } from '../../gateway/upstream/server.ts';
import { countingBytes } from '../vault/known-keys.ts';
import { keyOf } from './gateway-chain.ts';
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
