import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, isAsk, isMessage, ToldGateway } from './bench.ts';

beforeAll(() => Bench.startServer());
afterAll(() => Bench.stopServer());

const testa = { kind: 'patient', id: 'testa' };
const LEVELS = [{ people: ['dora'], within: 120_000 }, { people: [], within: 5000 }];
const answered = (ask: Readonly<Record<string, unknown>>): object => (ask['ask'] === 'context'
  ? { known: { values: [{ measurement: 'spo2', value: 91, unit: '%', quality: 'good' }, { measurement: 'pulse_rate', value: 70, unit: '/min', quality: 'stale' }], room: 'bath', activity: null, scores: [{ name: 'NEWS2', value: null }] }, alarms: [{}] }
  : { dryRun: true, by: 'flo', alarm: null, levels: LEVELS });
const MADE_UP = { vitalgate: { contract: 1, redelivered: false, test: true, id: expect.stringMatching(/^test-/) as unknown } };

/** Type, what was filled in, what is said, what goes on, what is asked. */
const BEGIN = [
  ['alarm-in', { moment: 'told', who: '', rules: 'fall', priority: 'high' }, 'This is a test.', { topic: 'alarm', payload: 'This is a test.', subject: testa, alarm: { alarm: 0, rule: 'flow:fall', told: { to: ['dora'] } } }],
  ['alarm-in', { moment: 'over', who: 'room-1', rules: 'starter/low-oxygen', priority: 'low' }, 'This is a test.', { room: 'room-1', alarm: { why: 'cleared', rule: 'starter/low-oxygen', told: null } }],
  ['alarm-in', { moment: 'acknowledged', who: '', rules: '', priority: 'low' }, 'This is a test.', { alarm: { why: 'acknowledged', to: 'acknowledged' } }],
  ['vital-in', { who: '', measurements: '' }, 'testa spo2 85', { topic: 'spo2', payload: 85, unit: '%', patient: 'testa' }],
  ['vital-in', { who: 'anna, bert', measurements: 'heart_rate' }, 'anna heart_rate 125', { topic: 'heart_rate', payload: 125, patient: 'anna' }],
  ['event-in', { events: 'door, fall', moment: 'begins', who: 'room-1' }, 'room-1 door began', { topic: 'door', payload: true, room: 'room-1' }],
  ['event-in', { events: 'fall', moment: 'ends', who: '' }, 'testa fall ended', { topic: 'fall', payload: false, patient: 'testa' }],
  ['room-in', { who: '', measurements: '' }, 'room-1 room_temperature 31', { payload: 31, room: 'room-1' }],
  ['device-in', { devices: '', moment: 'trouble', battery: 20 }, 'test-device battery 8 %', { topic: 'device', troubles: ['battery 8 %'], patient: 'testa' }],
  ['device-in', { devices: 'wrist', moment: 'everything', battery: 5 }, 'wrist battery 5 %', { device: { device: 'wrist', battery: 5 } }],
  ['block-in', { moment: 'sealed', lane: 'alarm' }, 'alarm 0 sealed', { block: { event: 'sealed', lane: 'alarm', height: 0 } }],
  ['block-in', { moment: 'both', lane: 'both' }, 'record 0 receipted', { block: { event: 'receipted' } }],
] as const;
const ASK = [
  ['raise-alarm', { action: 'raise', alarm: 'fall', text: '{patient} fell', priority: 'high' }, 'would raise “testa fell” (fall, high) for testa and tell dora (2 min) → nobody (5 s). No alarm was raised.', { alarm: { id: 0, revision: 0 }, payload: 'testa fell' }, { ask: 'raise', subject: testa, name: 'fall' }],
  ['raise-alarm', { action: 'clear', alarm: 'fall', priority: 'high', patient: 'anna' }, 'would end the alarm fall of anna. Nothing was done.', {}, { ask: 'clear' }],
  ['acknowledge', { action: 'acknowledge' }, 'flo would take the alarm over. Nothing was done.', { alarm: { alarm: 0 } }, { ask: 'acknowledge', alarm: null, revision: null }],
  ['acknowledge', { action: 'snooze', minutes: 5 }, 'flo would pause the alarm for 5 min. Nothing was done.', {}, { ask: 'snooze', alarm: null, minutes: 5 }],
  ['escalate', { chain: 'daughter: 2min' }, 'would tell dora (2 min) → nobody (5 s). Nobody was told.', {}, { ask: 'escalate', alarm: null, chain: [{ to: ['daughter'], within: '2min' }] }],
  ['note', { text: 'ate well' }, 'would note for testa: “ate well”. Nothing was noted.', {}, { ask: 'note', subject: testa, text: 'ate well' }],
  ['patient-context', { patient: 'anna', wanted: 'spo2' }, 'anna: NEWS2 –, bath, spo2 91 %, pulse_rate 70 /min (old). Live alarms: 1.', { payload: 91 }, { ask: 'context', subject: { kind: 'patient', id: 'anna' } }],
] as const;
const SAY = [
  ['when', { path: 'payload', comparison: 'below', limit: '90', dwell: '10', back: '' }, 'Goes on when msg.payload is below 90 for 10 s, and is over again at 90. Now: nothing came yet.'],
  ['no-data', { minutes: 10, patient: '', measurement: '' }, 'Tells when nothing came for 10 min. Now: nothing came yet.'],
  ['quiet-hours', { begin: '22:00', end: '7:00', zone: '' }, 'It is 22:05 (Europe/Berlin): quiet hours (22:00 to 07:00). Only what is of high priority would go on.'],
  ['quiet-hours', { begin: '22:00', end: '07:00', zone: 'Europe/London' }, 'It is 21:05 (Europe/London): everything would go on. Quiet from 22:00 to 07:00.'],
] as const;
const press = async (bench: Bench, id = 'n'): Promise<{ status: number; body: { message?: string } }> => await bench.request().post(`/vitalgate/press/${id}`);

