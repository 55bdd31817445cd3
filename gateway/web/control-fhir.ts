/** What commands ask about FHIR servers that a hospital node gives to, over its control socket. */

import type { FastifyInstance } from 'fastify';
import { call } from './control-call.ts';

/** `through`, `newest`: numbers of records. `trouble`: why nothing is taken there now. */
export type FhirOutput = Readonly<{ name: string; through: number; newest: number; setAside: number; trouble?: string }>;

/** Something a server refuses. `time`: Unix milliseconds, when it did. `status`: of HTTP; 0 where it was not sent. */
export type RefusedResource = Readonly<{ time: number; chain: string; entry: number; record: number; resource?: string; status: number; outcome: string }>;

export type FhirOutputApi = Readonly<{
  fhirOutputs: () => Promise<readonly FhirOutput[]>;
  /** Throws {@link UsageError} for a server that is not configured. */
  refusedBy: (server: string) => Promise<readonly RefusedResource[]>;
  retryAt: (server: string) => Promise<Readonly<{ before: number; after: number }>>;
}>;

export function addFhirOutputRoutes(app: FastifyInstance, api: FhirOutputApi): void {
  app.get('/fhir', () => api.fhirOutputs());
  app.get<{ Params: Readonly<{ server: string }> }>('/fhir/:server/refused', ({ params }) => api.refusedBy(params.server));
  app.post<{ Params: Readonly<{ server: string }> }>('/fhir/:server/retry', ({ params }) => api.retryAt(params.server));
}

export function fhirOutputClient(path: string): FhirOutputApi {
  const at = (server: string): string => `/fhir/${encodeURIComponent(server)}`;
  return {
    fhirOutputs: async () => (await call(path, 'GET', '/fhir')) as readonly FhirOutput[],
    refusedBy: async (server) => (await call(path, 'GET', `${at(server)}/refused`)) as readonly RefusedResource[],
    retryAt: async (server) => (await call(path, 'POST', `${at(server)}/retry`, {})) as Readonly<{ before: number; after: number }>,
  };
}
