/** A gateway that says and answers what a test has it say, over the real contract, and a Node-RED without an editor that runs flows with the palette. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import vitalgate from '../../../flows/vitalgate.js';
import type { FlowMessage, FlowNode, GatewayMessage, Place, Red } from '../../../flows/red.d.ts';

const require = createRequire(import.meta.url);
/** Parts of Node-RED are packages of their own, which are its dependencies and not this project's. */
const requireOfNodeRed = createRequire(require.resolve('node-red'));
const WORDS = JSON.parse(readFileSync(new URL('../../../flows/locales/en-US/vitalgate.json', import.meta.url), 'utf8')) as Words;
const schemaOf = (name: string): object => JSON.parse(readFileSync(new URL(`../../../gateway/flows/schemas/${name}.schema.json`, import.meta.url), 'utf8')) as object;
const ajv = new Ajv2020({ strict: false });
export const isMessage = ajv.compile(schemaOf('messages'));
export const isAsk = ajv.compile(schemaOf('asks'));

type Words = { readonly [key: string]: Words | string };
type Ask = Readonly<Record<string, unknown>>;
type Answer = Readonly<{ status?: number; result?: object; error?: string; message?: string }>;

/** As the runtime fills words in (i18next with Node-RED's marks). */
function say(key: string, values: Readonly<Record<string, unknown>> = {}): string {
  let found: Words | string | undefined = WORDS;
  for (const name of key.split('.')) found = typeof found === 'object' ? found[name] : undefined;
  return typeof found === 'string' ? found.replaceAll(/__(\w+?)__/g, (_, name: string) => String(values[name])) : key;
}

/** Speaks the contract of gateway/flows/: what it sends and gets is judged by the published schemas. */
export class ToldGateway {
  readonly asks: Ask[] = [];
  readonly acknowledged: string[] = [];
  readonly removed: string[] = [];
  readonly followed: string[] = [];
  answer: (ask: Ask) => Answer = () => ({});
  timeZone = 'Europe/Berlin';
  readonly #server: Server;
  readonly #streams = new Map<string, ServerResponse>();
  readonly #heard: (() => void)[] = [];

