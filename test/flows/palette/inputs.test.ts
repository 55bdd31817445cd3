import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alarmMessage, Bench, blockMessage, deviceMessage, isMessage, measuredMessage, ToldGateway } from './bench.ts';

beforeAll(() => Bench.startServer());
afterAll(() => Bench.stopServer());

const ALARM = { moment: 'told', who: '', rules: '', priority: 'low' };

describe('alarm in', () => {
  it('gives each alarm to the flow with the whole message, and acknowledges it when the flow is done', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', ALARM, gateway);
    await gateway.untilFollowed('alarm');
    gateway.tell(alarmMessage(1));
    const message = await bench.outputs[0]?.next();
    expect(message).toMatchObject({ topic: 'alarm', payload: 'SpO2 80 %', patient: 'anna', subject: { kind: 'patient', id: 'anna' }, alarm: { alarm: 7, revision: 2, told: { to: ['dora', 'nick'] } } });
    expect([isMessage(message?.['vitalgate']), isMessage.errors]).toEqual([true, null]);
    await gateway.until(() => gateway.acknowledged.includes('alarm-1'));
    expect(bench.said.at(-1)).toMatch(/^SpO2 80 % \d\d:\d\d$/);
    expect(gateway.followed).toEqual(['/api/flows/messages?consumer=node-red-alarms&topics=alarm']);
  });

  it('acknowledges nothing that a flow still works on, nor what comes after it', async () => {
    await using gateway = await ToldGateway.open();
    let finish = (): void => undefined;
    const slow = { id: 'slow', z: 'flow', type: 'vitalgate-notify', channel: 'webhook', address: `${gateway.place.url}/slow`, people: '', text: '', seconds: 60, wires: [[], []] };
    const held = new Promise<void>((resolve) => (finish = resolve));
    const receiver = await slowReceiver(held);
    await using bench = await Bench.load('alarm-in', { ...ALARM, who: 'anna' }, { place: gateway.place, more: [{ ...slow, address: receiver.url }] });
    // What is behind the node is the reader and the slow one.
    await bench.deployWithout('full', [{ id: 'flow', type: 'tab' }, { id: 'n', z: 'flow', type: 'vitalgate-alarm-in', ...ALARM, wires: [['slow']] }, { ...slow, address: receiver.url }]);
    await gateway.untilFollowed('alarm');
    gateway.tell(alarmMessage(1), alarmMessage(2, { told: null }));
    await receiver.asked;
    expect(gateway.acknowledged).toEqual([]);
    finish();
    await gateway.until(() => gateway.acknowledged.includes('alarm-2'));
    await receiver.close();
  });

  it('gives a message that comes again while it is worked on to nobody twice, and one from before a restart once more, marked', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', ALARM, gateway);
    await gateway.untilFollowed('alarm');
    gateway.tell(alarmMessage(1));
    await bench.outputs[0]?.next();
    await gateway.until(() => gateway.acknowledged.includes('alarm-1'));
    gateway.cut();
    await gateway.untilFollowed('alarm');
    gateway.tell({ ...alarmMessage(2), redelivered: true });
    expect(await bench.outputs[0]?.next()).toMatchObject({ vitalgate: { id: 'alarm-2', redelivered: true } });
  });

  it.each([
    ['another patient', { who: 'bert' }, {}],
    ['another rule', { rules: 'fall' }, {}],
    ['a lower priority', { priority: 'high' }, { priority: 'medium' }],
    ['another moment', { moment: 'over' }, {}],
    ['nobody to tell', {}, { told: null }],
  ])('passes over what is of %s, and is done with it', async (_, config, said) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', { ...ALARM, ...config }, gateway);
    await gateway.untilFollowed('alarm');
    gateway.tell(alarmMessage(1, said));
    await gateway.until(() => gateway.acknowledged.includes('alarm-1'));
    expect(bench.outputs[0]?.got).toEqual([]);
  });

  it('says why it hears nothing', async () => {
    await using bench = await Bench.load('alarm-in', ALARM);
    expect(bench.said.at(-1)).toMatch(/Gateway: expected one to be chosen/);
  });

  it('has the gateway forget it when it is deleted', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', ALARM, gateway);
    await gateway.untilFollowed('alarm');
    await bench.deployWithout('nodes', [{ id: 'flow', type: 'tab' }]);
    await gateway.until(() => gateway.removed.length > 0);
    expect(gateway.removed).toEqual(['node-red-alarms']);
  });
});

