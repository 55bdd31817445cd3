/** The read API under /fhir (FHIR R4, 3.1.0 RESTful API): application/fhir+json alone. */

import { createHash } from 'node:crypto';
import type { Bundle, Resource } from '@medplum/fhirtypes';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KiB } from '../quantity.ts';
import { askingIn } from './asking.ts';
import { capabilityOf, isServedType, type ServedType, TYPES } from './capability.ts';
import { outcomeFor, refused } from './outcome.ts';
import { openCursor, sealCursor } from './page-cursor.ts';
import { readQuery, type Query } from './query.ts';
import { FhirReader, type Asking, type ReaderOptions } from './reader.ts';
import { PARAMETERS, type Position, sortsOf } from './record-search.ts';
import { addStream, type StreamOptions } from './stream.ts';

export type FhirOptions = ReaderOptions & StreamOptions & Readonly<{
  /** 32 bytes that all processes of this hospital have: pages are sealed with it. */
  cursorKey: Uint8Array;
  random: (size: number) => Uint8Array;
}>;

const TYPE = 'application/fhir+json; fhirVersion=4.0; charset=utf-8';
const ACCEPTED = /^(?:application\/(?:fhir\+json|json|\*)|\*\/\*|text\/json)$/;
const FORMATS: readonly string[] = ['json', 'application/fhir+json', 'application/json', 'text/json'];
const FORM = 'application/x-www-form-urlencoded';
const LARGEST_FORM = KiB(64);
/** Each looks through what may be many records. */
const MOST_SEARCHES = 16;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

/** Adds the routes to a server of the hospital. */
export async function addFhirRoutes(app: FastifyInstance, options: FhirOptions): Promise<void> {
  await app.register(async (scope) => {
    const reader = new FhirReader(options);
    scope.addContentTypeParser(FORM, { parseAs: 'string', bodyLimit: LARGEST_FORM }, (_request, body, done) => done(null, body));
    scope.setErrorHandler((thrown, _request, reply) => {
      const { status, body } = outcomeFor(thrown, options.log);
      void reply.code(status).type(TYPE).send(JSON.stringify(body));
    });
    scope.setNotFoundHandler((request) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') throw refused(405, 'not-supported', 'this API reads: expected GET, HEAD, or POST to _search');
      throw refused(404, 'not-found', 'there is no such resource');
    });
    scope.addHook('onRequest', (request, reply, done) => {
      // What was shown to somebody is kept nowhere on the way.
      void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
      if (request.routeOptions.config.isStream !== true) refuseFormat(request);
      done();
    });
    scope.get('/metadata', (request, reply) => send(request, reply, capabilityOf(options.name, baseOf(request))));
    addStream(scope, options);
    addReading(scope, reader, options);
    addSearching(scope, reader, options);
  }, { prefix: '/fhir' });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It answers with server-sent events. */
    isStream?: true;
  }
}

function addReading(scope: FastifyInstance, reader: FhirReader, options: FhirOptions): void {
  scope.get<{ Params: Readonly<{ type: string; id: string }> }>('/:type/:id', async (request, reply) => {
    const asking = askingIn(request, reply, options.staff);
    const { type, id } = request.params;
    const found = ID.test(id) ? await reader.read(typeIn(type), id, asking) : undefined;
    if (found === undefined) throw refused(404, 'not-found', `there is no ${typeIn(type)} of this id, or not for you`);
    return send(request, reply, found);
  });
}

