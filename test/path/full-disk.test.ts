import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBlocks } from '../../gateway/ledger/chain-file.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site } from './site.ts';

/** Takes room as whoever else writes there would: nothing lies in it. */
function fill(site: Site, mebibytes: number): () => void {
  const path = join(site.gatewayData, 'filler');
  writeFileSync(path, '');
  truncateSync(path, mebibytes * 1024 * 1024);
  return () => rmSync(path);
}

const gapsOf = async (site: Site): Promise<readonly Record<string, unknown>[]> => {
  const { chain } = await site.api.status();
  const response = await nodeFetch(`${site.hospitalUrl}/v1/chains/${chain}/record/blocks`);
  const blocks = await Array.fromAsync(readBlocks(Buffer.from(await response.arrayBuffer())));
  return blocks.flatMap((block) => openBlock(block).entries.map(decodeEntry)).filter(({ kind }) => kind === 'gap').map(({ fields }) => Object.fromEntries(fields));
};

describe('a disk that gets full', () => {
  it('loses raw messages whose meaning is sealed, with a gap entry that the hospital has; then refuses readings, and takes them when there is room', async () => {
    await using site = await Site.running({ gateway: { storage: { limit: '64MiB' } } });
    const device = await site.addDevice('thermometer', 'Mrs Example');
    const message = (seq: number): string => JSON.stringify({ seq, time: Date.now(), measurement: 'body_temperature', value: 36.6, unit: 'Cel' });
    {
      await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
      for (let seq = 0; seq < 1100; seq++) expect(await client.publish({ topic: device.topic, payload: message(seq) })).toBe(true);
    }
    // Derivation needs no frame any more once its state is written as a whole: every minute, or with this.
    expect((await vitalgate('erase', '--patient', 'somebody else', '--yes', '--config', site.config)).code).toBe(0);
    await site.settled();
    await site.gateway.stop();

    const makeRoom = fill(site, 60);
    await site.startGateway();
    await until('the gap is at the hospital', async () => (await gapsOf(site)).length > 0);
    expect((await gapsOf(site))[0]).toMatchObject({ reason: 'disk', what: 'frames', first: 1, count: expect.any(Number) as number });
    const disk = await until('nothing more may go', async () => {
      const { disk: found } = await site.api.status();
      return found?.level === 'tight' && found;
    });
    expect(disk.dropped['frames']).toBeGreaterThan(1000);
    makeRoom();
    await site.gateway.stop();

    const makeRoomAgain = fill(site, 70);
    await site.startGateway();
    await until('readings are refused', async () => (await site.api.status()).fault !== null);
    await until('people are told', async () => (await site.api.status()).lastEvent?.includes('the disk of the gateway is full') === true);
    expect((await vitalgate('status', '--config', site.config)).stdout).toMatch(/\ndisk: full, [\d.]+ MiB of 64 MiB, .+ free; .+ written since it was set up/);
    expect(await site.metric('vitalgate_disk_level{level="full"}')).toBe(1);
    {
      await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
      const refused = await Promise.race([client.publish({ topic: device.topic, payload: message(2000) }).catch(() => false), new Promise((resolve) => setTimeout(() => resolve('nothing'), 2000))]);
      expect(refused).not.toBe(true);
    }
    makeRoomAgain();
    await until('readings are taken', async () => (await site.api.status()).fault === null);
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    expect(await client.publish({ topic: device.topic, payload: message(2000) })).toBe(true);
    const { stdout } = await vitalgate('trace', device.device, '--config', site.config);
    expect(stdout).toContain('accepted');
  }, 120_000);
});
