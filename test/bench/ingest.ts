import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { startBareAedes } from './bare-aedes.ts';
import type { Broker } from './broker.ts';
import { GatewayFolder, GatewayProcess } from './gateway-process.ts';
import { runLoad, type LoadResult } from './load.ts';
import { startMosquitto } from './mosquitto.ts';
import { FIRST_SEQUENCE } from './mqtt-packets.ts';
import { cpuSecondsOf, memoryOf } from './process-figures.ts';
import { mediansOf, type Figures } from './figures.ts';

const CONNECTIONS = 50;
const WINDOW = 20;
const SECONDS = 5;
const ROUNDS = 3;
/** Until V8 has compiled what runs for every message, for good; a gateway runs for months. */
const WARM_UP_SECONDS = 8;
/** More than any broker acknowledges to one device in a round. */
const SEQUENCES_PER_ROUND = 10_000_000;
const TARGET_RATIO = 0.5;
const TARGET_P99_MS = 100;

export const ingest: Bench = {
  name: 'ingest',
  summary: 'QoS 1 acknowledgements per second and their latency: gateway, Mosquitto and bare Aedes in turns',
  run: async (context) => {
    const { folder, signal, progress } = context;
    await using brokers = new AsyncDisposableStack();
    const gateway = brokers.use(await (await GatewayFolder.create(join(folder, 'gateway'))).start(signal));
    progress(`registering ${CONNECTIONS} devices`);
    await gateway.register(CONNECTIONS);
    const mosquitto = brokers.use(await startMosquitto(join(folder, 'mosquitto'), CONNECTIONS, signal));
    const aedes = brokers.use(await startBareAedes(folder, CONNECTIONS, signal));
    const inTurns = [gateway, ...(mosquitto === undefined ? [] : [mosquitto]), aedes];
    return await measure(inTurns, context);
  },
};

async function measure(brokers: readonly Broker[], context: BenchContext): Promise<Findings> {
  const { options, progress } = context;
  const seconds = options.seconds ?? (options.quick ? 2 : SECONDS);
  const rounds = options.rounds ?? (options.quick ? 1 : ROUNDS);
  const figures = new Map<Broker, Figures[]>(brokers.map((broker) => [broker, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const broker of brokers) {
      progress(`${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}: ${broker.name}`);
      const measured = await loadOnce(broker, round, round === 0 ? WARM_UP_SECONDS : seconds, context);
      if (round > 0) figures.get(broker)?.push(measured);
    }
  }
  return findings(brokers.map((broker) => ({ name: broker.name, sync: broker.sync, figures: mediansOf(figures.get(broker) ?? []) })), context);
}

async function loadOnce(broker: Broker, round: number, seconds: number, { options, signal }: BenchContext): Promise<Figures> {
  const { port, devices } = broker;
  const firstSequence = FIRST_SEQUENCE + round * SEQUENCES_PER_ROUND;
  let cpuBefore = 0;
  const begin = (): void => {
    cpuBefore = cpuSecondsOf(broker.pid);
  };
  const load = await runLoad({ port, devices, window: WINDOW, seconds, coalesce: options.coalesce, firstSequence }, signal, begin);
  // What follows the acknowledgement belongs to the cost of a reading, so CPU time is read when nothing is left to do.
  const after = broker instanceof GatewayProcess ? await catchUp(broker, load, seconds, signal) : {};
  const cpu = cpuSecondsOf(broker.pid) - cpuBefore;
  return { ...load, ...after, cpu_s: cpu, cpu_us_per_ack: (cpu * 1e6) / load.acks, rss_mb: memoryOf(broker.pid).rss };
}

/** Derivation and sealing go on behind the acknowledgements: how far they were when the load ended, and how long they took for the rest. */
async function catchUp(gateway: GatewayProcess, { acks }: LoadResult, seconds: number, signal: AbortSignal): Promise<Figures> {
  const end = performance.now();
  let status = await gateway.status();
  const last = status.states.accepted.through;
  const backlog = status.queues.derive;
  while (status.queues.derive > 0) {
    await pause(20, undefined, { signal });
    status = await gateway.status();
  }
  const derivedAfter = (performance.now() - end) / 1000;
  while (status.states.sealed.through < last) {
    await pause(20, undefined, { signal });
    status = await gateway.status();
  }
  return {
    derived_per_s: acks / (seconds + derivedAfter),
    derive_backlog: backlog,
    derive_catch_up_s: derivedAfter,
    seal_catch_up_s: (performance.now() - end) / 1000,
  };
}

function findings(measured: readonly Case[], { options }: BenchContext): Findings {
  const reference = measured.find(({ name }) => name === 'mosquitto')?.figures['acks_per_s'];
  const cases = measured.map((each) => ({ ...each, figures: { ...each.figures, ...ratioTo(reference, each.figures) } }));
  return {
    cases,
    targets: [
      targetFor(cases, 'gateway', 'ratio_to_mosquitto', 'at least', TARGET_RATIO),
      targetFor(cases, 'gateway', 'ack_p99_ms', 'at most', TARGET_P99_MS),
    ],
    notes: [
      `${CONNECTIONS} connections, window ${WINDOW}, 120-byte readings, ${options.coalesce ? 'writes coalesced' : 'one write for each PUBLISH'}; medians of rounds taken in turns`,
      'the load generator runs on the same cores; Mosquitto syncs nothing before it acknowledges, the gateway everything',
      ...(reference === undefined ? ['Mosquitto is not installed (sudo apt-get install mosquitto), so there is no ratio'] : []),
    ],
  };
}

function ratioTo(reference: number | undefined, { acks_per_s: rate }: Figures): Figures {
  return reference === undefined || rate === undefined ? {} : { ratio_to_mosquitto: rate / reference };
}
