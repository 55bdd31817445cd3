import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alarmMessage, Bench, isAsk, ToldGateway } from './bench.ts';

beforeAll(() => Bench.startServer());
afterAll(() => Bench.stopServer());

const anna = { kind: 'patient', id: 'anna' };
const told = alarmMessage(4);
const alarm = told.topic === 'alarm' ? told.alarm : {};

describe('nodes that ask', () => {
  it.each([
    ['raise-alarm', { action: 'raise', alarm: 'fall', text: '{patient} fell {payload.where}', priority: 'high', patient: '', chain: 'daughter, nina: 2min\neveryone: 1h' }, { patient: 'anna', payload: { where: 'in the bath' } },
      { ask: 'raise', subject: anna, name: 'fall', priority: 'high', message: 'anna fell in the bath', chain: [{ to: ['daughter', 'nina'], within: '2min' }, { to: ['everyone'], within: '1h' }] }],
    ['raise-alarm', { action: 'raise', alarm: 'water', text: '', priority: 'low', patient: '', chain: '' }, { payload: 'water in the cellar' }, { ask: 'raise', subject: null, name: 'water', priority: 'low', message: 'water in the cellar' }],
    ['raise-alarm', { action: 'clear', alarm: 'fall', text: '', priority: 'high', patient: 'anna', chain: '' }, { payload: 1 }, { ask: 'clear', subject: anna, name: 'fall' }],
    ['acknowledge', { action: 'acknowledge', minutes: 10 }, { alarm }, { ask: 'acknowledge', alarm: 7, revision: 2 }],
    ['acknowledge', { action: 'snooze', minutes: '15' }, { alarm: { id: 9, revision: 1 } }, { ask: 'snooze', alarm: 9, revision: 1, minutes: 15 }],
    ['escalate', { chain: 'daughter: 2min\nneighbour: 30 s' }, { alarm }, { ask: 'escalate', alarm: 7, revision: 2, chain: [{ to: ['daughter'], within: '2min' }, { to: ['neighbour'], within: '30s' }] }],
    ['note', { patient: '', text: '' }, { subject: anna, payload: 'She ate well.' }, { ask: 'note', subject: anna, text: 'She ate well.' }],
    ['simulate', { patient: 'testa', values: 'spo2 85\nbody_temperature = 38.5' }, {}, { ask: 'simulate', patient: 'testa', values: { spo2: 85, body_temperature: 38.5 } }],
    ['simulate', { patient: 'testa', values: '' }, { values: { spo2: 80 } }, { ask: 'simulate', patient: 'testa', values: { spo2: 80 } }],
  ])('%s %j', async (type, config, message, ask) => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ result: { alarm: { id: 7, revision: 3 }, values: {}, changed: true } });
    await using bench = await Bench.load(type, config, { place: gateway.place, outputs: 1 });
    bench.receive({ ...message, kept: 'as it was' });
    if (type === 'simulate') await gateway.until(() => gateway.asks.length > 0);
    else expect(await bench.outputs[0]?.next()).toMatchObject({ kept: 'as it was' });
    const { id, ...asked } = gateway.asks[0] ?? {};
    expect(asked).toEqual(ask);
    expect([isAsk(gateway.asks[0]), typeof id]).toEqual([true, 'string']);
    expect(bench.said.at(-1)).not.toBe('');
  });

  it('ask with the same id when the same message comes again, so that nothing is done twice', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('note', { patient: 'anna', text: 'seen' }, { place: gateway.place, outputs: 1 });
    for (const redelivered of [false, true]) {
      bench.receive({ vitalgate: { ...told, redelivered } });
      await bench.outputs[0]?.next();
    }
    expect(gateway.asks.map(({ id }) => id)).toEqual(['n alarm-4', 'n alarm-4']);
  });

  it.each([
    ['acknowledge', { action: 'acknowledge' }, { alarm: 'seven' }, 'msg.alarm: expected an alarm, as alarm in and raise alarm give it, found "seven"'],
    ['acknowledge', { action: 'acknowledge' }, { alarm: { id: -1, revision: '2' } }, 'msg.alarm: expected an alarm'],
    ['escalate', { chain: 'daughter: 2min' }, {}, 'msg.alarm: expected an alarm, as alarm in and raise alarm give it, found nothing'],
    ['note', { patient: '', text: 'x' }, { subject: { kind: 'planet', id: 'x' } }, 'msg.subject: expected {"kind": "patient" or "room", "id": …}, found {"kind":"planet","id":"x"}'],
    ['note', { patient: '', text: 'x' }, { payload: 1 }, 'msg.subject: expected {"kind": "patient" or "room", "id": …}, or a patient chosen in the node, found nothing'],
    ['note', { patient: 'anna', text: '' }, {}, 'Text: expected some, in the node or in msg.payload'],
    ['patient-context', { patient: '', wanted: '' }, { subject: ['anna'] }, 'msg.subject: expected'],
    ['raise-alarm', { action: 'raise', alarm: 'a', text: '{__proto__.constructor}', priority: 'low' }, {}, 'Text: expected some'],
    ['simulate', { patient: '', values: 'spo2 80' }, {}, 'Patient: expected one of flows.testPatients of the gateway'],
    ['simulate', { patient: 'testa', values: '' }, {}, 'Values: expected at least one'],
  ])('say what is wrong to Catch nodes: %s %j %j', async (type, config, message, words) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load(type, config, { place: gateway.place, outputs: 1 });
    bench.receive(message);
    expect(await bench.caught.next()).toMatchObject({ error: { message: expect.stringContaining(words) as unknown, source: { id: 'n' } } });
    expect(bench.node.status.args.at(-1)?.[0]).toMatchObject({ fill: 'red' });
    expect(gateway.asks).toEqual([]);
  });

  it.each([
    ['raise-alarm', { action: 'raise', alarm: '../x', text: 'x' }, 'Name: expected 1 to 64 of'],
    ['escalate', { chain: 'daughter' }, 'Who is told: expected names and a time'],
    ['escalate', { chain: '' }, 'Who is told: expected a line for each level'],
    ['simulate', { patient: 'testa', values: 'spo2 high' }, 'Values: expected a line such as "spo2 85"'],
    ['acknowledge', { action: 'snooze', minutes: 'long' }, 'minutes: expected a number within its bounds, found "long"'],
  ])('say what is wrong with what was filled in: %s %j', async (type, config, words) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load(type, config, { place: gateway.place });
    expect(bench.said.at(-1)).toContain(words.slice(0, 30));
  });

  it('pass on why the gateway refused, and cut out what nobody could read', async () => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ status: 409, error: 'already_acknowledged', message: 'the answer was not taken: already acknowledged' });
    await using bench = await Bench.load('acknowledge', { action: 'acknowledge' }, { place: gateway.place, outputs: 1 });
    bench.receive({ alarm });
    expect(await bench.caught.next()).toMatchObject({ error: { message: 'The gateway refused: the answer was not taken: already acknowledged (already_acknowledged)' } });
  });

  it('hand on hostile and huge texts without control characters, and no longer than the contract has it', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('note', { patient: 'anna', text: '' }, { place: gateway.place, outputs: 1 });
    bench.receive({ payload: `\u0000\u202Ehi\u0007 $t(error) __proto__ {{x}} ${'y'.repeat(1_000_000)}` });
    await bench.outputs[0]?.next();
    const { text } = gateway.asks[0] as { text: string };
    expect([text.slice(0, 29), text.length]).toEqual(['hi $t(error) __proto__ {{x}} ', 2000]);
  });

  it('say that the gateway cannot be reached', async () => {
    const place = { url: 'http://127.0.0.1:1', token: 'vgt_test' };
    await using bench = await Bench.load('note', { patient: 'anna', text: 'x' }, { place, outputs: 1 });
    bench.receive({});
    expect(await bench.caught.next()).toMatchObject({ error: { message: expect.stringMatching(/^the gateway at http:\/\/127\.0\.0\.1:1 cannot be reached: /) as unknown } });
  });
});

