/** A hospital node over HTTP (RFC 9110): receives blocks, and shows what it holds. */

import type { RequestListener } from 'node:http';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { ConfigError, messageOf, StoreError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { MAX_BLOCK_BYTES } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { fingerprint, type SigningKey } from '../ledger/es256k.ts';
import { CHAIN_ID_BYTES } from '../ledger/genesis.ts';
import { Bytes, type Millis, Seconds, UnixMillis } from '../quantity.ts';
import { addChainRoutes, type ChainRoutesOptions } from './chain-routes.ts';
import type { NodeCertificate } from '../tls/node-certificate.ts';
import { answerTo, RequestError } from '../web/request-error.ts';
import { signPayloadKey } from '../ledger/release.ts';
import { guardOf } from './guard.ts';
import { Intake, INTAKE_LIMITS, type IntakeLimits } from './intake.ts';
import { secureServer } from './secure-server.ts';
import type { Countersigner } from './countersigner.ts';
import { addNoteRoutes } from './note-routes.ts';
import { addReleaseRoutes, type ConsentDoor } from './release-routes.ts';
import type { ReleaseStore } from './release-store.ts';
import { type Judgement, type UpstreamLog, Witness, type WitnessOptions } from './witness.ts';

export type UpstreamOptions = Readonly<{
  /** Where to listen. Port 0 takes a free one. */
  listen: Readonly<{ host: string; port: number }>;
  /** This hospital's name, for people. */
  name: string;
  /** This hospital's key: receipts are signed with it. */
  key: SigningKey;
  /** Blocks, receipts and forks of every chain. It stays open when the server closes. */
  blocks: BlockStore;
  /** What gateways give beside the blocks, and the key it is sealed for. Default: nothing is taken. */
  released?: Readonly<{ store: ReleaseStore; payloadKey: Uint8Array; /** Whether waveforms of a chain are wanted over whatever link. Default: never. */ detailsAsked?: (chain: Uint8Array) => boolean; /** See {@link ReleaseRoutesOptions}. */ consents?: ConsentDoor }>;
  /** See {@link WitnessOptions}. */
  gateways: WitnessOptions['gateways'];
  /** Speak TLS (1.3, HTTP/2 and HTTP/1.1) under this certificate; who offers something has to show one of its own. Default: plain HTTP/1.1. */
  tls?: NodeCertificate;
  /** Longest request body in bytes; longer ones get 413. Default: the longest block of the format, 4 MiB. */
  maxBlock?: Bytes;
  /** How long a request may take to arrive completely. Default 30 s. */
  requestTimeout?: Millis;
  /** How much is taken on at a time. Default: {@link INTAKE_LIMITS}. */
  limits?: IntakeLimits;
  /** From 0 to 1, so that gateways that are sent away come back one by one. Default: Math.random. */
  random?: () => number;
  /** See {@link WitnessOptions}. */
  shared?: boolean;
  /** See {@link WitnessOptions}. */
  verifier?: NonNullable<WitnessOptions['verifier']>;
  /** How long {@link Upstream.close} waits for answers under way before it cuts connections. Default 5 s. */
  closeTimeout?: Millis;
  log: UpstreamLog;
  /** See {@link WitnessOptions}. Default: none. */
  promised?: NonNullable<WitnessOptions['promised']>;
  /** This hospital's wall clock, for receipts. Default: the machine's. */
  now?: () => UnixMillis;
  /** Called once for every offered block that was judged, for counters. Default: not counted. */
  onJudged?: (outcome: Judgement['outcome']) => void;
  /** See {@link WitnessOptions}. Default: nobody is told. */
  onVerified?: NonNullable<WitnessOptions['onVerified']>;
  /** See {@link ChainRoutesOptions}. Default: nobody is told. */
  onRefused?: ChainRoutesOptions['onRefused'];
  /** Called when the store fails while a request is served; `VG_STORE_CLOSED`: it must be opened anew. Default: nobody is told. */
  onStoreFault?: (fault: StoreError) => void;
  /** Adds routes of the caller, such as /metrics, before the server listens. Default: none. */
  register?: (app: FastifyInstance) => void | Promise<void>;
  /** See {@link WitnessOptions}. For tests only. */
  testingOnlyStall?: NonNullable<WitnessOptions['testingOnlyStall']>;
}>;

export type Upstream = Readonly<{
  /** Base address, for example `https://127.0.0.1:9090`. */
  address: string;
  /** For copying from peers. */
  countersigner: Countersigner;
  /**
   * Takes no further request, lets those under way end, and resolves when no block is being judged any more: only then
   * may the store be closed.
   */
  close(): Promise<void>;
}>;

const REQUEST_TIMEOUT = Seconds(30);

/** Starts a hospital node. Throws {@link ConfigError} when the address cannot be taken, {@link StoreError} when the store cannot be read. */
export async function startUpstream(options: UpstreamOptions): Promise<Upstream> {
  const now = options.now ?? ((): UnixMillis => UnixMillis(Date.now()));
  const witness = await Witness.open({ ...options, now });
  const app = buildServer(options);
  const onRefused = options.onRefused ?? (() => undefined);
  const { tls, maxBlock = Bytes(MAX_BLOCK_BYTES), requestTimeout = REQUEST_TIMEOUT } = options;
  const intake = new Intake(options.limits ?? INTAKE_LIMITS, options.random ?? Math.random);
  const guard = guardOf({ witness, intake, mutual: tls !== undefined, maxBody: maxBlock, bodyWithin: requestTimeout, now, onRefused });
  addChainRoutes(app, { blocks: options.blocks, witness, maxBlock, guard, onJudged: options.onJudged ?? (() => undefined), onRefused });
  if (options.released !== undefined) {
    const { store: releases, detailsAsked = () => false, consents } = options.released;
    addReleaseRoutes(app, { blocks: options.blocks, releases, key: options.key, detailsAsked, guard, ...(consents && { consents }) });
    if (consents !== undefined) addNoteRoutes(app, { blocks: options.blocks, key: options.key, consents, guard });
  }
  addNodeRoutes(app, options, now);
  await options.register?.(app);
  const heard = await listen(app, options.listen);
  // fastify sees a server of its own making, not what it speaks.
  const address = tls === undefined ? heard : heard.replace(/^http:/, 'https:');
  options.log.info({ address, name: options.name, key: fingerprint(options.key.publicKey) }, 'hospital node listens');
  return { address, countersigner: witness, close: () => close(app, witness, options.closeTimeout ?? Seconds(5)) };
}

async function listen(app: FastifyInstance, { host, port }: UpstreamOptions['listen']): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw new ConfigError(`the hospital node cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
  }
}

function buildServer({ maxBlock = Bytes(MAX_BLOCK_BYTES), requestTimeout = REQUEST_TIMEOUT, tls, log, onStoreFault }: UpstreamOptions): FastifyInstance {
  const answerError = (thrown: unknown, _request: unknown, reply: FastifyReply): void => {
    if (thrown instanceof StoreError) onStoreFault?.(thrown);
    const { status, headers = {}, body } = answerTo(thrown, log);
    void reply.code(status).headers(headers).type('application/json').send(body);
  };
  const app = fastify({ trustProxy: 'loopback', bodyLimit: maxBlock, requestTimeout, frameworkErrors: answerError, ...(tls && { serverFactory: (handler: RequestListener) => secureServer(tls, requestTimeout, handler) }) });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(['application/cbor', 'application/cbor-seq'], { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request) => {
    const asked = `${request.method} ${request.url.slice(0, 200)}`;
    throw new RequestError(404, 'not_found', `${asked}: there is no such resource; those of this node begin with /v1/`);
  });
  return app;
}

/** Who this node is, and whether it is well. */
function addNodeRoutes(app: FastifyInstance, { name, key, blocks, released }: UpstreamOptions, now: () => UnixMillis): void {
  const payloadKey = released === undefined ? {} : { payloadKey: Buffer.from(signPayloadKey(released.payloadKey, key)).toString('base64'), ...(released.consents && { consents: true }) };
  app.get('/v1/key', () => ({ name, key: toHex(key.publicKey), fingerprint: fingerprint(key.publicKey), ...payloadKey }));
  app.get('/v1/ping', (request) => ({ from: request.raw.socket.remoteAddress ?? null, time: now() }));
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async () => {
    await blocks.head({ chain: new Uint8Array(CHAIN_ID_BYTES), lane: 'alarm' });
    return { status: 'ready' };
  });
}

async function close(app: FastifyInstance, witness: Witness, within: Millis): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), within);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
  // A client that hung up leaves its block behind in the middle of the judgement.
  await witness.settled();
}
