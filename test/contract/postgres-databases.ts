/** One PostgreSQL server for a test file, and databases in it that are handed on empty: a new one takes longer than a test. */

import { startPostgres, type Postgres } from '../postgres.ts';

/** With so few rows this is faster than truncating, which makes files. */
const EMPTY = ['head', 'block', 'receipt', 'fork', 'record'].map((table) => `delete from vitalgate.${table}`).join('; ');

let server: Promise<Postgres> | undefined;
const idle: string[] = [];

/** An empty database. It MUST be left unused when it is given back. */
export async function takeDatabase(): Promise<Readonly<{ url: string; giveBack: () => Promise<void> }>> {
  server ??= startPostgres();
  const postgres = await server;
  const url = idle.pop() ?? (await postgres.database());
  return {
    url,
    giveBack: async () => {
      await postgres.primary.query(EMPTY, databaseIn(url));
      idle.push(url);
    },
  };
}

/** Runs a statement in it, behind the store's back. */
export async function queryIn(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const postgres = await server;
  if (postgres === undefined) throw new Error('no database was taken');
  return await postgres.primary.query(statement, databaseIn(url));
}

/** To be called once, after all tests of the file. */
export async function stopDatabases(): Promise<void> {
  await (await server)?.stop();
}

const databaseIn = (url: string): string => url.slice(url.lastIndexOf('/') + 1);
