import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { InternalError, StoreError } from '../errors.ts';
import { evidenceLeaf, packFrames, unpackFrames } from '../frame-codec.ts';
import type { Folded, TidyJournal } from '../ingest/journal.ts';
import { HASH_BYTES, sha256 } from '../ledger/bytes.ts';
import { Bytes, MiB } from '../quantity.ts';
import { Turns } from '../turns.ts';
import { Sequence, type FrameRun } from '../reading.ts';
import { NONCE_BYTES, openBytes, sealBytes } from '../vault/aead.ts';
import { deriveSecret } from '../vault/kdf.ts';
import { KEY_ID_BYTES, type VaultKey } from '../vault/keyring.ts';
import type { Change, KeyValueStore } from './key-value.ts';
import { allOf, journalKey, numberAt, probeKey, tidiedKey } from './keys.ts';

/**
 * One journal record, written by one group commit. Its frames lie in sections, one for each key they are sealed under:
 *
 *      0  1  version           2
 *      1 16  boot id           of the process whose monotonic clock the frames' uptime counts
 *     17  4  frame count
 *     21 12  nonce             random
 *     33  4  section count s
 *     37     sections          each: state (1), key id (8), frame count (4), length of its body (4)
 *      …     places            for each frame the number of its section, in 0, 1, 2 or 4 bytes: as few as s needs
 *      …     bodies            sealed: AES-256-GCM(frames, packed as in frame-codec.ts) ‖ tag, bound to bytes 0 to 32, the record's
 *                              sequence (8) and the section's number (4)
 *                              folded: the same of the frames after zstd (RFC 8878)
 *                              erased: SHA-256 of every frame's evidence leaf, so that its neighbours can still be proven; of frames
 *                              that were lost, nothing
 */
const VERSION = 2;
const NONCE_AT = 21;
const SECTIONS_AT = NONCE_AT + NONCE_BYTES;
const HEADER_LENGTH = SECTIONS_AT + 4;
const SECTION_LENGTH = 1 + KEY_ID_BYTES + 4 + 4;
const SEALED = 0;
const ERASED = 1;
const FOLDED = 2;
/** Frames in one record of those that were lost. */
const LOST_IN_A_RECORD = 4096;
/** Frames that `read` gives at most at once, beside its limit in bytes: those that were lost take none. */
const MOST_FRAMES = 65_536;
/** Records rewritten in one batch while erasing. */
const BATCH = 64;
/** What one folded record holds: the more, the smaller, and the longer it takes to read one frame of it. */
const FOLD = { leastFrames: 1024, mostFrames: 4096, mostBytes: MiB(1) } as const;

/** What the journal needs of a keyring (vault/keyring.ts). */
export type JournalKeys = Readonly<{
  byId: (id: string) => VaultKey | undefined;
  /** Keys MUST be durable before what lies under them. */
  save: () => void;
}>;

export type JournalOptions = Readonly<{
  /** 16 random bytes, new for every start of the process. */
  bootId: Uint8Array;
  keys: JournalKeys;
  random: (size: number) => Uint8Array;
}>;

/** Finds the end of the journal (one record is read, whatever the backlog) and opens it for appending. */
export async function openJournal(store: KeyValueStore, options: JournalOptions): Promise<TidyJournal> {
  let next = Sequence(1);
  for await (const [key, record] of store.range({ ...allOf('J'), reverse: true, limit: 1 })) {
    next = Sequence(numberAt(key, 1) + frameCount(record));
  }
  return new StoredJournal(store, options, next, await readTidied(store));
}

type Section = Readonly<{ state: number; key: string; frames: number; body: Buffer }>;
type Record = Readonly<{ header: Buffer; sections: readonly Section[]; places: readonly number[] }>;

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function frameCount(record: Uint8Array): number {
  if (record[0] !== VERSION) throw new StoreError('VG_STORE_CORRUPT', `journal record of unknown version ${record[0]}`);
  return viewOf(record).readUInt32BE(17);
}

const placeLength = (sections: number): number => (sections <= 1 ? 0 : sections <= 0x100 ? 1 : sections <= 0x1_0000 ? 2 : 4);

