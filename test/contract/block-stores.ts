/** Everything that keeps blocks, for the suite that all of it has to pass. */

import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openNatsBlocks } from '../../gateway/store/nats-blocks.ts';
import { openNats, streamName, STREAMS } from '../../gateway/store/nats-cluster.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { needs } from '../debian-packages.ts';
import { type NatsServers, startNats } from '../nats.ts';
import { freePorts } from '../path/program.ts';
import { CuttingWire } from '../faults/cutting-wire.ts';
import { type Engine, STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { takeDatabase } from './postgres-databases.ts';

export interface OpenBlocks extends AsyncDisposable {
  readonly blocks: BlockStore;
  /** Closes it and opens it again, where it outlives its process. */
  reopen(): Promise<BlockStore>;
  /** As another process has it, with connections of its own, where several may; else the same. */
  another(): Promise<BlockStore>;
  /** A store over the same engine whose answers are lost while `work` runs: what it writes is written all the same. */
  unanswered(work: (blocks: BlockStore) => Promise<void>): Promise<void>;
}

export type BlockStoreAdapter = Readonly<{ name: string; missing: boolean; note: string; open: () => Promise<OpenBlocks> }>;

export const storeOver = (store: KeyValueStore): BlockStore => new StoredBlocks(store, { removePending: false });

const overKeys = ({ name, open }: Engine): BlockStoreAdapter => ({
  name, missing: false, note: '',
  open: async () => {
    const engine = await open();
    const blocks = storeOver(engine.store);
    return {
      blocks,
      reopen: async () => storeOver(await engine.reopen()),
      another: () => Promise.resolve(blocks),
      unanswered: async (work) => {
        const faulty = new FaultyStore(engine.store);
        faulty.writeFaults.push('written all the same');
        await work(storeOver(faulty));
      },
      [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
    };
  },
});

const postgres: BlockStoreAdapter = {
  name: 'postgres', ...needs('postgresql'),
  open: async () => {
    const { url, giveBack } = await takeDatabase();
    const opened: (() => Promise<void>)[] = [];
    const at = async (): Promise<BlockStore> => {
      const { blocks, close } = await openPostgres([url], { durability: 'local' });
      opened.push(close);
      return blocks;
    };
    const closeAll = async (): Promise<void> => void (await Promise.all(opened.splice(0).map((close) => close())));
    return {
      blocks: await at(),
      reopen: async () => {
        await closeAll();
        return await at();
      },
      another: at,
      unanswered: async (work) => {
        const [port = 0] = await freePorts(1);
        const target = Number(/:(\d+)\//.exec(url)?.[1]);
        await using wire = await CuttingWire.between(port, target, { between: () => 0 });
        wire.badness = 0;
        const { blocks: behind, close } = await openPostgres([url.replace(`:${target}/`, `:${port}/`)], { durability: 'local' });
        try {
          await behind.putReceipt({ chain: new Uint8Array(16), lane: 'alarm' }, 0, new Uint8Array(16), new Uint8Array());
          wire.badness = 1;
          await work(behind);
        } finally {
          wire.badness = 0;
          await close();
        }
      },
      [Symbol.asyncDispose]: async () => {
        await closeAll();
        await giveBack();
      },
    };
  },
};

let natsServer: Promise<NatsServers> | undefined;

/** To be called once, after all tests of the file. */
export async function stopNats(): Promise<void> {
  await (await natsServer)?.[Symbol.asyncDispose]();
}

const nats: BlockStoreAdapter = {
  name: 'nats', ...needs('nats-server-2.10'),
  open: async () => {
    natsServer ??= startNats();
    const { url, servers: [server] } = await natsServer;
    const opened: (() => Promise<void>)[] = [];
    const at = async (where = url): Promise<BlockStore> => {
      const { blocks, close } = await openNatsBlocks(where, { durability: 'local' });
      opened.push(close);
      return blocks;
    };
    const closeAll = async (): Promise<void> => void (await Promise.all(opened.splice(0).map((close) => close())));
    return {
      blocks: await at(),
      reopen: async () => {
        await closeAll();
        return await at();
      },
      another: () => at(),
      unanswered: async (work) => {
        const [port = 0] = await freePorts(1);
        await using wire = await CuttingWire.between(port, server?.port ?? 0, { between: () => 0 });
        wire.badness = 0;
        const behind = await at(url.replace(`:${server?.port}?`, `:${port}?`));
        // An acknowledgement, and not what is asked before.
        wire.only = /"stream":/;
        wire.badness = 1;
        await work(behind);
        wire.badness = 0;
      },
      [Symbol.asyncDispose]: async () => {
        await closeAll();
        await emptyNats(url);
      },
    };
  },
};

/** Streams cannot be emptied, only taken away. */
async function emptyNats(url: string): Promise<void> {
  const { manager, close } = await openNats(url, { durability: 'local' });
  for (let index = 0; index < STREAMS; index++) await manager.streams.delete(streamName(index));
  await close();
}

export const BLOCK_STORES: readonly BlockStoreAdapter[] = [...STORES.map(overKeys), postgres, nats];

/** A RocksDB folder of a store that another process writes to. */
export async function withRocksFolder<T>(work: (folder: string, open: () => Promise<Readonly<{ blocks: BlockStore; close: () => Promise<void> }>>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'vitalgate-blocks-'));
  try {
    return await work(folder, async () => {
      const store = await openRocksStore(folder);
      return { blocks: storeOver(store), close: () => store.close() };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
