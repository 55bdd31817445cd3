import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../gateway/flows/messages.ts';
import { messageSchema } from '../../gateway/flows/messages.ts';
import { RawClient } from '../ingest/mqtt-wire.ts';
import { EventReader } from '../web/event-reader.ts';
import { vitalgate } from './program.ts';
import { Site, type DeviceWithPassword } from './site.ts';

type Answer = Readonly<{ status: number; json: Record<string, unknown> }>;
type AlarmJson = Readonly<{ id: number; revision: number; phase: string; told: unknown; next: unknown }>;

describe('messages for flows', () => {
  let site: Site;
  let anna: DeviceWithPassword;
  let bert: DeviceWithPassword;
  const tokens = new Map<string, string>();
  let sent = 0;

  beforeAll(async () => {
    const people = [{ name: 'flo' }, { name: 'vera', access: 'viewer' }, { name: 'wendy', patients: ['bert'] }, { name: 'daughter' }, { name: 'neighbour' }];
    site = await Site.prepare({ gateway: { alarms: { people }, flows: { testPatients: ['testa'] }, patients: [{ id: 'testa' }] } });
    for (const { name } of people.slice(0, 3)) {
      const { stdout } = await vitalgate('person', 'token', name, '--json', '--config', site.config);
      tokens.set(name, (JSON.parse(stdout) as { secret: string }).secret);
    }
    await Promise.all([site.startHospital(), site.startGateway()]);
    [anna, bert] = [await site.addDevice('wrist-anna', 'anna'), await site.addDevice('wrist-bert', 'bert')];
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const authorization = (who: string): string => `Bearer ${tokens.get(who)}`;
  const call = async (who: string, path: string, body?: object, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> => {
    const headers = { authorization: authorization(who), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(`${site.webUrl}/api${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const ask = async (who: string, body: object): Promise<Answer> => await call(who, '/flows/asks', body);
  const follow = async (who: string, consumer: string, topics: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${site.webUrl}/api/flows/messages?consumer=${consumer}&topics=${topics}`, { authorization: authorization(who) });
    expect((await reader.next())?.event).toBe('welcome');
    return reader;
  };
  const heard = async (reader: EventReader, wanted: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const event = await reader.next();
      if (event === undefined) throw new Error('the stream ended');
      const message = messageSchema.parse(event.data);
      if (wanted(message)) return message;
    }
  };
  const step = (why: string) => (message: Message): boolean => message.topic === 'alarm' && message.alarm.why === why;
  const done = async (who: string, consumer: string, ...ids: readonly string[]): Promise<Answer> => await call(who, '/flows/acknowledgements', { consumer, ids });
  const publish = async ({ device, password, topic }: DeviceWithPassword, value: number): Promise<void> => {
    await using client = await RawClient.login(site.ports.mqtt, { clientId: device, username: device, password });
    expect(await client.publish({ topic, payload: JSON.stringify({ seq: sent++, time: Date.now(), measurement: 'spo2', value, unit: '%' }) })).toBe(true);
  };
  const alarmOf = async (id: number): Promise<AlarmJson> => (await call('flo', `/alarms/${id}`)).json['alarm'] as AlarmJson;

  it('tell of values, alarms, devices and blocks as they happen', async () => {
    await using reader = await follow('flo', 'kitchen', 'alarm,vital,device,block');
    await publish(anna, 80);
    const seen = new Map<string, Message>();
    while (!['vital', 'alarm', 'device', 'block'].every((topic) => seen.has(topic))) {
      const message = await heard(reader, () => true);
      seen.set(message.topic, message);
    }
    expect(seen.get('vital')).toMatchObject({ contract: 1, redelivered: false, vital: { subject: { kind: 'patient', id: 'anna' }, measurement: 'spo2', value: 80, unit: '%', device: 'wrist-anna', doubt: null, skipped: 0 } });
    expect(seen.get('alarm')).toMatchObject({ id: 'alarm-1', alarm: { why: 'raised', subject: { id: 'anna' }, told: { level: 1 } } });
  });

  it('come again after kill -9, marked, until they are acknowledged; and nothing is left out', async () => {
    await site.gateway.kill();
    await site.startGateway();
    {
      await using reader = await follow('flo', 'kitchen', 'alarm');
      expect(await heard(reader, step('raised'))).toMatchObject({ id: 'alarm-1', redelivered: true });
      expect(await done('flo', 'kitchen', 'alarm-1')).toMatchObject({ status: 200, json: { acknowledged: { alarm: 1 } } });
    }
    await ask('flo', { ask: 'raise', subject: { kind: 'patient', id: 'anna' }, name: 'asked', priority: 'low', message: 'asked for help' });
    await using reader = await follow('flo', 'kitchen', 'alarm');
    expect(await heard(reader, () => true)).toMatchObject({ id: 'alarm-2', redelivered: false, alarm: { rule: 'flow:asked', message: 'asked for help' } });
    expect(await done('flo', 'kitchen', 'alarm-99')).toMatchObject({ json: { acknowledged: { alarm: 2 } } });
  });

  it('let a flow have other people told, with timers that outlive a kill, and a flow that asks again changes nothing', async () => {
    const chain = [{ to: ['daughter'], within: '2s' }, { to: ['neighbour'], within: '1min' }];
    const raised = await ask('flo', { ask: 'raise', subject: { kind: 'patient', id: 'anna' }, name: 'fall', priority: 'high', message: 'Anna fell' });
    const { id, revision } = (raised.json['result'] as { alarm: AlarmJson }).alarm;
    await using reader = await follow('flo', 'chain', 'alarm');
    expect(await ask('flo', { ask: 'escalate', alarm: id, revision, chain })).toMatchObject({ status: 200, json: { result: { changed: true } } });
    expect(await heard(reader, step('rerouted'))).toMatchObject({ alarm: { alarm: id, told: { level: 1, levels: 2, to: ['daughter'] } } });
    await site.gateway.kill();
    await site.startGateway();
    expect(await ask('flo', { ask: 'escalate', alarm: id, revision, chain })).toMatchObject({ status: 200, json: { result: { changed: false } } });
    await using again = await follow('flo', 'chain', 'alarm');
    expect(await heard(again, step('rerouted'))).toMatchObject({ redelivered: true });
    const next = await heard(again, step('escalated'));
    expect(next).toMatchObject({ alarm: { alarm: id, told: { level: 2, to: ['neighbour'] } } });
    const told = await ask('flo', { ask: 'notified', alarm: id, step: (next as Extract<Message, { topic: 'alarm' }>).alarm.step, person: 'neighbour', channel: 'sms', outcome: 'handed_over' });
    expect(told.status).toBe(200);
    expect(await ask('flo', { ask: 'acknowledge', alarm: id, revision })).toMatchObject({ status: 200, json: { result: { alarm: { phase: 'acknowledged' } } } });
    expect(await ask('flo', { ask: 'clear', subject: { kind: 'patient', id: 'anna' }, name: 'fall' })).toMatchObject({ status: 200 });
    expect((await alarmOf(id)).phase).toBe('cleared');
  });

  it('give an answer to what is asked, and write down what is to be kept', async () => {
    const subject = { kind: 'patient', id: 'anna' };
    expect(await ask('flo', { ask: 'context', subject })).toMatchObject({ status: 200, json: { result: { known: { values: [{ measurement: 'spo2', value: 80 }] }, alarms: expect.arrayContaining([expect.objectContaining({ rule: 'starter/low-oxygen' })]) as unknown } } });
    expect((await ask('flo', { ask: 'note', id: 'n1', subject, text: 'She ate well.' })).json).toMatchObject({ id: 'n1', result: {} });
    expect((await ask('flo', { ask: 'simulate', patient: 'testa', values: { spo2: 85 } })).status).toBe(200);
    expect(await ask('flo', { ask: 'simulate', patient: 'anna', values: { spo2: 85 } })).toMatchObject({ status: 403, json: { error: 'no_test_patient' } });
    expect((await call('flo', '/flows/lists')).json).toMatchObject({ patients: ['anna', 'bert', 'testa'], devices: ['wrist-anna', 'wrist-bert'], testPatients: ['testa'] });
  });

  it('say what an ask would come to, and do nothing: a dry run', async () => {
    const subject = { kind: 'patient', id: 'anna' };
    const dry = async (body: object): Promise<Answer> => await ask('flo', { dryRun: true, ...body });
    const lastStep = async (): Promise<unknown> => ((await call('flo', '/steps?limit=1000')).json['steps'] as { step: number }[]).at(-1)?.step;
    const { id, revision } = ((await ask('flo', { ask: 'raise', subject, name: 'real', priority: 'high', message: 'real' })).json['result'] as { alarm: AlarmJson }).alarm;
    const before = await lastStep();
    const chain = [{ to: ['daughter'], within: '2s' }, { to: ['everyone'], within: '1min' }];
    const levels = [{ people: ['daughter'], within: 2000 }, { people: ['flo', 'vera', 'wendy', 'daughter', 'neighbour'], within: 60_000 }];
    expect(await dry({ ask: 'raise', subject, name: 'dry', priority: 'high', message: 'dry', chain })).toMatchObject({ status: 200, json: { result: { dryRun: true, by: 'flo', alarm: null, levels } } });
    expect(await dry({ ask: 'raise', subject, name: 'real', priority: 'high', message: 'dry' })).toMatchObject({ json: { result: { alarm: { id, message: 'real' }, levels: [{ people: levels[1]?.people, within: 120_000 }] } } });
    expect(await dry({ ask: 'clear', subject, name: 'real' })).toMatchObject({ json: { result: { alarm: { id, phase: 'active' } } } });
    for (const of of [{ alarm: id, revision }, { alarm: null, revision: null }]) {
      expect(await dry({ ask: 'acknowledge', ...of })).toMatchObject({ status: 200, json: { result: { dryRun: true, by: 'flo' } } });
      expect(await dry({ ask: 'snooze', ...of, minutes: 5 })).toMatchObject({ status: 200 });
      expect(await dry({ ask: 'escalate', ...of, chain })).toMatchObject({ status: 200, json: { result: { levels } } });
    }
    expect(await dry({ ask: 'note', subject, text: 'dry' })).toMatchObject({ status: 200, json: { result: { dryRun: true } } });
    expect((await dry({ ask: 'context', subject })).json['result']).toEqual({ dryRun: true, by: 'flo' });
    expect(await dry({ ask: 'simulate', patient: 'testa', values: { spo2: 70 } })).toMatchObject({ status: 200 });
    for (const [body, error] of [
      [{ ask: 'raise', subject: { kind: 'patient', id: 'nobody' }, name: 'dry', priority: 'high', message: 'dry' }, 'unknown_subject'],
      [{ ask: 'escalate', alarm: null, revision: null, chain: [{ to: ['stranger'], within: '2s' }] }, 'unknown_person'],
      [{ ask: 'acknowledge', alarm: id, revision: revision + 1 }, 'unknown_revision'],
      [{ ask: 'acknowledge', alarm: 99_999, revision: 1 }, 'unknown_alarm'],
      [{ ask: 'simulate', patient: 'anna', values: { spo2: 70 } }, 'no_test_patient'],
    ] as const) expect([body, (await dry(body)).json['error']]).toEqual([body, error]);
    expect(await ask('vera', { ask: 'note', dryRun: true, subject, text: 'dry' })).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    expect(await lastStep()).toBe(before);
    expect(await ask('flo', { ask: 'acknowledge', alarm: id, revision })).toMatchObject({ status: 200 });
    expect(await dry({ ask: 'acknowledge', alarm: id, revision })).toMatchObject({ status: 409, json: { error: 'already_acknowledged' } });
    expect((await ask('flo', { ask: 'clear', subject, name: 'real' })).status).toBe(200);
  });

  it('give each token what its access gives, and nobody else’s patients', async () => {
    expect(await ask('vera', { ask: 'note', subject: { kind: 'patient', id: 'anna' }, text: 'x' })).toMatchObject({ status: 403, json: { error: 'not_allowed' } });
    await using reader = await follow('wendy', 'ward', 'alarm,vital');
    await publish(anna, 79);
    await publish(bert, 81);
    expect(await heard(reader, ({ topic }) => topic === 'vital')).toMatchObject({ vital: { subject: { id: 'bert' }, value: 81 } });
    expect(await heard(reader, step('raised'))).toMatchObject({ alarm: { subject: { id: 'bert' } } });
    expect(await ask('wendy', { ask: 'context', subject: { kind: 'patient', id: 'anna' } })).toMatchObject({ status: 404, json: { error: 'unknown_subject' } });
    expect((await call('wendy', '/flows/lists')).json).toMatchObject({ patients: ['bert'], devices: ['wrist-bert'] });
    const { alarms } = (await call('wendy', '/alarms')).json as unknown as { alarms: { physiological: { subject: { id: string } }[] } };
    expect(alarms.physiological.map(({ subject }) => subject.id)).toEqual(['bert']);
    const { steps } = (await call('wendy', '/steps')).json as unknown as { steps: { subject: { id: string } | null }[] };
    expect(new Set(steps.map(({ subject }) => subject?.id))).toEqual(new Set(['bert']));
    expect((await call('wendy', '/patients')).json['patients']).toMatchObject([{ id: 'bert' }]);
    const { patients } = (await call('flo', '/patients')).json as unknown as { patients: { id: string; link: string }[] };
    expect((await call('wendy', patients.find(({ id }) => id === 'anna')?.link.slice('/api'.length) ?? '')).status).toBe(404);
    expect([(await call('wendy', '/alarms/1')).status, (await call('wendy', '/alarms/1/acknowledge', { revision: 1 })).status]).toEqual([404, 404]);
    expect(await ask('wendy', { ask: 'acknowledge', alarm: 1, revision: 1 })).toMatchObject({ status: 404, json: { error: 'unknown_alarm' } });
  });

  it.each([
    ['no ask', {}, 'ask: expected one of raise, clear, acknowledge'],
    ['another kind', { ask: 'dance' }, 'ask: expected one of raise'],
    ['missing fields', { ask: 'raise', name: 'a' }, 'priority: expected high, medium or low'],
    ['wrong types', { ask: 'acknowledge', alarm: 'one', revision: 0 }, 'alarm: expected the number of an alarm, a whole number from 1; revision: expected its revision'],
    ['hostile names', { ask: 'raise', subject: { kind: 'patient', id: '../../etc/passwd\u0000' }, name: '__proto__ <script>', priority: 'high', message: 'm' }, 'name: expected a name of 1 to 64 of'],
    ['something unknown', { ask: 'clear', subject: null, name: 'a', constructor: 1 }, '"constructor" is unknown here'],
    ['a chain without an end', { ask: 'escalate', alarm: 1, revision: 1, chain: [{ to: [], within: 'soon' }] }, 'chain.0.within: expected a duration'],
  ])('refuse %s and say what was expected', async (_, body, message) => {
    const { status, json } = await ask('flo', body);
    expect([status, json['error']]).toEqual([400, 'bad_request']);
    expect(json['message']).toContain(message);
  });

  it('refuse a huge message, and whoever floods', async () => {
    expect(await ask('flo', { ask: 'note', subject: { kind: 'patient', id: 'anna' }, text: 'x'.repeat(20_000) })).toMatchObject({ status: 413, json: { error: 'too_large' } });
    const flood = await Promise.all(Array.from({ length: 200 }, () => ask('vera', { ask: 'context', subject: { kind: 'patient', id: 'anna' } })));
    expect(flood.some(({ status }) => status === 429)).toBe(true);
    expect(flood.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(100);
  });
});
