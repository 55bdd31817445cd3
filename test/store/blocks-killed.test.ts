import { describe, expect, it, vi } from 'vitest';
import { openPostgres } from '../../gateway/store/postgres.ts';
import { withRocksFolder } from '../contract/block-stores.ts';
import { needs } from '../debian-packages.ts';
import { startPostgres } from '../postgres.ts';
import { appendingUntil, expectNothingLost } from './appended-lanes.ts';

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

describe('a process that is killed in the middle of its appends, over RocksDB', () => {
  it('leaves whole blocks, and all that it was told are safe', async () => {
    await withRocksFolder(async (folder, open) => {
      const safe = await appendingUntil(['rocksdb', folder]);
      const { blocks, close } = await open();
      await expectNothingLost(blocks, safe);
      await close();
    });
  });
});

const needed = needs('postgresql');

describe.skipIf(needed.missing)(`over PostgreSQL${needed.note}`, () => {
  it('a process that is killed in the middle of its appends leaves whole blocks, and all that it was told are safe', async () => {
    await using postgres = await startPostgres();
    const safe = await appendingUntil(['postgres', postgres.url, 'local']);
    const { blocks, close } = await openPostgres([postgres.url], { durability: 'local' });
    await expectNothingLost(blocks, safe);
    await close();
  });

  it('a server that is killed in the middle of appends has all that were confirmed when it is started again', async () => {
    await using postgres = await startPostgres();
    const safe = await appendingUntil(['postgres', postgres.url, 'local'], () => postgres.primary.kill());
    await postgres.primary.start();
    const { blocks, close } = await openPostgres([postgres.url], { durability: 'local' });
    await expectNothingLost(blocks, safe);
    await close();
  });

  it('a standby that takes the place of a killed primary has all that were confirmed, and takes more', async () => {
    await using postgres = await startPostgres({ standbys: 2 });
    const safe = await appendingUntil(['postgres', postgres.url, 'replicated'], () => postgres.primary.kill());
    await postgres.promote();
    const { blocks, close } = await openPostgres([postgres.url], { durability: 'replicated' });
    await expectNothingLost(blocks, safe);
    await close();
    expect(Math.max(...safe)).toBeGreaterThan(0);
  });
});