describe('patient context', () => {
  const known = { values: [{ measurement: 'spo2', value: 91, quality: 'good' }, { measurement: 'heart_rate', value: 70, quality: 'stale' }], room: 'bath', activity: null, scores: [{ name: 'NEWS2', value: 6 }, { name: 'OTHER', value: null }] };

  it.each([['NEWS2', 6], ['spo2', 91], ['room', 'bath']])('puts %s into the payload', async (wanted, payload) => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ result: { known, alarms: [] } });
    await using bench = await Bench.load('patient-context', { patient: '', wanted }, { place: gateway.place });
    bench.receive({ subject: anna });
    expect(await bench.outputs[0]?.next()).toMatchObject({ payload, context: known, alarms: [], subject: anna });
  });

  it('asks for whoever looks at a page, as the gateway says it, and for nobody else', async () => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ result: { known, alarms: [] } });
    await using bench = await Bench.load('patient-context', { patient: 'anna', wanted: '' }, { place: gateway.place });
    for (const req of [{ headers: { 'x-vitalgate-person': 'dora' } }, { headers: {} }, { headers: { 'x-vitalgate-person': ['dora'] } }, null]) {
      bench.receive({ req });
      await bench.outputs[0]?.next();
    }
    expect(gateway.asks.map(({ viewer }) => viewer)).toEqual(['dora', undefined, undefined, undefined]);
  });

  it.each(['OTHER', 'heart_rate', 'activity', '__proto__', 'nothing'])('says at its second output that %s is not known now', async (wanted) => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ result: { known, alarms: [] } });
    await using bench = await Bench.load('patient-context', { patient: 'anna', wanted }, { place: gateway.place });
    bench.receive({ payload: 'as it was' });
    expect(await bench.outputs[1]?.next()).toMatchObject({ payload: 'as it was' });
  });
});