function addSearching(scope: FastifyInstance, reader: FhirReader, options: FhirOptions): void {
  let under = 0;
  const search = async (request: FastifyRequest<{ Params: Readonly<{ type: string }> }>, reply: FastifyReply, given: readonly (readonly [string, string])[]): Promise<FastifyReply> => {
    const asking = askingIn(request, reply, options.staff);
    if (under >= MOST_SEARCHES) {
      void reply.header('retry-after', '1');
      throw refused(503, 'transient', `${MOST_SEARCHES} searches are under way; try again`);
    }
    under += 1;
    try {
      return await send(request, reply, await pageFor(typeIn(request.params.type), given, request, asking));
    } finally {
      under -= 1;
    }
  };

  async function pageFor(type: ServedType, given: readonly (readonly [string, string])[], request: FastifyRequest, asking: Asking): Promise<Bundle> {
    const { after, parameters } = cursorIn(type, given, asking, options.cursorKey) ?? { parameters: given };
    const query = queryFor(type, parameters, /\bhandling\s*=\s*strict\b/i.test(String(request.headers['prefer'] ?? '')));
    const { resources, next } = await reader.search(type, query, asking, after);
    const base = baseOf(request);
    const nextLink = next === undefined ? [] : [{ relation: 'next', url: `${base}/${type}?_cursor=${sealCursor({ type, person: asking.person, purpose: asking.purpose, used: query.used.map(([name, value]) => [name, value]), after: next }, options.cursorKey, options.random)}` }];
    return {
      resourceType: 'Bundle', type: 'searchset',
      link: [{ relation: 'self', url: `${base}/${type}${query.used.length === 0 ? '' : '?'}${new URLSearchParams(query.used.map(([name, value]): [string, string] => [name, value])).toString()}` }, ...nextLink],
      ...(resources.length > 0 && { entry: resources.map((resource) => ({ fullUrl: `${base}/${resource.resourceType}/${resource.id ?? ''}`, resource, search: { mode: 'match' as const } })) }),
    };
  }

  scope.get<{ Params: Readonly<{ type: string }> }>('/:type', async (request, reply) => await search(request, reply, queryOf(request)));
  scope.post<{ Params: Readonly<{ type: string }>; Body: string | undefined }>('/:type/_search', async (request, reply) => await search(request, reply, [...queryOf(request), ...new URLSearchParams(request.body ?? '')]));
}

function typeIn(type: string): ServedType {
  if (!isServedType(type)) throw refused(404, 'not-supported', `${JSON.stringify(type.slice(0, 40))} is no type of resource that is here: see /fhir/metadata`);
  return type;
}

function queryFor(type: ServedType, given: readonly (readonly [string, string])[], strict: boolean): Query {
  const sorts = type === 'Observation' || type === 'DetectedIssue' || type === 'Communication' ? sortsOf(type) : [];
  return readQuery(given, { parameters: TYPES[type] ?? PARAMETERS.Observation, sorts, strict });
}

/** Undefined where the first page is asked for. */
function cursorIn(type: ServedType, given: readonly (readonly [string, string])[], { person, purpose }: Asking, key: Uint8Array): Readonly<{ after: Position; parameters: readonly (readonly [string, string])[] }> | undefined {
  const text = given.find(([name]) => name === '_cursor')?.[1];
  if (text === undefined) return undefined;
  const cursor = openCursor(text, key);
  if (cursor?.type !== type || cursor.person !== person || cursor.purpose !== purpose) throw refused(400, 'value', '_cursor: expected one of a "next" link, of the same search by the same person');
  return { after: cursor.after, parameters: cursor.used };
}

const queryOf = ({ raw }: FastifyRequest): readonly (readonly [string, string])[] => [...new URLSearchParams(/\?([^#]*)/.exec(raw.url ?? '')?.[1] ?? '')];

function refuseFormat(request: FastifyRequest): void {
  const format = queryOf(request).find(([name]) => name === '_format')?.[1];
  const asked = (request.headers.accept ?? '*/*').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '');
  const fits = format === undefined ? asked.some((type) => type === '' || ACCEPTED.test(type)) : FORMATS.includes((format.split(';')[0] ?? '').trim().toLowerCase().replace(' ', '+'));
  if (!fits) throw refused(406, 'not-supported', 'expected application/fhir+json');
}

/** As whoever asks calls this node: it may have several names, and a proxy before it. */
function baseOf(request: FastifyRequest): string {
  const host = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(request.host) ? request.host : 'localhost';
  return `${request.protocol}://${host}/fhir`;
}

/** With an ETag over what is sent: of one resource two people may see different things. */
function send(request: FastifyRequest, reply: FastifyReply, resource: Resource): FastifyReply {
  const body = JSON.stringify(resource);
  const etag = `W/"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
  const { lastUpdated } = resource.meta ?? {};
  void reply.header('etag', etag).type(TYPE);
  if (lastUpdated !== undefined) void reply.header('last-modified', new Date(lastUpdated).toUTCString());
  const seen = (request.headers['if-none-match'] ?? '').split(',').map((each) => each.trim());
  return seen.includes(etag) ? reply.code(304).send() : reply.send(body);
}
