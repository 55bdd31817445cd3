import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { FurtherHospital } from './further-hospital.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

describe('keys and hospitals that change while a gateway works', () => {
  let site: Site;
  let device: DeviceWithPassword;
  let [south, west]: FurtherHospital[] = [];
  let north: Readonly<{ name: string; url: string; key: string }>;
  let number = 0;

  beforeAll(async () => {
    site = await Site.prepare();
    [south, west] = await Promise.all(['south', 'west'].map((name) => FurtherHospital.of(site, name)));
    const { stdout } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    north = { name: 'north', url: site.hospitalUrl, key: stdout.trim() };
    configure([north, south?.entry as object]);
    await Promise.all([site.startHospital(), south?.start()]);
    await site.startGateway();
    device = await site.addDevice('clip', 'anna');
    await measure(5);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  function configure(hospitals: readonly object[]): void {
    site.writeConfig(site.sections(north.key, { gateway: { hospitals } }));
  }

  async function measure(count: number, settle = true): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: 'clip', password: device.password });
    for (let i = 0; i < count; i++) {
      await client.publish({ topic: device.topic, payload: JSON.stringify({ seq: ++number, time: Date.now(), measurement: 'heart_rate', value: 70, unit: '/min' }) });
    }
    if (settle) await site.settled();
  }

  const run = (...words: readonly string[]): ReturnType<typeof vitalgate> => vitalgate(...words, '--config', site.config);
  const path = (name: string): string => join(site.folder, name);

  /** Both nodes and the gateway tell of one good chain, and everything is countersigned as often as it has to be. */
  async function expectWhole(...nodes: readonly string[]): Promise<void> {
    await until('all is countersigned', async () => {
      const { relays } = await site.api.status();
      return relays.every(({ lag }) => lag === 0);
    });
    for (const node of [site.webUrl, site.hospitalUrl, ...nodes]) {
      const { code, stdout } = await vitalgate('verify', 'chain', node);
      expect([node, code, stdout]).toEqual([node, 0, expect.stringMatching(/: good, \d+ blocks/)]);
    }
  }

  it('show who speaks for the chain', async () => {
    const { code, stdout } = await run('key', 'show');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^chain [0-9a-f]{32}, authority 0 \(as it began\)\ngateway key 0[23][0-9a-f]{64}\nhospital north, .*\nhospital south, .*\nquorum 2 of 2\n/);
  });

  it('let another key follow, while devices measure, and destroy the old one', async () => {
    const before = await site.api.authority();
    const old = readFileSync(join(site.gatewayData, 'gateway.key'), 'utf8');
    const [{ code, stdout }] = await Promise.all([run('key', 'rotate'), measure(40)]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('authority 1\n')]);
    const after = await site.api.authority();
    expect(after.gateway).not.toBe(before.gateway);
    expect(after.lanes.map((lane) => lane.number)).toEqual([1, 1]);
    expect(readFileSync(join(site.gatewayData, 'gateway.key'), 'utf8')).not.toBe(old);
    expect(existsSync(join(site.gatewayData, 'gateway.next.key'))).toBe(false);
    await measure(5);
    await expectWhole();
  });

  it('go on after kill -9 while a key follows the other', async () => {
    for (let round = 0; round < 3; round++) {
      const { number: before } = await site.api.authority();
      const rotating = run('key', 'rotate');
      if (round === 0) await until('the next key is there', () => Promise.resolve(existsSync(join(site.gatewayData, 'gateway.next.key'))));
      else await until('the change is derived', async () => (await site.api.authority()).number > before);
      await site.gateway.kill();
      await rotating;
      await site.startGateway();
      await until('both lanes go by the newest', async () => {
        const { lanes, number: newest } = await site.api.authority();
        return lanes.every((lane) => lane.number === newest);
      });
      await measure(3);
    }
    await expectWhole();
  });

  it('let a hospital join, which has the whole chain when its receipts begin to count', async () => {
    const third = west as FurtherHospital;
    const stranger = await run('authority', 'propose', 'membership', '--leave', 'nowhere');
    expect([stranger.code, stranger.stderr]).toEqual([2, expect.stringContaining('"nowhere" is none of the hospitals: north, south')]);
    await third.start();
    await site.gateway.stop();
    configure([north, (south as FurtherHospital).entry, { ...third.entry, joining: true }]);
    await site.startGateway();
    const file = path('join.change');
    const proposed = await run('authority', 'propose', 'membership', '--join', `west=${third.key}`, '--quorum', '2', '--out', file);
    expect([proposed.code, proposed.stderr]).toEqual([0, expect.stringContaining('quorum: 2 of 3 must countersign; none of them may lie and 1 may be away')]);
    expect(await run('authority', 'apply', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('change_unsigned') as string });
    const bySouth = path('join-south.change');
    expect((await vitalgate('authority', 'sign', file, '--yes', '--data', site.hospitalData)).code).toBe(0);
    expect((await vitalgate('authority', 'sign', file, '--yes', '--out', bySouth, '--data', (south as FurtherHospital).data)).code).toBe(0);
    const unentitled = await vitalgate('authority', 'sign', file, '--yes', '--out', path('west.change'), '--data', third.data);
    expect([unentitled.code, unentitled.stderr]).toEqual([2, expect.stringMatching(/its signature would count for nothing|there is no lane/)]);
    expect((await run('authority', 'show', bySouth)).stdout).toContain('signed by ');
    const applied = await run('authority', 'apply', file, bySouth);
    expect([applied.code, applied.stderr, applied.stdout]).toEqual([0, '', expect.stringMatching(/hospital west, .*\nquorum 2 of 3\n/)]);
    await measure(3);
    await expectWhole((west as FurtherHospital).entry.url);
  });

  it('let a hospital leave, and wait for it no more', async () => {
    const file = path('leave.change');
    expect((await run('authority', 'propose', 'membership', '--leave', 'south', '--out', file)).code).toBe(0);
    for (const data of [site.hospitalData, (west as FurtherHospital).data]) expect((await vitalgate('authority', 'sign', file, '--yes', '--data', data)).code).toBe(0);
    const applied = await run('authority', 'apply', file);
    expect([applied.code, applied.stdout]).toEqual([0, expect.stringContaining('quorum 2 of 2\n')]);
    await measure(3);
    expect((await site.api.status()).relays.map(({ hospital }) => hospital).sort()).toEqual(['north', 'north', 'west', 'west']);
    await site.gateway.stop();
    await site.startGateway();
    await expectWhole((west as FurtherHospital).entry.url);
  });

  it('put another key in force by the word of the hospitals when the first is lost, and lose nothing that came meanwhile', async () => {
    await site.gateway.stop();
    const third = west as FurtherHospital;
    writeFileSync(join(site.gatewayData, 'gateway.key'), `${'7'.repeat(64)}\n`);
    const refused = await vitalgate('gateway', '--config', site.config);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('authority propose replacement')]);
    const file = path('lost.change');
    expect((await run('authority', 'propose', 'replacement', '--out', file)).code).toBe(0);
    await site.startGateway();
    const before = (await site.api.status()).lanes.map(({ height }) => height);
    await measure(20, false);
    expect((await site.api.status()).lanes.map(({ height }) => height)).toEqual(before);
    expect((await run('key', 'show')).stdout).toContain('a replacement of the key is awaited');
    for (const data of [site.hospitalData, third.data]) {
      const { code, stderr } = await vitalgate('authority', 'sign', file, '--yes', '--data', data);
      expect([code, stderr]).toEqual([0, expect.stringContaining('signed with key')]);
    }
    const applied = await run('authority', 'apply', file);
    expect([applied.code, applied.stderr]).toEqual([0, '']);
    await measure(3);
    await expectWhole(third.entry.url);
  });

  it('end in chains that verify offline from every copy', async () => {
    await site.gateway.stop();
    for (const folder of [site.gatewayData, site.hospitalData, (south as FurtherHospital).data, (west as FurtherHospital).data]) {
      expect([folder, (await vitalgate('verify', 'chain', folder)).stdout]).toEqual([folder, expect.stringMatching(/: good, \d+ blocks/)]);
    }
  });
});
