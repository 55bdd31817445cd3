/**
 * Goes on from a backup. Between it and the loss the gateway may have sealed blocks that hospitals hold: to seal others in their place
 * would be a fork, and no hospital would ever countersign again. So every hospital is asked first; what they have more is taken over,
 * and derivation and journal go on behind the last entry and the last frame of which these blocks tell.
 */

import { RESTORATION_FILE } from './backup.ts';
import { Derivation } from './derive/derivation.ts';
import type { Checkpoint, ContinuationPoint, DeriveStore, EvidenceSpan } from './derive/derive-store.ts';
import type { SuccessionState } from './derive/succession-state.ts';
import { randomKeys, SubjectKeys } from './derive/subject-keys.ts';
import { BlockRejected, ConfigError, InternalError, messageOf, UnreadableError, UsageError } from './errors.ts';
import { encodeFrame, FRAME_SALT_BYTES, framesOf } from './frame-codec.ts';
import { encodeAuthority, firstAuthority } from './ledger/authority.ts';
import type { ErasableJournal } from './ingest/journal.ts';
import type { BlockStore } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { equalBytes, toHex } from './ledger/bytes.ts';
import { readBlocks } from './ledger/chain-file.ts';
import { decodeEntry, type EntryKind } from './ledger/entry.ts';
import { verifyWithNodeCrypto } from './ledger/es256k.ts';
import { ChainTerms, currentTerm } from './ledger/terms.ts';
import { verifyBlock } from './ledger/verify.ts';
import { FolderFiles } from './operations/data-folder.ts';
import { MiB, Millis, type UnixMillis } from './quantity.ts';
import { LANES, Sequence, type Frame, type Lane } from './reading.ts';
import { Channel } from './uplink/channel.ts';
import { HospitalClient, over } from './uplink/hospital-client.ts';
import type { Keyring } from './vault/keyring.ts';
import { nodeFetch } from './tls/node-fetch.ts';

/** How far a backup came: the last block of each lane, −1 for none, and the last frame of the journal. */
export type BackupReach = Readonly<{ heights: Readonly<Record<Lane, number>>; frames: number }>;

/** What the marker in a restored folder says. */
export type Restoration = Readonly<{ chain: string; taken: UnixMillis }> & (Readonly<{ stage: 'unpacking' }> | (Readonly<{ stage: 'unpacked' }> & BackupReach));

/** The marker of a folder that was restored and may not go on yet; undefined in any other. */
export function restorationIn(folder: string): Restoration | undefined {
  const text = new FolderFiles(folder).read(RESTORATION_FILE);
  return text === undefined ? undefined : (JSON.parse(text) as Restoration);
}

export const markRestoration = (folder: string, restoration: Restoration): void => new FolderFiles(folder).write(RESTORATION_FILE, `${JSON.stringify(restoration, null, 2)}\n`);
export const endRestoration = (folder: string): void => new FolderFiles(folder).remove(RESTORATION_FILE);

/** Throws {@link ConfigError} for a folder whose chain may go on at a hospital. */
export function refuseRestored(folder: string): void {
  const restoration = restorationIn(folder);
  if (restoration === undefined) return;
  const todo = restoration.stage === 'unpacking' ? 'was not restored to the end: remove it and run "vitalgate restore" again' : 'was restored from a backup, and its hospitals were not asked yet how far its chain has come: run "vitalgate restore --finish"';
  throw new ConfigError(`the data folder ${folder} ${todo}`);
}

/** A hospital to be asked. */
export type AskedHospital = Readonly<{ name: string; url: string; key: Uint8Array }>;

export type ContinueOptions = Readonly<{
  stores: Readonly<{ blocks: BlockStore; deriveStore: DeriveStore; journal: ErasableJournal; keyring: Keyring }>;
  chain: Uint8Array;
  reach: BackupReach;
  hospitals: readonly AskedHospital[];
  deadline: Millis;
  random: (size: number) => Uint8Array;
  /** For people. */
  tell: (line: string) => void;
}>;

/** Ids of keys that were destroyed in one erasure, and up to which epoch it was. */
export type ForgottenKeys = Readonly<{ keys: readonly string[]; through?: number }>;

/** What hospitals knew that the backup did not. */
export type Continued = Readonly<{
  blocks: number;
  /** Entries whose payloads are lost, by kind. */
  entries: ReadonlyMap<EntryKind, number>;
  /** Frames that were lost. */
  lost?: Readonly<{ first: Sequence; last: Sequence }>;
  /** Since the backup: they have to be done again. */
  erasures: readonly ForgottenKeys[];
}>;

