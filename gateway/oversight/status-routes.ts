/** The status of a node over HTTP, for those of the staff who run it. */

import type { FastifyInstance } from 'fastify';
import { UsageError } from '../errors.ts';
import { readLaneId } from '../web/path.ts';
import { RequestError } from '../web/request-error.ts';
import { OPERATORS, type Staff } from '../web/staff.ts';
import type { NodeOversight } from './node-status.ts';
import { readStatusQuery, type StatusParams } from './status-query.ts';

/**
 * Adds
 *
 *     GET /v1/status?order=&limit=&after=&state=&search=   the node, and one page of its gateways
 *     GET /v1/status/gateways/{chain}                      one gateway
 */
export function addStatusRoutes(app: FastifyInstance, oversight: NodeOversight, staff: Staff): void {
  app.get<{ Querystring: StatusParams }>('/v1/status', (request, reply) => {
    staff.admit(request, reply, OPERATORS);
    void reply.header('cache-control', 'no-store');
    return oversight.status(asked(request.query));
  });
  app.get<{ Params: Readonly<{ chain: string }> }>('/v1/status/gateways/:chain', (request, reply) => {
    staff.admit(request, reply, OPERATORS);
    void reply.header('cache-control', 'no-store');
    const { chain } = request.params;
    readLaneId({ chain, lane: 'record' });
    const gateway = oversight.gateway(chain);
    if (gateway === undefined) throw new RequestError(404, 'unknown_chain', `chain ${chain} has no block here`);
    return gateway;
  });
}

function asked(params: StatusParams): ReturnType<typeof readStatusQuery> {
  try {
    return readStatusQuery(params);
  } catch (cause) {
    if (cause instanceof UsageError) throw new RequestError(400, 'bad_request', cause.message, { cause });
    throw cause;
  }
}
