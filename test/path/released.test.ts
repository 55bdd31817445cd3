import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenedRelease } from '../../gateway/released.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { freePorts, until, vitalgate } from './program.ts';
import { Site } from './site.ts';

const everything = (folder: string): Buffer => Buffer.concat(readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)).filter((path) => statSync(path).isFile()).map((path) => readFileSync(path)));

describe('payloads for hospitals', () => {
  let site: Site;
  let southData: string;

  beforeAll(async () => {
    site = await Site.prepare();
    const [port = 0] = await freePorts(1);
    southData = join(site.folder, 'south');
    const [north, south] = await Promise.all([site.hospitalData, southData].map(async (data) => (await vitalgate('upstream', '--print-key', '--data', data)).stdout.trim()));
    site.writeConfig(site.sections(north ?? '', {
      gateway: {
        hospitals: [
          { name: 'north', url: site.hospitalUrl, key: north, payloads: 'summary' },
          { name: 'south', url: `https://127.0.0.1:${port}`, key: south, payloads: 'events' },
        ],
      },
    }));
    const southConfig = join(site.folder, 'south.yaml');
    writeFileSync(southConfig, stringify({ upstream: { name: 'south', data: southData, listen: `127.0.0.1:${port}`, gateways: 'open' } }), { mode: 0o600 });
    const southNode = site.launch('upstream', '--config', southConfig);
    await Promise.all([site.startHospital(), southNode.ready()]);
    await site.startGateway();
    for (const [device, patient] of [['clip', 'anna-maria'], ['band', 'otto-heinrich']] as const) {
      const { topic, password } = await site.addDevice(device, patient);
      await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
      for (const seq of [1, 2]) await client.publish({ topic, payload: JSON.stringify({ seq, time: Date.now(), measurement: 'spo2', value: 78 + seq, unit: '%' }) });
    }
    await site.settled();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  async function released(data: string): Promise<readonly OpenedRelease[]> {
    const { code, stdout, stderr } = await vitalgate('released', '--data', data);
    expect([code, stderr]).toEqual([0, '']);
    return stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as OpenedRelease);
  }

  const raisedIn = (all: readonly OpenedRelease[]): readonly OpenedRelease[] => all.filter(({ kind, payload }) => kind === 'event' && (payload as { why: string }).why === 'raised');
  const pseudonymsIn = (all: readonly OpenedRelease[]): ReadonlySet<string> => new Set(all.flatMap(({ pseudonym, before }) => [pseudonym, before]));

  it('get there with their keys, fit what was countersigned, and name everybody by a pseudonym', async () => {
    await until('both alarms are there', async () => raisedIn(await released(site.hospitalData)).length >= 2);
    const found = await released(site.hospitalData);
    expect(found.every(({ whole }) => whole)).toBe(true);
    const raised = raisedIn(found);
    expect(new Set(raised.map(({ pseudonym }) => pseudonym)).size).toBe(2);
    expect(raised[0]).toMatchObject({ subject: 'patient', lane: 'alarm', payload: { why: 'raised', message: expect.any(String) as string } });
    expect(JSON.stringify(found)).not.toMatch(/anna|otto/);
    const bytes = everything(site.hospitalData);
    for (const personal of ['anna-maria', 'otto-heinrich', 'spo2', (raised[0] as { payload: { message: string } }).payload.message]) expect([personal, bytes.includes(personal)]).toEqual([personal, false]);
  });

  it('are other ones with other pseudonyms for another hospital, which may see only alarms', async () => {
    await until('both alarms are there', async () => raisedIn(await released(southData)).length >= 2);
    const [north, south] = await Promise.all([site.hospitalData, southData].map(released)) as [readonly OpenedRelease[], readonly OpenedRelease[]];
    expect(new Set(south.map(({ kind }) => kind))).toEqual(new Set(['event']));
    await until('a summary is there', async () => (await released(site.hospitalData)).some(({ kind }) => kind === 'summary'), 90_000);
    for (const pseudonym of pseudonymsIn(north)) expect(pseudonymsIn(south)).not.toContain(pseudonym);
    const [one] = south;
    const { stdout } = await vitalgate('released', '--data', southData, '--pseudonym', one?.pseudonym ?? '');
    expect(stdout.split('\n').filter((line) => line !== '').every((line) => (JSON.parse(line) as OpenedRelease).pseudonym === one?.pseudonym)).toBe(true);
  });

  it('are disclosures, in the patient\'s account', async () => {
    const { stdout } = await vitalgate('disclosures', '--patient', 'anna-maria', '--config', site.config);
    expect(stdout).toMatch(/north.*hospital.*payloads/);
    expect(stdout).toMatch(/south.*hospital.*payloads/);
  });

  it('go at the hospitals, too, when somebody is erased, and those of others stay', async () => {
    const before = raisedIn(await released(southData));
    expect((await vitalgate('erase', '--patient', 'anna-maria', '--yes', '--config', site.config)).code).toBe(0);
    await until('hers are gone', async () => raisedIn(await released(southData)).length === before.length / 2, 90_000);
    await until('hers are gone', async () => new Set(raisedIn(await released(site.hospitalData)).map(({ pseudonym }) => pseudonym)).size === 1, 90_000);
    expect((await vitalgate('verify', 'chain', site.hospitalData)).code).toBe(0);
  });
});
