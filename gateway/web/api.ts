/** The HTTP API for people and for what they build: alarms, patients, rule packs. All of it is described in /api/openapi.json. */

import cookie from '@fastify/cookie';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { FailedAttempts } from '../people/failed-attempts.ts';
import type { FlowDesk } from '../flows/desk.ts';
import type { People } from '../people/people.ts';
import { KiB, type Millis } from '../quantity.ts';
import { addSessions, guard } from './api-access.ts';
import { addAlarms } from './api-alarms.ts';
import { addBreakGlass } from './api-break-glass.ts';
import { addContracts } from './api-contracts.ts';
import { addFlows } from './api-flows.ts';
import { addPatients } from './api-patients.ts';
import { NAMED, NOTICE, object, text } from './api-schemas.ts';
import { addStream, type StreamOptions } from './api-stream.ts';
import type { CareDesk } from './care-desk.ts';
import { RequestError, type ErrorLog } from './request-error.ts';

export type ApiOptions = Readonly<{
  desk: CareDesk;
  people: People;
  /** Milliseconds that never go back. */
  uptime: () => Millis;
  /** Whether tokens and people's data may cross a network in clear. */
  plainHttp: boolean;
  log: ErrorLog;
  /** Messages for flows. Default: there are none. */
  flows?: FlowDesk;
  stream?: Pick<StreamOptions, 'heartbeat' | 'patience' | 'most'>;
}>;

const PREFIX = '/api';
const LARGEST_BODY = KiB(16);

/** What the server has to be made with: nothing is coerced or left out in silence, and an error says what was expected. */
export const API_SERVER_OPTIONS = {
  // A proxy on this machine may speak TLS for us; nobody else is believed about where a request comes from.
  trustProxy: 'loopback',
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, verbose: true } },
} as const;

export async function addApi(app: FastifyInstance, options: ApiOptions): Promise<void> {
  await app.register(async (api) => {
    await api.register(cookie);
    await api.register(swagger, { openapi: DESCRIPTION, refResolver: { buildLocalReference: (json, _base, _fragment, i) => (typeof json['$id'] === 'string' ? json['$id'] : `schema-${i}`) } });
    for (const schema of NAMED) api.addSchema(schema);
    api.removeContentTypeParser('text/plain');
    api.addContentTypeParser('*', (_request, _body, done) => done(new RequestError(415, 'unsupported_media_type', 'expected JSON, with "Content-Type: application/json"')));
    api.setSchemaErrorFormatter(inWords);
    api.addHook('onRoute', (route) => void (route.bodyLimit ??= LARGEST_BODY));
    api.addHook('onSend', async (_request, reply) => void reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }));
    api.setNotFoundHandler(() => {
      throw new RequestError(404, 'not_found', `there is nothing here; ${PREFIX} lists what there is`);
    });
    const access = { ...options, failures: new FailedAttempts() };
    guard(api, access);
    addDescription(api);
    addSessions(api, access);
    addAlarms(api, options.desk);
    addStream(api, { ...options.stream, alarms: options.desk.alarms, whoLivesIn: (room) => options.desk.whoLivesIn(room), disclose: (...shown) => options.desk.disclose(...shown), people: options.people, log: options.log });
    addPatients(api, options.desk);
    addBreakGlass(api, options.desk);
    addContracts(api, options.desk);
    if (options.flows !== undefined) addFlows(api, { ...options.stream, desk: options.flows, people: options.people, log: options.log, uptime: options.uptime });
  }, { prefix: PREFIX });
}

const DESCRIPTION = {
  openapi: '3.1.0',
  info: { title: 'Vitalgate', version: '1', description: `Alarms, patients and rule packs of one gateway. ${NOTICE}` },
  components: {
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'As "vitalgate person token" prints it' },
      session: { type: 'apiKey', in: 'cookie', name: 'vitalgate_session', description: 'Set by POST /api/session, for browsers' },
    },
  },
  security: [{ token: [] }, { session: [] }],
} satisfies FastifyDynamicSwaggerOptions['openapi'];

function addDescription(api: FastifyInstance): void {
  const links = { alarms: '/alarms', steps: '/steps', stream: '/stream', patients: '/patients', breakGlass: '/break-glass', contracts: '/contracts', flows: '/flows/contract', session: '/session', description: '/openapi.json' };
  api.get('', {
    config: { needs: 'public' },
    schema: {
      summary: 'What there is',
      security: [],
      response: { 200: object({ name: text('Of the software'), notice: text('What it is not'), links: { type: 'object', additionalProperties: { type: 'string' } } }) },
    },
  }, () => ({ name: 'Vitalgate', notice: NOTICE, links: Object.fromEntries(Object.entries(links).map(([name, path]) => [name, `${PREFIX}${path}`])) }));
  api.get('/openapi.json', { config: { needs: 'public' }, schema: { hide: true } }, () => api.swagger());
}

/** "minutes: expected whole minutes of the pause, 1 to 1440": what a request may hold is described so that it reads on after "expected". */
function inWords(errors: FastifySchemaValidationError[], where: string): Error {
  const all = errors as readonly (FastifySchemaValidationError & Readonly<{ parentSchema?: Readonly<Record<string, unknown>> }>)[];
  const error = all.find(({ keyword }) => keyword === 'anyOf') ?? all[0];
  if (error === undefined) return new RequestError(400, 'bad_request', `the ${where} is not what was expected`);
  const place = error.instancePath.slice(1).replaceAll('/', '.') || where;
  const { keyword, params, message, parentSchema } = error;
  if (keyword === 'required') return new RequestError(400, 'bad_request', `${place}: "${String(params['missingProperty'])}" is missing; expected ${namesOf(parentSchema)}`);
  if (keyword === 'additionalProperties') return new RequestError(400, 'bad_request', `${place}: "${String(params['additionalProperty'])}" is unknown; expected ${namesOf(parentSchema)}`);
  const described = parentSchema?.['description'];
  return new RequestError(400, 'bad_request', typeof described === 'string' ? `${place}: expected ${described}` : `${place} ${message ?? 'is not what was expected'}`);
}

function namesOf(schema: Readonly<Record<string, unknown>> | undefined): string {
  const names = Object.keys(schema?.['properties'] ?? {});
  return names.length === 0 ? 'nothing' : names.join(', ');
}
