import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenedRelease } from '../../gateway/released.ts';
import { nodeFetch } from '../../gateway/tls/node-fetch.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

type Answer = Readonly<{ status: number; json: Record<string, unknown> }>;

describe('breaking the glass at a hospital', () => {
  let site: Site;
  let clip: DeviceWithPassword;
  let person: string;
  let otto: string;
  let sent = 0;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    site = await Site.prepare();
    const key = (await vitalgate('upstream', '--print-key', '--data', site.hospitalData)).stdout.trim();
    const { gateway, upstream } = site.sections(key, { gateway: { alarms: { people: [{ name: 'otto', access: 'administrator' }] }, hospitals: [{ name: 'north', url: site.hospitalUrl, key, payloads: 'events' }] } });
    site.writeConfig({ gateway, upstream: { ...upstream, people: [{ name: 'lee', role: 'clinician' }, { name: 'dan', role: 'clinician' }, { name: 'vic', role: 'viewer' }] } });
    await site.startHospital();
    await site.startGateway();
    for (const name of ['lee', 'dan', 'vic']) tokens.set(name, secretIn((await vitalgate('upstream', 'token', name, '--json', '--config', site.config)).stdout));
    otto = secretIn((await vitalgate('person', 'token', 'otto', '--json', '--config', site.config)).stdout);
    clip = await site.addDevice('clip', 'anna');
    await measure(80);
    await site.settled();
    person = await until('she is known at the hospital', async () => {
      const { stdout } = await vitalgate('released', '--data', site.hospitalData);
      const [first = ''] = stdout.split('\n');
      return first !== '' && (JSON.parse(first) as OpenedRelease).pseudonym;
    });
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const secretIn = (json: string): string => (JSON.parse(json) as { secret: string }).secret;

  async function measure(value: number): Promise<void> {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: clip.device, username: clip.device, password: clip.password });
    await client.publish({ topic: clip.topic, payload: JSON.stringify({ seq: ++sent, time: Date.now(), measurement: 'spo2', value, unit: '%' }) });
  }

  async function ask(who: string, path: string, body?: object, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> {
    const headers = { authorization: `Bearer ${tokens.get(who)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await nodeFetch(new URL(`/v1/break-glass${path}`, site.hospitalUrl), { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  const alarmsAtHome = async (): Promise<string> => await (await fetch(`${site.webUrl}/api/alarms`, { headers: { authorization: `Bearer ${otto}` } })).text();

  it('is for whoever may, about somebody who is known, with a reason that says something', async () => {
    const because = { person, reason: 'found unconscious in the hall' };
    expect(await ask('vic', '', because)).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    expect(await ask('nobody', '', because)).toMatchObject({ status: 401 });
    expect(await ask('lee', '', { person, reason: 'xxxxxxxxxxxx' })).toMatchObject({ status: 400, json: { error: 'bad_reason' } });
    expect(await ask('lee', '', { person, reason: because.reason, minutes: 0 })).toMatchObject({ status: 400, json: { error: 'bad_request' } });
    expect(await ask('lee', '', { ...because, person: 'ab'.repeat(16) })).toMatchObject({ status: 404, json: { error: 'unknown_person' } });
    expect((await ask('lee', '')).json['episodes']).toEqual([]);
  });

  it('counts through kill -9, is an alarm for whoever looks after the patient, and stands in the chain', async () => {
    const opened = await ask('lee', '', { person, reason: 'found unconscious in the hall', minutes: 60 });
    expect(opened).toMatchObject({ status: 201, json: { episode: { number: 1, person, status: 'open', by: { id: 'lee', role: 'clinician' } } } });
    await site.hospital.kill();
    await site.startHospital();
    expect(await ask('lee', '', { person, reason: 'found unconscious in the hall' })).toMatchObject({ status: 409, json: { error: 'already_open' } });
    // An alarm goes there, and the answer says that there is something to fetch.
    await measure(97);
    await measure(79);
    const alarms = await until('it is told at home', async () => {
      const text = await alarmsAtHome();
      return text.includes('north/lee (clinician) has broken the glass') && text;
    });
    expect(alarms).toContain('found unconscious in the hall');
    await site.gateway.kill();
    await site.startGateway();
    expect(await alarmsAtHome()).toContain('north/lee (clinician) has broken the glass');
  });

  it('ends, and is judged by somebody else', async () => {
    expect(await ask('dan', '/1/review', { verdict: 'justified', remark: 'nobody else could be reached' })).toMatchObject({ status: 409, json: { error: 'still_open' } });
    expect(await ask('lee', '/1', undefined, 'DELETE')).toMatchObject({ status: 200, json: { episode: { status: 'ended', endedBy: { id: 'lee' } } } });
    expect(await ask('lee', '/1/review', { verdict: 'justified', remark: 'nobody else could be reached' })).toMatchObject({ status: 409, json: { error: 'own_episode' } });
    expect(await ask('dan', '/1/review', { verdict: 'justified', remark: 'nobody else could be reached' })).toMatchObject({ status: 200, json: { episode: { status: 'reviewed' } } });
    expect(await ask('dan', '/9/review', { verdict: 'justified', remark: 'nobody else could be reached' })).toMatchObject({ status: 404, json: { error: 'unknown_episode' } });
    await measure(97);
    await measure(79);
    await until('the alarm is over at home', async () => !(await alarmsAtHome()).includes('has broken the glass until'));
    expect((await vitalgate('verify', 'chain', join(site.folder, 'gateway'))).code).toBe(0);
  });
});
