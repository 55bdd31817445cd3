import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import mqtt from 'mqtt';
import { controlSocketOf } from '../../gateway/gateway.ts';
import { controlClient, type AdministrationApi } from '../../gateway/web/control.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';
import { mediansOf, percentile, type Figures } from './figures.ts';
import { GatewayFolder, type GatewayProcess } from './gateway-process.ts';
import { runLoad } from './load.ts';
import { FIRST_SEQUENCE } from './mqtt-packets.ts';
import { cpuSecondsOf } from './process-figures.ts';

const CONNECTIONS = 50;
const WINDOW = 20;
const SECONDS = 2;
const ROUNDS = 7;
/** Until V8 has compiled what runs for every message, for good. */
const WARM_UP_SECONDS = 5;
const SEQUENCES_PER_ROUND = 10_000_000;
const READINGS_PER_SECOND = 200;
/** A heart rate, /min, of which somebody is told. */
const HIGH = 140;
const NOTABLE_EVERY = 21;
const LONGEST_WAIT_MS = 3000;
const TARGET_RATIO = 0.9;
const TARGET_P99_MS = 250;

const NO_FLOW = 'no flow';
const PEOPLE = [{ name: 'otto', access: 'administrator' }];

type Flow = readonly object[];

const flow = (label: string, code: string, ...more: readonly object[]): Flow => [
  { id: '00000000000000b1', type: 'tab', label },
  { id: '00000000000000b2', type: 'inject', z: '00000000000000b1', name: '', props: [], repeat: '', once: true, onceDelay: 0.1, wires: [['00000000000000b3']] },
  { id: '00000000000000b3', type: 'function', z: '00000000000000b1', name: '', func: code, outputs: 1, wires: [more.length === 0 ? [] : ['00000000000000b4']] },
  ...more,
];

const flowsAt = (web: string): Readonly<Record<string, Flow>> => ({
  endless: flow('Endless', 'setTimeout(() => { while (true) {} }, 1); return msg;'),
  leaking: flow('Leaking', 'const kept = []; setInterval(() => { for (let i = 0; i < 1000; i++) kept.push(new Array(1000).fill(i)); }, 5); return msg;'),
  throwing: flow('Throwing', 'setTimeout(() => { throw new Error("a bad flow"); }, 500); return msg;'),
  flooding: flow('Flooding', 'setInterval(() => { for (let i = 0; i < 50; i++) node.send({ payload: "x".repeat(1000) }); }, 5);',
    { id: '00000000000000b4', type: 'http request', z: '00000000000000b1', name: '', method: 'POST', ret: 'txt', url: `${web}/api/flows/asks`, wires: [[]] }),
});

export const flows: Bench = {
  name: 'flows',
  summary: 'Acknowledgements per second while a flow of Node-RED never ends, leaks, throws or floods; and a reading from sensor to notice',
  run: async (context) => {
    const { folder, signal, progress } = context;
    const created = await GatewayFolder.create(join(folder, 'gateway'), { alarms: { people: PEOPLE }, flows: { enabled: true, settle: '1s' }, seal: { age: '1s' } });
    await using gateway = await created.start(signal);
    progress(`registering ${CONNECTIONS} devices`);
    await gateway.register(CONNECTIONS);
    const api = controlClient(controlSocketOf(created.data));
    const { secret } = await api.makeToken('otto');
    const cases = await underFlows(gateway, api, secret, context);
    progress('from sensor to notice');
    const latency = await sensorToNotice(gateway, secret, context);
    const all: readonly Case[] = [...cases, { name: 'sensor to notice', figures: latency }];
    return {
      cases: all,
      targets: [
        ...cases.slice(1).flatMap(({ name }) => ['ratio_to_no_flow', 'cpu_ratio_to_no_flow'].map((figure) => targetFor(all, name, figure, 'at least', TARGET_RATIO))),
        targetFor(all, 'sensor to notice', 'handed_over_p99_ms', 'at most', TARGET_P99_MS),
      ],
      notes: [
        `${CONNECTIONS} connections, window ${WINDOW}; medians of turns with a flow, each deployed anew and compared with the mean of the turns without one right before and after it (no_flow_ratio: of those two); Node-RED and the load generator run on the same cores`,
        `sensor to notice: ${READINGS_PER_SECOND} readings a second, of one in ${NOTABLE_EVERY} a flow (vital in, switch, notify) tells somebody by webhook: from PUBLISH until they have it`,
      ],
    };
  },
};

