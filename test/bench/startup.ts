import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { isDeviceId, type DeviceId } from '../../gateway/reading.ts';
import { keyringIn, random } from '../vault/folder-keys.ts';
import { FRAME_SALT } from '../vault/known-keys.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { deviceIds } from './broker.ts';
import { GatewayFolder } from './gateway-process.ts';
import { FIRST_SEQUENCE, readingOf } from './mqtt-packets.ts';
import { memoryOf } from './process-figures.ts';
import { mediansOf, type Figures } from './figures.ts';

const DEVICES = 50;
const FRAMES = 5_000_000;
const QUICK_FRAMES = 500_000;
const ROUNDS = 5;
/** Frames of one journal record: a group commit under load. */
const GROUP = 1024;
/** Start-up must not depend on the backlog; a fifth of its time is what measuring on a busy machine may differ by. */
const TARGET_RATIO = 1.2;

export const startup: Bench = {
  name: 'startup',
  summary: 'Time and memory until the gateway is ready, with millions of frames queued and with none',
  run: async (context) => {
    const { folder, options } = context;
    const frames = options.frames ?? (options.quick ? QUICK_FRAMES : FRAMES);
    const [empty, full] = [await prepared(join(folder, 'empty'), context), await prepared(join(folder, 'full'), context)];
    await queueFrames(full.data, frames, context);
    return findingsOf(await startInTurns({ empty, full }, context), frames);
  },
};

/** A data folder with a chain, keys and registered devices. */
async function prepared(folder: string, { progress, signal }: BenchContext): Promise<GatewayFolder> {
  const gateways = await GatewayFolder.create(folder);
  await using gateway = await gateways.start(signal);
  progress(`registering ${DEVICES} devices`);
  await gateway.register(DEVICES);
  return gateways;
}

/** Writes frames as acceptance does, behind the cursor of derivation: a gateway that was cut off before it derived any of them. */
async function queueFrames(data: string, count: number, { progress, signal }: BenchContext): Promise<void> {
  const store = await openRocksStore(join(data, 'journal'));
  try {
    const keyring = keyringIn(data, { readOnly: false });
    const journal = await openJournal(store, { bootId: randomBytes(16), keys: keyring, random });
    const devices = deviceIds(DEVICES).filter(isDeviceId);
    for (let done = 0; done < count; done += GROUP) {
      signal.throwIfAborted();
      const group = Array.from({ length: Math.min(GROUP, count - done) }, (_, i) => frameOf(devices[(done + i) % DEVICES] as DeviceId, done + i));
      await journal.append(group, group.map((_, i) => keyring.current(`device/${devices[(done + i) % DEVICES]}`).id));
      if (done % (GROUP * 50) === 0) progress(`queued ${done.toLocaleString('en')} of ${count.toLocaleString('en')} frames`);
    }
  } finally {
    await store.close();
  }
}

function frameOf(device: DeviceId, index: number): Buffer {
  const receivedAt = UnixMillis(Date.now());
  const payload = Buffer.from(readingOf(FIRST_SEQUENCE + index, receivedAt));
  const uptime = Millis(performance.now());
  return encodeFrame({ source: 'mqtt', device, topic: `devices/${device}/readings`, qos: 1, dup: false, payload, receivedAt, uptime, clockTrust: 'unverified' }, FRAME_SALT);
}

type Folders = Readonly<{ empty: GatewayFolder; full: GatewayFolder }>;
type Starts = Readonly<Record<keyof Folders, Figures>>;

async function startInTurns(folders: Folders, { options, progress, signal }: BenchContext): Promise<Starts> {
  const rounds = options.rounds ?? (options.quick ? 3 : ROUNDS);
  const starts: Record<keyof Folders, Figures[]> = { empty: [], full: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const which of ['empty', 'full'] as const) {
      progress(`start ${round} of ${rounds}, journal ${which}`);
      const figures = await startOnce(folders[which], signal);
      // The first start of each only fills the page cache.
      if (round > 0) starts[which].push(figures);
    }
  }
  return { empty: mediansOf(starts.empty), full: mediansOf(starts.full) };
}

async function startOnce(gateways: GatewayFolder, signal: AbortSignal): Promise<Figures> {
  await using gateway = await gateways.start(signal);
  const { rss, peak } = memoryOf(gateway.pid);
  const figures = { ready_after_ms: gateway.readyAfter, rss_mb: rss, rss_peak_mb: peak, derive_backlog: (await gateway.status()).queues.derive };
  // As a power cut would: the next start replays RocksDB's log and derives what was not committed.
  await gateway.kill();
  return figures;
}

function findingsOf({ empty, full }: Starts, frames: number): Findings {
  const ratio = (figure: string): number => (full[figure] ?? NaN) / (empty[figure] ?? NaN);
  const queued = `${frames.toLocaleString('en')} queued`;
  const cases: Case[] = [
    { name: 'empty', figures: empty },
    { name: queued, figures: { ...full, ready_ratio_to_empty: ratio('ready_after_ms'), rss_ratio_to_empty: ratio('rss_mb') } },
  ];
  return {
    cases,
    targets: [targetFor(cases, queued, 'ready_ratio_to_empty', 'at most', TARGET_RATIO), targetFor(cases, queued, 'rss_ratio_to_empty', 'at most', TARGET_RATIO)],
    notes: [
      'ready: from the start of the process until the broker accepts a connection and /readyz answers 200; medians of starts taken in turns, each ended by SIGKILL',
      'memory at that moment, while derivation already works through the backlog',
    ],
  };
}
