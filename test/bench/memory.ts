import { join } from 'node:path';
import { targetFor, type Bench, type BenchContext, type Findings } from './bench.ts';
import { GatewayFolder, type GatewayProcess } from './gateway-process.ts';
import { runLoad } from './load.ts';
import { FIRST_SEQUENCE } from './mqtt-packets.ts';
import { memoryOf, type Memory } from './process-figures.ts';
import { median, type Figures } from './figures.ts';

const DEVICES = 50;
const READINGS_PER_SECOND = 1000;
const WINDOW = 100;
const SECONDS = 60;
const SAMPLE_EVERY_MS = 1000;
const TARGET_MB = 150;

export const memory: Bench = {
  name: 'memory',
  summary: 'Resident memory of the gateway under 1,000 readings a second from 50 devices',
  run: async (context) => {
    const { folder, signal, progress } = context;
    const gateways = await GatewayFolder.create(join(folder, 'gateway'));
    progress(`registering ${DEVICES} devices`);
    const devices = await registerWith(gateways, signal);
    // A fresh process: nobody registers devices all day.
    await using gateway = await gateways.start(signal);
    return findingsOf(await observe(gateway.using(devices), context));
  },
};

async function registerWith(gateways: GatewayFolder, signal: AbortSignal): ReturnType<GatewayProcess['register']> {
  await using gateway = await gateways.start(signal);
  return await gateway.register(DEVICES);
}

async function observe(gateway: GatewayProcess, { options, progress, signal }: BenchContext): Promise<Figures> {
  const seconds = options.seconds ?? (options.quick ? 15 : SECONDS);
  const ready = memoryOf(gateway.pid);
  const samples: Memory[] = [];
  let sampler: NodeJS.Timeout | undefined;
  const begin = (): void => {
    sampler = setInterval(() => {
      const now = memoryOf(gateway.pid);
      samples.push(now);
      progress(`${samples.length} s: RSS ${now.rss.toFixed(0)} MB`);
    }, SAMPLE_EVERY_MS);
  };
  const { port, devices } = gateway;
  const load = { port, devices, window: WINDOW, seconds, rate: READINGS_PER_SECOND, coalesce: false, firstSequence: FIRST_SEQUENCE };
  try {
    const { acks_per_s, ack_p50_ms, ack_p99_ms } = await runLoad(load, signal, begin);
    return { acks_per_s, ack_p50_ms, ack_p99_ms, rss_ready_mb: ready.rss, ...summaryOf(samples) };
  } finally {
    clearInterval(sampler);
  }
}

function summaryOf(samples: readonly Memory[]): Figures {
  const last = samples.at(-1);
  return {
    rss_median_mb: median(samples.map(({ rss }) => rss)),
    rss_max_mb: Math.max(...samples.map(({ rss }) => rss)),
    rss_end_mb: last?.rss,
    rss_end_anonymous_mb: last?.anonymous,
    rss_end_file_mb: last?.file,
    rss_peak_mb: last?.peak,
  };
}

function findingsOf(figures: Figures): Findings {
  const cases = [{ name: 'gateway', figures }];
  return {
    cases,
    targets: [targetFor(cases, 'gateway', 'rss_max_mb', 'at most', TARGET_MB)],
    notes: [
      'sampled each second under load from /proc/<pid>/status; rss_peak_mb (VmHWM) also sees the start and 50 devices proving their passwords',
      'rss_end_file_mb is program text of node, OpenSSL and RocksDB, which other processes of the same program share',
    ],
  };
}
