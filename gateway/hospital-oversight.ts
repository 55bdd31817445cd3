/** What those who run a hospital node see of it: counted as it happens, asked by commands, a page and Prometheus. */

import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { measureDisk } from './disk/disk-use.ts';
import { messageOf } from './errors.ts';
import type { BlockStore, LaneId } from './ledger/block-store.ts';
import { toHex } from './ledger/bytes.ts';
import { fingerprint } from './ledger/es256k.ts';
import type { Logger } from './operations/log.ts';
import type { UpstreamMetrics } from './operations/metrics.ts';
import { GatewayBook } from './oversight/gateway-book.ts';
import { NodeOversight } from './oversight/node-status.ts';
import { everyObserver, observedBlocks, observedReleases } from './oversight/observed-stores.ts';
import { addPage } from './oversight/page.ts';
import { OUTPUT_STATES, type OutputReporter } from './oversight/output-status.ts';
import { addStatusRoutes } from './oversight/status-routes.ts';
import { Millis, Seconds, UnixMillis } from './quantity.ts';
import type { ReleaseStore } from './upstream/release-store.ts';
import { addMetrics } from './web/server.ts';
import { isLoopback } from './web/shown-secret.ts';
import { addStaffSessions, OPERATORS, type Staff } from './web/staff.ts';

/** How often the disk is measured, and heads that another process may have moved are read. */
const LOOK_EVERY = Seconds(30);

export type OversightOptions = Readonly<{
  name: string;
  data: string;
  /** What gateways are called, by the public key they began with, hexadecimal. */
  gatewayNames: readonly Readonly<{ key: string; name: string }>[];
  /** This hospital's public key. */
  key: Uint8Array;
  /** `kind`: which engine, for people. */
  stores: Readonly<{ blocks: BlockStore; releases: ReleaseStore; kind: string }>;
  staff: Staff;
  metrics: UpstreamMetrics;
  /** What leaves this node. */
  outputs: readonly OutputReporter[];
  log: Logger;
}>;

export type Oversight = Readonly<{
  node: NodeOversight;
  /** The same stores, and what they take is counted. */
  blocks: BlockStore;
  releases: ReleaseStore;
  refused: (id: LaneId, reason: string) => void;
  /** Adds /v1/session, /v1/status, /metrics and the page at /. */
  addRoutes: (app: FastifyInstance) => Promise<void>;
  /** Resolves when nothing is being read any more. */
  stop: () => Promise<void>;
}>;

/** Begins to count what a node does. What is in the store already is read meanwhile: that takes a while with many gateways, and nobody waits for it. */
export function overseeHospital({ name, data, gatewayNames, key, stores, staff, metrics, outputs, log }: OversightOptions): Oversight {
  const now = (): UnixMillis => UnixMillis(Date.now());
  const uptime = (): Millis => Millis(performance.now());
  const node = new NodeOversight({
    node: { name, key: toHex(key), fingerprint: fingerprint(key), version: ownVersion() },
    storeKind: stores.kind, outputs, now, uptime,
    book: new GatewayBook({ blocks: stores.blocks, key, now, names: new Map(gatewayNames.map((each) => [each.key, each.name])) }),
    measureDisk: () => measureDisk(data),
  });
  const observer = everyObserver(node.observer, metrics.observer);
  return {
    node,
    blocks: observedBlocks(stores.blocks, observer, uptime),
    releases: observedReleases(stores.releases, observer),
    refused: (id, reason) => {
      node.refused(id, reason);
      metrics.rejected.inc({ reason });
    },
    addRoutes: async (app) => {
      countRequests(app, metrics);
      addMetrics(app, metrics.registry, () => showIn(metrics, node), (request, reply) => {
        // Prometheus on this machine asks as it always did; from elsewhere it shows a token.
        if (!isLoopback(request.ip)) staff.admit(request, reply, OPERATORS);
      });
      await addStaffSessions(app, staff);
      addStatusRoutes(app, node, staff);
      addPage(app);
    },
    stop: keepLooking(node, log),
  };
}

function keepLooking(node: NodeOversight, log: Logger): Oversight['stop'] {
  const stopping = new AbortController();
  let looking: Promise<void> | undefined;
  const look = (): void => {
    looking ??= node.look(stopping.signal)
      .catch((error: unknown) => log.warn({ error: messageOf(error) }, 'what the store knows of gateways could not be read; it is tried again'))
      .finally(() => (looking = undefined));
  };
  look();
  const timer = setInterval(look, LOOK_EVERY);
  timer.unref();
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await looking;
  };
}

function countRequests(app: FastifyInstance, metrics: UpstreamMetrics): void {
  app.addHook('onRequest', async () => metrics.inFlight.inc());
  app.addHook('onResponse', async (_request, { statusCode }) => {
    metrics.inFlight.dec();
    metrics.answered(statusCode);
  });
}

function showIn(metrics: UpstreamMetrics, node: NodeOversight): Promise<void> {
  const { gateways, outputs } = node.node();
  metrics.showGateways(gateways);
  metrics.showOutputs(outputs, OUTPUT_STATES);
  return Promise.resolve();
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
