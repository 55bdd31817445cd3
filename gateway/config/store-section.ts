/** The settings `store` and `durability` of a hospital: where it keeps what it is given, and what a receipt stands on. */

import { z } from 'zod';
import { formed, word } from './fields.ts';

const MOST_SHARDS = 64;
const EXAMPLES = ['postgres://vitalgate@db1.example,db2.example/vitalgate?sslmode=verify-full', 'postgres:///vitalgate'];

const address = (): z.ZodType<string, string> =>
  formed(/^postgres(ql)?:\/\/[^\s/?#]*(\/[^\s?#]*)?(\?[^\s#]*)?$/, 'rocksdb, or the URL of a PostgreSQL database such as "postgres://vitalgate@db1.example,db2.example/vitalgate"', EXAMPLES);

/** Parsed, `rocksdb` or the URLs of shards. */
export const storeSetting = z
  .union([z.literal('rocksdb'), address(), z.array(address(), { error: 'expected a list of URLs' }).min(1, { error: 'expected at least one URL' }).max(MOST_SHARDS, { error: `expected at most ${MOST_SHARDS} URLs` })], {
    error: 'expected rocksdb, the URL of a PostgreSQL database, or a list of such URLs',
  })
  .prefault('rocksdb')
  .transform((given): 'rocksdb' | readonly string[] => (given === 'rocksdb' ? given : typeof given === 'string' ? [given] : given))
  .describe(
    'Where blocks, receipts and what lies beside them are kept. rocksdb: in the data folder, for one process. postgres://user@host,host/database: in PostgreSQL, which any number of ' +
      'processes share; the hosts are a primary and its standbys, in any order. A list: one URL for each shard, always in the same order. A password belongs into the ' +
      'environment (PGPASSWORD) or the file of passwords (~/.pgpass). Default rocksdb.',
  );

export const durabilitySetting = word('replicated', 'local')
  .prefault('replicated')
  .describe('What a receipt stands on where the store is PostgreSQL. replicated: the block is on the disk of the primary and of a synchronous standby; a primary without one is refused. local: on the disk of the primary. Default replicated.');
