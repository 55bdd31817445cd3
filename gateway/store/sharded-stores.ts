/** Blocks and releases over several shards: everything of a chain is in one of them, and none of it in another. */

import type { AppendOutcome, BlockStore, Fork, LaneId, StorableBlock } from '../ledger/block-store.ts';
import type { Release, ReleasedKey, ReleasedPayload } from '../ledger/release.ts';
import type { ChainState } from '../ledger/state.ts';
import type { ReleaseStore } from '../upstream/release-store.ts';

/** Which of the shards has this chain. */
export type ShardOf<Shard> = (chain: Uint8Array) => Shard;

export class ShardedBlocks implements BlockStore {
  readonly #shards: readonly BlockStore[];
  readonly #of: ShardOf<BlockStore>;

  constructor(shards: readonly BlockStore[], of: ShardOf<BlockStore>) {
    this.#shards = shards;
    this.#of = of;
  }

  head(id: LaneId): Promise<ChainState | undefined> {
    return this.#of(id.chain).head(id);
  }

  append(first: StorableBlock, ...following: readonly StorableBlock[]): Promise<AppendOutcome> {
    return this.#of(first.verified.state.chain).append(first, ...following);
  }

  block(id: LaneId, height: number): Promise<Uint8Array | undefined> {
    return this.#of(id.chain).block(id, height);
  }

  pruned(id: LaneId): Promise<ChainState | undefined> {
    return this.#of(id.chain).pruned(id);
  }

  blocks(id: LaneId, from: number): AsyncIterable<Uint8Array> {
    return this.#of(id.chain).blocks(id, from);
  }

  node(id: LaneId, level: number, index: number): Promise<Uint8Array> {
    return this.#of(id.chain).node(id, level, index);
  }

  async chains(): Promise<readonly Uint8Array[]> {
    return (await Promise.all(this.#shards.map((shard) => shard.chains()))).flat();
  }

  putReceipt(id: LaneId, height: number, fingerprint: Uint8Array, receipt: Uint8Array): Promise<void> {
    return this.#of(id.chain).putReceipt(id, height, fingerprint, receipt);
  }

  receipts(id: LaneId, height: number): Promise<readonly Uint8Array[]> {
    return this.#of(id.chain).receipts(id, height);
  }

  receiptsFrom(id: LaneId, from: number): AsyncIterable<Uint8Array> {
    return this.#of(id.chain).receiptsFrom(id, from);
  }

  putFork(fork: Fork): Promise<void> {
    return this.#of(fork.chain).putFork(fork);
  }

  async forks(): Promise<readonly Fork[]> {
    return (await Promise.all(this.#shards.map((shard) => shard.forks()))).flat();
  }

  fork(id: LaneId): Promise<Fork | undefined> {
    return this.#of(id.chain).fork(id);
  }
}

export class ShardedReleases implements ReleaseStore {
  readonly #of: ShardOf<ReleaseStore>;

  constructor(of: ShardOf<ReleaseStore>) {
    this.#of = of;
  }

  lastNumber(chain: Uint8Array): Promise<number> {
    return this.#of(chain).lastNumber(chain);
  }

  put(release: Release): Promise<boolean> {
    return this.#of(release.chain).put(release);
  }

  keys(chain: Uint8Array): AsyncIterable<ReleasedKey> {
    return this.#of(chain).keys(chain);
  }

  payloads(chain: Uint8Array, key: Uint8Array): AsyncIterable<Pick<ReleasedPayload, 'entry' | 'sealed'>> {
    return this.#of(chain).payloads(chain, key);
  }
}
