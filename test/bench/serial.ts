import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { median, percentile, type Figures } from './figures.ts';
import { GatewayFolder, type GatewayProcess } from './gateway-process.ts';
import { runLoad, type LoadResult } from './load.ts';
import { FIRST_SEQUENCE } from './mqtt-packets.ts';
import { cpuSecondsOf, memoryOf } from './process-figures.ts';
import type { Login } from './raw-device.ts';
import { auditSerial, type SerialAudit } from './serial-audit.ts';
import { SERIAL_DEVICES } from './serial-devices.ts';
import { LINE_BYTES_PER_S, SerialFeed } from './serial-feed.ts';

const MQTT_DEVICES = 10;
const READINGS_PER_SECOND = 500;
const WINDOW = 100;
const SECONDS = 60;
const SAMPLE_EVERY_MS = 1000;
const ARRIVES_WITHIN_MS = 30_000;
const TARGET_P99_MS = 100;
const TARGET_GROWTH_PERCENT = 10;

export const serial: Bench = {
  name: 'serial',
  summary: 'Four serial lines that never pause, with 500 MQTT readings a second beside them: nothing may be lost',
  run: async (context) => {
    const { folder, signal, progress } = context;
    await using feeds = new AsyncDisposableStack();
    const lines = SERIAL_DEVICES.map((device) => feeds.use(new SerialFeed(folder, device)));
    for (const { cable } of lines) await cable.plugIn();
    const settings = lines.map(({ device, cable }) => ({ device: device.name, path: cable.path, ...device.settings }));
    const gateways = await GatewayFolder.create(join(folder, 'gateway'), { serial: settings });
    progress('registering devices');
    const devices = await registerWith(gateways, signal);
    const run = await loadOn(gateways, devices, lines, context);
    progress('reading what is on the disk');
    return findingsOf(run, lines, await auditSerial(gateways.data, SERIAL_DEVICES));
  },
};

async function registerWith(gateways: GatewayFolder, signal: AbortSignal): Promise<readonly Login[]> {
  await using gateway = await gateways.start(signal);
  for (const { name } of SERIAL_DEVICES) await gateway.bind(name);
  return await gateway.register(MQTT_DEVICES);
}

/** What was seen while the gateway ran. */
type Run = Readonly<{
  load: LoadResult;
  /** Resident memory each second, MB. */
  rss: readonly number[];
  cpu: number;
  acceptedBytes: number;
  lostBytes: number;
}>;

async function loadOn(gateways: GatewayFolder, devices: readonly Login[], feeds: readonly SerialFeed[], context: BenchContext): Promise<Run> {
  const { options, progress, signal } = context;
  const seconds = options.seconds ?? (options.quick ? 10 : SECONDS);
  // A fresh process: nobody registers devices all day.
  await using gateway = await gateways.start(signal);
  while ((await gateway.metric('vitalgate_serial_lines_open')) < feeds.length) await pause(20, undefined, { signal });
  const cpuBefore = cpuSecondsOf(gateway.pid);
  const rss: number[] = [];
  const sampler = setInterval(() => {
    rss.push(memoryOf(gateway.pid).rss);
    progress(`${rss.length} s: RSS ${rss.at(-1)?.toFixed(0)} MB`);
  }, SAMPLE_EVERY_MS);
  try {
    const load = await loadFor(seconds, gateway.port, devices, feeds, signal);
    const cpu = cpuSecondsOf(gateway.pid) - cpuBefore;
    clearInterval(sampler);
    await allArrived(gateway, feeds, signal);
    await allSealed(gateway, signal);
    const [acceptedBytes, lostBytes] = [await gateway.metric('vitalgate_serial_accepted_bytes_total'), await gateway.metric('vitalgate_serial_lost_bytes_total')];
    return { load, rss, cpu, acceptedBytes, lostBytes };
  } finally {
    clearInterval(sampler);
  }
}

/** Both loads at the same time, the serial one from the moment on at which the MQTT devices are connected. */
async function loadFor(seconds: number, port: number, devices: readonly Login[], feeds: readonly SerialFeed[], signal: AbortSignal): Promise<LoadResult> {
  const fed = Promise.withResolvers<unknown>();
  const begin = (): void => {
    const end = performance.now() + seconds * 1000;
    fed.resolve(Promise.all(feeds.map((feed) => feed.feed(() => signal.aborted || performance.now() >= end))));
  };
  const options = { port, devices, window: WINDOW, seconds, rate: READINGS_PER_SECOND, coalesce: false, firstSequence: FIRST_SEQUENCE };
  const [load] = await Promise.all([runLoad(options, signal, begin), fed.promise]);
  return load;
}

const payloadBytesOf = (feeds: readonly SerialFeed[]): number => feeds.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);

/** Waits until the gateway counted every byte, or has had long enough to: the audit says what is missing. */
async function allArrived(gateway: GatewayProcess, feeds: readonly SerialFeed[], signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + ARRIVES_WITHIN_MS;
  while (performance.now() < deadline && (await gateway.metric('vitalgate_serial_accepted_bytes_total')) < payloadBytesOf(feeds)) await pause(50, undefined, { signal });
}

