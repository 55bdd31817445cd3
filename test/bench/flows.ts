import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import mqtt from 'mqtt';
import { controlSocketOf } from '../../gateway/gateway.ts';
import { controlClient, type AdministrationApi } from '../../gateway/web/control.ts';
import { EventReader } from '../web/event-reader.ts';
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
  summary: 'Acknowledgements per second while a flow of Node-RED never ends, leaks, throws or floods; and a reading from sensor to flow',
  run: async (context) => {
    const { folder, signal, progress } = context;
    const created = await GatewayFolder.create(join(folder, 'gateway'), { alarms: { people: PEOPLE }, flows: { enabled: true, settle: '1s' }, seal: { age: '1s' } });
    await using gateway = await created.start(signal);
    progress(`registering ${CONNECTIONS} devices`);
    await gateway.register(CONNECTIONS);
    const api = controlClient(controlSocketOf(created.data));
    const { secret } = await api.makeToken('otto');
    const cases = await underFlows(gateway, api, secret, context);
    progress('from sensor to flow');
    const latency = await sensorToFlow(gateway, secret, context);
    const all: readonly Case[] = [...cases, { name: 'sensor to flow', figures: latency }];
    return {
      cases: all,
      targets: [
        ...cases.slice(1).flatMap(({ name }) => ['ratio_to_no_flow', 'cpu_ratio_to_no_flow'].map((figure) => targetFor(all, name, figure, 'at least', TARGET_RATIO))),
        targetFor(all, 'sensor to flow', 'handed_over_p99_ms', 'at most', TARGET_P99_MS),
      ],
      notes: [
        `${CONNECTIONS} connections, window ${WINDOW}; medians of turns with a flow, each deployed anew and compared with the mean of the turns without one right before and after it (no_flow_ratio: of those two); Node-RED and the load generator run on the same cores`,
        `sensor to flow: ${READINGS_PER_SECOND} readings a second, from PUBLISH until a consumer has the message`,
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

/** A program that follows values has each so long after it was published. */
async function sensorToFlow(gateway: GatewayProcess, secret: string, { options, signal }: BenchContext): Promise<Figures> {
  const seconds = options.seconds ?? (options.quick ? 3 : 15);
  await using reader = await EventReader.open(`http://127.0.0.1:${gateway.web}/api/flows/messages?consumer=bench&topics=vital`, { authorization: `Bearer ${secret}` });
  const published = new Map<string, number>();
  const latencies: number[] = [];
  let skipped = 0;
  const devices = gateway.devices.slice(0, 10);
  const clients = await Promise.all(devices.map(({ id, password }) => mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.port}`, { username: id, password, clientId: id })));
  let sent = 0;
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const following = (async () => {
    for (;;) {
      const event = await reader.next();
      if (event === undefined) return;
      const { vital } = event.data as { vital?: { value: number; device: string; skipped: number } };
      if (vital === undefined) continue;
      const at = published.get(`${vital.device} ${vital.value}`);
      if (at !== undefined) latencies.push(performance.now() - at);
      skipped += vital.skipped;
      if (latencies.length + skipped >= sent && performance.now() > end) return;
    }
  })();
  while (performance.now() < end) {
    signal.throwIfAborted();
    for (const due = Math.floor(((performance.now() - begin) * READINGS_PER_SECOND) / 1000); sent < due; sent++) {
      const [client, device] = [clients[sent % clients.length], devices[sent % devices.length]];
      // Within what can be, and different every time: it says which reading it was.
      const value = 60 + ((sent / devices.length) % 4000) / 100;
      const exact = Math.floor(value * 100) / 100;
      published.set(`${device?.id} ${exact}`, performance.now());
      client?.publish(`devices/${device?.id}/readings`, JSON.stringify({ seq: 1_000_000_000 + sent, time: Date.now(), measurement: 'heart_rate', value: exact, unit: '/min' }), { qos: 1 });
    }
    await pause(2, undefined, { signal });
  }
  await Promise.race([following, pause(3000)]);
  await Promise.all(clients.map((client) => client.endAsync()));
  const sorted = Float64Array.from(latencies).sort();
  return { handed_over_p50_ms: percentile(sorted, 0.5), handed_over_p99_ms: percentile(sorted, 0.99), handed_over_max_ms: percentile(sorted, 1), messages: latencies.length, passed_over: skipped, published: sent };
}