describe('the gateway node', () => {
  const gatewayNode = (url: string, more: object = {}): object => ({ id: 'gate', type: 'vitalgate-gateway', name: '', url, consumer: '', ...more });

  it('leads to a gateway elsewhere, by its token', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', { moment: 'told', priority: 'low', gateway: 'gate' }, { outputs: 1, more: [gatewayNode(gateway.place.url)], credentials: { gate: { token: 'vgt_test' } } });
    await gateway.untilFollowed('alarm');
    gateway.tell(told);
    expect(await bench.outputs[0]?.next()).toMatchObject({ payload: 'SpO2 80 %' });
    expect(gateway.followed).toEqual(['/api/flows/messages?consumer=node-red-gate-alarms&topics=alarm']);
  });

  it('says what the gateway says of a wrong token', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('note', { patient: 'anna', text: 'x', gateway: 'gate' }, { outputs: 1, more: [gatewayNode(gateway.place.url)], credentials: { gate: { token: 'vgt_wrong' } } });
    bench.receive({});
    expect(await bench.caught.next()).toMatchObject({ error: { message: 'The gateway refused: expected a token (no_token)' } });
  });

  it('gives the editor lists to choose from, and lets its buttons press what has one', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('simulate', { patient: 'testa', values: 'spo2 85' }, { place: gateway.place, outputs: 1 });
    expect(await bench.request().get('/vitalgate/lists')).toMatchObject({ status: 200, body: { patients: ['anna'], testPatients: ['testa'] } });
    expect((await bench.request().post('/vitalgate/press/n')).status).toBe(200);
    await gateway.until(() => gateway.asks.length > 0);
    expect(gateway.asks[0]).toMatchObject({ ask: 'simulate', values: { spo2: 85 } });
    expect((await bench.request().post('/vitalgate/press/out0')).status).toBe(404);
    expect(await bench.request().get('/vitalgate/lists?gateway=nobody')).toMatchObject({ status: 502, body: { message: expect.stringContaining('Gateway: expected one') as unknown } });
  });
});
