/** What watching costs: readings through state and rules on one core, and how soon a reading that was accepted is an event on disk. */

import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { loadPack } from '../../gateway/config/pack.ts';
import { pathOfPack } from '../../gateway/config/ready-packs.ts';
import { mistakesIn } from '../../gateway/context/contract.ts';
import { encodeOperatorAction } from '../../gateway/decode/operator.ts';
import { hashOfContract, NO_ORDERS, type Orders } from '../../gateway/derive/orders.ts';
import { WatchBook } from '../../gateway/derive/watch-book.ts';
import { firstAuthority } from '../../gateway/ledger/authority.ts';
import { beginChain } from '../../gateway/ledger/begin-chain.ts';
import { generateSecret, signingKeyFrom } from '../../gateway/ledger/es256k.ts';
import { GENESIS_NONCE_BYTES } from '../../gateway/ledger/genesis.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { KiB, Millis, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId, type Frame } from '../../gateway/reading.ts';
import { StoredBlocks, StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { keyringIn, random } from '../vault/folder-keys.ts';
import type { Bench, BenchContext, Case } from './bench.ts';
import { targetFor } from './bench.ts';
import { median, percentile } from './figures.ts';

const SECONDS = 5;
const ROUNDS = 3;
const CROWDS = [10, 100, 1000, 10_000];
/** 19, 13 and 8 rules: 40 together. */
const PACKS = ['home-elderly', 'post-surgery', 'starter'];
const NOON = Date.UTC(2026, 10, 23, 12);
const START = Minutes(60);
const RATE = 1000;
const PROBE_EVERY = Millis(100);

export const context: Bench = {
  name: 'context',
  summary: 'Readings per second through state and 40 rules, for 10 to 10,000 patients; from an accepted reading to its event',
  run: async (bench) => {
    const orders = ordersFor(PACKS);
    const rules = orders.contracts.reduce((sum, { contract }) => sum + contract.rules.length, 0);
    const cases: Case[] = [];
    for (const patients of CROWDS) cases.push(watchCrowd(patients, orders, bench));
    const [fewest, most] = [cases[0], cases.at(-1)];
    const flat = (most?.figures['us_per_reading'] ?? 0) / (fewest?.figures['us_per_reading'] ?? 1);
    cases.push(await followEvents(bench));
    return {
      cases,
      targets: [
        ...CROWDS.map((patients) => targetFor(cases, nameOf(patients), 'readings_per_s', 'at least', 100_000)),
        targetFor(cases, EVENTS, 'event_p99_ms', 'at most', 50),
      ],
      notes: [
        `${rules} rules of the packs ${PACKS.join(', ')}, all asked of everybody`,
        'patients: one thread, readings of nine kinds in turn, every rule asked once a minute of each patient and when its dwell is over; no decoding, no disk',
        `a reading among 10,000 patients costs ${flat.toFixed(2)} times one among 10`,
        `events: ${RATE} readings a second into journal and derivation of a whole gateway but for its broker, from the fsync of a reading to the commit of what it raised or cleared`,
      ],
    };
  },
};

const nameOf = (patients: number): string => `${patients.toLocaleString('en')} patients`;
const EVENTS = 'events';

function ordersFor(packs: readonly string[]): Orders {
  const contracts = packs.map((pack) => loadPack(pathOfPack(pack), { mistakesIn })).map((contract) => ({ contract, hash: hashOfContract(contract), by: [], signers: [] }));
  return { ...NO_ORDERS, contracts, offset: 60 };
}

/** What the devices of one patient say in turn, in the units of measurements.ts; now and then beyond a limit. */
const KINDS: readonly (readonly [measurement: string, usual: number, spread: number])[] = [
  ['heart_rate', 70, 12], ['spo2', 96, 3], ['respiratory_rate', 15, 4], ['steps', 5000, 40], ['heart_rate', 72, 12], ['spo2', 95, 3], ['skin_temperature', 33, 1],
  ['body_temperature', 36.8, 0.6], ['pulse_rate', 71, 12],
];

/** Each says something every ten seconds; what is measured is as many whole rounds as fit into the time. */
function watchCrowd(patients: number, orders: Orders, { options, progress, signal }: BenchContext): Case {
  const seconds = options.seconds ?? (options.quick ? 1 : SECONDS);
  const crowd = new Crowd(patients, orders);
  progress(`${nameOf(patients)}, warming up`);
  crowd.run(seconds / 4, signal);
  progress(nameOf(patients));
  const costs = Array.from({ length: options.rounds ?? (options.quick ? 1 : ROUNDS) }, () => crowd.run(seconds, signal));
  const cost = median(costs) ?? 0;
  return { name: nameOf(patients), figures: { readings_per_s: 1e6 / cost, us_per_reading: cost, findings: crowd.findings } };
}

class Crowd {
  readonly #book: WatchBook;
  readonly #patients: readonly string[];
  #reading = 0;
  #now = START;
  findings = 0;

  constructor(patients: number, orders: Orders) {
    this.#book = new WatchBook(new Map(), orders);
    this.#patients = Array.from({ length: patients }, (_, i) => `patient-${i}`);
  }

  /** Returns microseconds for a reading. */
  run(seconds: number, signal: AbortSignal): number {
    const before = this.#reading;
    const start = performance.now();
    while (performance.now() - start < seconds * 1000) {
      for (const id of this.#patients) this.#read(id);
      signal.throwIfAborted();
    }
    return ((performance.now() - start) * 1000) / (this.#reading - before);
  }

  #read(id: string): void {
    const round = Math.floor(this.#reading / this.#patients.length);
    const now = Millis(START + round * Seconds(10) + Math.floor((Seconds(10) * (this.#reading % this.#patients.length)) / this.#patients.length));
    const wall = UnixMillis(NOON + now);
    const moment = { now, wall };
    this.findings += this.#book.look(this.#now, moment).length;
    this.#now = now;
    const [measurement, usual, spread] = KINDS[round % KINDS.length] as (typeof KINDS)[number];
    // Spread without chance: the same for every run.
    const value = usual + spread * Math.sin(this.#reading * 12.9898) + (measurement === 'steps' ? round : 0);
    const reading = { measurement, value: measurement === 'body_temperature' ? value : Math.round(value), unit: '1' };
    this.findings += this.#book.take({ sequence: Sequence(this.#reading + 1) }, `device-${id}`, { reading, subject: { kind: 'patient', id }, measuredAt: wall }, Millis(0), moment).length;
    this.#reading += 1;
  }
}

const DEVICES = 50;

/** A stream of readings, and among them every tenth of a second one that raises a rule or clears it. */
async function followEvents({ options, folder, progress, signal }: BenchContext): Promise<Case> {
  await using stack = new AsyncDisposableStack();
  const store = stack.adopt(await openRocksStore(join(folder, 'store')), (each) => each.close());
  const keyring = keyringIn(folder, { readOnly: false });
  const journal = await openJournal(stack.adopt(await openRocksStore(join(folder, 'journal')), (each) => each.close()), { bootId: randomBytes(16), keys: keyring, random });
  const blocks = new StoredBlocks(store, { removePending: true });
  const started = performance.now();
  const clock = { now: () => UnixMillis(Date.now()), uptime: () => Millis(performance.now() - started), trust: () => 'synchronised' as const };
  const key = signingKeyFrom(generateSecret(randomBytes));
  const { chain, parameters } = await beginChain({ blocks, key, now: clock.now, propose: () => ({ gateway: key.publicKey, hospitals: [], quorum: 0, work: 0, created: clock.now(), nonce: randomBytes(GENESIS_NONCE_BYTES) }) });
  const acceptedAt = new Map<number, number>();
  const latencies: number[] = [];
  const nothing = (): void => undefined;
  const pipeline = stack.adopt(
    await Pipeline.start({
      journal, deriveStore: new StoredDerivation(store), blocks, pending: new StoredPendingEntries(store), chain, begun: firstAuthority(parameters), keyFor: () => key, keyring, random, clock,
      seal: { entries: 1000, bytes: KiB(64), age: Seconds(5) },
      observe: {
        accepted: nothing, sealed: nothing, storeFault: nothing,
        loopFault: (_loop, fault) => { throw fault; },
        derived: (checkpoints) => {
          const now = performance.now();
          for (const { step: { about } } of checkpoints.flatMap(({ steps }) => steps)) {
            const frame = about?.evidence?.frames.at(-1) ?? 0;
            const accepted = acceptedAt.get(frame);
            if (accepted !== undefined) latencies.push(now - accepted);
            acceptedAt.delete(frame);
          }
        },
      },
    }),
    (each) => each.stop(),
  );
  const packs = PACKS.map((pack) => loadPack(pathOfPack(pack), { mistakesIn }));
  const devices = Array.from({ length: DEVICES }, (_, i) => `device-${i}` as DeviceId);
  await pipeline.carryOut([
    encodeOperatorAction({ type: 'contracts', packs, by: [] }), ...devices.map((device) => encodeOperatorAction({ type: 'bind', device, subject: { kind: 'patient', id: device } })),
  ]);
  const seconds = options.seconds ?? (options.quick ? 5 : 30);
  let sent = 0;
  let probes = 0;
  const end = performance.now() + seconds * 1000;
  for (let next = performance.now(); performance.now() < end; next += 10) {
    signal.throwIfAborted();
    const frames = Array.from({ length: RATE / 100 }, () => frameOf(devices[sent % DEVICES] as DeviceId, sent++, KINDS[sent % KINDS.length] as (typeof KINDS)[number], clock));
    void pipeline.acceptAll(frames);
    if (performance.now() - started > probes * PROBE_EVERY) {
      probes += 1;
      // Each raises a rule without a dwell anew: what is there already is told as nothing.
      const device = devices[probes % DEVICES] as DeviceId;
      const fast = Math.floor(probes / DEVICES) % 2 === 0;
      void pipeline.accept(frameOf(device, 1e9 + probes, ['pulse_rate', fast ? 150 : 80, 0], clock)).then((sequence) => acceptedAt.set(sequence, performance.now()));
    }
    progress(`${sent} readings, ${latencies.length} events`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next + 10 - performance.now())));
  }
  const sorted = latencies.toSorted((a, b) => a - b);
  return {
    name: EVENTS, sync: 'fsync of the journal before a reading counts as accepted',
    figures: { readings_per_s: sent / seconds, events: sorted.length, event_p50_ms: percentile(sorted, 0.5), event_p99_ms: percentile(sorted, 0.99), event_max_ms: sorted.at(-1) },
  };
}

function frameOf(device: DeviceId, seq: number, [measurement, usual]: (typeof KINDS)[number], clock: Readonly<{ now: () => UnixMillis; uptime: () => Millis }>): Frame {
  const unit = { spo2: '%', steps: '{steps}', skin_temperature: 'Cel', body_temperature: 'Cel' }[measurement] ?? '/min';
  const payload = Buffer.from(JSON.stringify({ seq, measurement, value: usual, unit }), 'utf8');
  return { source: 'mqtt', device, topic: `devices/${device}/readings`, qos: 1, dup: false, payload, receivedAt: clock.now(), uptime: clock.uptime(), clockTrust: 'synchronised' };
}