/**
 * Asks every hospital, takes over what they have more, and goes on behind it. Done again after a crash it MUST say the same: what was erased
 * is to be erased again, and what was lost to be told, whenever that was found out first. Throws {@link UsageError} when one cannot be asked, or
 * holds another history.
 */
export async function continueChain(options: ContinueOptions): Promise<Continued> {
  for (const hospital of options.hospitals) for (const lane of LANES) await catchUp(lane, hospital, options);
  const found = await sinceBackup(options);
  const { deriveStore, journal } = options.stores;
  const { state, committed } = await deriveStore.load();
  if (found.entrySequence > committed.entrySequence) {
    const cursor = Math.max(found.cursor, committed.cursor);
    await journal.continueAfter(Sequence(cursor));
    const checkpoints = await derivedUntil(cursor, options);
    const succession = await successionIn(options, state.succession);
    await deriveStore.continueAt({ ...found, cursor, succession }, checkpoints);
  }
  const [first, last] = [options.reach.frames + 1, await lastLost(journal, options.reach.frames, found.cursor)];
  return { blocks: found.blocks, entries: found.entries, erasures: found.erasures, ...(first <= last && { lost: { first: Sequence(first), last: Sequence(last) } }) };
}

/** The last frame behind the backup's that is not here. What comes after it the gateway has written itself, when it was completed once before. */
async function lastLost(journal: ErasableJournal, reach: number, cursor: number): Promise<number> {
  for (let next = reach + 1; next <= cursor; ) {
    const run = await journal.read(Sequence(next), READ_SIZE);
    if (run === undefined) break;
    const here = run.frames.findIndex((frame) => frame.length > 0);
    if (here >= 0) return run.first + here - 1;
    next = run.first + run.frames.length;
  }
  return cursor;
}

async function catchUp(lane: Lane, { name, url }: AskedHospital, { stores: { blocks }, chain, deadline, tell }: ContinueOptions): Promise<void> {
  const id = { chain, lane };
  using channel = new Channel({ url, peer: 'anyone', deadline });
  const answer = await new HospitalClient(over(channel)).head(id, new AbortController().signal);
  if (answer.outcome === 'unknown_chain') return;
  if (answer.outcome !== 'head') throw new UsageError(`hospital ${name} cannot be asked how far the chain has come: ${answer.message}. Try again with "vitalgate restore --finish"; if it is gone for good, add --without ${name}`);
  const head = await blocks.head(id);
  // Every hospital had what was pruned here.
  if (answer.height <= ((await blocks.pruned(id))?.height ?? -1)) return;
  const here = answer.height <= (head?.height ?? -1) ? await blocks.block(id, answer.height) : undefined;
  if (here !== undefined) {
    if (!equalBytes(openBlock(here).hash, answer.hash)) throw otherHistory(name, lane, answer.height);
    return;
  }
  tell(`hospital ${name} has ${answer.height - (head?.height ?? -1)} blocks of lane ${lane} more than the backup`);
  let state = head;
  try {
    for await (const bytes of readBlocks(await bodyOf(`${url.replace(/\/+$/, '')}/v1/chains/${toHex(chain)}/${lane}/blocks?from=${(head?.height ?? -1) + 1}`, deadline))) {
      const verified = verifyBlock(state, bytes, { check: verifyWithNodeCrypto, chain, lane });
      const { outcome } = await blocks.append({ bytes, verified });
      if (outcome !== 'committed' && outcome !== 'same') throw otherHistory(name, lane, verified.state.height);
      state = verified.state;
    }
  } catch (error) {
    if (error instanceof BlockRejected) throw otherHistory(name, lane, (state?.height ?? -1) + 1, error);
    throw error;
  }
}

const otherHistory = (name: string, lane: Lane, height: number, cause?: Error): UsageError =>
  new UsageError(`hospital ${name} holds another block ${height} of lane ${lane} than this chain${cause === undefined ? '' : ` (${messageOf(cause)})`}: the backup is of another gateway, or two gateways have sealed with one key. Keep both for whoever looks into it; --without ${name} leaves that hospital out`, { cause });

