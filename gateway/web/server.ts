import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { ConfigError, messageOf } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { addApi, API_SERVER_OPTIONS, type ApiOptions } from './api.ts';
import { addChainReading } from './chain-reading.ts';
import { addFlowsDoor, type FlowsDoor } from './flows-door.ts';
import { answerTo, type ErrorLog } from './request-error.ts';

export type WebOptions = Readonly<{
  listen: Readonly<{ host: string; port: number }>;
  blocks: BlockStore;
  registry: Registry;
  /** Why the gateway should get no traffic at the moment, or undefined. */
  administration: Readonly<{ notReady: () => Error | undefined }>;
  /** Called before metrics are read. */
  refresh: () => Promise<void>;
  /** What people may ask. Default: nothing. */
  api?: Omit<ApiOptions, 'log'>;
  /** The way to Node-RED. Default: there is none. */
  flows?: FlowsDoor;
  log: ErrorLog;
}>;

export type Web = Readonly<{ address: string; close: () => Promise<void> }>;

/**
 * What the gateway shows on the network: health, metrics and its chain, in which nothing is about a person; and the API, for people who
 * prove who they are. Throws {@link ConfigError} when the address cannot be taken.
 */
export async function startWeb(options: WebOptions): Promise<Web> {
  // Closing cuts off who is slow to read: the gateway stops in time, and an auditor asks again.
  const app = fastify({ forceCloseConnections: true, ...API_SERVER_OPTIONS });
  app.setErrorHandler((thrown: unknown, _request, reply) => {
    const { status, headers = {}, body } = answerTo(thrown, options.log);
    return reply.code(status).headers(headers).send(body);
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const fault = options.administration.notReady();
    return fault === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason: fault.message });
  });
  addMetrics(app, options.registry, options.refresh);
  addChainReading(app, { blocks: options.blocks });
  if (options.api !== undefined) await addApi(app, { ...options.api, log: options.log });
  if (options.api !== undefined && options.flows !== undefined) await addFlowsDoor(app, { door: options.flows, people: options.api.people, plainHttp: options.api.plainHttp });
  return { address: await listen(app, options.listen), close: () => app.close() };
}

async function listen(app: FastifyInstance, { host, port }: WebOptions['listen']): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw new ConfigError(`the web server cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
  }
}

/** `GET /metrics` in the Prometheus text format. `admit`: throws {@link RequestError} for one that may not read them; default: anybody may. */
export function addMetrics(
  app: FastifyInstance, registry: Registry, refresh: () => Promise<void> = () => Promise.resolve(), admit: (request: FastifyRequest, reply: FastifyReply) => void = () => undefined,
): void {
  app.get('/metrics', async (request, reply) => {
    admit(request, reply);
    await refresh();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
