import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinksReport } from '../../gateway/administration.ts';
import type { OpenedRelease } from '../../gateway/released.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const PEOPLE = [{ name: 'otto', access: 'administrator' }];
const WAVEFORM = { seq: 1, measurement: 'ppg', unit: '1', rate: 50, samples: Array.from({ length: 100 }, (_, n) => Math.round(Math.sin(n / 8) * 100) / 100) };

describe('waveforms of a house on a metered link', () => {
  let site: Site;
  let device: DeviceWithPassword;
  beforeAll(async () => {
    site = await Site.prepare();
    const { stdout } = await vitalgate('upstream', '--print-key', '--data', site.hospitalData);
    const key = stdout.trim();
    const links = [{ name: '5g', address: '127.0.0.1', metered: true, budget: { month: '2GB' } }];
    site.writeConfig(site.sections(key, { gateway: { links, alarms: { people: PEOPLE }, hospitals: [{ name: 'north', url: site.hospitalUrl, key, payloads: 'full' }] } }));
    await site.startHospital();
    await site.startGateway();
    device = await site.addDevice('clip', 'anna');
    const { secret } = JSON.parse((await vitalgate('person', 'token', 'otto', '--json', '--config', site.config)).stdout) as { secret: string };
    await publish({ seq: 0, time: Date.now(), measurement: 'spo2', value: 97, unit: '%' });
    const { patients } = (await api(secret, '/patients')) as { patients: { link: string }[] };
    const { link } = await until('there is somebody', () => patients[0]);
    await api(secret, `${link.replace(/^\/api/, '')}/waveforms`, { measurement: 'ppg', seconds: 600 });
    const { seq, ...waveform } = WAVEFORM;
    await publish({ seq, time: Date.now(), waveform });
    await site.settled();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  async function publish(message: object): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'clip', username: 'clip', password: device.password });
    expect(await client.publish({ topic: device.topic, payload: JSON.stringify(message) })).toBe(true);
  }

  async function api(secret: string, path: string, body?: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${secret}`, ...(body && { 'content-type': 'application/json' }) };
    return await (await fetch(`${site.webUrl}/api${path}`, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })).json();
  }

  const waveforms = async (): Promise<readonly OpenedRelease[]> => {
    const { stdout } = await vitalgate('released', '--data', site.hospitalData);
    return stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as OpenedRelease).filter(({ payload }) => (payload as { samples?: unknown }).samples !== undefined);
  };
  const report = async (): Promise<LinksReport> => JSON.parse((await vitalgate('links', '--config', site.config, '--json')).stdout) as LinksReport;

  it('stay there, and "vitalgate links" says so', async () => {
    await until('everything else is at the hospital', async () => (await report()).payloads.every(({ behind, held }) => behind.record === 0 && held.includes('detail')));
    expect(await waveforms()).toEqual([]);
    const { stdout } = await vitalgate('links', '--config', site.config);
    expect(stdout).toMatch(/\nhospital north, payloads: detail \d+ blocks behind \(no link there carries them\)\n/);
  });

  it('are given when the hospital asks for them, with the next thing it is told', async () => {
    expect((await vitalgate('released', 'ask', '--data', site.hospitalData)).stderr).toContain('of which chain?');
    const { chain } = await site.api.status();
    const asked = await vitalgate('released', 'ask', '--chain', chain, '--for', '10min', '--data', site.hospitalData);
    expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining(`asking the gateway of chain ${chain} for waveforms over any link until `) as string });
    await publish({ seq: 2, time: Date.now(), measurement: 'spo2', value: 70, unit: '%' });
    const [waveform] = await until('the waveform is there', async () => {
      const found = await waveforms();
      return found.length > 0 && found;
    });
    expect(waveform?.payload).toMatchObject({ measurement: 'ppg', rateHz: 50, samples: WAVEFORM.samples });
    expect(waveform?.whole).toBe(true);
  });
});
