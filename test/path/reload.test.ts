import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAsync } from 'mqtt';
import { parse } from 'yaml';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

type Sections = Readonly<{ gateway: Readonly<Record<string, unknown>>; upstream: unknown }>;

describe('a configuration that changes while the gateway runs', () => {
  let site: Site;
  let meter: DeviceWithPassword;

  const change = (changed: Readonly<Record<string, unknown>>): void => {
    const sections = parse(readFileSync(site.config, 'utf8')) as Sections;
    site.writeConfig({ ...sections, gateway: { ...sections.gateway, ...changed } });
  };
  const profile = { name: 'meter', decoder: 'native-json', topic: 'devices/meter/own/topic' };
  const reading = (n: number): string => JSON.stringify({ seq: n, time: 1_800_000_000_000 + n, measurement: 'co2', value: 800, unit: '[ppm]' });
  const publish = async (n: number): Promise<void> => {
    const client = await connectAsync(`mqtt://127.0.0.1:${site.ports.mqtt}`, { username: 'meter', password: meter.password });
    await client.publishAsync('devices/meter/own/topic', reading(n), { qos: 1 });
    await client.endAsync();
  };
  beforeAll(async () => {
    site = await Site.running();
    meter = await site.addDevice('meter');
  });
  afterAll(() => site[Symbol.asyncDispose]());

  it('takes over a new profile with "vitalgate reload": what was not understood is, from then on', async () => {
    await publish(1);
    expect(await site.totals()).toMatchObject({ readings: 0, quarantined: { unknown_topic: 1 } });
    change({ profiles: [profile] });
    const { code, stdout } = await vitalgate('reload', '--config', site.config);
    expect([code, stdout]).toEqual([0, 'in force now: profiles\n']);
    await publish(2);
    expect(await site.totals()).toMatchObject({ readings: 1, quarantined: { unknown_topic: 1 } });
  });

  it('says when nothing changed, and what only a restart takes over', async () => {
    change({ seal: { age: '300ms' } });
    const { code, stdout } = await vitalgate('reload', '--config', site.config);
    expect([code, stdout]).toEqual([0, 'packs, patients, alarms and profiles are as before\nchanged too, but only a restart takes them over: seal\n']);
  });

  it('changes nothing when there is a mistake in it, and says where', async () => {
    change({ profiles: [{ ...profile, decoder: 'crystal-ball' }] });
    const { code, stderr } = await vitalgate('reload', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/vitalgate\.yaml:\d+:\d+: gateway\.profiles\[0\]\.decoder: unknown device family 'crystal-ball'/)]);
    await publish(3);
    expect((await site.totals()).readings).toBe(2);
  });

  it('takes over on SIGHUP, too', async () => {
    change({ profiles: [] });
    process.kill(site.gateway.pid, 'SIGHUP');
    let next = 4;
    const unknown = await until('the profile is gone', async () => {
      await publish(next++);
      const { unknown_topic: count = 0 } = (await site.totals()).quarantined;
      return count > 1 && count;
    });
    expect(unknown).toBe(2);
  });

  it('is in force after a restart as it was before', async () => {
    change({ profiles: [profile] });
    await site.gateway.stop();
    await site.startGateway();
    const before = (await site.totals()).readings;
    await publish(2_000_000_000);
    expect((await site.totals()).readings).toBe(before + 1);
  });

  it('is not read by a gateway that does not run: that is said', async () => {
    await site.gateway.stop();
    const { code, stderr } = await vitalgate('reload', '--config', site.config);
    expect([code, stderr]).toEqual([2, expect.stringContaining('no gateway runs on this data folder')]);
  });
});
