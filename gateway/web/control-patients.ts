/** What commands ask about the people that a hospital node knows, over its control socket. */

import type { FastifyInstance } from 'fastify';
import { UsageError } from '../errors.ts';
import type { Subject } from '../reading.ts';
import { call } from './control-call.ts';
import { textIn } from './control-tokens.ts';

type Identity = Readonly<{ system: string; value: string; name?: string }>;

/** Somebody, or a room, of whom there is a record. `last`: Unix milliseconds, the time of the newest. */
export type ListedPerson = Readonly<{ person: string; kind: Subject['kind']; identity: Identity | null; last: number | null }>;

/** How far what was given is opened (records/projector.ts). */
export type OpeningStatus = Readonly<{ opened: number; waiting: number; bad: number; behind: number }>;

export type PatientApi = Readonly<{
  people: () => Promise<readonly ListedPerson[]>;
  /** Throws {@link UsageError} for what is no pseudonym or no identifier. */
  mapPerson: (pseudonym: string, identity: Identity) => Promise<void>;
  unmapPerson: (pseudonym: string) => Promise<void>;
  opening: () => Promise<OpeningStatus>;
}>;

/** Longest part of an identity, in characters. */
const MOST_TEXT = 200;
const PSEUDONYM = /^[0-9a-f]{32}$/;

export function addPatientRoutes(app: FastifyInstance, api: PatientApi): void {
  app.get('/people', () => api.people());
  app.get('/records', () => api.opening());
  app.put<{ Params: Readonly<{ pseudonym: string }>; Body: Readonly<Record<'system' | 'value' | 'name', unknown>> }>('/people/:pseudonym/identity', async ({ params, body: { system, value, name } }) => {
    await api.mapPerson(params.pseudonym, { system: textIn(system, 'system'), value: textIn(value, 'value'), ...(name !== undefined && { name: textIn(name, 'name') }) });
    return {};
  });
  app.delete<{ Params: Readonly<{ pseudonym: string }> }>('/people/:pseudonym/identity', async ({ params }) => {
    await api.unmapPerson(params.pseudonym);
    return {};
  });
}

export function patientClient(path: string): PatientApi {
  return {
    people: async () => (await call(path, 'GET', '/people')) as readonly ListedPerson[],
    opening: async () => (await call(path, 'GET', '/records')) as OpeningStatus,
    mapPerson: async (pseudonym, identity) => {
      await call(path, 'PUT', `/people/${pseudonym}/identity`, identity);
    },
    unmapPerson: async (pseudonym) => {
      await call(path, 'DELETE', `/people/${pseudonym}/identity`);
    },
  };
}

/** Throws {@link UsageError}. */
export function assertPseudonym(text: string): void {
  if (!PSEUDONYM.test(text)) throw new UsageError(`"${text}" is no pseudonym: 32 hexadecimal digits, as "vitalgate pseudonym" on the gateway and "vitalgate patient list" say it`);
}

/** Throws {@link UsageError}. */
export function assertIdentity({ system, value, name }: Identity): void {
  if (!/^[a-z][a-z0-9+.-]*:[^\s\p{C}|]+$/iu.test(system) || system.length > MOST_TEXT) throw new UsageError(`"${system}" does not say who gives identifiers: expected a URI such as urn:oid:1.2.36.146.595.217.0.1`);
  for (const [what, text] of Object.entries({ identifier: value, name })) {
    if (text !== undefined && !isPlain(text)) throw new UsageError(`the ${what} must have 1 to ${MOST_TEXT} characters, without control characters and spaces around it, and in Unicode normalisation form C`);
  }
}

const isPlain = (text: string): boolean => /^[^\s\p{C}](?:[^\p{C}]*[^\s\p{C}])?$/u.test(text) && text.length <= MOST_TEXT && text.normalize('NFC') === text;