async function bodyOf(url: string, deadline: Millis): Promise<AsyncIterable<Uint8Array>> {
  try {
    const response = await nodeFetch(url, { signal: AbortSignal.timeout(Math.max(deadline, Millis(600_000))) });
    if (response.ok && response.body !== null) return response.body;
    throw new UnreadableError(`${url} answers ${response.status}`);
  } catch (cause) {
    throw cause instanceof UnreadableError ? cause : new UnreadableError(`${url} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

type Found = Omit<ContinuationPoint, 'succession'> & Readonly<{ blocks: number; entries: ReadonlyMap<EntryKind, number>; erasures: readonly ForgottenKeys[] }>;

/** What the blocks say that are not in the backup. */
async function sinceBackup({ stores: { blocks }, chain, reach: { heights } }: ContinueOptions): Promise<Found> {
  const entries = new Map<EntryKind, number>();
  const evidence: EvidenceSpan[] = [];
  const erasures: ForgottenKeys[] = [];
  let [count, entrySequence, cursor, lastStep, lastAlarm] = [0, 0, 0, 0, 0];
  for (const lane of LANES) {
    for await (const bytes of blocks.blocks({ chain, lane }, heights[lane] + 1)) {
      count += 1;
      for (const encoded of openBlock(bytes).entries) {
        const { kind, sequence, fields } = decodeEntry(encoded);
        const number = (name: string): number => Number(fields.get(name) ?? 0);
        entries.set(kind, (entries.get(kind) ?? 0) + 1);
        entrySequence = Math.max(entrySequence, sequence);
        [lastStep, lastAlarm] = [Math.max(lastStep, number('step')), Math.max(lastAlarm, number('alarm'))];
        if (kind === 'evidence') {
          evidence.push({ first: Sequence(number('first')), last: Sequence(number('last')), entry: sequence });
          cursor = Math.max(cursor, number('last'));
        }
        if (kind === 'erasure') erasures.push({ keys: ((fields.get('keys') ?? []) as readonly Uint8Array[]).map(toHex), ...(fields.has('through') ? { through: number('through') } : {}) });
      }
    }
  }
  return { blocks: count, entries, erasures: withoutRepeated(erasures), evidence, entrySequence, cursor, lastStep, lastAlarm };
}

/** What was done again already, before a crash, is in the chain a second time. */
function withoutRepeated(erasures: readonly ForgottenKeys[]): readonly ForgottenKeys[] {
  return erasures.filter(({ keys, through }, index) => !erasures.some((other, at) => {
    const covers = keys.every((key) => other.keys.includes(key)) && (other.through ?? Infinity) >= (through ?? Infinity);
    // Of two that are the same, the first stays.
    return at !== index && covers && (other.keys.length > keys.length || at < index);
  }));
}

const READ_SIZE = MiB(1);

/** Derives the frames that are there up to the one the chain has come to, to know what they led to. What they say stands in the chain. */
async function derivedUntil(cursor: number, { stores: { blocks, deriveStore, journal, keyring }, chain, random }: ContinueOptions): Promise<readonly Checkpoint[]> {
  const { state } = await deriveStore.load();
  const head = await blocks.head({ chain, lane: 'record' });
  const begun = head === undefined ? {} : { begun: { chain, authority: firstAuthority(head.parameters) } };
  const derivation = new Derivation(new SubjectKeys(keyring.all(), randomKeys(random)), state, { rememberEvery: Millis(0), ...begun });
  const checkpoints: Checkpoint[] = [];
  let last: Frame | undefined;
  for (let next = state.cursor + 1; next <= cursor; ) {
    const run = await journal.read(Sequence(next), READ_SIZE);
    if (run === undefined) break;
    for (const accepted of framesOf(run).filter(({ sequence }) => sequence <= cursor)) {
      last = accepted.frame;
      const checkpoint = derivation.step(accepted);
      if (checkpoint !== undefined) checkpoints.push(checkpoint);
    }
    next = run.first + run.frames.length;
  }
  // The window that was open when the backup was taken is over, and no time has passed for that.
  if (derivation.hasOpenWindow && last !== undefined) checkpoints.push(closed(derivation, cursor, last));
  keyring.adopt(checkpoints.flatMap(({ keys }) => keys));
  return checkpoints;
}

function closed(derivation: Derivation, cursor: number, last: Frame): Checkpoint {
  const frame: Frame = { ...last, source: 'timer', device: '', topic: '', payload: new Uint8Array() };
  const checkpoint = derivation.step({ sequence: Sequence(cursor), frame, bytes: encodeFrame(frame, new Uint8Array(FRAME_SALT_BYTES)) });
  if (checkpoint === undefined) throw new InternalError('a timer frame closed no window');
  return checkpoint;
}

/** Who speaks for the chain by now. */
async function successionIn({ stores: { blocks }, chain }: ContinueOptions, before: SuccessionState): Promise<SuccessionState> {
  const terms = (await ChainTerms.open(blocks, chain)).of('record');
  if (terms.length === 0) return before;
  const { authority } = currentTerm(terms);
  return authority.number === 0 ? {} : { authority: toHex(encodeAuthority(authority)) };
}
