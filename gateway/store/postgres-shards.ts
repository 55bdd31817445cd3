/**
 * The shard map. Chains fall into slots by the first byte of their id, which is a hash; every slot is in one shard, and every shard is one PostgreSQL
 * primary with its standbys. Each has the whole map, and knows which shard it is: so one that is missing, strange, or in another's place is noticed
 * before a chain is looked for where it is not.
 */

import { randomBytes } from 'node:crypto';
import type { ClientBase } from 'pg';
import { ConfigError } from '../errors.ts';
import type { PostgresPrimary } from './postgres-primary.ts';
import { ensureSchema } from './postgres-schema.ts';

const SLOTS = 256;
const ID_BYTES = 16;

/** For each slot the index of its shard. */
export type ShardMap = readonly number[];

type Shard = Readonly<{ primary: PostgresPrimary; installation: Buffer | null; shard: number | null; map: ShardMap }>;

export const shardIn = (map: ShardMap, chain: Uint8Array): number => map[(chain[0] ?? 0) % SLOTS] ?? 0;

/**
 * Makes the tables where there are none, and the map the first time. Throws {@link ConfigError} when the shards are not those of the map, in its
 * order, {@link StoreError} when one cannot be reached.
 */
export async function openShards(primaries: readonly [PostgresPrimary, ...PostgresPrimary[]]): Promise<ShardMap> {
  for (const primary of primaries) await primary.write((client) => ensureSchema(client, primary.name));
  const [first, ...others] = primaries;
  // The first is written last when a store is begun: whoever finds a map there finds the others as it says.
  const beginning = await read(first);
  const shards = [beginning, ...(await Promise.all(others.map(read)))] as const;
  const { map, installation } = beginning;
  if (map.length === 0) return await begin(shards);
  const counted = Math.max(...map) + 1;
  if (counted !== shards.length) throw new ConfigError(`the store has ${counted} shards, ${shards.length} are configured: expected all of them, in their order, beginning with ${first.name}`);
  for (const [index, shard] of shards.entries()) {
    if (installation === null || shard.installation?.equals(installation) !== true) throw new ConfigError(`${shard.primary.name} is no shard of the store that begins with ${first.name}`);
    if (shard.shard !== index) throw new ConfigError(`${shard.primary.name} is shard ${(shard.shard ?? 0) + 1}, configured as shard ${index + 1}: the order has changed`);
    if (shard.map.join() !== map.join()) throw new ConfigError(`${shard.primary.name} has another map of slots than ${first.name}`);
  }
  return map;
}

async function read(primary: PostgresPrimary): Promise<Shard> {
  // One statement, one moment: another process may be beginning the store.
  const text = 'select id, shard, array(select shard from vitalgate.slot order by slot) as map from vitalgate.installation';
  const { rows: [row] } = await primary.read((client) => client.query<{ id: Buffer | null; shard: number | null; map: number[] }>(text));
  return { primary, installation: row?.id ?? null, shard: row?.shard ?? null, map: row?.map ?? [] };
}

/**
 * The first shard is written last: as long as it has no map, there is none, and whoever was interrupted begins again. Two who begin at the same time
 * are told apart there too, and the one that is too late reads what the other has made.
 */
async function begin(shards: readonly [Shard, ...Shard[]]): Promise<ShardMap> {
  const map = Array.from({ length: SLOTS }, (_, slot) => slot % shards.length);
  const [{ primary: first }] = shards;
  const begun = await first.write(async (client) => {
    await client.query('begin');
    try {
      const { rows: [row] } = await client.query<{ id: Buffer | null }>('select id from vitalgate.installation for update');
      if (row === undefined || row.id !== null) {
        await client.query('rollback');
        return false;
      }
      const id = randomBytes(ID_BYTES);
      for (const [index, { primary }] of shards.entries()) {
        if (index > 0) await primary.write((other) => join(other, primary, { id, index, map }));
      }
      await join(client, first, { id, index: 0, map });
      await client.query('commit');
      return true;
    } catch (thrown) {
      await client.query('rollback').catch(() => undefined);
      throw thrown;
    }
  });
  return begun ? map : await openShards(shards.map(({ primary }) => primary) as [PostgresPrimary, ...PostgresPrimary[]]);
}

/** One statement, in a transaction or by itself. A database that holds chains already is the shard of another store. */
async function join(client: ClientBase, primary: PostgresPrimary, { id, index, map }: Readonly<{ id: Buffer; index: number; map: ShardMap }>): Promise<void> {
  const { rowCount } = await client.query({
    text: `
      with own as (
        update vitalgate.installation set id = $1, shard = $2 where not exists (select from vitalgate.head) returning shard
      ), gone as (
        delete from vitalgate.slot where exists (select from own) and slot >= $4
      ), kept as (
        insert into vitalgate.slot (slot, shard) select ordinality - 1, shard from unnest($3::int[]) with ordinality as map(shard, ordinality) where exists (select from own)
        on conflict (slot) do update set shard = excluded.shard
      )
      select shard from own`,
    values: [id, index, map, SLOTS],
  });
  if (rowCount !== 1) throw new ConfigError(`${primary.name} has chains and is no shard of this store: expected an empty database`);
}