function encodeRecord({ header, sections, places }: Record): Buffer {
  const width = placeLength(sections.length);
  const table = Buffer.alloc(4 + sections.length * SECTION_LENGTH + places.length * width);
  table.writeUInt32BE(sections.length);
  let offset = 4;
  for (const { state, key, frames, body } of sections) {
    table[offset] = state;
    table.write(key, offset + 1, 'hex');
    table.writeUInt32BE(frames, offset + 1 + KEY_ID_BYTES);
    table.writeUInt32BE(body.length, offset + 5 + KEY_ID_BYTES);
    offset += SECTION_LENGTH;
  }
  if (width > 0) {
    for (const place of places) {
      table.writeUIntBE(place, offset, width);
      offset += width;
    }
  }
  return Buffer.concat([header, table, ...sections.map(({ body }) => body)]);
}

function decodeRecord(bytes: Uint8Array): Record {
  const record = viewOf(bytes);
  const count = frameCount(record);
  const sectionCount = record.readUInt32BE(SECTIONS_AT);
  const width = placeLength(sectionCount);
  const placesAt = HEADER_LENGTH + sectionCount * SECTION_LENGTH;
  let body = placesAt + count * width;
  const sections = Array.from({ length: sectionCount }, (_, i): Section => {
    const at = HEADER_LENGTH + i * SECTION_LENGTH;
    const length = record.readUInt32BE(at + 5 + KEY_ID_BYTES);
    body += length;
    return {
      state: record[at] as number,
      key: record.toString('hex', at + 1, at + 1 + KEY_ID_BYTES),
      frames: record.readUInt32BE(at + 1 + KEY_ID_BYTES),
      body: record.subarray(body - length, body),
    };
  });
  const places = Array.from({ length: count }, (_, i) => (width === 0 ? 0 : record.readUIntBE(placesAt + i * width, width)));
  return { header: record.subarray(0, SECTIONS_AT), sections, places };
}

/** Frames of which nothing is known any more. */
function lostRecord(frames: number): Buffer {
  const header = Buffer.alloc(SECTIONS_AT);
  header[0] = VERSION;
  header.writeUInt32BE(frames, 17);
  const section: Section = { state: ERASED, key: '00'.repeat(KEY_ID_BYTES), frames, body: Buffer.alloc(0) };
  return encodeRecord({ header, sections: [section], places: Array.from({ length: frames }, () => 0) });
}

/** What the section's body is bound to. */
function boundOf(header: Uint8Array, first: number, section: number): Buffer {
  const bound = Buffer.alloc(SECTIONS_AT + 12);
  bound.set(header);
  bound.writeBigUInt64BE(BigInt(first), SECTIONS_AT);
  bound.writeUInt32BE(section, SECTIONS_AT + 8);
  return bound;
}

/** All frames before each of them are dropped, or folded. */
type Tidied = Readonly<{ dropped: number; folded: number }>;

async function readTidied(store: KeyValueStore): Promise<Tidied> {
  const bytes = await store.get(tidiedKey());
  if (bytes === undefined) return { dropped: 1, folded: 1 };
  const view = viewOf(bytes);
  return { dropped: Number(view.readBigUInt64BE(0)), folded: Number(view.readBigUInt64BE(8)) };
}

function tidiedChange({ dropped, folded }: Tidied): Change {
  const value = Buffer.alloc(16);
  value.writeBigUInt64BE(BigInt(dropped), 0);
  value.writeBigUInt64BE(BigInt(folded), 8);
  return { key: tidiedKey(), value };
}

type RunToFold = { first: number; header: Buffer; frames: Uint8Array[]; keys: string[]; records: number[]; bytesBefore: number };

/** Of the same process, whose clock the frames count by, and not too many. */
const goesOn = (run: RunToFold, { header, places }: Record, bytes: number): boolean =>
  header.subarray(1, 17).equals(run.header.subarray(1, 17)) && run.frames.length + places.length <= FOLD.mostFrames && run.bytesBefore + bytes <= FOLD.mostBytes;

const compress = promisify(zstdCompress);
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

class StoredJournal implements TidyJournal {
  readonly #store: KeyValueStore;
  readonly #options: JournalOptions;
  readonly #frameKeys = new Map<string, Buffer>();
  /** What reads old records, and what puts others in their place, take turns. */
  readonly #turns = new Turns();
  #next: Sequence;
  #tidied: Tidied;

