/** What commands ask about tokens, over the control socket of a gateway or of a hospital node. */

import type { FastifyInstance } from 'fastify';
import { UsageError } from '../errors.ts';
import type { ListedToken, MadeToken } from '../people/people.ts';
import { Millis } from '../quantity.ts';
import { call } from './control-call.ts';

export type TokenApi = Readonly<{
  makeToken: (person: string, expiresAfter?: Millis) => Promise<MadeToken>;
  tokens: () => Promise<readonly ListedToken[]>;
  revokeTokens: (nameOrId: string) => Promise<readonly ListedToken[]>;
}>;

type TokenBody = Readonly<{ person?: unknown; expiresAfter?: unknown }>;

export function addTokenRoutes(app: FastifyInstance, api: { [Name in keyof TokenApi]: (...args: Parameters<TokenApi[Name]>) => unknown }): void {
  app.get('/tokens', () => api.tokens());
  app.post<{ Body: TokenBody }>('/tokens', ({ body: { person, expiresAfter } }) => api.makeToken(textIn(person, 'person'), periodIn(expiresAfter)));
  app.post<{ Body: Readonly<{ of?: unknown }> }>('/tokens/revoke', ({ body }) => api.revokeTokens(textIn(body.of, 'of')));
}

export function tokenClient(path: string): TokenApi {
  return {
    makeToken: async (person, expiresAfter) => (await call(path, 'POST', '/tokens', { person, ...(expiresAfter === undefined ? {} : { expiresAfter }) })) as MadeToken,
    tokens: async () => (await call(path, 'GET', '/tokens')) as readonly ListedToken[],
    revokeTokens: async (nameOrId) => (await call(path, 'POST', '/tokens/revoke', { of: nameOrId })) as readonly ListedToken[],
  };
}

export function textIn(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new UsageError(`"${name}" must be text`);
  return value;
}

export function periodIn(value: unknown): Millis | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw new UsageError('"expiresAfter" must be whole milliseconds from 1');
  return Millis(value as number);
}