  static async open(): Promise<ToldGateway> {
    const gateway = new ToldGateway();
    gateway.#server.listen(0, '127.0.0.1');
    await once(gateway.#server, 'listening');
    return gateway;
  }

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get place(): Place {
    return { url: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`, token: 'vgt_test' };
  }

  /** Sends to whoever follows its topic. */
  tell(...messages: readonly GatewayMessage[]): void {
    for (const message of messages) {
      if (!isMessage(message)) throw new Error(`no message of the contract: ${ajv.errorsText(isMessage.errors)}`);
      for (const [url, stream] of this.#streams) if (topicsIn(url).includes(message.topic)) stream.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    }
  }

  /** Sends bytes as they are to everybody. */
  write(text: string): void {
    for (const stream of this.#streams.values()) stream.write(text);
  }

  cut(): void {
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise<void>((resolve) => this.#heard.push(resolve));
  }

  async untilFollowed(topic: string): Promise<void> {
    await this.until(() => [...this.#streams.keys()].some((url) => topicsIn(url).includes(topic)));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const body = await bodyOf(request);
    if (request.headers.authorization !== 'Bearer vgt_test') return reply(response, 401, { error: 'no_token', message: 'expected a token' });
    if (url.startsWith('/api/flows/messages')) this.#follow(url, response);
    else if (url === '/api/flows/acknowledgements') this.#acknowledge(body, response);
    else if (method === 'DELETE') {
      this.removed.push(url.split('/').at(-1) ?? '');
      response.writeHead(204).end();
    } else if (url === '/api/flows/lists') reply(response, 200, { contract: 1, patients: ['anna'], rooms: ['room-1'], devices: [], people: [{ name: 'dora', roles: ['daughter'] }], measurements: [{ name: 'spo2', unit: '%' }], testPatients: ['testa'], timeZone: this.timeZone });
    else if (url === '/api/session') reply(response, 200, { person: 'flo', access: 'caregiver' });
    else this.#ask(body, response);
    for (const each of this.#heard.splice(0)) each();
  }

  #follow(url: string, response: ServerResponse): void {
    this.followed.push(url);
    this.#streams.set(url, response);
    response.once('close', () => this.#streams.get(url) === response && this.#streams.delete(url));
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`retry: 1000\nevent: welcome\ndata: ${JSON.stringify({ contract: 1, isNew: true, alarms: [] })}\n\n`);
  }

  #acknowledge(body: unknown, response: ServerResponse): void {
    this.acknowledged.push(...(body as { ids: string[] }).ids);
    reply(response, 200, { acknowledged: {} });
  }

  #ask(body: unknown, response: ServerResponse): void {
    const ask = body as Ask;
    this.asks.push(ask);
    const answer = isAsk(ask) ? this.answer(ask) : { status: 400, error: 'bad_request', message: ajv.errorsText(isAsk.errors) };
    reply(response, answer.status ?? 200, answer.error === undefined ? { contract: 1, ask: ask['ask'], notice: '', result: answer.result ?? {} } : { error: answer.error, message: answer.message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const topicsIn = (url: string): readonly string[] => new URL(url, 'http://gateway').searchParams.get('topics')?.split(',') ?? [];
const reply = (response: ServerResponse, status: number, body: object): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const part of request) text += String(part);
  return text === '' ? undefined : JSON.parse(text);
}

type Spied = FlowNode & Readonly<{ status: Readonly<{ args: readonly (readonly [Readonly<{ fill?: string; text?: string }>])[] }> }>;
type Helper = Readonly<{
  init: (path: string) => void;
  settings: (settings: object) => void;
  load: (nodes: readonly unknown[], flow: readonly object[], credentials?: object) => Promise<void>;
  unload: () => Promise<void>;
  setFlows: (flow: readonly object[], type: 'full' | 'flows' | 'nodes') => Promise<void>;
  getNode: (id: string) => Spied;
  request: () => { get: (path: string) => Promise<{ status: number; body: unknown }>; post: (path: string) => Promise<{ status: number; body: { message?: string } }> & Readonly<{ send: (body: object) => Promise<{ status: number; body: { message?: string } }> }> };
  startServer: (done: () => void) => void;
  stopServer: (done: () => void) => void;
}>;

const helper = require('node-red-node-test-helper') as Helper;
helper.init(require.resolve('node-red'));
const { hooks } = requireOfNodeRed('@node-red/util') as Pick<Red, 'hooks'>;

/** What one output, or the Catch node, was given. */
type Reader = Readonly<{ next: () => Promise<FlowMessage>; got: FlowMessage[] }>;

/** Node under test `n` of a type, with a reader at each output, and one behind a Catch node. */
export class Bench {
  readonly outputs: readonly Reader[];
  readonly caught: Reader;

  static async startServer(): Promise<void> {
    await new Promise<void>((resolve) => helper.startServer(resolve));
  }

  static async stopServer(): Promise<void> {
    await new Promise<void>((resolve) => helper.stopServer(resolve));
  }

  /** `place`: where the gateway is that this Node-RED belongs to. */
  static async load(type: string, config: object, { place, outputs = 2, more = [], credentials = {}, now = () => new Date() }: { place?: Place; outputs?: number; more?: readonly object[]; credentials?: object; now?: () => Date } = {}): Promise<Bench> {
    const names = Array.from({ length: outputs }, (_, i) => `out${i}`);
    const flow = [
      { id: 'flow', type: 'tab' },
      { id: 'n', z: 'flow', type: `vitalgate-${type}`, ...config, wires: names.map((name) => [name]) },
      ...names.map((name) => ({ id: name, z: 'flow', type: 'helper', wires: [] })),
      { id: 'catcher', z: 'flow', type: 'catch', scope: null, wires: [['caught']] },
      { id: 'caught', z: 'flow', type: 'helper', wires: [] },
      ...more,
    ];
    helper.settings(place === undefined ? {} : { vitalgate: place });
    await helper.load([(red: object) => vitalgate(Object.assign(red, { _: say, hooks }) as Red, now), requireOfNodeRed('@node-red/nodes/core/common/25-catch.js')], flow, credentials);
    return new Bench(names);
  }

  private constructor(outputs: readonly string[]) {
    this.outputs = outputs.map(readerAt);
    this.caught = readerAt('caught');
  }

  get node(): Spied {
    return helper.getNode('n');
  }

  /** What the node said of itself, the newest last. */
  get said(): readonly string[] {
    return this.node.status.args.map(([{ text = '' }]) => text);
  }

  receive(message: FlowMessage): void {
    this.node.receive(message);
  }

  readonly request = helper.request.bind(helper);

  /** A node is deleted and deployed. */
  async deployWithout(type: 'full' | 'nodes', flow: readonly object[]): Promise<void> {
    await helper.setFlows(flow, type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await helper.unload();
  }
}

function readerAt(id: string): Reader {
  const got: FlowMessage[] = [];
  const waiting: ((message: FlowMessage) => void)[] = [];
  let taken = 0;
  (helper.getNode(id) as unknown as { on: (event: 'input', listener: (message: FlowMessage, send: unknown, done: () => void) => void) => void }).on('input', (message, _, done) => {
    got.push(message);
    done();
    waiting.shift()?.(message);
  });
  return {
    got,
    next: async () => {
      const at = taken++;
      return got[at] ?? (await new Promise((resolve) => waiting.push(resolve)));
    },
  };
}

/** Of the contract, to be told by {@link ToldGateway}. */
export const alarmMessage = (step: number, said: object = {}): GatewayMessage => ({
  contract: 1, id: `alarm-${step}`, redelivered: false, topic: 'alarm',
  alarm: {
    step, time: '2026-01-01T00:00:00.000Z', alarm: 7, revision: 2, why: 'raised', from: 'none', to: 'active', subject: { kind: 'patient', id: 'anna' }, rule: 'starter/low-oxygen', kind: 'physiological', priority: 'high',
    message: 'SpO2 80 %', count: 1, evidence: null, told: { level: 1, levels: 2, to: ['dora', 'nick'] }, untold: null, by: null, refusal: null, ...said,
  } as Extract<GatewayMessage, { topic: 'alarm' }>['alarm'],
});

export const measuredMessage = (topic: 'vital' | 'room', value: number, said: object = {}): GatewayMessage => {
  const measured = { subject: { kind: topic === 'vital' ? 'patient' : 'room', id: topic === 'vital' ? 'anna' : 'room-1' } as const, measurement: 'spo2', value, unit: '%', measuredAt: '2026-01-01T00:00:00.000Z', device: 'wrist', doubt: null, skipped: 0, ...said };
  const common = { contract: 1, id: `${topic}-${value}-spo2`, redelivered: false };
  return topic === 'vital' ? { ...common, topic, vital: measured } : { ...common, topic, room: measured };
};

export const deviceMessage = (said: object): GatewayMessage => ({
  contract: 1, id: 'device-1-wrist', redelivered: false, topic: 'device', device: { device: 'wrist', subject: { kind: 'patient', id: 'anna' }, lastSeen: null, battery: 80, signal: null, silent: [], notices: [], ...said },
});

export const blockMessage = (event: 'sealed' | 'receipted', height: number, lane: 'alarm' | 'record' = 'record'): GatewayMessage => ({
  contract: 1, id: `${event}-${lane}-${height}`, redelivered: false, topic: 'block', block: { event, lane, height, hash: 'ab', entries: 1, time: '2026-01-01T00:00:00.000Z' },
});