describe('the test button', () => {
  it('is at every node', () => {
    const html = readFileSync(new URL('../../../flows/vitalgate.html', import.meta.url), 'utf8');
    const types = [...html.matchAll(/data-template-name="vitalgate-([a-z-]+)"/g)].map(([, type]) => type);
    expect(new Set([...[...BEGIN, ...ASK, ...SAY].map(([type]) => type), 'notify', 'simulate', 'gateway'])).toEqual(new Set(types));
  });

  it.each(BEGIN)('of a node that begins sends a message of the contract down the flow, made up and marked: %s %j', async (type, config, words, out) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load(type, config, { place: gateway.place });
    expect(await press(bench)).toMatchObject({ status: 200, body: { message: `TEST: ${words} (sent down the flow)` } });
    const sent = await bench.outputs[0]?.next();
    expect(sent).toMatchObject({ ...out, ...MADE_UP });
    expect([isMessage(sent?.['vitalgate']), isMessage.errors]).toEqual([true, null]);
    expect(gateway.acknowledged).toEqual([]);
  });

  it.each(ASK)('of a node that asks says what would be done, and does nothing: %s %j', async (type, config, words, out, ask) => {
    await using gateway = await ToldGateway.open();
    gateway.answer = (asked) => ({ result: answered(asked) });
    await using bench = await Bench.load(type, config, { place: gateway.place });
    expect(await press(bench)).toMatchObject({ status: 200, body: { message: `TEST: ${words}` } });
    expect(gateway.asks).toMatchObject([{ ...ask, ...(ask.ask === 'context' ? {} : { dryRun: true }) }]);
    expect(gateway.asks.every((each) => isAsk(each))).toBe(true);
    expect(await bench.outputs[0]?.next()).toMatchObject({ ...out, ...MADE_UP });
    expect(bench.said.at(-1)).toMatch(/^TEST: /);
  });

  it.each(SAY)('of a node that judges says what would happen now: %s %j', async (type, config, words) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load(type, config, { place: gateway.place, now: () => new Date('2026-01-10T21:05Z') });
    expect(await press(bench)).toMatchObject({ status: 200, body: { message: words } });
    expect(bench.outputs.flatMap(({ got }) => got)).toEqual([]);
  });

  const spo2 = (payload: number, id: string): object => ({ payload, topic: 'spo2', subject: { kind: 'patient', id } });

  it('says of whom a condition holds; what is made up changes nothing of that', async () => {
    await using bench = await Bench.load('when', { path: 'payload', comparison: 'below', limit: '90', dwell: '0', back: '' });
    for (const message of [spo2(85, 'anna'), spo2(95, 'bert')]) bench.receive({ ...message });
    await bench.outputs[0]?.next();
    expect((await press(bench)).body.message).toMatch(/Now: anna spo2 is 85, it holds; bert spo2 is 95, it does not hold\.$/);
    bench.receive({ ...spo2(99, 'anna'), vitalgate: { test: true } });
    expect((await press(bench)).body.message).toMatch(/Now: anna spo2 is 85, it holds;/);
  });

  it('says how long nothing came, and how long it will be waited for', async () => {
    let time = Date.parse('2026-01-10T21:00Z');
    await using bench = await Bench.load('no-data', { minutes: 10, patient: '', measurement: '' }, { now: () => new Date(time) });
    bench.receive({ ...spo2(85, 'anna') });
    await new Promise((resolve) => setImmediate(resolve));
    time += 180_000;
    expect((await press(bench)).body.message).toMatch(/Now: anna spo2 came 3 min ago, 7 min are left\.$/);
  });

  it('of a notice sends one that says it is a test, and notes nothing in the chain', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('notify', { channel: 'screen', address: '', people: '', text: '', seconds: 10 }, { place: gateway.place });
    expect((await press(bench)).status).toBe(200);
    expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { text: 'TEST: This is a test.' } });
    bench.receive({ payload: 'x', vitalgate: { test: true }, alarm: { alarm: 7, step: 4, told: { to: ['dora'] } } });
    expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { person: 'dora', text: 'TEST: x' } });
    expect(gateway.asks).toEqual([]);
  });

  it('of a notice for some people tells those, whoever a made-up alarm is for', async () => {
    await using bench = await Bench.load('notify', { channel: 'screen', address: '', people: 'nick', text: '', seconds: 10 });
    bench.receive({ payload: 'x', vitalgate: { test: true }, alarm: { alarm: 0, step: 0, told: { to: ['dora'] } } });
    expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { person: 'nick', text: 'TEST: x' } });
  });

  it('of simulate gives the values; a test from elsewhere in the flow only has them checked', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('simulate', { patient: 'testa', values: 'spo2 85' }, { place: gateway.place, outputs: 0 });
    expect(await press(bench)).toMatchObject({ status: 200, body: { message: 'testa spo2 85' } });
    bench.receive({ vitalgate: { test: true } });
    await gateway.until(() => gateway.asks.length > 1);
    expect(gateway.asks.map(({ ask, dryRun }) => [ask, dryRun])).toEqual([['simulate', undefined], ['simulate', true]]);
  });

  it('says why it cannot be, and the node says so, too', async () => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ status: 404, error: 'unknown_person', message: '"daughter" is nobody' });
    await using bench = await Bench.load('escalate', { chain: 'daughter: 2min' }, { place: gateway.place });
    expect(await press(bench)).toMatchObject({ status: 409, body: { message: 'The gateway refused: "daughter" is nobody (unknown_person)' } });
    expect(bench.node.status.args.at(-1)?.[0]).toMatchObject({ fill: 'red', text: expect.stringContaining('"daughter" is nobody') as unknown });
    expect((await press(bench, 'out0')).status).toBe(404);
  });

  it('says what is wrong with what was filled in', async () => {
    await using bench = await Bench.load('escalate', { chain: '' });
    expect((await press(bench)).body.message).toMatch(/^Who is told: expected a line/);
  });

  it('of a gateway says whose token it is and what they may do, and sends no kept token to another address', async () => {
    await using gateway = await ToldGateway.open();
    await using elsewhere = await ToldGateway.open();
    const { url } = gateway.place;
    await using bench = await Bench.load('note', { patient: 'anna', text: 'x', gateway: 'gate' }, { more: [{ id: 'gate', type: 'vitalgate-gateway', url }], credentials: { gate: { token: 'vgt_test' } } });
    const connect = async (body: object): Promise<unknown> => await bench.request().post('/vitalgate/connection').send(body);
    const connected = { status: 200, body: { message: 'Connected as flo, who may look, answer and raise alarms, note and simulate. Patients: 1.' } };
    expect(await connect({ id: 'gate', url, token: '' })).toMatchObject(connected);
    expect(await connect({ url, token: 'vgt_test' })).toMatchObject(connected);
    expect(await connect({ url, token: 'vgt_wrong' })).toMatchObject({ status: 409, body: { message: 'The gateway refused: expected a token (no_token)' } });
    expect(await connect({ id: 'gate', url: elsewhere.place.url, token: '' })).toMatchObject({ status: 409, body: { message: expect.stringMatching(/^Token: the one that is kept is for another address/) as unknown } });
    expect(await connect({ url: 'gateway', token: 'x' })).toMatchObject({ status: 409, body: { message: expect.stringContaining('Address: expected one') as unknown } });
    expect(elsewhere.asks).toEqual([]);
  });
});
