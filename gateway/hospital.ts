/** A hospital node, put together: what it keeps, what it takes from gateways, and what leaves it again. */

import { randomBytes } from 'node:crypto';
import type { UpstreamConfig } from './config/schema.ts';
import { enrolledIn } from './enrolment-file.ts';
import { keyFilesIn } from './key-files.ts';
import type { BlockStore } from './ledger/block-store.ts';
import type { SigningKey } from './ledger/es256k.ts';
import type { Logger } from './operations/log.ts';
import type { UpstreamMetrics } from './operations/metrics.ts';
import { UnixMillis } from './quantity.ts';
import { nodeCertificateIn, type NodeCertificate } from './tls/node-certificate.ts';
import { areDetailsAsked } from './upstream/asked-details.ts';
import { promisedFor } from './upstream/promises.ts';
import type { ReleaseStore } from './upstream/release-store.ts';
import { startUpstream, type Upstream } from './upstream/server.ts';
import { VerifyPool } from './upstream/verify-pool.ts';
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
  log: Logger;
  metrics: UpstreamMetrics;
  /** What serves must begin anew: the store has to be opened again, or a thread was lost. */
  onLost: (fault: Error) => void;
}>;

/** Starts a hospital node. Throws {@link ConfigError} when its address cannot be taken, {@link StoreError} when a store cannot be read. */
export async function startHospitalNode({ config, stores, key, payloadPair, certificate, log, metrics, onLost }: HospitalOptions): Promise<Upstream> {
  const { tls: tlsSetting, gateways: gatewaysSetting, ...settings } = config;
  const enrolled = typeof gatewaysSetting === 'object' && 'file' in gatewaysSetting ? enrolledIn(gatewaysSetting.file, log) : undefined;
  const gateways = Array.isArray(gatewaysSetting) ? (gatewaysSetting as readonly string[]).map((hex) => Buffer.from(hex, 'hex')) : 'open';
  const verifier = new VerifyPool({ key, onFailure: onLost });
  const tls = tlsSetting === 'none' ? undefined : tlsSetting === 'own' ? await nodeCertificateIn(keyFilesIn(config.data), key, (size) => randomBytes(size)) : certificate(tlsSetting);
  const upstream = await startUpstream({
    ...settings,
    ...(tls && { tls }),
    key,
    verifier,
    blocks: stores.blocks,
    released: { store: stores.releases, payloadKey: payloadPair.publicBytes, detailsAsked: (chain) => areDetailsAsked(config.data, chain, UnixMillis(Date.now())) },
    promised: (chain) => promisedFor(config.data, chain),
    log,
    gateways: enrolled?.admission ?? gateways,
    onJudged: (outcome) => metrics.blocks.inc({ outcome }),
    onStoreFault: (fault) => {
      if (fault.code === 'VG_STORE_CLOSED') onLost(fault);
    },
    register: (app) => addMetrics(app, metrics.registry),
  });
  return {
    ...upstream,
    close: async () => {
      enrolled?.stop();
      await upstream.close();
      await verifier.close();
    },
  };
}
