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
    expect(outputs).toEqual(expect.arrayContaining(['dora', 'nick'].map((person) => ({ person, channel: 'webhook', outcome: 'handed_over', detail: 'answered 200', text: 'Please look: SpO2 80 %', attempts: [{ channel: 'webhook', outcome: 'handed_over', detail: 'answered 200' }] }))));
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

  describe('by ways of the gateway', () => {
    const asksOf = (gateway: ToldGateway, ask: string): readonly object[] => gateway.asks.filter((each) => each['ask'] === ask).map(({ id: _, ...each }) => each);
    /** Answers as a gateway on which these ways work. */
    const onlyWorks = (...working: readonly string[]) => (ask: Readonly<Record<string, unknown>>) => ({
      result: ask['ask'] !== 'tell' ? {} : working.includes(String(ask['by'])) ? { outcome: 'handed_over', detail: `${String(ask['by'])} works` } : { outcome: 'failed', detail: `${String(ask['by'])} is broken` },
    });

    it('has the gateway tell everybody, and gives its answer on', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = onlyWorks('email');
      await using bench = await Bench.load('notify', { channel: 'email', people: 'dora', title: 'Alarm {alarm.alarm}', text: '', seconds: 30 }, gateway);
      bench.receive(message);
      expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { person: 'dora', channel: 'email', outcome: 'handed_over', detail: 'email works' } });
      await gateway.until(() => gateway.asks.length === 2);
      expect(gateway.asks.every((ask) => isAsk(ask))).toBe(true);
      expect(asksOf(gateway, 'tell')).toEqual([{ ask: 'tell', by: 'email', to: 'dora', title: 'Alarm 7', text: 'SpO2 80 %', within: '30s' }]);
      expect(asksOf(gateway, 'notified')).toMatchObject([{ person: 'dora', channel: 'email', outcome: 'handed_over' }]);
    });

    it('tries one way after the other for each person, and says in the message and the chain what became of each', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = onlyWorks('buzzer');
      await using bench = await Bench.load('notify', { channel: 'sms', people: 'dora', text: '', otherwise: 'email\nbuzzer: bell\nscreen', seconds: 10 }, gateway);
      bench.receive(message);
      expect(await bench.outputs[0]?.next()).toMatchObject({
        notified: {
          person: 'dora', channel: 'buzzer', outcome: 'handed_over',
          attempts: [{ channel: 'sms', outcome: 'failed', detail: 'sms is broken' }, { channel: 'email', outcome: 'failed' }, { channel: 'buzzer', outcome: 'handed_over', detail: 'buzzer works' }],
        },
      });
      await gateway.until(() => asksOf(gateway, 'notified').length === 3);
      expect(asksOf(gateway, 'tell')).toMatchObject([{ by: 'sms', to: 'dora' }, { by: 'email', to: 'dora' }, { by: 'buzzer', to: 'bell' }]);
      expect(asksOf(gateway, 'notified')).toMatchObject([['sms', 'failed'], ['email', 'failed'], ['buzzer', 'handed_over']].map(([channel, outcome]) => ({ channel, outcome })));
      expect(bench.said.some((text) => text.startsWith('dora: sms is broken; now email'))).toBe(true);
      expect(bench.outputs[1]?.got).toEqual([]);
    });

    it('hands on to its second output when no way works, also when the gateway refuses or is not there', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = (ask) => (ask['ask'] === 'tell' ? { status: 404, error: 'unknown_person', message: '"dora" is nobody' } : {});
      await using bench = await Bench.load('notify', { channel: 'email', people: 'dora', text: '', otherwise: 'webhook http://127.0.0.1:1/', seconds: 1 }, gateway);
      bench.receive(message);
      expect(await bench.outputs[1]?.next()).toMatchObject({ notified: { channel: 'webhook', outcome: 'failed', attempts: [{ channel: 'email', detail: 'The gateway refused: "dora" is nobody (unknown_person)' }, { channel: 'webhook' }] } });
    });

    it('rings a bell once, for whoever is near', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = onlyWorks('buzzer');
      await using bench = await Bench.load('notify', { channel: 'buzzer', device: 'bell', text: '', seconds: 10 }, gateway);
      bench.receive(message);
      expect(await bench.outputs[0]?.next()).toMatchObject({ notified: { person: null, channel: 'buzzer', outcome: 'handed_over' } });
      await gateway.until(() => gateway.asks.length === 2);
      expect(asksOf(gateway, 'tell')).toEqual([{ ask: 'tell', by: 'buzzer', to: 'bell', text: 'SpO2 80 %', within: '10s' }]);
      expect(asksOf(gateway, 'notified')).toMatchObject([{ alarm: 7, step: 4, person: 'bell', channel: 'buzzer', outcome: 'handed_over' }]);
    });

    it('asks for the same bell in the same words for everybody of one message, so that it rings once', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = onlyWorks('buzzer');
      await using bench = await Bench.load('notify', { channel: 'sms', text: '', otherwise: 'buzzer', seconds: 10 }, gateway);
      bench.receive(message);
      await bench.outputs[0]?.next();
      await bench.outputs[0]?.next();
      const [one, other] = gateway.asks.filter(({ by }) => by === 'buzzer');
      expect(one).toEqual({ id: 'n alarm-4', ask: 'tell', by: 'buzzer', text: 'SpO2 80 %', within: '10s' });
      expect(other).toEqual(one);
    });

    it('tells those it is for what no alarm is', async () => {
      await using gateway = await ToldGateway.open();
      gateway.answer = onlyWorks('email');
      await using bench = await Bench.load('notify', { channel: 'email', people: 'dora, nick', text: '', seconds: 10 }, gateway);
      bench.receive({ payload: 'a summary' });
      const persons = [await bench.outputs[0]?.next(), await bench.outputs[0]?.next()].map((each) => (each?.['notified'] as { person: string } | undefined)?.person);
      expect(new Set(persons)).toEqual(new Set(['dora', 'nick']));
      expect(asksOf(gateway, 'notified')).toEqual([]);
    });

    it('says so when it is for nobody', async () => {
      await using gateway = await ToldGateway.open();
      await using bench = await Bench.load('notify', { channel: 'sms', people: '', text: '', seconds: 10 }, gateway);
      bench.receive({ payload: 'a summary' });
      expect(await bench.outputs[1]?.next()).toMatchObject({ notified: { person: null, outcome: 'failed', detail: 'For: expected names of people, for this message says of nobody that they are to be told' } });
      expect(gateway.asks).toEqual([]);
    });

    it('gives what is secret to the first address alone', async () => {
      await using gateway = await ToldGateway.open();
      await using receiver = await Receiver.open(500);
      await using other = await Receiver.open();
      await using bench = await Bench.load('notify', { ...WEBHOOK, address: receiver.address, people: 'dora', otherwise: `webhook ${other.address}` }, { place: gateway.place, credentials: { n: { token: 'secret' } } });
      bench.receive(message);
      await bench.outputs[0]?.next();
      expect([receiver.got[0]?.headers.authorization, other.got[0]?.headers.authorization]).toEqual(['Bearer secret', undefined]);
    });

    it.each(['carrier pigeon', 'webhook', 'ntfy ftp://x', 'exec rm'])('takes no way such as %j', async (otherwise) => {
      await using gateway = await ToldGateway.open();
      await using bench = await Bench.load('notify', { channel: 'sms', people: '', text: '', otherwise, seconds: 10 }, gateway);
      expect(bench.said.at(-1)).toMatch(/^(By, or If that fails|Address): expected/);
    });
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
