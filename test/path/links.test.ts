import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinksReport } from '../../gateway/administration.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { ChaosProxy } from '../uplink/chaos-proxy.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const WIRED = '127.0.0.2';
const CELLULAR = '127.0.0.3';

describe('a house with two links to its hospital', () => {
  let site: Site;
  let proxy: ChaosProxy;
  let device: DeviceWithPassword;
  beforeAll(async () => {
    proxy = await ChaosProxy.before(undefined);
    const links = [
      { name: 'ethernet', address: WIRED, probe: '500ms' },
      { name: '5g', address: CELLULAR, metered: true, budget: { month: '200MB' } },
      { name: 'wifi', interface: 'wlan77' },
    ];
    site = await Site.prepare({ hospitalBehind: Number(new URL(proxy.url).port), gateway: { links } });
    proxy.leadTo(site.hospitalUrl);
    await site.startHospital();
    await site.startGateway();
    device = await site.addDevice('oximeter', 'Mrs Example');
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const report = async (): Promise<LinksReport> => {
    const { stdout } = await vitalgate('links', '--config', site.config, '--json');
    return JSON.parse(stdout) as LinksReport;
  };
  const stateOf = async (link: string): Promise<string | undefined> => (await report()).paths.find((path) => path.link === link)?.state;

  it('shows every link: where it leaves, state, round trip, loss, bytes by kind, budget', async () => {
    await until('both links are up', async () => (await stateOf('ethernet')) === 'up' && (await stateOf('5g')) === 'up');
    const { links } = await report();
    expect(links).toMatchObject([
      { link: 'ethernet', at: WIRED, carries: 'detail', left: null },
      { link: '5g', at: CELLULAR, carries: 'record' },
      { link: 'wifi', at: 'there is no interface wlan77' },
    ]);
    expect(links.map(({ misled }) => misled)).toEqual([null, null, null]);
    const { stdout } = await vitalgate('links', '--config', site.config);
    expect(stdout).toMatch(/^link ethernet: 127\.0\.0\.2; carries detail\n {2}used [\d.]+ \S+ today, [\d.]+ \S+ this month\n/);
    expect(stdout).toMatch(/\n {2}since the start alarm .+ out .+ in, record .+, detail .+\n {2}north: up for .+, round trip \d+ ms, loss 0 % \(it answers\)\n/);
    expect(stdout).toMatch(/\nlink 5g: .+\n {2}used .+ this month, 200 MB left\n|left\n/);
    expect(stdout).toContain('north: absent for');
    expect(stdout).toContain('(there is no interface wlan77)');
    expect(stdout).toMatch(/\nhospital north, alarm: \w+, \d+ blocks behind\n/);
  });

  it('an alarm reaches the hospital over the other link when the first takes everything and answers nothing, and the metrics say so', async () => {
    const { receipted } = (await site.settled()).states;
    proxy.change(WIRED, { kind: 'stalled' });
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    for (const [seq, value] of [97, 70].entries()) {
      expect(await client.publish({ topic: device.topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
    }
    await until('the alarm lane is countersigned', async () => {
      const { relays } = await site.api.status();
      return relays.find(({ lane }) => lane === 'alarm')?.height === 1;
    });
    await until('ethernet is down', async () => (await stateOf('ethernet')) === 'down');
    expect(await site.metric('vitalgate_path_state{link="ethernet",hospital="north",state="down"}')).toBe(1);
    expect(await site.metric('vitalgate_path_state{link="5g",hospital="north",state="up"}')).toBe(1);
    expect((await site.settled()).states.receipted.through).toBeGreaterThan(receipted.through);
    expect(await site.metric('vitalgate_link_bytes_total{link="5g",traffic="alarm",direction="sent"}')).toBeGreaterThan(0);
  });

  it('says what led from one link to another, and takes up the first when it answers', async () => {
    const { stdout } = await vitalgate('links', '--config', site.config);
    expect(stdout).toMatch(/ ago: record to north went from ethernet to 5g: ethernet is \w+: .+; 5g is up\n/);
    proxy.change(WIRED, { kind: 'refused' });
    proxy.change(WIRED, { kind: 'fair' });
    await until('ethernet is up', async () => (await stateOf('ethernet')) === 'up');
  });
});

it('vitalgate links says that a gateway has to run', async () => {
  await using site = await Site.prepare();
  const { code, stderr } = await vitalgate('links', '--config', site.config);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/no gateway runs on .+: links are followed while one does/);
});
