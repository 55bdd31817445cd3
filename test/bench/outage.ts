import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { simulateWeek, type Week, type WeekOptions } from '../../firmware-sim/week/week.ts';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { decodeFrame, FRAME_SALT_BYTES, saltOf } from '../../gateway/frame-codec.ts';
import type { TidyJournal } from '../../gateway/ingest/journal.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { nextBlockLength } from '../../gateway/ledger/seal-policy.ts';
import { sealBlock, sealGenesis } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { type Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { LANES, type Lane } from '../../gateway/reading.ts';
import { StoredBlocks, StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { GATEWAY, parametersOf } from '../upstream/gateway-chain.ts';
import { countingBytes, memoryKeyring } from '../vault/known-keys.ts';
import { targetFor, type Bench, type BenchContext, type Case, type Findings } from './bench.ts';
import { EPOCH, keepJournal, readyPacks, weekDeriver } from './week-journal.ts';

/** What a house with many devices sends, and how long nobody can be reached. */
const READINGS_PER_SECOND = 20;
const OFFLINE_DAYS = 14;
const READINGS = READINGS_PER_SECOND * OFFLINE_DAYS * 86_400;
const MOST_BYTES = 3e9;
/** Frames of one group commit: what arrives within a second. */
const GROUP = 20;
/** As a gateway has them by default: a block is cut after 5 s, a window of derivation after half of that. */
const BLOCK_AGE: Millis = Seconds(5);
const WINDOW_AGE: Millis = Seconds(2.5);

export const outage: Bench = {
  name: 'outage',
  summary: `Bytes on disk per reading while no hospital is reached, by what they are; for ${OFFLINE_DAYS} days at ${READINGS_PER_SECOND} readings/s`,
  run: async (context) => {
    const { options } = context;
    const lived: WeekOptions = { seed: options.seed ?? 1, people: options.patients ?? 20, leadIn: 0, days: options.days ?? 1, epoch: EPOCH };
    return findingsOf(lived, await liveThrough(lived, context));
  },
};

type Lived = Readonly<{ readings: number; frames: number; blocks: number; sent: number; journal: number; store: number; byLetter: ReadonlyMap<string, number> }>;

/** As a gateway does it that always keeps up: journal, checkpoints, blocks, in two RocksDB folders. */
async function liveThrough(lived: WeekOptions, { folder, progress, signal }: BenchContext): Promise<Lived> {
  const folders = { journal: join(folder, 'journal'), store: join(folder, 'store') };
  for (const each of Object.values(folders)) mkdirSync(each, { recursive: true });
  const [journalStore, store] = [await openRocksStore(folders.journal), await openRocksStore(folders.store)];
  const keyring = memoryKeyring();
  const journal = await openJournal(journalStore, { bootId: new Uint8Array(16), keys: keyring, random: countingBytes() });
  const house = new House(journal, store, (device) => keyring.current(`device/${device}`).id);
  await house.begin();
  let sent = 0;
  await keepJournal({
    week: countingPayloads(simulateWeek(lived), (bytes) => void (sent += bytes)),
    packs: readyPacks(),
    deriver: weekDeriver(),
    windowAge: WINDOW_AGE,
    // The week has one salt for all frames; a gateway has another for each.
    onFrame: (bytes) => void house.frames.push(withSalt(bytes)),
    onCheckpoint: (checkpoint) => void house.checkpoints.push(checkpoint),
    onProgress: async (at, frames) => {
      signal.throwIfAborted();
      await house.catchUp();
      progress(`day ${(at / 86_400_000).toFixed(1)} of ${lived.days}, ${frames.toLocaleString('en')} frames`);
    },
  });
  await house.catchUp();
  const byLetter = await bytesByLetter(store);
  // What RocksDB would do in time.
  await journalStore.compact({ gte: Buffer.from('J'), lt: Buffer.from('K') });
  await Promise.all([store.close(), journalStore.close()]);
  return { readings: house.readings, frames: journal.next - 1, blocks: house.blocks, sent, journal: sizeOf(folders.journal), store: sizeOf(folders.store), byLetter };
}

function countingPayloads(week: Week, add: (bytes: number) => void): Week {
  return {
    ...week,
    live: function* live() {
      for (const told of week.live()) {
        if (told.is === 'delivery') add(told.delivery.payload.length);
        yield told;
      }
    },
  };
}

/** The writing half of a gateway: what was derived is written when there is time, in the blocks that it would have been in. */
class House {
  readonly frames: Uint8Array[] = [];
  readonly checkpoints: Checkpoint[] = [];
  readings = 0;
  blocks = 0;
  readonly #journal: TidyJournal;
  readonly #derivation: StoredDerivation;
  readonly #blocks: StoredBlocks;
  readonly #pending: StoredPendingEntries;
  readonly #key: (device: string) => string;
  readonly #chain: Uint8Array[] = [];
  #slot = 0;

  constructor(journal: TidyJournal, store: KeyValueStore, key: (device: string) => string) {
    this.#journal = journal;
    this.#derivation = new StoredDerivation(store);
    this.#blocks = new StoredBlocks(store, { removePending: true });
    this.#pending = new StoredPendingEntries(store);
    this.#key = key;
  }

  async begin(): Promise<void> {
    await this.#derivation.load();
    for (const lane of LANES) {
      const { bytes } = await sealGenesis({ lane, parameters: parametersOf(), time: EPOCH, key: GATEWAY });
      const verified = verifyBlock(undefined, bytes);
      await this.#blocks.append({ bytes, verified });
      this.#chain.push(verified.state.chain);
    }
  }

  async catchUp(): Promise<void> {
    while (this.frames.length > 0) {
      const group = this.frames.splice(0, GROUP);
      await this.#journal.append(group, group.map((frame) => this.#key(decodeFrame(Buffer.from(frame)).device)));
    }
    while ((await this.#journal.fold(this.#journal.next)) !== undefined);
    for (const checkpoint of this.checkpoints.splice(0)) {
      const time = checkpoint.entries.map(({ bytes }) => decodeEntry(bytes).time)[0];
      const slot = time === undefined ? this.#slot : Math.floor(time / BLOCK_AGE);
      if (slot !== this.#slot) await this.#sealAll();
      this.#slot = slot;
      await this.#derivation.commit([checkpoint]);
      this.readings = checkpoint.totals.readings;
    }
  }

  async #sealAll(): Promise<void> {
    for (const [index, lane] of LANES.entries()) while (await this.#sealOne(lane, this.#chain[index] ?? new Uint8Array()));
  }

  async #sealOne(lane: Lane, chain: Uint8Array): Promise<boolean> {
    const state = await this.#blocks.head({ chain, lane });
    const waiting = await this.#pending.pending(lane, state?.lastEntrySequence ?? 0, 1000);
    if (state === undefined || waiting.length === 0) return false;
    const entries = waiting.slice(0, nextBlockLength(waiting.map(({ bytes }) => bytes.length))).map(({ bytes }) => bytes);
    const { bytes } = await sealBlock({ state, entries, time: UnixMillis(this.#slot * BLOCK_AGE), key: GATEWAY, contracts: [] });
    await this.#blocks.append({ bytes, verified: verifyBlock(state, bytes) });
    this.blocks += 1;
    return true;
  }
}

async function bytesByLetter(store: KeyValueStore): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for await (const [key, value] of store.range({ gte: Buffer.from('A'), lt: Buffer.from('z~') })) {
    const letter = String.fromCharCode(key[0] ?? 0);
    sizes.set(letter, (sizes.get(letter) ?? 0) + key.length + value.length);
  }
  return sizes;
}

function withSalt(frame: Uint8Array): Uint8Array {
  const salted = Uint8Array.from(frame);
  saltOf(salted).set(randomBytes(FRAME_SALT_BYTES));
  return salted;
}

const sizeOf = (folder: string): number => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

const LETTERS: Readonly<Record<string, string>> = { B: 'blocks', P: 'payloads', V: 'evidence', N: 'tree nodes', E: 'entries in no block yet', W: 'identities of frames', Q: 'quarantine' };

function findingsOf({ people, days, seed }: WeekOptions, { readings, frames, blocks, sent, journal, store, byLetter }: Lived): Findings {
  const name = `seed ${seed}`;
  // More readings are more frames; summaries are one for each person, measure and minute, and blocks one in five seconds, whatever comes.
  const identities = byLetter.get('W') ?? 0;
  const perReading = (journal + identities) / readings;
  const perDay = (store - identities) / days;
  const cases: Case[] = [{
    name,
    figures: {
      people, days, frames, readings, blocks, readings_per_s: readings / (days * 86_400), sent_bytes_per_reading: sent / readings,
      journal_bytes_per_reading: journal / readings, bytes_per_reading: perReading, bytes_per_day: perDay, bytes_for_outage: perReading * READINGS + perDay * OFFLINE_DAYS,
    },
  }];
  const table = [...byLetter].toSorted(([, one], [, other]) => other - one).slice(0, 8).map(([letter, bytes]) => `${(LETTERS[letter] ?? letter).padEnd(28)} ${(bytes / readings).toFixed(1).padStart(8)} bytes a reading, before RocksDB compresses`);
  return {
    cases,
    tables: [['What lies in the store', ...table]],
    targets: [targetFor(cases, name, 'bytes_for_outage', 'at most', MOST_BYTES)],
    notes: [`${OFFLINE_DAYS} days at ${READINGS_PER_SECOND} readings/s are ${READINGS.toLocaleString('en')} readings of ${people} people: bytes_per_reading × readings + bytes_per_day × days`],
  };
}
