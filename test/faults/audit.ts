/** The auditor: opens what a gateway and its hospital left on disk, believing neither, and says what is there. */

import { join } from 'node:path';
import { Derivation } from '../../gateway/derive/derivation.ts';
import { LocalDeriver } from '../../gateway/derive/deriver.ts';
import { randomKeys, SubjectKeys } from '../../gateway/derive/subject-keys.ts';
import { encodeFrame, evidenceLeaf, framesOf, FRAME_SALT_BYTES } from '../../gateway/frame-codec.ts';
import { openBlock } from '../../gateway/ledger/block.ts';
import { sha256, toHex } from '../../gateway/ledger/bytes.ts';
import { decode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { decodeEntry, matchesCommitment, type Entry } from '../../gateway/ledger/entry.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { append, EMPTY_TREE, rootOf } from '../../gateway/ledger/merkle.ts';
import { verifyChain } from '../../gateway/ledger/verify-chain.ts';
import { MiB, Millis } from '../../gateway/quantity.ts';
import { LANES, Sequence, type AcceptedFrame, type Frame } from '../../gateway/reading.ts';
import { StoredBlocks, StoredPendingEntries } from '../../gateway/store/block-store.ts';
import { StoredDerivation } from '../../gateway/store/derive-store.ts';
import { openJournal } from '../../gateway/store/journal-store.ts';
import type { KeyValueStore } from '../../gateway/store/key-value.ts';
import { openRocksStore } from '../../gateway/store/rocks-store.ts';
import { SealedStore } from '../../gateway/store/sealed-store.ts';
import type { Keyring } from '../../gateway/vault/keyring.ts';
import { openPayload, type OpenedPayload } from '../../gateway/vault/payload.ts';
import type { Site } from '../path/site.ts';
import { keyringIn, random } from '../vault/folder-keys.ts';

/** An evidence entry, whose root was computed again from the journal. */
export type Evidence = Readonly<{ first: number; last: number; messages: number; readings: number; duplicates: number }>;

export type Audit = Readonly<{
  /** Distinct payloads in the journal, by device. */
  journal: ReadonlyMap<string, ReadonlySet<string>>;
  /** The last frame of the journal. */
  lastFrame: number;
  /** Frames that came from devices, repetitions included. */
  deviceFrames: number;
  /** In the order of the chain. */
  evidence: readonly Evidence[];
  /** Values counted by the summaries of all minutes together, the one that was open at the end included. */
  summarised: number;
  /** Of both lanes, lane after lane. */
  entrySequences: readonly number[];
  /** `good`, or what is wrong with the gateway's chain. */
  verdict: string;
  /** Every block in hexadecimal, lane after lane. */
  gatewayBlocks: readonly string[];
  hospitalBlocks: readonly string[];
}>;

/** Both nodes MUST have ended. Throws when a root or a commitment is not what the journal and the payloads give. */
export async function auditOf(site: Site): Promise<Audit> {
  const hospitalBlocks = await inStore(join(site.hospitalData, 'store'), blocksIn);
  const keys = keyringIn(site.gatewayData, { readOnly: true });
  const frames = await inStore(join(site.gatewayData, 'journal'), (store) => Array.fromAsync(framesIn(store, keys)));
  return await inStore(join(site.gatewayData, 'store'), async (store) => {
    const blocks = await blocksIn(store);
    const entries = blocks.flatMap((bytes) => openBlock(bytes).entries.map(decodeEntry));
    return {
      ...journalOf(frames),
      evidence: entries.filter(({ kind }) => kind === 'evidence').map(evidenceAgainst(frames)),
      summarised: await summarisedBy(summariesOf(blocks.flatMap((bytes) => openBlock(bytes).entries), new StoredPendingEntries(store), keys), openSummaries(store, frames, keys)),
      entrySequences: entries.map(({ sequence }) => sequence),
      verdict: await verdictOn(blocks),
      gatewayBlocks: blocks.map(toHex),
      hospitalBlocks: hospitalBlocks.map(toHex),
    };
  });
}

/** Opens a store of a node that has ended, for as long as `read` takes. */
export async function inStore<T>(folder: string, read: (store: KeyValueStore) => Promise<T>): Promise<T> {
  const store = await openRocksStore(folder, { readOnly: true });
  try {
    return await read(store);
  } finally {
    await store.close();
  }
}

/** Every frame of a journal, in order. */
export async function* framesIn(store: KeyValueStore, keys: Keyring): AsyncGenerator<AcceptedFrame> {
  const journal = await openJournal(store, { bootId: new Uint8Array(16), keys, random });
  let last = 0;
  while (last + 1 < journal.next) {
    const run = await journal.read(Sequence(last + 1), MiB(1));
    if (run === undefined) throw new Error(`the journal ends at ${last} and not before ${journal.next}`);
    yield* framesOf(run);
    last += run.frames.length;
  }
}

/** The blocks of the one chain there is, lane after lane. */
export async function blocksIn(store: KeyValueStore): Promise<Uint8Array[]> {
  const blocks = new StoredBlocks(store, { removePending: false });
  const [chain, ...others] = await blocks.chains();
  if (chain === undefined || others.length > 0 || (await blocks.forks()).length > 0) throw new Error('expected one chain without a fork');
  const lanes = await Promise.all(LANES.map((lane) => Array.fromAsync(blocks.blocks({ chain, lane }, 0))));
  return lanes.flat();
}

function journalOf(frames: readonly AcceptedFrame[]): Pick<Audit, 'journal' | 'lastFrame' | 'deviceFrames'> {
  const journal = new Map<string, Set<string>>();
  let deviceFrames = 0;
  for (const { frame } of frames) {
    if (frame.source !== 'mqtt') continue;
    deviceFrames += 1;
    const payloads = journal.get(frame.device) ?? new Set();
    journal.set(frame.device, payloads.add(Buffer.from(frame.payload).toString('utf8')));
  }
  return { journal, lastFrame: frames.length, deviceFrames };
}

function evidenceAgainst(frames: readonly AcceptedFrame[]): (entry: Entry) => Evidence {
  return ({ sequence, fields }) => {
    const [first, last, messages, readings, duplicates] = ['first', 'last', 'messages', 'readings', 'duplicates'].map((name) => fields.get(name) as number) as [number, number, number, number, number];
    const leaves = frames.slice(first - 1, last).map((accepted) => sha256(evidenceLeaf(accepted.sequence, accepted.bytes)));
    if (toHex(rootOf(append(EMPTY_TREE, leaves).tree)) !== toHex(fields.get('root') as Uint8Array)) throw new Error(`entry ${sequence}: the root is not that of frames ${first} to ${last}`);
    return { first, last, messages, readings, duplicates };
  };
}

async function summarisedBy(...parts: readonly AsyncIterable<Summarised>[]): Promise<number> {
  let total = 0;
  for (const part of parts) for await (const { count } of part) total += count;
  return total;
}

/** How many values of a measurement of a subject (`patient/anna`) one minute had. */
export type Summarised = Readonly<{ subject: string; measurement: string; count: number }>;

const isOfMinute = ({ kind, fields }: Entry): boolean => kind === 'summary' && fields.get('seconds') === 60;

function* readSummary({ subject = '', payload }: OpenedPayload): Generator<Summarised> {
  const summary = decode(payload, { floats: true }) as CborMap;
  for (const [measurement, statistics] of summary.get('measurements') as CborMap) {
    yield { subject, measurement: measurement as string, count: (statistics as CborMap).get('count') as number };
  }
}

/**
 * What the minute that was open when the gateway ended would have said: as a restart would know it, by deriving again what came after the
 * state that was written last, and letting a minute pass.
 */
export async function* openSummaries(store: KeyValueStore, frames: readonly AcceptedFrame[], keyring: Keyring): AsyncGenerator<Summarised> {
  const { state, committed } = await new StoredDerivation(new SealedStore(store, { keyring, random })).load();
  const last = frames.at(-1);
  if (last === undefined) return;
  const { clockTrust, receivedAt, uptime } = last.frame;
  const later: Frame = { source: 'timer', device: '', topic: '', qos: 0, dup: false, payload: new Uint8Array(), receivedAt, uptime: Millis(uptime + 60_000), clockTrust };
  const all = [...frames.map(({ bytes }) => bytes), encodeFrame(later, new Uint8Array(FRAME_SALT_BYTES))].slice(state.cursor);
  const keys = new Map(keyring.all().map((key) => [key.id, key]));
  const { checkpoints } = new LocalDeriver(new Derivation(new SubjectKeys([...keys.values()], randomKeys(random)), state, { committed })).deriveNow({ first: Sequence(state.cursor + 1), frames: all });
  for (const made of checkpoints.flatMap((checkpoint) => checkpoint.keys)) keys.set(made.id, made);
  for (const { bytes, sealed } of checkpoints.filter(({ cursor }) => cursor > committed.cursor).flatMap(({ entries }) => entries)) {
    if (isOfMinute(decodeEntry(bytes))) yield* readSummary(openPayload({ byId: (id) => keys.get(id) }, bytes, sealed as Uint8Array) as OpenedPayload);
  }
}

/** What the summaries of minutes among the entries say. Throws when one does not fit its commitment. */
export async function* summariesOf(entries: readonly Uint8Array[], payloads: StoredPendingEntries, keys: Keyring): AsyncGenerator<Summarised> {
  for (const bytes of entries) {
    const entry = decodeEntry(bytes);
    if (!isOfMinute(entry)) continue;
    const sealed = await payloads.sealedPayload(entry.sequence);
    const secret = sealed === undefined ? undefined : openPayload(keys, bytes, sealed);
    if (secret === undefined || !matchesCommitment(entry, secret.salt, secret.payload)) throw new Error(`entry ${entry.sequence} does not fit its payload`);
    yield* readSummary(secret);
  }
}

async function verdictOn(blocks: readonly Uint8Array[]): Promise<string> {
  const verdict = await verifyChain(blocks, { check: verifyWithNodeCrypto });
  return verdict.ok ? 'good' : `${verdict.reason} at block number ${verdict.position + 1}: ${verdict.message}`;
}
