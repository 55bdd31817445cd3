/** What commands ask about integration engines that a hospital node sends HL7 v2 to, over its control socket. */

import type { FastifyInstance } from 'fastify';
import { call } from './control-call.ts';

/** `behind`: records, at most; null while another process sends. `lastError`: why nothing is taken there now. */
export type Hl7Output = Readonly<{ destination: string; behind: number | null; setAside: number; sent: number; lastError: string | null }>;

/** A message that an engine refuses. `at`: Unix milliseconds. */
export type RefusedMessage = Readonly<{ number: number; chain: string; entry: number; kind: string; controlId: string; at: number; reason: string }>;

export type Hl7OutputApi = Readonly<{
  hl7Outputs: () => Promise<readonly Hl7Output[]>;
  /** Those of records after a number, some of them. Throws {@link UsageError} for a destination that is not configured. */
  refusedMessages: (destination: string, number: number) => Promise<readonly RefusedMessage[]>;
  /** Tries again what is set aside. Returns of how many. */
  sendAgain: (destination: string) => Promise<number>;
}>;

export function addHl7OutputRoutes(app: FastifyInstance, api: Hl7OutputApi): void {
  app.get('/hl7', () => api.hl7Outputs());
  app.get<{ Params: Readonly<{ destination: string }>; Querystring: Readonly<{ after?: string }> }>('/hl7/:destination/refused', ({ params, query }) => api.refusedMessages(params.destination, Number(query.after ?? 0)));
  app.post<{ Params: Readonly<{ destination: string }> }>('/hl7/:destination/again', async ({ params }) => ({ asked: await api.sendAgain(params.destination) }));
}

export function hl7OutputClient(path: string): Hl7OutputApi {
  const at = (destination: string): string => `/hl7/${encodeURIComponent(destination)}`;
  return {
    hl7Outputs: async () => (await call(path, 'GET', '/hl7')) as readonly Hl7Output[],
    refusedMessages: async (destination, number) => (await call(path, 'GET', `${at(destination)}/refused?after=${number}`)) as readonly RefusedMessage[],
    sendAgain: async (destination) => ((await call(path, 'POST', `${at(destination)}/again`, {})) as Readonly<{ asked: number }>).asked,
  };
}
