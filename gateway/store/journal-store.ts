import { StoreError } from '../errors.ts';
import { packFrames, unpackFrames } from '../frame-codec.ts';
import type { Journal } from '../ingest/journal.ts';
import type { Bytes } from '../quantity.ts';
import { Sequence, type FrameRun } from '../reading.ts';
import type { KeyValueStore } from './key-value.ts';
import { allOf, journalKey, numberAt, probeKey } from './keys.ts';

/**
 * One journal record, written by one group commit:
 *
 *      0  1  version           1
 *      1 16  boot id           of the process whose monotonic clock the frames' uptime counts
 *     17  4  frame count
 *     21     frames            packed (frame-codec.ts)
 */
const VERSION = 1;
const HEADER_LENGTH = 21;

export type JournalOptions = Readonly<{
  /** 16 random bytes, new for every start of the process. */
  bootId: Uint8Array;
}>;

/** Finds the end of the journal (one record is read, whatever the backlog) and opens it for appending. */
export async function openJournal(store: KeyValueStore, options: JournalOptions): Promise<Journal> {
  let next = Sequence(1);
  for await (const [key, record] of store.range({ ...allOf('J'), reverse: true, limit: 1 })) {
    next = Sequence(numberAt(key, 1) + frameCount(record));
  }
  return new StoredJournal(store, options.bootId, next);
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function frameCount(record: Uint8Array): number {
  if (record[0] !== VERSION) throw new StoreError('VG_STORE_CORRUPT', `journal record of unknown version ${record[0]}`);
  return viewOf(record).readUInt32BE(17);
}

function encodeRecord(bootId: Uint8Array, frames: readonly Uint8Array[]): Buffer {
  const record = packFrames(frames, HEADER_LENGTH);
  record[0] = VERSION;
  record.set(bootId, 1);
  record.writeUInt32BE(frames.length, 17);
  return record;
}

class StoredJournal implements Journal {
  readonly #store: KeyValueStore;
  readonly #bootId: Uint8Array;
  #next: Sequence;

  constructor(store: KeyValueStore, bootId: Uint8Array, next: Sequence) {
    this.#store = store;
    this.#bootId = bootId;
    this.#next = next;
  }

  get next(): Sequence {
    return this.#next;
  }

  async append(frames: readonly Uint8Array[]): Promise<Sequence> {
    const first = this.#next;
    const record = encodeRecord(this.#bootId, frames);
    // A record left behind by a failed append of this sequence is overwritten: its frames were never acknowledged.
    await this.#store.write([{ key: journalKey(first), value: record }], { sync: true });
    this.#next = Sequence(first + frames.length);
    return first;
  }

  async read(from: Sequence, limit: Bytes): Promise<FrameRun | undefined> {
    if (from >= this.#next) return undefined;
    const start = await this.#recordHolding(from);
    const frames: Uint8Array[] = [];
    let size = 0;
    for await (const [key, record] of this.#store.range({ gte: journalKey(start), lt: journalKey(this.#next) })) {
      const expected = start + frames.length;
      if (numberAt(key, 1) !== expected) {
        throw new StoreError('VG_STORE_CORRUPT', `the journal has a gap: frame ${expected - 1} is followed by ${numberAt(key, 1)}`);
      }
      frames.push(...unpackFrames(viewOf(record), HEADER_LENGTH));
      size += record.length;
      if (size >= limit) break;
    }
    return { first: from, frames: frames.slice(from - start) };
  }

  /** The key of the record that holds `sequence`: the last one that begins at or before it. */
  async #recordHolding(sequence: Sequence): Promise<number> {
    const bounds = { gte: journalKey(1), lt: journalKey(sequence + 1), reverse: true, limit: 1 };
    for await (const [key, record] of this.#store.range(bounds)) {
      const first = numberAt(key, 1);
      if (first + frameCount(record) > sequence) return first;
    }
    throw new StoreError('VG_STORE_CORRUPT', `the journal has a gap: frame ${sequence} is missing`);
  }

  async probe(): Promise<void> {
    await this.#store.write([{ key: probeKey(), value: this.#bootId }], { sync: true });
  }
}
