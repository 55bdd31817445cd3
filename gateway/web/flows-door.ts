/**
 * The way to Node-RED: under the gateway's own address and login, `/flows/` its editor, `/dashboard/` and `/pages/` what is drawn in it. Who edits is
 * an administrator; caregivers and clinicians look; whoever looks after some patients only does not, for flows see everybody. Pages below `/pages/` are
 * for everybody who may see: they are told who looks, and ask the gateway what these may see.
 */

import cookie from '@fastify/cookie';
import proxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accessFor, mayDo } from '../people/access.ts';
import type { Identity, People } from '../people/people.ts';
import { Minutes } from '../quantity.ts';
import { SESSION_COOKIE } from './api-access.ts';
import { RequestError } from './request-error.ts';
import { bearerOf, foreignIn, isPrivate } from './shown-secret.ts';
import { SIGN_IN_PAGE, SIGN_IN_POLICY } from './sign-in-page.ts';

/** What the door leads to (../flows-host.ts). */
export interface FlowsDoor {
  readonly isEnabled: boolean;
  /** Undefined while nobody answers there. */
  readonly origin: string | undefined;
  /** By which Node-RED knows that the gateway asks, and for whom. */
  passFor(person: string, mayEdit: boolean): string;
  deployed(person: string): void;
}

export type FlowsDoorOptions = Readonly<{ door: FlowsDoor; people: People; plainHttp: boolean }>;

const PASS_HEADER = 'x-vitalgate-flows';
const PAGES = '/pages';
/** Who draws pages writes no program that acts with the session of whoever looks. */
const PAGE_HEADERS = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
/** What says who somebody is stays with the gateway; a pass comes from it alone. */
const NOT_PASSED_ON = new Set(['cookie', 'authorization', PASS_HEADER, 'x-vitalgate-person']);

export async function addFlowsDoor(app: FastifyInstance, options: FlowsDoorOptions): Promise<void> {
  const { door, people } = options;
  const open = new Set<Readonly<{ request: FastifyRequest; secret: string }>>();
  const shut = (): void => {
    for (const { request, secret } of open) if (!mayLook(people.identify(secret), request)) request.raw.socket.destroy();
  };
  const leave = people.onChange(shut);
  // What expires says nothing.
  const timer = setInterval(shut, Minutes(1));
  timer.unref();
  app.addHook('onClose', async () => {
    leave();
    clearInterval(timer);
  });
  await app.register(async (scope) => {
    await scope.register(cookie);
    scope.decorateRequest('visitor', undefined);
    scope.addHook('onRequest', async (request, reply) => await letIn(request, reply, options, open));
    scope.addHook('onResponse', async ({ method, url, visitor }, { statusCode }) => {
      if (method === 'POST' && /^\/flows\/flows(\/|\?|$)/.test(url) && statusCode < 300 && visitor !== undefined) door.deployed(visitor.person);
    });
    // Its types do not have what its documentation does.
    const socketOptions: object = { rewriteRequestHeaders: (headers: Readonly<Record<string, string>>, request: FastifyRequest) => passedOn(headers, request, door) };
    for (const prefix of ['/flows', '/dashboard', PAGES]) {
      await scope.register(proxy, {
        upstream: '',
        prefix,
        rewritePrefix: prefix,
        websocket: prefix !== PAGES,
        replyOptions: {
          getUpstream: () => originOf(door),
          rewriteRequestHeaders: (request, headers) => passedOn(headers, request, door),
          ...(prefix === PAGES ? { rewriteHeaders: ({ 'set-cookie': _, ...headers }) => ({ ...headers, ...PAGE_HEADERS }) } : {}),
        },
        wsClientOptions: socketOptions,
      });
    }
  });
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who looks at flows. */
    visitor: Identity | undefined;
  }
}

async function letIn(request: FastifyRequest, reply: FastifyReply, { people, plainHttp }: FlowsDoorOptions, open: Set<Readonly<{ request: FastifyRequest; secret: string }>>): Promise<void> {
  if (!plainHttp && !isPrivate(request)) throw new RequestError(403, 'not_private', 'this address is served without TLS: put a proxy that speaks TLS before it, or set web.plainHttp');
  const bearer = bearerOf(request);
  const secret = bearer ?? request.cookies[SESSION_COOKIE];
  const identity = secret === undefined ? undefined : people.identify(secret);
  if (secret === undefined || identity === undefined || (identity.kind === 'token') !== (bearer !== undefined)) return await askToSignIn(request, reply);
  const foreign = bearer === undefined ? foreignTo(request) : undefined;
  if (foreign !== undefined) throw new RequestError(403, 'foreign_page', foreign);
  if (!mayLook(identity, request)) throw new RequestError(403, 'not_allowed', `${identity.person} may not look at flows: it needs ${accessFor('observe')} without "patients", for flows see everybody (alarms.people in the configuration)`);
  if (isPage(request) && !isReading(request)) throw new RequestError(405, 'only_read', 'pages drawn in flows are looked at: expected GET');
  if (!isReading(request) && isEditor(request) && !mayDo(identity.access, 'draw')) throw new RequestError(403, 'not_allowed', `${identity.person} has access as ${identity.access}; changing flows needs ${accessFor('draw')}`);
  request.visitor = identity;
  if (request.headers.upgrade === undefined) return;
  const socket = { request, secret };
  open.add(socket);
  request.raw.socket.once('close', () => open.delete(socket));
}

const isPage = ({ url }: FastifyRequest): boolean => url.startsWith(`${PAGES}/`);

function mayLook(identity: Identity | undefined, request: FastifyRequest): boolean {
  if (identity === undefined) return false;
  return isPage(request) ? mayDo(identity.access, 'see') : mayDo(identity.access, 'observe') && identity.patients === undefined;
}

const isReading = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD';

const isEditor = ({ url }: FastifyRequest): boolean => url.startsWith('/flows');

/**
 * Why a request with a session may be another site's. A browser opens a WebSocket for any page, and says which; pages drawn in Node-RED send
 * text, as a form could, and a browser says of every such request where its page is from.
 */
function foreignTo(request: FastifyRequest): string | undefined {
  const { headers: { upgrade, origin, host } } = request;
  const foreign = 'a session is only for pages of this gateway';
  const isOwn = origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
  if (origin !== undefined && !isOwn) return foreign;
  if (upgrade !== undefined || isEditor(request) || isReading(request)) return foreignIn(request, 'gateway');
  return isOwn ? undefined : foreign;
}

/** People get a page, programs an error. */
async function askToSignIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.headers.accept?.includes('text/html') !== true || !isReading(request)) throw new RequestError(401, 'no_token', 'expected a token: "Authorization: Bearer vgt_…", or the cookie of a session (POST /api/session)');
  await reply.code(401).headers({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': SIGN_IN_POLICY }).send(SIGN_IN_PAGE);
}

function originOf({ isEnabled, origin }: FlowsDoor): string {
  if (origin !== undefined) return origin;
  if (!isEnabled) throw new RequestError(404, 'no_flows', 'this gateway runs no flows: set flows.enabled in its configuration');
  throw new RequestError(503, 'flows_stopped', 'Node-RED does not run at the moment; it is started again by itself. "vitalgate flows status" says more');
}

function passedOn<Headers extends Readonly<Record<string, unknown>>>(headers: Headers, request: object, door: FlowsDoor): Headers {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name.toLowerCase())));
  const { visitor } = request as FastifyRequest;
  return { ...kept, ...(visitor === undefined ? {} : { [PASS_HEADER]: door.passFor(visitor.person, mayDo(visitor.access, 'draw')) }) } as unknown as Headers;
}
