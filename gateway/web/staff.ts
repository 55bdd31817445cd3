/** The staff of a hospital before its node: who sent a request, and whether they may. RFC 6750 bearer tokens, and a session cookie for the node's own page. */

import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ACCESSES, type Access } from '../people/access.ts';
import { FailedAttempts } from '../people/failed-attempts.ts';
import type { Identity, People } from '../people/people.ts';
import { KiB, type Millis } from '../quantity.ts';
import { RequestError } from './request-error.ts';
import { bearerOf, foreignIn, isPrivate } from './shown-secret.ts';

/** Somebody the configuration of the hospital names (`upstream.people`). */
export type StaffMember = Readonly<{ person: string; role: Access }>;

/** Who may ask for data of patients, as far as consent permits it. */
export const READERS: readonly Access[] = ['viewer', 'caregiver', 'clinician'];
/** Who runs the node, and sees how it does; nothing there is about a patient. */
export const OPERATORS: readonly Access[] = ['administrator'];

export type StaffOptions = Readonly<{
  people: People;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
}>;

type Shown = Readonly<{ identity: Identity; secret: string }>;
type Refused = Readonly<{ status: 401 | 403; error: string; message: string; challenge?: string }>;

const REALM = 'Bearer realm="vitalgate"';
/** The first is bound to this host and to TLS by its name (RFC 6265bis §4.1.3.2); the second is for a node that speaks plain HTTP to this machine alone. */
const COOKIES = { https: '__Host-vitalgate-staff', http: 'vitalgate-staff' } as const;
const LARGEST_LOGIN = KiB(4);

/**
 * Knows who of the staff sent a request. A secret that crossed a network in clear, and a cookie that may be another site's doing, are
 * worth nothing here.
 */
export class Staff {
  readonly #people: People;
  readonly #uptime: () => Millis;
  readonly #failures = new FailedAttempts();

  constructor({ people, uptime }: StaffOptions) {
    this.#people = people;
    this.#uptime = uptime;
  }

  /** Who sent the request, as the configuration says now; undefined for everybody else. */
  identify(request: FastifyRequest): StaffMember | undefined {
    const found = this.#look(request);
    return 'error' in found ? undefined : memberOf(found.identity);
  }

  /**
   * The same, for one of these roles. Throws {@link RequestError}: 401 `no_token` or `invalid_token`, 403 `not_private`, `foreign_page` or
   * `not_allowed`, 429 `too_many_attempts` after ten wrong tokens from an address, with the headers that belong to them on `reply`.
   */
  admit(request: FastifyRequest, reply: FastifyReply, roles: readonly Access[]): StaffMember {
    const found = this.#look(request);
    if ('error' in found) return this.#refuse(found, request, reply);
    const member = memberOf(found.identity);
    if (roles.includes(member.role)) return member;
    return this.#refuse({
      status: 403, error: 'not_allowed', message: `${member.person} has the role ${member.role}; this needs ${roles.join(' or ')} (upstream.people in the configuration)`,
      challenge: `${REALM}, error="insufficient_scope"`,
    }, request, reply);
  }

  /** Calls back whenever somebody may have lost access: streams ask again then. Returns what ends it. */
  onChange(listener: () => void): () => void {
    return this.#people.onChange(listener);
  }

  /** For a browser: a secret for a cookie. Throws {@link RequestError} as {@link admit} does. */
  async begin(token: string, request: FastifyRequest, reply: FastifyReply): Promise<StaffMember> {
    if (!isPrivate(request)) return this.#refuse(NOT_PRIVATE, request, reply);
    const identity = this.#people.identify(token);
    if (identity?.kind !== 'token') return this.#refuse(INVALID, request, reply);
    const { secret, expires } = await this.#people.beginSession(identity);
    setCookie(request, reply, secret, new Date(expires));
    return memberOf(identity);
  }

  /** Ends the session that the request shows; does nothing to a token. */
  async end(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const found = this.#look(request);
    if ('error' in found) return this.#refuse(found, request, reply);
    await this.#people.endSession(found.secret);
    setCookie(request, reply, '', new Date(0));
  }

  #look(request: FastifyRequest): Shown | Refused {
    if (!isPrivate(request)) return NOT_PRIVATE;
    const bearer = bearerOf(request);
    const secret = bearer ?? cookieOf(request);
    if (secret === undefined) return NO_TOKEN;
    const identity = this.#people.identify(secret);
    if (identity === undefined || (identity.kind === 'token') !== (bearer !== undefined)) return INVALID;
    const foreign = bearer === undefined ? foreignIn(request, 'node') : undefined;
    return foreign === undefined ? { identity, secret } : { status: 403, error: 'foreign_page', message: foreign };
  }

  #refuse({ status, error, message, challenge }: Refused, request: FastifyRequest, reply: FastifyReply): never {
    const wait = error === INVALID.error ? this.#failures.note(request.ip, this.#uptime()) : 0;
    if (wait > 0) {
      const seconds = Math.ceil(wait / 1000);
      void reply.header('retry-after', String(seconds));
      throw new RequestError(429, 'too_many_attempts', `too many wrong tokens came from this address; try again in ${seconds} s`);
    }
    if (challenge !== undefined) void reply.header('www-authenticate', challenge);
    throw new RequestError(status, error, message);
  }
}

