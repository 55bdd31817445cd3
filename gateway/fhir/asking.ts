import type { FastifyReply, FastifyRequest } from 'fastify';
import { isPurpose, PURPOSES } from '../consent/vocabulary.ts';
import { refused } from './outcome.ts';
import type { Asking } from './reader.ts';

/** Who of the staff asks. */
export interface StaffDesk {
  /** Throws {@link RequestError} 401, 403 or 429 for nobody of them, with the headers that belong to it on `reply`. `seesAudit`: runs this node. */
  admit(request: FastifyRequest, reply: FastifyReply): Readonly<{ person: string; role: string; seesAudit: boolean }>;
  /** Calls back whenever somebody may have lost access. Returns what ends it. */
  onChange(listener: () => void): () => void;
}

/** Who asks, and what for. */
export function askingIn(request: FastifyRequest, reply: FastifyReply, staff: StaffDesk): Asking {
  const purpose = request.headers['x-purpose-of-use'] ?? 'TREAT';
  const member = staff.admit(request, reply);
  if (typeof purpose !== 'string' || !isPurpose(purpose)) throw refused(400, 'value', `X-Purpose-Of-Use: expected one of ${Object.keys(PURPOSES).join(', ')}, or HRESCH/name-of-a-study`);
  return { ...member, purpose };
}
