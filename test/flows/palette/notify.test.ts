import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alarmMessage, Bench, blockMessage, isAsk, ToldGateway } from './bench.ts';

beforeAll(() => Bench.startServer());
afterAll(() => Bench.stopServer());

const told = alarmMessage(4);
const message = { topic: 'alarm', payload: 'SpO2 80 %', subject: { kind: 'patient', id: 'anna' }, alarm: told.topic === 'alarm' ? told.alarm : {}, vitalgate: told };
const WEBHOOK = { channel: 'webhook', people: '', text: '', seconds: 10 };

/** A telephone, a lamp, somebody else's program. */
class Receiver {
  readonly got: Readonly<{ body: string; headers: IncomingHttpHeaders }>[] = [];
  readonly #server: Server;

  static async open(status = 200, answers = true): Promise<Receiver> {
    const receiver = new Receiver(status, answers);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  private constructor(status: number, answers: boolean) {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString('utf8')));
      request.on('end', () => {
        this.got.push({ body, headers: request.headers });
        if (answers) response.writeHead(status).end();
      });
    });
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('notify', () => {
  it('tells everybody who is to be told, and notes each result in the chain', async () => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address, text: 'Please look: {alarm.message}' }, { place: gateway.place, credentials: { n: { token: 'secret' } } });
    bench.receive(message);
    const outputs = [await bench.outputs[0]?.next(), await bench.outputs[0]?.next()].map((each) => each?.['notified']);
    expect(outputs).toEqual(expect.arrayContaining(['dora', 'nick'].map((person) => ({ person, channel: 'webhook', outcome: 'handed_over', detail: 'answered 200', text: 'Please look: SpO2 80 %' }))));
    expect(receiver.got.map(({ body }) => JSON.parse(body) as object)).toEqual(expect.arrayContaining([expect.objectContaining({ person: 'dora', text: 'Please look: SpO2 80 %', id: 'alarm-4', redelivered: false, subject: message.subject })]));
    expect(receiver.got[0]?.headers.authorization).toBe('Bearer secret');
    await gateway.until(() => gateway.asks.length === 2);
    expect(gateway.asks.every((ask) => isAsk(ask))).toBe(true);
    expect(gateway.asks.map(({ id: _, ...ask }) => ask)).toEqual(expect.arrayContaining([{ ask: 'notified', alarm: 7, step: 4, person: 'nick', channel: 'webhook', outcome: 'handed_over', detail: 'answered 200' }]));
  });

  it('hands what failed to its second output, and notes that, too', async () => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open(503);
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address, people: 'dora' }, gateway);
    bench.receive(message);
    expect(await bench.outputs[1]?.next()).toMatchObject({ notified: { person: 'dora', outcome: 'failed', detail: 'answered 503' } });
    await gateway.until(() => gateway.asks.length > 0);
    expect([gateway.asks.map(({ person, outcome }) => [person, outcome]), bench.outputs[0]?.got]).toEqual([[['dora', 'failed']], []]);
  });

  it.each([
    ['nobody listens', 'http://127.0.0.1:1/', /ECONNREFUSED|bad port|fetch failed/],
    ['nobody answers in time', undefined, /timeout/],
  ])('gives up when %s', async (_, address, detail) => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open(200, false);
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: address ?? receiver.address, people: 'dora', seconds: 1 }, gateway);
    bench.receive(message);
    expect(await bench.outputs[1]?.next()).toMatchObject({ notified: { outcome: 'failed', detail: expect.stringMatching(detail) as unknown } });
  });

  it('tells all the others when something cannot be noted', async () => {
    await using gateway = await ToldGateway.open();
    gateway.answer = () => ({ status: 404, error: 'unknown_step', message: 'there is no step 4 of alarm 7' });
    await using receiver = await Receiver.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address }, gateway);
    bench.receive(message);
    expect(await bench.caught.next()).toMatchObject({ error: { message: 'The gateway refused: there is no step 4 of alarm 7 (unknown_step)' } });
    expect(receiver.got).toHaveLength(2);
  });

  it('speaks to ntfy with who it is for and how urgent it is', async () => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, channel: 'ntfy', address: receiver.address, people: 'dora' }, gateway);
    bench.receive(message);
    await bench.outputs[0]?.next();
    expect(receiver.got).toMatchObject([{ body: 'SpO2 80 %', headers: { priority: '5', title: '=?UTF-8?B?ZG9yYQ==?=' } }]);
  });

  it('hands on a block once, to its address', async () => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address, text: '{block.lane} {block.height}' }, gateway);
    const block = blockMessage('receipted', 4);
    bench.receive({ topic: 'block', payload: {}, block: block.topic === 'block' ? block.block : {}, vitalgate: block });
    await bench.outputs[0]?.next();
    expect(JSON.parse(receiver.got[0]?.body ?? '')).toMatchObject({ id: 'receipted-record-4', text: 'record 4', person: null, block: { height: 4 } });
    expect(gateway.asks).toEqual([]);
  });

  it('shows on the screen of the editor, and notes that nobody was told for certain', async () => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('notify', { channel: 'screen', address: '', people: 'dora', text: '', seconds: 10 }, gateway);
    bench.receive(message);
    expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { channel: 'screen', outcome: 'skipped' } });
    await gateway.until(() => gateway.asks.length > 0);
    expect(gateway.asks[0]).toMatchObject({ outcome: 'skipped', person: 'dora' });
  });

  it.each([
    [{ payload: '' }, 'Text: expected some'],
    [{ payload: '\u0000\u202e' }, 'Text: expected some'],
  ])('refuses %j in words', async (sent, words) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('notify', { channel: 'screen', address: '', people: '', text: '', seconds: 10 }, gateway);
    bench.receive(sent);
    expect(await bench.caught.next()).toMatchObject({ error: { message: expect.stringContaining(words) as unknown } });
  });

  it('tells nobody when nobody is to be told, whatever the list of people is', async () => {
    await using gateway = await ToldGateway.open();
    await using receiver = await Receiver.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address }, gateway);
    for (const hostile of [null, { to: 'dora' }, { to: [1, null, {}] }, { to: [] }]) bench.receive({ ...message, alarm: { ...message.alarm, told: hostile } });
    bench.receive(message);
    await bench.outputs[0]?.next();
    await bench.outputs[0]?.next();
    expect(receiver.got).toHaveLength(2);
  });

  it.each(['ftp://x', 'javascript:alert(1)', '', 'file:///etc/passwd'])('takes no address such as %j', async (address) => {
    await using gateway = await ToldGateway.open();
    await using bench = await Bench.load('notify', { ...WEBHOOK, address }, gateway);
    expect(bench.said.at(-1)).toContain('Address: expected one that begins');
  });
});