const NO_TOKEN: Refused = { status: 401, error: 'no_token', message: 'expected a token: "Authorization: Bearer vgt_…", or the cookie of a session', challenge: REALM };
const INVALID: Refused = {
  status: 401, error: 'invalid_token', message: 'this token or session is not, or no longer, valid; "vitalgate upstream tokens" lists those that are', challenge: `${REALM}, error="invalid_token"`,
};
const NOT_PRIVATE: Refused = {
  status: 403, error: 'not_private',
  message: 'this address is served without TLS, so that others in the network could read what is asked and answered: let the node speak TLS (upstream.tls), or put a proxy on this machine before it that does. ' +
    'A token that was sent has been readable on the way: revoke it',
};

const memberOf = ({ person, access }: Identity): StaffMember => ({ person, role: access });

const cookieNameOf = ({ protocol }: FastifyRequest): string => COOKIES[protocol];

function cookieOf(request: FastifyRequest): string | undefined {
  const header = request.headers.cookie;
  return header === undefined ? undefined : parseCookie(header)[cookieNameOf(request)];
}

function setCookie(request: FastifyRequest, reply: FastifyReply, secret: string, expires: Date): void {
  const attributes = { httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https', path: '/', expires } as const;
  void reply.header('set-cookie', stringifySetCookie({ name: cookieNameOf(request), value: secret, ...attributes }));
}

/**
 * Adds, for the page of the node,
 *
 *     POST   /v1/session {"token": "vgt_…"}   201 {person, role}: begins the session of a browser
 *     GET    /v1/session                      200 {person, role}: who asks
 *     DELETE /v1/session                      204: ends it
 */
export async function addStaffSessions(app: FastifyInstance, staff: Staff): Promise<void> {
  await app.register(async (scope) => {
    scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: LARGEST_LOGIN }, scope.getDefaultJsonParser('error', 'error'));
    scope.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'));
    scope.post<{ Body: unknown }>('/v1/session', async (request, reply) => await reply.code(201).send(await staff.begin(tokenIn(request.body), request, reply)));
    scope.get('/v1/session', (request, reply) => staff.admit(request, reply, ACCESSES));
    scope.delete('/v1/session', async (request, reply) => {
      await staff.end(request, reply);
      return await reply.code(204).send();
    });
  });
}

function tokenIn(body: unknown): string {
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : undefined;
  if (typeof token !== 'string') throw new RequestError(400, 'bad_request', 'expected {"token": "vgt_…"}, a token as "vitalgate upstream token" prints it');
  return token;
}