/**
 * Short turns, without and with a flow one after the other: what a turn with a flow is compared with is the mean of the turns right before and
 * after it, so that what else the machine does is nearly the same for both; the median of many such pairs is the figure.
 */
async function underFlows(gateway: GatewayProcess, api: AdministrationApi, secret: string, { options, progress, signal }: BenchContext): Promise<readonly Case[]> {
  const [seconds, rounds] = [options.seconds ?? (options.quick ? 2 : SECONDS), options.rounds ?? (options.quick ? 2 : ROUNDS)];
  const all = flowsAt(`http://127.0.0.1:${gateway.web}`);
  const figures = new Map<string, Figures[]>([[NO_FLOW, []], ...Object.keys(all).map((name): [string, Figures[]] => [name, []])]);
  let turn = 0;
  const measured = async (nodes: Flow, time = seconds): Promise<Figures> => {
    await deployed(gateway, secret, nodes, signal);
    const before = (await api.flowsStatus())?.restarts ?? 0;
    let cpuBefore = 0;
    const load = await runLoad({ port: gateway.port, devices: gateway.devices, window: WINDOW, seconds: time, coalesce: options.coalesce, firstSequence: FIRST_SEQUENCE + turn++ * SEQUENCES_PER_ROUND }, signal, () => void (cpuBefore = cpuSecondsOf(gateway.pid)));
    const { acks, acks_per_s, ack_p50_ms, ack_p99_ms } = load;
    const gateway_us_per_ack = ((cpuSecondsOf(gateway.pid) - cpuBefore) * 1e6) / acks;
    const ended = performance.now();
    await deployed(gateway, secret, [], signal);
    await answers(api, signal);
    const recovered = performance.now();
    await caughtUp(gateway, signal);
    return { acks_per_s, ack_p50_ms, ack_p99_ms, gateway_us_per_ack, restarts: ((await api.flowsStatus())?.restarts ?? 0) - before, recovered_s: (recovered - ended) / 1000 };
  };
  progress('warm-up');
  await measured([], WARM_UP_SECONDS);
  for (const [name, nodes] of Object.entries(all)) {
    let before = await measured([]);
    for (let round = 1; round <= rounds; round++) {
      progress(`${name}: ${round} of ${rounds}`);
      const under = await measured(nodes);
      const after = await measured([]);
      const without = (figure: string): number => ((before[figure] ?? NaN) + (after[figure] ?? NaN)) / 2;
      figures.get(NO_FLOW)?.push(after);
      figures.get(name)?.push({
        ...under,
        ratio_to_no_flow: (under['acks_per_s'] ?? NaN) / without('acks_per_s'),
        cpu_ratio_to_no_flow: without('gateway_us_per_ack') / (under['gateway_us_per_ack'] ?? NaN),
        no_flow_ack_p99_ms: without('ack_p99_ms'),
        // What the machine alone makes of two turns without a flow.
        no_flow_ratio: (after['acks_per_s'] ?? NaN) / (before['acks_per_s'] ?? NaN),
      });
      before = after;
    }
  }
  return [...figures].map(([name, rows]) => ({ name, figures: mediansOf(rows) }));
}

/** Deploys, again until Node-RED takes it: it may be on its way back. */
async function deployed(gateway: GatewayProcess, secret: string, nodes: Flow, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const answer = await fetch(`http://127.0.0.1:${gateway.web}/flows/flows`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify(nodes),
        signal: AbortSignal.timeout(5000),
      });
      await answer.body?.cancel();
      if (answer.status === 204) return;
    } catch {
      // It is killed while it is asked.
    }
    await pause(100, undefined, { signal });
  }
}

async function answers(api: AdministrationApi, signal: AbortSignal): Promise<void> {
  while ((await api.flowsStatus())?.state !== 'running') await pause(50, undefined, { signal });
}

