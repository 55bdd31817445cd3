/**
 * Appends blocks of several lanes at the same time to the store it is given, until it is killed, and says after each that it is safe: one line
 * `gateway height` for each. `keep-appending.ts rocksdb FOLDER`, or with
 * postgres or nats: `keep-appending.ts KIND URL DURABILITY`.
 */

import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { StoredBlocks } from '../../gateway/store/block-store.ts';
import { openNatsBlocks } from '../../gateway/store/nats-blocks.ts';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { LANES_APPENDED, writerOf } from './appended-lanes.ts';

const [kind, where = '', durability] = process.argv.slice(2);
const options = { durability: durability === 'replicated' ? 'replicated' : 'local' } as const;

async function open(): Promise<BlockStore> {
  if (kind === 'rocksdb') return new StoredBlocks(await openRocksStore(where), { removePending: false });
  if (kind === 'nats') return (await openNatsBlocks(where, options)).blocks;
  return (await openPostgres([where], options)).blocks;
}

const blocks = await open();

await Promise.all(Array.from({ length: LANES_APPENDED }, async (_, n) => {
  const writer = writerOf(n);
  for (;;) {
    const before = writer.state;
    const { bytes, height } = await writer.seal();
    const { outcome } = await blocks.append({ bytes, verified: verifyBlock(before, bytes, { check: verifyWithNodeCrypto }) });
    if (outcome !== 'committed') throw new Error(`the store says ${outcome}`);
    process.stdout.write(`${n} ${height}\n`);
  }
}));
