import { monitorEventLoopDelay } from 'node:perf_hooks';
import { join } from 'node:path';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { GivingGateway, START } from '../records/given.ts';
import { OpeningHospital } from '../records/opened.ts';
import { targetFor, type Bench, type BenchContext, type Case } from './bench.ts';
import { percentile } from './figures.ts';

const RECORDS = 50_000;
const QUICK_RECORDS = 5_000;
const GATEWAYS = 20;
/** Payloads in a release, and entries in a block: a gateway sends about a quarter of an hour at once over a metered link. */
const TOGETHER = 25;
const PEOPLE = 4;
const STARTS = 5;
const READS = 500;
const PAGE = 500;

export const records: Bench = {
  name: 'records',
  summary: 'Opening what gateways release: records per second, reading them, and a start with and without them',
  run: async (context) => {
    const count = context.options.quick ? QUICK_RECORDS : RECORDS;
    const empty = join(context.folder, 'empty');
    await (await openRocksStore(empty)).close();
    const full = join(context.folder, 'full');
    const opened = await projectIn(full, count, context);
    const [withNone, withAll] = [await startIn(empty), await startIn(full)];
    const cases: Case[] = [{ name: opened.name, figures: { ...opened.figures, start_ms: withAll, start_empty_ms: withNone, start_ratio: withAll / withNone }, sync: 'fsync for every step of the projector' }];
    return {
      cases,
      targets: [targetFor(cases, opened.name, 'start_ratio', 'at most', 2)],
      notes: [
        `${GATEWAYS} gateways, ${PEOPLE} people each, ${TOGETHER} payloads in a release and entries in a block; content keys are opened, payloads decrypted and compared with their commitments`,
        'loop_delay: how long anything else in the process has to wait while it projects; start: from opening the folder to the newest record, read',
        'read: a record of a person by time, the newest first; after: all records in their order',
      ],
    };
  },
};

async function projectIn(folder: string, count: number, context: BenchContext): Promise<Case> {
  await fill(folder, count, context);
  await using stack = new AsyncDisposableStack();
  // Opened anew: nothing of it is in a memory table.
  const projecting = new OpeningHospital(stack.adopt(await openRocksStore(folder), (store) => store.close()));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await allOpened(projecting, count);
  const [seconds, { user, system }] = [(performance.now() - start) / 1000, process.cpuUsage(cpu)];
  delay.disable();
  await projecting.projector.stop();
  const { opened } = await projecting.projector.status();
  if (opened !== count) throw new Error(`${opened} of ${count} records were made`);
  return {
    name: `${count.toLocaleString('en')} records`,
    figures: { records_per_s: opened / seconds, cpu_us_per_record: (user + system) / opened, loop_delay_p99_ms: delay.percentile(99) / 1e6, loop_delay_max_ms: delay.max / 1e6, ...await readFrom(projecting, count) },
  };
}

async function allOpened({ projector, records: log }: OpeningHospital, count: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = log.onMore(() => void log.newest().then((newest) => (newest >= count ? resolve() : undefined)).catch(reject));
  projector.start();
  await promise;
  end();
}

async function fill(folder: string, count: number, { progress, signal }: BenchContext): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const hospital = new OpeningHospital(stack.adopt(await openRocksStore(folder), (store) => store.close()));
  await hospital.settled();
  await hospital.projector.stop();
  await give(hospital, count, (done) => {
    signal.throwIfAborted();
    progress(`${done.toLocaleString('en')} of ${count.toLocaleString('en')} payloads given`);
  });
}

async function give(hospital: OpeningHospital, count: number, onProgress: (done: number) => void): Promise<void> {
  const gateways = Array.from({ length: GATEWAYS }, (_, n) => new GivingGateway(`gateway ${n}`, n + 1));
  for (let done = 0, round = 0; done < count; round++) {
    const gateway = gateways[round % GATEWAYS] as GivingGateway;
    const owner = `patient/${Math.floor(round / GATEWAYS) % PEOPLE}`;
    const entries = Array.from({ length: Math.min(TOGETHER, count - done) }, (_, n) => gateway.write(owner, { time: START + 60_000 * (round * TOGETHER + n), payload: SUMMARY }));
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: round < GATEWAYS * PEOPLE ? [await gateway.sealedKey(owner)] : [], payloads: entries.map((entry) => gateway.sealedPayload(entry)) }));
    done += entries.length;
    onProgress(done);
  }
}

/** Of a minute, as derivation makes it (derive/summary.ts). */
const SUMMARY = new Map<string, number | ReadonlyMap<string, ReadonlyMap<string, number | string>>>([
  ['from', START], ['to', START + 60_000],
  ['measurements', new Map(['heart_rate', 'spo2', 'respiratory_rate', 'body_temperature'].map((name) => [name, new Map<string, number | string>(Object.entries({ unit: '/min', count: 60, doubtful: 0, lowest: 61.5, highest: 80.25, mean: 70.125, last: 72 }))]))],
]);

async function readFrom({ records: log }: OpeningHospital, count: number): Promise<Readonly<Record<'read_cpu_us_per_record' | 'read_p50_ms' | 'read_p99_ms' | 'after_records_per_s', number>>> {
  const subjects = await log.subjects();
  const times: number[] = [];
  for (let n = 0; n < READS; n++) {
    const start = performance.now();
    for await (const _ of log.of(subjects[n % subjects.length] ?? { kind: 'patient', person: '' }, { newestFirst: true })) break;
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const start = performance.now();
  const cpu = process.cpuUsage();
  let read = 0;
  for (let after = 0; ;) {
    const page = await log.after(after, PAGE);
    const last = page.at(-1);
    if (last === undefined) break;
    read += page.length;
    after = last.number;
  }
  if (read !== count) throw new Error(`${read} of ${count} records were read`);
  const { user, system } = process.cpuUsage(cpu);
  return { read_cpu_us_per_record: (user + system) / read, read_p50_ms: percentile(times, 0.5), read_p99_ms: percentile(times, 0.99), after_records_per_s: read / ((performance.now() - start) / 1000) };
}

/** The middle of several starts, in milliseconds. */
async function startIn(folder: string): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    const start = performance.now();
    const store = await openRocksStore(folder);
    const hospital = new OpeningHospital(store);
    await hospital.settled();
    const newest = await hospital.records.newest();
    await hospital.records.after(newest - 1, 1);
    times.push(performance.now() - start);
    await hospital.projector.stop();
    await store.close();
  }
  return percentile(times.toSorted((a, b) => a - b), 0.5);
}