async function allSealed(gateway: GatewayProcess, signal: AbortSignal): Promise<void> {
  for (let status = await gateway.status(); status.states.sealed.through < status.states.accepted.through; status = await gateway.status()) {
    await pause(50, undefined, { signal });
  }
}

function findingsOf(run: Run, feeds: readonly SerialFeed[], audit: SerialAudit): Findings {
  const { load, lostBytes } = run;
  const cases: Case[] = [
    { name: 'gateway', figures: { ...memoryFigures(run), cpu_s: run.cpu, lost_bytes: lostBytes } },
    { name: 'mqtt', figures: mqttFigures(load, audit) },
    ...feeds.map((feed) => ({ name: feed.device.name, figures: lineFigures(feed, audit) })),
  ];
  return {
    cases,
    targets: [
      targetFor(cases, 'mqtt', 'ack_p99_ms', 'at most', TARGET_P99_MS),
      targetFor(cases, 'gateway', 'rss_growth_percent', 'at most', TARGET_GROWTH_PERCENT),
    ],
    notes: [
      `each line is written to at no more than ${LINE_BYTES_PER_S.toLocaleString('en')} bytes/s (115,200 bit/s, 8N1) and never catches up; all have the same pseudo-terminal driver, with 4 KiB of buffer`,
      'board: COBS packets of 8 readings, at most 8 unanswered; printer: JSON lines; logger: CSV lines; oximeter: Contec, 21 times its real rate',
      'frames_accepted stand in the journal byte for byte and in order; frames_derived is a value of each in the sealed summaries',
      'rss_growth_percent: the median of the last third of the seconds against that of the first; rss_slope_mb_per_min: least squares over the last two thirds',
    ],
    faults: faultsOf(run, feeds, audit),
  };
}

/** What the generator counts as sent is what was acknowledged to it: it fails when anything stays without. */
function mqttFigures({ acks, acks_per_s: perSecond, ack_p50_ms, ack_p99_ms }: LoadResult, { mqtt }: SerialAudit): Figures {
  return { frames_written: acks, frames_accepted: mqtt, frames_per_s: perSecond, ack_p50_ms, ack_p99_ms };
}

function lineFigures(feed: SerialFeed, { lines }: SerialAudit): Figures {
  const line = lines.get(feed.device.name);
  const latencies = feed.latencies.toSorted((a, b) => a - b);
  return {
    frames_written: feed.frames,
    frames_accepted: line?.accepted,
    frames_derived: line?.derived,
    payloads: line?.payloads,
    bytes_per_s: feed.bytesPerSecond,
    ...(latencies.length === 0 ? {} : { ack_p50_ms: percentile(latencies, 0.5), ack_p99_ms: percentile(latencies, 0.99) }),
  };
}

function memoryFigures({ rss }: Run): Figures {
  const third = Math.floor(rss.length / 3);
  const [first, last] = [median(rss.slice(0, third)), median(rss.slice(-third))];
  return {
    rss_first_third_mb: first,
    rss_last_third_mb: last,
    rss_max_mb: Math.max(...rss),
    rss_growth_percent: first === undefined || last === undefined ? undefined : (100 * (last - first)) / first,
    rss_slope_mb_per_min: slopeOf(rss.slice(third)) * 60,
  };
}

/** Of the straight line that fits equally spaced values best. */
function slopeOf(values: readonly number[]): number {
  const centre = (values.length - 1) / 2;
  const spread = values.reduce((sum, _, i) => sum + (i - centre) ** 2, 0);
  return values.reduce((sum, value, i) => sum + (i - centre) * value, 0) / spread;
}

function faultsOf({ load, acceptedBytes, lostBytes }: Run, feeds: readonly SerialFeed[], { lines, mqtt }: SerialAudit): string[] {
  const expected = payloadBytesOf(feeds);
  return [
    ...(lostBytes === 0 ? [] : [`${lostBytes} bytes of serial lines were lost`]),
    ...(acceptedBytes === expected ? [] : [`${acceptedBytes} of ${expected} bytes of serial payloads were accepted`]),
    ...(mqtt === load.acks ? [] : [`${load.acks} MQTT readings were acknowledged, ${mqtt} are in the journal`]),
    ...feeds.flatMap(({ device, frames, unanswered }) => {
      const { accepted = 0, derived = 0, brokenAt } = lines.get(device.name) ?? {};
      return [
        ...(brokenAt === undefined ? [] : [`${device.name}: payload ${brokenAt} in the journal does not go on with frame ${accepted + 1}`]),
        ...(accepted === frames && derived === frames ? [] : [`${device.name}: ${frames} frames written, ${accepted} accepted, ${derived} derived`]),
        ...(unanswered === 0 ? [] : [`${device.name}: ${unanswered} packets without an acknowledgement`]),
      ];
    }),
  ];
}
