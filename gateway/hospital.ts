/** A hospital node, put together: what it keeps, what it takes from gateways, and what leaves it again. */

import { randomBytes } from 'node:crypto';
import type { UpstreamConfig } from './config/schema.ts';
import type { StoreError } from './errors.ts';
import { keyFilesIn } from './key-files.ts';
import type { BlockStore } from './ledger/block-store.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { Logger } from './operations/log.ts';
import type { UpstreamMetrics } from './operations/metrics.ts';
import { Millis, UnixMillis } from './quantity.ts';
import { nodeCertificateIn, type NodeCertificate } from './tls/node-certificate.ts';
import { areDetailsAsked } from './upstream/asked-details.ts';
import { Distribution } from './upstream/distribution.ts';
import type { PeerStatus } from './upstream/peers.ts';
import { promisedFor } from './upstream/promises.ts';
import type { ReleaseStore } from './upstream/release-store.ts';
import { startUpstream, type Upstream } from './upstream/server.ts';
import type { HpkePair } from './vault/hpke.ts';
import { addMetrics } from './web/server.ts';

/** Everything a hospital keeps. */
export type HospitalStores = Readonly<{ blocks: BlockStore; releases: ReleaseStore; close: () => Promise<void> }>;

export type HospitalOptions = Readonly<{
  config: UpstreamConfig;
  /** They stay open when the node closes. */
  stores: HospitalStores;
  /** Receipts are signed with it. */
  key: SigningKey;
  /** Gateways seal content keys for it. */
  payloadPair: HpkePair;
  /** Certificate and key of the configured files; ignored unless the configuration names files. */
  certificate: (files: Exclude<UpstreamConfig['tls'], 'own' | 'none'>) => NodeCertificate;
  /** The text of a configured file. Throws {@link ConfigError}. */
  textIn: (file: string) => string;
  log: Logger;
  metrics: UpstreamMetrics;
  /** The store must be opened anew. */
  onStoreLost: (fault: StoreError) => void;
}>;

export type HospitalNode = Upstream & Readonly<{ peers: Readonly<{ status: () => readonly PeerStatus[] }> }>;

/** Starts a hospital node. Throws {@link ConfigError} when its address cannot be taken, {@link StoreError} when a store cannot be read. */
export async function startHospitalNode(options: HospitalOptions): Promise<HospitalNode> {
  const { config, stores, key, payloadPair, certificate, log, metrics, onStoreLost } = options;
  const { tls: tlsSetting, peers: _, ...settings } = config;
  const own = (): Promise<NodeCertificate> => nodeCertificateIn(keyFilesIn(config.data), key, (size) => randomBytes(size));
  const tls = tlsSetting === 'none' ? undefined : tlsSetting === 'own' ? await own() : certificate(tlsSetting);
  const onStoreFault = (fault: StoreError): void => {
    if (fault.code === 'VG_STORE_CLOSED') onStoreLost(fault);
  };
  const distribution = await openDistribution({ ...options, onStoreFault });
  const upstream = await startUpstream({
    ...settings,
    ...(tls && { tls }),
    key,
    blocks: distribution.blocks,
    released: { store: stores.releases, payloadKey: payloadPair.publicBytes, detailsAsked: (chain) => areDetailsAsked(config.data, chain, UnixMillis(Date.now())) },
    promised: (chain) => promisedFor(config.data, chain),
    log,
    gateways: config.gateways === 'open' ? 'open' : config.gateways.map((hex) => Buffer.from(hex, 'hex')),
    onJudged: (outcome) => metrics.blocks.inc({ outcome }),
    onStoreFault,
    register: (app) => {
      distribution.addRoutes(app);
      addMetrics(app, metrics.registry);
    },
  });
  distribution.peersFor(upstream.countersigner).start();
  return {
    ...upstream,
    peers: distribution,
    close: async () => {
      await distribution.close();
      await upstream.close();
    },
  };
}

/** What exchanges chains with the nodes of other hospitals, over a store that tells it what changes. */
export async function openDistribution({ config, stores, key, textIn, log, onStoreFault }: Pick<HospitalOptions, 'config' | 'stores' | 'key' | 'textIn' | 'log'> & Readonly<{ onStoreFault: (fault: StoreError) => void }>): Promise<Distribution> {
  return await Distribution.open({
    blocks: stores.blocks,
    data: config.data,
    key: key.publicKey,
    peers: config.peers.map(({ caFile, key: hex, budget, ...peer }) => ({ ...peer, key: Buffer.from(hex, 'hex'), ...(budget !== undefined && { budget }), ...(caFile !== undefined && { ca: textIn(caFile) }) })),
    // Ours in any case: who reads from a peer is known there by the key of its node.
    certificate: () => nodeCertificateIn(keyFilesIn(config.data), key, (size) => randomBytes(size)),
    promised: (chain) => promisedFor(config.data, chain),
    now: () => UnixMillis(Date.now()),
    monotonic: () => Millis(performance.now()),
    randomBytes: (size) => randomBytes(size),
    random: Math.random,
    log,
    onStoreFault,
  });
}
