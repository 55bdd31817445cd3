/** The settings `store` and `durability` of a hospital: where it keeps what it is given, and what a receipt stands on. */

import { z } from 'zod';
import { formed, word } from './fields.ts';

const MOST_SHARDS = 64;
const EXAMPLES = ['postgres://vitalgate@db1.example,db2.example/vitalgate?sslmode=verify-full', 'postgres:///vitalgate'];

const database = (): z.ZodType<string, string> =>
  formed(/^postgres(ql)?:\/\/[^\s/?#]*(\/[^\s?#]*)?(\?[^\s#]*)?$/, 'the URL of a PostgreSQL database such as "postgres://vitalgate@db1.example,db2.example/vitalgate"', EXAMPLES);
const cluster = (): z.ZodType<string, string> => formed(/^nats:\/\/[^\s/?#]+\/?(\?[^\s#]*)?$/, 'the URL of NATS servers such as "nats://n1,n2,n3?monitor=8222"', ['nats://n1.example,n2.example,n3.example?monitor=8222']);

/** Parsed, `rocksdb` or URLs: of the shards on PostgreSQL, or one of a NATS cluster. */
export const storeSetting = z
  .union([z.literal('rocksdb'), database(), cluster(), z.array(database(), { error: 'expected a list of URLs' }).min(1, { error: 'expected at least one URL' }).max(MOST_SHARDS, { error: `expected at most ${MOST_SHARDS} URLs` })], {
    error: 'expected rocksdb, the URL of a PostgreSQL database or of NATS servers, or a list of URLs of PostgreSQL databases',
  })
  .prefault('rocksdb')
  .transform((given): 'rocksdb' | readonly string[] => (given === 'rocksdb' ? given : typeof given === 'string' ? [given] : given))
  .describe(
    'Where blocks, receipts and what lies beside them are kept. rocksdb: in the data folder, for one process. postgres://user@host,host/database: in PostgreSQL, which any number of ' +
      'processes share; the hosts are a primary and its standbys, in any order. A list: one URL for each shard, always in the same order. A password belongs into the ' +
      'environment (PGPASSWORD) or the file of passwords (~/.pgpass). nats://host,host,host?monitor=8222: blocks and receipts in JetStream, three copies of each; everything else stays in the data folder. Default rocksdb.',
  );

export const durabilitySetting = word('replicated', 'local')
  .prefault('replicated')
  .describe('What a receipt stands on where the store is not in the data folder. replicated: the block is on the disk of the primary and of a synchronous standby (NATS: on those of a majority); what cannot promise that is refused. local: on the disk of the primary (NATS: on its way to the disks of a majority). Default replicated.');