  constructor(store: KeyValueStore, options: JournalOptions, next: Sequence, tidied: Tidied) {
    this.#store = store;
    this.#options = options;
    this.#next = next;
    this.#tidied = tidied;
  }

  get next(): Sequence {
    return this.#next;
  }

  get oldest(): Sequence {
    return Sequence(this.#tidied.dropped);
  }

  async append(frames: readonly Uint8Array[], keys: readonly string[]): Promise<Sequence> {
    const first = this.#next;
    const record = this.#recordOf(frames, keys, first);
    this.#options.keys.save();
    // A record left behind by a failed append of this sequence is overwritten: its frames were never acknowledged.
    await this.#store.write([{ key: journalKey(first), value: record }], { sync: true });
    this.#next = Sequence(first + frames.length);
    return first;
  }

  async continueAfter(last: Sequence): Promise<void> {
    const changes: Change[] = [];
    let next: number = this.#next;
    while (next <= last) {
      const frames = Math.min(LOST_IN_A_RECORD, last - next + 1);
      changes.push({ key: journalKey(next), value: lostRecord(frames) });
      next += frames;
    }
    if (changes.length === 0) return;
    await this.#store.write(changes, { sync: true });
    this.#next = Sequence(next);
  }

  #recordOf(frames: readonly Uint8Array[], keys: readonly string[], first: number): Buffer {
    const { bootId, random } = this.#options;
    const header = Buffer.alloc(SECTIONS_AT);
    header[0] = VERSION;
    header.set(bootId, 1);
    header.writeUInt32BE(frames.length, 17);
    header.set(random(NONCE_BYTES), NONCE_AT);
    const { groups, places } = this.#groupsOf(frames, keys);
    const nonce = header.subarray(NONCE_AT);
    const sections = groups.map(({ key, frames: own }, place): Section => {
      const body = sealBytes(this.#keyOf(key), nonce, packFrames(own), boundOf(header, first, place));
      return { state: SEALED, key: key.id, frames: own.length, body };
    });
    return encodeRecord({ header, sections, places });
  }

  /** Frames by their keys, and for each frame the number of its group. */
  #groupsOf(frames: readonly Uint8Array[], keys: readonly string[]): Readonly<{ groups: readonly Readonly<{ key: VaultKey; frames: Uint8Array[] }>[]; places: readonly number[] }> {
    const groups = new Map<string, { key: VaultKey; place: number; frames: Uint8Array[] }>();
    const places = frames.map((frame, i) => {
      const id = keys[i] ?? '';
      let group = groups.get(id);
      if (group === undefined) {
        const key = this.#options.keys.byId(id);
        if (key === undefined) throw new InternalError('a frame was to lie under a key that is not there');
        group = { key, place: groups.size, frames: [] };
        groups.set(id, group);
      }
      group.frames.push(frame);
      return group.place;
    });
    return { groups: [...groups.values()], places };
  }

