/** What commands ask about consent, over the control socket. Statements and requests cross it in base64. */

import type { FastifyInstance } from 'fastify';
import type { AccessRequest, Decision } from '../consent/decide.ts';
import type { ConsentDone, ConsentView } from '../consent-desk.ts';
import type { ConsentApi, ConsentOrder } from '../consent-administration.ts';
import { UsageError } from '../errors.ts';
import { isSubjectId } from '../reading.ts';
import type { EpisodeView } from './care-desk.ts';
import { call } from './control-call.ts';

const CONSENT_ORDERS: readonly ConsentOrder['type'][] = ['enrol_person', 'revoke_person', 'break_glass', 'end_glass', 'review_glass'];

type Bytes = Readonly<{ bytes?: unknown; by?: unknown }>;

/** What an order holds is judged where it is carried out: the socket is for whoever may open the data folder. */
export function addConsentRoutes(app: FastifyInstance, { consent }: Readonly<{ consent: ConsentApi }>): void {
  app.post<{ Body: Readonly<{ patient?: unknown }> }>('/consent/view', ({ body: { patient } }) => {
    if (typeof patient !== 'string' || !isSubjectId(patient)) throw new UsageError('"patient" must be the id of a patient');
    return consent.view(patient);
  });
  app.post<{ Body: ConsentOrder }>('/consent/orders', ({ body }) => {
    if (!CONSENT_ORDERS.includes(body.type)) throw new UsageError(`"type" must be one of ${CONSENT_ORDERS.join(', ')}`);
    return consent.carryOut(body);
  });
  app.post<{ Body: Bytes }>('/consent/statements', ({ body }) => consent.submit(bytesIn(body)));
  app.post<{ Body: Bytes }>('/consent/requests', ({ body }) => consent.ask(bytesIn(body), typeof body.by === 'string' ? body.by : undefined));
  app.post<{ Body: AccessRequest }>('/consent/decisions', ({ body }) => {
    if (typeof body.recipient !== 'object' || body.recipient === null) throw new UsageError('"recipient" must name somebody');
    return consent.decide(body);
  });
  app.get('/consent/episodes', () => consent.episodes());
}

function bytesIn({ bytes }: Bytes): Uint8Array {
  if (typeof bytes !== 'string') throw new UsageError('"bytes" must be base64');
  return Uint8Array.from(Buffer.from(bytes, 'base64'));
}

const inBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function consentClient(path: string): ConsentApi {
  return {
    view: async (patient) => (await call(path, 'POST', '/consent/view', { patient })) as ConsentView,
    carryOut: async (order) => (await call(path, 'POST', '/consent/orders', order)) as ConsentDone,
    submit: async (statement) => (await call(path, 'POST', '/consent/statements', { bytes: inBase64(statement) })) as ConsentDone,
    ask: async (request, by) => (await call(path, 'POST', '/consent/requests', { bytes: inBase64(request), by })) as ConsentDone,
    decide: async (request) => (await call(path, 'POST', '/consent/decisions', request)) as Decision,
    episodes: async () => (await call(path, 'GET', '/consent/episodes')) as readonly EpisodeView[],
  };
}
