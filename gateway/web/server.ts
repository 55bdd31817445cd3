import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { BlockStore } from '../ledger/block-store.ts';
import { addChainReading } from './chain-reading.ts';

export type WebOptions = Readonly<{
  listen: Readonly<{ host: string; port: number }>;
  blocks: BlockStore;
  registry: Registry;
  /** Why the gateway should get no traffic at the moment, or undefined. */
  administration: Readonly<{ notReady: () => Error | undefined }>;
  /** Called before metrics are read. */
  refresh: () => Promise<void>;
}>;

export type Web = Readonly<{ address: string; close: () => Promise<void> }>;

/** What the gateway shows on the network: health, metrics and its chain. Nothing about a person is among it. */
export async function startWeb(options: WebOptions): Promise<Web> {
  const app = fastify();
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const fault = options.administration.notReady();
    return fault === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason: fault.message });
  });
  addMetrics(app, options.registry, options.refresh);
  addChainReading(app, { blocks: options.blocks });
  const address = await app.listen(options.listen);
  return { address, close: () => app.close() };
}

/** `GET /metrics` in the Prometheus text format. */
export function addMetrics(app: FastifyInstance, registry: Registry, refresh: () => Promise<void> = () => Promise.resolve()): void {
  app.get('/metrics', async (_request, reply) => {
    await refresh();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