/** Derivation and sealing go on behind the acknowledgements: every turn begins with nothing left to do. */
async function caughtUp(gateway: GatewayProcess, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { queues, states } = await gateway.status();
    if (queues.derive === 0 && states.sealed.through >= states.accepted.through) return;
    await pause(20, undefined, { signal });
  }
}

/** Readings at a steady rate, some of which a flow of the palette tells somebody of: from PUBLISH until the notice is with whoever is told. */
async function sensorToNotice(gateway: GatewayProcess, secret: string, { options, signal }: BenchContext): Promise<Figures> {
  const seconds = options.seconds ?? (options.quick ? 3 : 15);
  const published = new Map<number, number>();
  const latencies: number[] = [];
  await using told = await Told.open((value) => {
    const at = published.get(value);
    published.delete(value);
    if (at !== undefined) latencies.push(performance.now() - at);
  });
  await deployed(gateway, secret, telling(told.url), signal);
  const { devices } = gateway;
  const clients = await Promise.all(devices.map(({ id, password }) => mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.port}`, { username: id, password, clientId: id })));
  // The flow follows what comes from now on, as soon as it follows.
  for (let value = HIGH; latencies.length === 0; value += 0.01) {
    await publish(0, Math.round(value * 100) / 100);
    await pause(200, undefined, { signal });
  }
  latencies.length = 0;
  published.clear();
  let [sent, notable] = [0, 0];
  const begin = performance.now();
  for (const end = begin + seconds * 1000; performance.now() < end; await pause(2, undefined, { signal })) {
    for (const due = Math.floor(((performance.now() - begin) * READINGS_PER_SECOND) / 1000); sent < due; sent++) {
      const isNotable = sent % NOTABLE_EVERY === 0;
      // Different every time: it says which reading it was.
      void publish(sent % devices.length, isNotable ? HIGH + 10 + ++notable / 100 : 60 + (sent % 4000) / 100);
    }
  }
  for (const since = performance.now(); latencies.length < notable && performance.now() - since < LONGEST_WAIT_MS; ) await pause(20, undefined, { signal });
  await Promise.all(clients.map((client) => client.endAsync()));
  const sorted = Float64Array.from(latencies).sort();
  return { handed_over_p50_ms: percentile(sorted, 0.5), handed_over_p99_ms: percentile(sorted, 0.99), handed_over_max_ms: percentile(sorted, 1), notices: latencies.length, not_told: notable - latencies.length, published: sent };

  async function publish(of: number, value: number): Promise<void> {
    if (value >= HIGH) published.set(value, performance.now());
    sequence += 1;
    await clients[of]?.publishAsync(`devices/${devices[of]?.id}/readings`, JSON.stringify({ seq: sequence, time: Date.now(), measurement: 'heart_rate', value, unit: '/min' }), { qos: 1 });
  }
}

/** Behind those of the turns. */
let sequence = 1_000_000_000;

const telling = (address: string): Flow => [
  { id: '00000000000000b1', type: 'tab', label: 'Telling' },
  { id: '00000000000000b2', type: 'vitalgate-vital-in', z: '00000000000000b1', name: '', gateway: '', who: '', measurements: 'heart_rate', doubtful: false, wires: [['00000000000000b3']] },
  { id: '00000000000000b3', type: 'switch', z: '00000000000000b1', name: '', property: 'payload', propertyType: 'msg', rules: [{ t: 'gte', v: String(HIGH), vt: 'num' }], checkall: 'true', outputs: 1, wires: [['00000000000000b4']] },
  { id: '00000000000000b4', type: 'vitalgate-notify', z: '00000000000000b1', name: '', gateway: '', channel: 'webhook', address, people: '', text: '{payload}', seconds: 10, wires: [[], []] },
];

/** Whoever is told, by webhook. */
class Told implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(onValue: (value: number) => void): Promise<Told> {
    const server = createServer((request, response) => {
      void json(request).then((body) => {
        onValue(Number((body as Readonly<{ text: string }>).text));
        response.writeHead(204).end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Told(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
