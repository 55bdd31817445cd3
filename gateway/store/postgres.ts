/** A hospital's store on PostgreSQL: one database, or several as shards. */

import { ConfigError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import type { Millis } from '../quantity.ts';
import type { KeyValueStore } from './key-value.ts';
import { PostgresBlocks } from './postgres-blocks.ts';
import { PostgresPrimary } from './postgres-primary.ts';
import type { Durability } from './postgres-server.ts';
import { openShards, shardIn } from './postgres-shards.ts';
import { PostgresStore } from './postgres-store.ts';
import { ShardedBlocks } from './sharded-blocks.ts';

export type PostgresOptions = Readonly<{
  /** `replicated`: a commit has to be on the disk of a synchronous standby too, and a server without one is refused. */
  durability: Durability;
  /** How long an answer may take before who waits is told that the store fails. Default 10 s. */
  deadline?: Millis;
}>;

/** `store`: everything but blocks, in the first shard: payloads, and what is made of them. `close` closes all of them. */
export type PostgresStores = Readonly<{ blocks: BlockStore; store: KeyValueStore; close: () => Promise<void> }>;

/**
 * Opens the store at these URLs, one for each shard, each with the hosts of a primary and its standbys. Throws {@link ConfigError} when they are not the
 * shards of one store, {@link StoreError} when a shard cannot be reached, or its settings would let go of what was receipted.
 */
export async function openPostgres(urls: readonly string[], options: PostgresOptions): Promise<PostgresStores> {
  const [first, ...others] = urls.map((url) => new PostgresPrimary(url, options));
  if (first === undefined) throw new ConfigError('a PostgreSQL store needs at least one URL');
  const primaries = [first, ...others] as const;
  const close = async (): Promise<void> => void (await Promise.all(primaries.map((primary) => primary.close())));
  try {
    for (const primary of primaries) await primary.assertReplicated();
    const map = await openShards(primaries);
    const blocks = primaries.map((primary) => new PostgresBlocks(primary));
    return { blocks: new ShardedBlocks(blocks, (chain) => blocks[shardIn(map, chain)] as PostgresBlocks), store: new PostgresStore(first), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