  #keyOf(vault: VaultKey): Buffer {
    let key = this.#frameKeys.get(vault.id);
    if (key === undefined) {
      key = deriveSecret(vault.secret, 'frames');
      this.#frameKeys.set(vault.id, key);
    }
    return key;
  }

  read(from: Sequence, limit: Bytes): Promise<FrameRun | undefined> {
    return this.#turns.take('records', () => this.#read(from, limit));
  }

  async #read(from: Sequence, limit: Bytes): Promise<FrameRun | undefined> {
    if (from >= this.#next) return undefined;
    const start = await this.#recordHolding(from);
    const frames: Uint8Array[] = [];
    const erased = new Map<number, Uint8Array>();
    let size = 0;
    for await (const [key, record] of this.#store.range({ gte: journalKey(start), lt: journalKey(this.#next) })) {
      const first = start + frames.length;
      if (numberAt(key, 1) !== first) {
        throw new StoreError('VG_STORE_CORRUPT', `the journal has a gap: frame ${first - 1} is followed by ${numberAt(key, 1)}`);
      }
      this.#readRecord(decodeRecord(record), first, (frame, hash) => {
        if (hash !== undefined) erased.set(start + frames.length, hash);
        frames.push(frame);
      });
      size += record.length;
      if (size >= limit || frames.length >= MOST_FRAMES) break;
    }
    return { first: from, frames: frames.slice(from - start), ...(erased.size === 0 ? {} : { erased }) };
  }

  /** Gives the frames in order. One that is gone is empty, with the hash of its leaf as far as it is known. */
  #readRecord({ header, sections, places }: Record, first: number, take: (frame: Uint8Array, erased?: Uint8Array) => void): void {
    const opened = sections.map((section, i) => this.#open(section, header, first, i));
    const next = sections.map(() => 0);
    for (const place of places) {
      const section = opened[place];
      const at = next[place] ?? 0;
      next[place] = at + 1;
      if (section === undefined) throw new StoreError('VG_STORE_CORRUPT', `journal record ${first}: there is no section ${place}`);
      const frame = section.frames?.[at];
      if (frame === undefined) take(NOTHING, section.hashes?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) ?? NOTHING);
      else take(frame);
    }
  }

  #open({ state, key, body }: Section, header: Buffer, first: number, index: number): Readonly<{ frames?: readonly Uint8Array[]; hashes?: Buffer }> {
    if (state === ERASED) return { hashes: body };
    const vault = this.#options.keys.byId(key);
    // Destroyed before all of it was taken out, by a hand that is not ours.
    if (vault === undefined) return {};
    const plain = openBytes(this.#keyOf(vault), header.subarray(NONCE_AT), body, boundOf(header, first, index));
    if (plain === undefined) throw new StoreError('VG_STORE_CORRUPT', `section ${index} of journal record ${first} does not open: it was changed`);
    return { frames: unpackFrames(state === FOLDED ? zstdDecompressSync(plain) : plain) };
  }

  erase(keys: ReadonlySet<string>, end: Sequence, onProgress: (sequence: number) => void): Promise<number> {
    return this.#turns.take('records', () => this.#erase(keys, end, onProgress));
  }

  async #erase(keys: ReadonlySet<string>, end: Sequence, onProgress: (sequence: number) => void): Promise<number> {
    let [erased, batch]: [number, Change[]] = [0, []];
    for await (const [key, bytes] of this.#store.range({ gte: journalKey(1), lt: journalKey(end) })) {
      const first = numberAt(key, 1);
      const record = decodeRecord(bytes);
      if (record.sections.some((section) => section.state !== ERASED && keys.has(section.key))) {
        const [after, count] = this.#without(record, keys, first);
        batch.push({ key: journalKey(first), value: encodeRecord(after) });
        erased += count;
      }
      onProgress(first + record.places.length - 1);
      if (batch.length < BATCH) continue;
      await this.#store.write(batch, { sync: false });
      batch = [];
    }
    await this.#store.write(batch, { sync: true });
    for (const key of keys) this.#frameKeys.delete(key);
    if (erased > 0) await this.#store.compact({ gte: journalKey(1), lt: journalKey(end) });
    return erased;
  }

  #without(record: Record, keys: ReadonlySet<string>, first: number): readonly [Record, erased: number] {
    const sequences = record.sections.map((): number[] => []);
    for (const [i, place] of record.places.entries()) sequences[place]?.push(first + i);
    let erased = 0;
    const sections = record.sections.map((section, i): Section => {
      if (section.state === ERASED || !keys.has(section.key)) return section;
      const { frames = [] } = this.#open(section, record.header, first, i);
      erased += frames.length;
      const hashes = frames.map((frame, at) => sha256(evidenceLeaf((sequences[i] as number[])[at] as number, frame)));
      return { ...section, state: ERASED, body: Buffer.concat(hashes) };
    });
    return [{ ...record, sections }, erased];
  }

  fold(end: Sequence): Promise<Folded | undefined> {
    return this.#turns.take('records', () => this.#fold(end));
  }

  async #fold(end: Sequence): Promise<Folded | undefined> {
    const run = await this.#runToFold(Math.min(end, this.#next));
    if (run === undefined) return undefined;
    const { first, header, frames, keys, records, bytesBefore } = run;
    const value = encodeRecord(await this.#compressed(frames, keys, header, first));
    // A single record that gains nothing stays; it is not looked at again.
    const changes = value.length >= bytesBefore ? [] : [{ key: journalKey(first), value }, ...records.filter((each) => each !== first).map((each): Change => ({ key: journalKey(each) }))];
    await this.#setTidied({ ...this.#tidied, folded: first + frames.length }, changes, { sync: false });
    return { frames: frames.length, bytesBefore, bytesAfter: Math.min(value.length, bytesBefore) };
  }

  /** Records of one process that can be put together; undefined while they are too few and more may follow. */
  async #runToFold(end: number): Promise<RunToFold | undefined> {
    let run: RunToFold | undefined;
    for await (const [key, bytes] of this.#store.range({ gte: journalKey(this.#tidied.folded), lt: journalKey(end) })) {
      const first = numberAt(key, 1);
      const record = decodeRecord(bytes);
      const isPlain = record.sections.every(({ state, key: id }) => state === SEALED && this.#options.keys.byId(id) !== undefined);
      if (first + record.places.length > end) break;
      if (run === undefined && !isPlain) continue;
      if (run !== undefined && (!isPlain || !goesOn(run, record, bytes.length))) return run;
      run ??= { first, header: record.header, frames: [], keys: [], records: [], bytesBefore: 0 };
      this.#readRecord(record, first, (frame) => run?.frames.push(frame));
      run.keys.push(...record.places.map((place) => record.sections[place]?.key ?? ''));
      run.records.push(first);
      run.bytesBefore += bytes.length;
    }
    return run !== undefined && run.frames.length >= FOLD.leastFrames ? run : undefined;
  }

  async #compressed(frames: readonly Uint8Array[], keys: readonly string[], like: Uint8Array, first: number): Promise<Record> {
    const header = Buffer.from(like);
    header.writeUInt32BE(frames.length, 17);
    header.set(this.#options.random(NONCE_BYTES), NONCE_AT);
    const { groups, places } = this.#groupsOf(frames, keys);
    const sections = await Promise.all(groups.map(async ({ key, frames: own }, place): Promise<Section> => {
      const packed = await compress(packFrames(own), COMPRESSION);
      const body = sealBytes(this.#keyOf(key), header.subarray(NONCE_AT), packed, boundOf(header, first, place));
      return { state: FOLDED, key: key.id, frames: own.length, body };
    }));
    return { header, sections, places };
  }

  drop(through: Sequence, limit: Bytes): Promise<Readonly<{ first: Sequence; last: Sequence; bytes: Bytes }> | undefined> {
    return this.#turns.take('records', () => this.#drop(through, limit));
  }

  async #drop(through: Sequence, limit: Bytes): Promise<Readonly<{ first: Sequence; last: Sequence; bytes: Bytes }> | undefined> {
    const { dropped } = this.#tidied;
    const changes: Change[] = [];
    let [next, bytes] = [dropped, 0];
    for await (const [key, record] of this.#store.range({ gte: journalKey(dropped), lt: journalKey(this.#next) })) {
      const frames = frameCount(record);
      if (numberAt(key, 1) + frames - 1 > through || bytes >= limit) break;
      for (let at = 0; at < frames; at += LOST_IN_A_RECORD) changes.push({ key: journalKey(next + at), value: lostRecord(Math.min(LOST_IN_A_RECORD, frames - at)) });
      next += frames;
      bytes += record.length;
    }
    if (next === dropped) return undefined;
    await this.#setTidied({ dropped: next, folded: Math.max(next, this.#tidied.folded) }, changes, { sync: true });
    await this.#store.compact({ gte: journalKey(dropped), lt: journalKey(next) });
    return { first: Sequence(dropped), last: Sequence(next - 1), bytes: Bytes(bytes) };
  }

  async #setTidied(tidied: Tidied, changes: readonly Change[], options: Readonly<{ sync: boolean }>): Promise<void> {
    await this.#store.write([...changes, tidiedChange(tidied)], options);
    this.#tidied = tidied;
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
    await this.#store.write([{ key: probeKey(), value: this.#options.bootId }], { sync: true });
  }
}

const NOTHING = new Uint8Array();