describe('vital in and room in', () => {
  it.each(['vital', 'room'] as const)('gives values of a %s with their unit', async (topic) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load(`${topic}-in`, { who: '', measurements: 'spo2, pulse_rate', doubtful: false }, gateway);
    await gateway.untilFollowed(topic);
    gateway.tell(measuredMessage(topic, 1, { measurement: 'co2' }), measuredMessage(topic, 2, { doubt: 'movement' }), measuredMessage(topic, 96));
    const message = await bench.outputs[0]?.next();
    expect(message).toMatchObject({ topic: 'spo2', payload: 96, unit: '%', [topic === 'vital' ? 'patient' : 'subject']: topic === 'vital' ? 'anna' : { kind: 'room', id: 'room-1' } });
    expect(isMessage(message?.['vitalgate'])).toBe(true);
    expect(gateway.acknowledged).toEqual([]);
  });

  it('share one connection, however many they are', async () => {
    await using gateway = await ToldGateway.open();
    const more = [{ id: 'room', z: 'flow', type: 'vitalgate-room-in', who: '', measurements: '', wires: [] }, { id: 'vital2', z: 'flow', type: 'vitalgate-vital-in', who: '', measurements: '', wires: [] }];
    await using _ = await Bench.load('vital-in', { who: '', measurements: '' }, { place: gateway.place, more });
    await gateway.untilFollowed('room');
    expect(gateway.followed).toEqual(['/api/flows/messages?consumer=node-red-now&topics=room,vital']);
  });
});

describe('event in', () => {
  it('tells when something begins, once, and when it ends, and not of an end that nobody saw begin', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('event-in', { events: 'door, fall', moment: 'both', who: '' }, gateway);
    await gateway.untilFollowed('vital');
    const door = (value: number) => measuredMessage('vital', value, { measurement: 'door' });
    gateway.tell(door(0), door(1), door(1), door(0), door(1));
    const next = async () => (await bench.outputs[0]?.next())?.payload;
    expect([await next(), await next(), await next()]).toEqual([true, false, true]);
    expect(bench.outputs[0]?.got[0]).toMatchObject({ topic: 'door', patient: 'anna' });
  });
});

describe('device in', () => {
  it('tells of trouble once, in words, and that all is well again at its second output', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('device-in', { devices: '', moment: 'trouble', battery: 20 }, gateway);
    await gateway.untilFollowed('device');
    gateway.tell(deviceMessage({}), deviceMessage({ battery: 12, silent: ['spo2'] }), deviceMessage({ battery: 11, silent: ['spo2'] }), deviceMessage({ battery: 90 }));
    expect(await bench.outputs[0]?.next()).toMatchObject({ payload: 'wrist: battery 12 %, spo2 does not come', troubles: ['battery 12 %', 'spo2 does not come'], patient: 'anna' });
    expect(await bench.outputs[1]?.next()).toMatchObject({ payload: 'wrist: well', troubles: [] });
    expect(bench.outputs[0]?.got).toHaveLength(1);
  });
});

describe('block in', () => {
  it('hands on countersigned blocks in their order, and acknowledges each lane by itself', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('block-in', { moment: 'receipted', lane: 'both' }, gateway);
    await gateway.untilFollowed('block');
    gateway.tell(blockMessage('sealed', 5), blockMessage('receipted', 4), blockMessage('receipted', 9, 'alarm'), blockMessage('receipted', 5));
    await gateway.until(() => ['sealed-record-5', 'receipted-record-5', 'receipted-alarm-9'].every((id) => gateway.acknowledged.includes(id)));
    expect(bench.outputs[0]?.got.map(({ payload }) => (payload as { height: number }).height)).toEqual([4, 9, 5]);
  });
});

describe('a stream', () => {
  it.each([
    ['is no JSON', 'event: message\ndata: {"contract\n\n', /JSON/],
    ['is of another contract', 'event: message\ndata: {"contract":2,"topic":"alarm","id":"alarm-1"}\n\n', /version 2 of the contract/],
    ['has no end', `data: ${'x'.repeat(1_100_000)}`, /an event has no end/],
  ])('that %s is left and begun anew, and the node says why', async (_, text, why) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('alarm-in', ALARM, gateway);
    await gateway.untilFollowed('alarm');
    gateway.write(text);
    await gateway.until(() => gateway.followed.length >= 2);
    expect(bench.node.status.args.map(([{ text: said = '' }]) => said).join('\n')).toMatch(why.source.startsWith('an') ? /no stream of messages/ : why.source.startsWith('version') ? /the gateway speaks version 2/ : why);
    await gateway.untilFollowed('alarm');
    gateway.tell(alarmMessage(3));
    expect(await bench.outputs[0]?.next()).toMatchObject({ vitalgate: { id: 'alarm-3' } });
  });
});

async function slowReceiver(held: Promise<void>): Promise<Readonly<{ url: string; asked: Promise<void>; close: () => Promise<void> }>> {
  const { createServer } = await import('node:http');
  let heard = (): void => undefined;
  const asked = new Promise<void>((resolve) => (heard = resolve));
  const server = createServer((request, response) => {
    request.resume();
    heard();
    void held.then(() => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}/`, asked, close };
}
