/** By what a request proves who sends it, and whether it came so that it may: RFC 6750 bearer tokens, session cookies, TLS. */

import { BlockList, isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether nobody but this machine is meant. */
export const isLoopback = (host: string): boolean => host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'));

/** A proxy on this machine that speaks TLS says so in X-Forwarded-Proto, and for whom in X-Forwarded-For; anybody else's are not believed. */
export const isPrivate = ({ protocol, ip }: FastifyRequest): boolean => protocol === 'https' || isLoopback(ip);

/** The token of the Authorization header; empty when the header holds something else; undefined without one. */
export function bearerOf({ headers: { authorization } }: FastifyRequest): string | undefined {
  return authorization === undefined ? undefined : (/^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '');
}

/**
 * Why a request that shows a session cookie may be another site's; undefined when it cannot be. A browser sends the cookie whoever made the
 * page. Other sites are kept out three times over: the cookie is SameSite=Strict, what browsers say of the origin is looked at, and what
 * changes something has a content type or a header that no form can send, so that a foreign page would have to ask first (CORS), which is
 * never granted.
 */
export function foreignIn({ method, headers }: FastifyRequest, whose: string): string | undefined {
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') return `a session is only for pages of this ${whose}`;
  if (method === 'GET' || method === 'HEAD') return undefined;
  const isJson = headers['content-type']?.split(';')[0]?.trim().toLowerCase() === 'application/json';
  if (isJson || headers['x-requested-with'] !== undefined) return undefined;
  return 'with a session, expected "Content-Type: application/json" or a header "X-Requested-With", which no form of another page can send';
}
