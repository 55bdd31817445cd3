import { ConfigError } from '../errors.ts';

/** One server of a URL: what to call it in messages, and how to reach it. Only `connection` may hold a password: it MUST NOT be shown. */
export type PostgresHost = Readonly<{ name: string; connection: string }>;

const SHAPE = /^postgres(?:ql)?:\/\/(?:(?<user>[^@/?]*)@)?(?<hosts>[^@/?]*)(?:\/(?<database>[^?]*))?(?:\?(?<settings>.*))?$/;

/**
 * The servers that a URL names, several as libpq writes them: `postgres://user@one:5432,two:5432/database?sslmode=verify-full`. What is not
 * said is taken from PGHOST, PGUSER, PGPASSWORD and the like, or from the file of passwords. Throws {@link ConfigError}, without the URL in it.
 */
export function hostsIn(url: string): readonly [PostgresHost, ...PostgresHost[]] {
  const parts = SHAPE.exec(url)?.groups;
  if (parts === undefined) throw new ConfigError('the URL of a PostgreSQL store is not of the form postgres://user@host:5432/database, with hosts separated by commas');
  const { user, hosts = '', database = '', settings } = parts;
  const [first = '', ...others] = hosts.split(',');
  const of = (host: string): PostgresHost => {
    const connection = `postgres://${user === undefined ? '' : `${user}@`}${host}/${database}${settings === undefined ? '' : `?${settings}`}`;
    if (!URL.canParse(connection.replace('@/', '@localhost/').replace('///', '//localhost/'))) throw new ConfigError(`"${host}" is not a host with a port, in the URL of a PostgreSQL store`);
    return { name: host === '' ? 'the host of the environment' : host, connection };
  };
  return [of(first), ...others.map(of)];
}

/** What to call the database of a URL, without who opens it and with which password. */
export function nameOfPostgres(url: string): string {
  const parts = SHAPE.exec(url)?.groups;
  return `postgres://${parts?.['hosts'] ?? ''}/${parts?.['database'] ?? ''}`;
}
