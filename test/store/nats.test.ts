import { describe, expect, it, vi } from 'vitest';
import { messageOf, StoreError } from '../../gateway/errors.ts';
import { openNatsBlocks } from '../../gateway/store/nats-blocks.ts';
import { needs } from '../debian-packages.ts';
import { isOldServer, startNats } from '../nats.ts';
import { until } from '../path/program.ts';
import { ChainWriter } from '../upstream/gateway-chain.ts';
import { appendingUntil, expectNothingLost } from './appended-lanes.ts';

const old = needs('nats-server');
const needed = needs('nats-server-2.10');

// Servers are started on the way.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

async function expectRefused(url: string, durability: 'replicated' | 'local', reason: string): Promise<void> {
  const outcome = await openNatsBlocks(url, { durability }).then(async ({ close }) => { await close(); return 'it was opened'; }, messageOf);
  expect(outcome).toContain(reason);
}

describe.skipIf(old.missing || !isOldServer())(`the NATS server of Debian 12${old.note}`, () => {
  it('is refused: it lets several blocks of one height through', async () => {
    await using servers = await startNats({ old: true });
    await expectRefused(servers.url, 'local', 'expected 2.10.27 or later');
    await expectRefused(servers.url, 'replicated', 'expected 2.10.27 or later');
  });
});

describe.skipIf(needed.missing)(`a NATS server${needed.note}`, () => {
  it('is refused when it acknowledges before it has written, or nobody can see whether it does', async () => {
    await using servers = await startNats({ syncInterval: '2m' });
    await expectRefused(servers.url, 'replicated', 'sync_interval is not always');
    await expectRefused(servers.url.replace(/&monitor.*/, ''), 'replicated', 'cannot be seen');
    await expectRefused(servers.url.replace('?replicas=1', '?replicas=3'), 'local', 'replicas');
    const { close } = await openNatsBlocks(servers.url, { durability: 'local' });
    await close();
    await expectRefused(servers.url.replace('?replicas=1', '?replicas=2'), 'local', 'has 1 replicas');
  });

  it('is refused when a block could be too long for it', async () => {
    await using servers = await startNats({ maxPayload: '1MB' });
    await expectRefused(servers.url, 'local', 'max_payload');
  });

  it('that is gone is told of without its password, and is gone on with when it is back', async () => {
    await using servers = await startNats();
    const [server] = servers.servers;
    await expectRefused('nats://user:correct-horse@127.0.0.1:1', 'local', 'nats://127.0.0.1:1:');
    const { blocks, close } = await openNatsBlocks(servers.url, { durability: 'replicated' });
    const writer = await ChainWriter.of(2);
    await writer.keepIn(blocks);
    await server?.kill();
    await expect(blocks.head(writer.id)).rejects.toBeInstanceOf(StoreError);
    server?.start();
    await servers.ready();
    await writer.seal();
    await until('it is kept', async () => { await writer.keepIn(blocks); return true; });
    expect(await blocks.head(writer.id)).toEqual(writer.state);
    await close();
  });
});

describe.skipIf(needed.missing)(`three NATS servers${needed.note}`, () => {
  it('lose nothing that they acknowledged when one of them is killed, and take more', async () => {
    await using servers = await startNats({ servers: 3 });
    const safe = await appendingUntil(['nats', servers.url, 'replicated'], async () => await servers.servers[0]?.kill());
    // The two that are left have to elect leaders first.
    const { blocks, close } = await until('the store can be opened', () => openNatsBlocks(servers.url, { durability: 'local' }));
    await until('everything is there', async () => { await expectNothingLost(blocks, safe); return true; });
    const writer = await ChainWriter.of(3);
    await until('a block is taken', async () => { await writer.keepIn(blocks); return true; });
    servers.servers[0]?.start();
    await servers.ready();
    await expectNothingLost(blocks, safe);
    await close();
  });
});
