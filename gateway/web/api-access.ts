/** Who may ask the API what: RFC 6750 bearer tokens, and a session cookie for browsers. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accessFor, mayDo, type Right } from '../people/access.ts';
import type { FailedAttempts } from '../people/failed-attempts.ts';
import type { Identity, People } from '../people/people.ts';
import type { Millis } from '../quantity.ts';
import { object, ref, session, text } from './api-schemas.ts';
import { RequestError } from './request-error.ts';
import { bearerOf, foreignIn, isPrivate } from './shown-secret.ts';

/** `public`: anybody; `login`: whoever shows a token in the body; `known`: anybody with a token; else those with the right. */
type Needed = 'public' | 'login' | 'known' | Right;

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Needed;
  }
  interface FastifyRequest {
    /** Who asks; undefined where anybody may. */
    identity: Identity | undefined;
    /** By which they proved it. */
    secret: string | undefined;
  }
}

export type AccessOptions = Readonly<{
  people: People;
  failures: FailedAttempts;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
  /** Whether tokens and people's data may cross a network in clear. */
  plainHttp: boolean;
}>;

/** Of a browser that has signed in. */
export const SESSION_COOKIE = 'vitalgate_session';

/** Every route of the API says what it needs; one that does not is refused to everybody. */
export function guard(api: FastifyInstance, options: AccessOptions): void {
  api.decorateRequest('identity', undefined);
  api.decorateRequest('secret', undefined);
  api.addHook('onRequest', async (request, reply) => {
    const { needs } = request.routeOptions.config;
    if (needs === 'public' || request.is404) return;
    if (needs === undefined) throw new Error(`${request.routeOptions.url} does not say what it needs`);
    refuseClear(request, options.plainHttp);
    if (needs === 'login') return;
    const identity = identify(request, reply, options);
    if (needs !== 'known' && !mayDo(identity.access, needs)) refuseRight(reply, identity, needs);
  });
}

/** Who sent the request, when somebody who asks later wants to be sure. */
export function askedBy(request: FastifyRequest): Identity {
  if (request.identity === undefined) throw new Error('this route is for anybody');
  return request.identity;
}

function refuseClear(request: FastifyRequest, plainHttp: boolean): void {
  if (plainHttp || isPrivate(request)) return;
  throw new RequestError(403, 'not_private',
    'this address is served without TLS, so that others in the network could read what is asked and answered. Put a proxy that speaks TLS before it, or set web.plainHttp. ' +
    'A token that was sent has been readable on the way: revoke it');
}

function identify(request: FastifyRequest, reply: FastifyReply, options: AccessOptions): Identity {
  const bearer = bearerOf(request);
  const cookie = bearer === undefined ? request.cookies[SESSION_COOKIE] : undefined;
  const secret = bearer ?? cookie;
  if (secret === undefined) {
    void reply.header('www-authenticate', 'Bearer realm="vitalgate"');
    throw new RequestError(401, 'no_token', 'expected a token: "Authorization: Bearer vgt_…", or the cookie of a session');
  }
  const identity = options.people.identify(secret);
  if (identity === undefined || (identity.kind === 'token') !== (bearer !== undefined)) refuseSecret(request, reply, options);
  if (cookie !== undefined) refuseForeign(request);
  request.identity = identity;
  request.secret = secret;
  return identity;
}

function refuseSecret(request: FastifyRequest, reply: FastifyReply, { failures, uptime }: AccessOptions): never {
  const wait = failures.note(request.ip, uptime());
  if (wait > 0) {
    void reply.header('retry-after', String(Math.ceil(wait / 1000)));
    throw new RequestError(429, 'too_many_attempts', `too many wrong tokens came from this address; try again in ${Math.ceil(wait / 1000)} s`);
  }
  void reply.header('www-authenticate', 'Bearer realm="vitalgate", error="invalid_token"');
  throw new RequestError(401, 'invalid_token', 'this token or session is not, or no longer, valid; "vitalgate person tokens" lists those that are');
}

function refuseRight(reply: FastifyReply, { person, access }: Identity, right: Right): never {
  void reply.header('www-authenticate', 'Bearer realm="vitalgate", error="insufficient_scope"');
  throw new RequestError(403, 'not_allowed', `${person} has access as ${access}; this needs ${accessFor(right)} (alarms.people in the configuration)`);
}

function refuseForeign(request: FastifyRequest): void {
  const foreign = foreignIn(request, 'gateway');
  if (foreign !== undefined) throw new RequestError(403, 'foreign_page', foreign);
}

type Login = Readonly<{ token: string }>;

/** `POST`, `GET` and `DELETE /session`. */
export function addSessions(api: FastifyInstance, options: AccessOptions): void {
  const { people } = options;
  const errors = { '4xx': ref('Error') };

  api.post<{ Body: Login }>('/session', {
    config: { needs: 'login' },
    schema: {
      summary: 'Begins the session of a browser: sets a cookie (HttpOnly, SameSite=Strict, Secure where TLS is spoken)',
      body: object({ token: text('a token as "vitalgate person token" prints it') }),
      response: { 201: session, ...errors },
      security: [],
    },
  }, async (request, reply) => {
    const identity = people.identify(request.body.token);
    if (identity?.kind !== 'token') refuseSecret(request, reply, options);
    const { secret, expires } = await people.beginSession(identity);
    void reply.setCookie(SESSION_COOKIE, secret, { httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https', path: '/', expires: new Date(expires) });
    return await reply.code(201).send({ person: identity.person, access: identity.access, expires: new Date(expires).toISOString() });
  });

  api.get('/session', { config: { needs: 'known' }, schema: { summary: 'Who asks, and what they may do', response: { 200: session, ...errors } } }, async (request) => {
    const { person, access } = askedBy(request);
    return { person, access };
  });

  api.delete('/session', { config: { needs: 'known' }, schema: { summary: 'Ends the session', response: { 204: { type: 'null' }, ...errors } } }, async (request, reply) => {
    await people.endSession(request.secret ?? '');
    return await reply.clearCookie(SESSION_COOKIE, { path: '/' }).code(204).send();
  });
}
