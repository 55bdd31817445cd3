import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOTICE } from '../../gateway/web/api-schemas.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { EventReader, type ServerEvent } from '../web/event-reader.ts';
import { until, vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

const PATIENT = 'Mrs Example, room 12';
type Answer = Readonly<{ status: number; json: Record<string, unknown> }>;
type AlarmJson = Readonly<{ id: number; revision: number; phase: string; acknowledgedBy: unknown }>;

describe('a low oxygen saturation, by people over HTTP', () => {
  let site: Site;
  let device: DeviceWithPassword;
  const tokens = new Map<string, string>();
  const seen: ServerEvent[] = [];
  let sent = 0;

  beforeAll(async () => {
    const people = [{ name: 'ann-the-nurse', roles: ['nurse'] }, { name: 'vera', access: 'viewer' }, { name: 'cho', access: 'clinician' }, { name: 'otto', access: 'administrator' }];
    site = await Site.prepare({ gateway: { alarms: { people } } });
    for (const { name } of people) {
      // Before the first run, on the data folder itself.
      const { stdout } = await vitalgate('person', 'token', name, '--expires', '90d', '--json', '--config', site.config);
      tokens.set(name, (JSON.parse(stdout) as { secret: string }).secret);
    }
    await site.startGateway();
    device = await site.addDevice('oximeter', PATIENT);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const authorization = (who: string): string => `Bearer ${tokens.get(who)}`;
  const ask = async (who: string, path: string, body?: object, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> => {
    const headers = { authorization: authorization(who), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(`${site.webUrl}/api${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const follow = async (lastEventId?: string): Promise<EventReader> =>
    await EventReader.open(`${site.webUrl}/api/stream`, { authorization: authorization('ann-the-nurse'), ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) });
  const publish = async (value: number): Promise<void> => {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: 'x', username: device.device, password: device.password });
    expect(await client.publish({ topic: device.topic, payload: JSON.stringify({ seq: sent++, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
  };
  /** The next step on the stream that says this. */
  const heard = async (stream: EventReader, why: string): Promise<ServerEvent> => {
    for (;;) {
      const event = await stream.next();
      if (event === undefined) throw new Error(`the stream ended before "${why}"`);
      if (event.event === 'step') seen.push(event);
      if (event.data['why'] === why) return event;
    }
  };
  const alarm = async (): Promise<AlarmJson> => {
    const { json } = await ask('vera', '/alarms');
    return (json['alarms'] as { physiological: AlarmJson[] }).physiological[0] as AlarmJson;
  };

  /** Where the patient is, below /api: the list says it. */
  async function addressOf(who: string): Promise<string> {
    const { patients } = (await ask(who, '/patients')).json as unknown as { patients: { id: string; link: string }[] };
    const link = patients.find(({ id }) => id === PATIENT)?.link ?? '';
    expect(link).toMatch(/^\/api\/patients\/p-[0-9a-f]{32}$/);
    return link.slice('/api'.length);
  }

  it('is seen on the stream, by whom it is told, and in the list', async () => {
    await using stream = await follow();
    expect(await stream.next()).toMatchObject({ event: 'snapshot', data: { notice: NOTICE, alarms: { physiological: [] } } });
    await publish(80);
    const raised = await heard(stream, 'raised');
    expect(raised.data).toMatchObject({ subject: { kind: 'patient', id: PATIENT }, rule: 'starter/low-oxygen', priority: 'high', told: { level: 1, to: ['ann-the-nurse', 'vera', 'cho', 'otto'] } });
    expect(await alarm()).toMatchObject({ phase: 'active', message: expect.stringContaining('80 %') as string, evidence: { values: [{ measurement: 'spo2', value: 80, limit: 92 }] } });
    expect((await ask('vera', await addressOf('vera'))).json['patient']).toMatchObject({ values: [{ measurement: 'spo2', value: 80, unit: '%', quality: 'good' }], spo2Scale: 1, scores: [{ name: 'NEWS2', value: null }] });
  });

  it('is acknowledged by a caregiver and not by a viewer', async () => {
    await using stream = await follow(seen.at(-1)?.id);
    const { id, revision } = await alarm();
    expect(await ask('vera', `/alarms/${id}/acknowledge`, { revision })).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    expect((await alarm()).phase).toBe('active');
    expect(await ask('ann-the-nurse', `/alarms/${id}/acknowledge`, { revision })).toMatchObject({ status: 200, json: { notice: NOTICE, alarm: { phase: 'acknowledged' } } });
    expect((await heard(stream, 'acknowledged')).data['by']).toEqual({ id: 'ann-the-nurse', role: 'caregiver' });
    expect(await ask('cho', `/alarms/${id}/acknowledge`, { revision })).toMatchObject({ status: 409, json: { error: 'already_acknowledged', alarm: { acknowledgedBy: { id: 'ann-the-nurse' } } } });
    expect(await ask('ann-the-nurse', `/alarms/${id}/acknowledge`, { revision })).toMatchObject({ status: 200 });
  });

  it('is still acknowledged by the same person after kill -9, and the stream goes on without a gap', async () => {
    const lastSeen = seen.at(-1);
    await site.gateway.kill();
    await site.startGateway();
    expect(await alarm()).toMatchObject({ phase: 'acknowledged', acknowledgedBy: { id: 'ann-the-nurse', role: 'caregiver' } });
    await using stream = await follow(lastSeen?.id);
    expect(await stream.next()).toMatchObject({ event: 'snapshot', id: undefined, data: { resumedAfter: Number(lastSeen?.id) } });
    await publish(97);
    await heard(stream, 'cleared');
    const numbers = seen.map(({ id }) => Number(id));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => i + 1));
    expect(seen.map(({ data }) => data['why'])).toEqual(['raised', 'acknowledged', 'refused', 'cleared']);
  });

  it('has a history that is the same from the chain as it was on the stream', async () => {
    await using again = await follow('0');
    await again.next();
    expect(await again.take(seen.length)).toEqual(seen);
    const { json } = await ask('vera', `/alarms/${String(seen[0]?.data['alarm'])}/steps`);
    expect(json).toEqual({ notice: NOTICE, steps: seen.map(({ data }) => data), searchedBackTo: null });
  });

  it('is looked at again: a nurse enters what she sees, and a clinician alone the scale', async () => {
    const patient = await addressOf('ann-the-nurse');
    const entered = await ask('ann-the-nurse', `${patient}/observations`, { consciousness: 'A', oxygen: { litresPerMinute: 2 }, respiratoryRate: 18, bodyTemperature: 37, systolicPressure: 120, heartRate: 80 });
    expect(entered).toMatchObject({ status: 201, json: { values: { consciousness: 0, oxygen_flow: 2, respiratory_rate: 18 } } });
    const score = async (): Promise<unknown> => ((await ask('vera', patient)).json['patient'] as { scores: { value: unknown }[] }).scores[0]?.value;
    // SpO2 97 %: 0 on scale 1. With oxygen given, it scores 3 on scale 2 (RCP 2017, chart 1).
    expect(await score()).toBe(2);
    expect((await ask('otto', `${patient}/spo2-scale`, { scale: 2 }, 'PUT')).status).toBe(403);
    expect((await ask('cho', `${patient}/spo2-scale`, { scale: 2 }, 'PUT')).status).toBe(200);
    expect(await score()).toBe(5);
    expect((await ask('ann-the-nurse', '/patients/nobody/observations', { oxygen: 'air' })).json['error']).toBe('unknown_patient');
  });

  it('comes under another rule pack when an administrator activates one', async () => {
    const pack = { pack: 'ward', version: 1, rules: [{ id: 'low', when: 'spo2 < 85', priority: 'medium', message: 'SpO2 {spo2} %', source: 'a test' }] };
    expect(await ask('cho', '/contracts', { packs: [pack] })).toMatchObject({ status: 403 });
    const bad = await ask('otto', '/contracts', { packs: [pack, 'pack: other\nversion: 1\nrules:\n  - { id: a, when: "spo2 <", priority: low, message: m, source: s }\n'] });
    expect(bad).toMatchObject({ status: 422, json: { error: 'bad_pack', mistakes: [{ pack: 1, line: 4 }] } });
    expect(await ask('otto', '/contracts', { packs: [pack] })).toMatchObject({ status: 200, json: { contracts: [{ pack: 'ward', version: 1, rules: 1, by: [{ id: 'otto', role: 'administrator' }] }] } });
    expect((await ask('vera', '/contracts')).json['contracts']).toMatchObject([{ pack: 'ward' }]);
  });

  it('is nothing to who was removed from the configuration, or whose token was revoked', async () => {
    await using stream = await follow();
    await stream.next();
    expect((await vitalgate('person', 'revoke', 'ann-the-nurse', '--config', site.config)).stdout).toMatch(/^revoked [0-9a-f]{12} of ann-the-nurse\n$/);
    await until('the stream ends', async () => (await stream.next()) === undefined);
    expect((await ask('ann-the-nurse', '/alarms')).status).toBe(401);
    expect((await vitalgate('person', 'tokens', '--config', site.config)).stdout).toMatch(/cho +clinician/);
    site.writeConfig({ gateway: { ...(await sectionsOf(site)), alarms: { people: [{ name: 'cho', access: 'clinician' }] } } });
    await site.api.reload();
    expect([(await ask('vera', '/alarms')).status, (await ask('cho', '/alarms')).status]).toEqual([401, 200]);
    expect((await vitalgate('person', 'token', 'vera', '--config', site.config)).stderr).toContain('"vera" is nobody in alarms.people of the configuration: there are cho');
  });

  it('leaves no name, value or token in logs and metrics', async () => {
    const metrics = await site.metrics();
    const { stderr } = await site.gateway.stop();
    for (const secret of [PATIENT, encodeURIComponent(PATIENT), 'ann-the-nurse', 'vgt_', 'spo2']) {
      expect([secret, stderr.includes(secret), metrics.includes(secret)]).toEqual([secret, false, false]);
    }
  });
});

/** The gateway section as it was written. */
async function sectionsOf(site: Site): Promise<object> {
  const { parse } = await import('yaml');
  return (parse(site.read('vitalgate.yaml')) as { gateway: object }).gateway;
}
