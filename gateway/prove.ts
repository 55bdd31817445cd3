/** Makes proofs for outsiders: that an entry is in the chain, or that a raw frame is what an entry stands for. */

import type { DeriveStore, EvidenceSpan } from './derive/derive-store.ts';
import { UsageError } from './errors.ts';
import { decodeFrame, evidenceLeaf } from './frame-codec.ts';
import type { Journal } from './ingest/journal.ts';
import { openBlock, type OpenBlock } from './ledger/block.ts';
import type { BlockStore, LaneId } from './ledger/block-store.ts';
import { sha256, toHex } from './ledger/bytes.ts';
import { formatCheckpoint, originOf } from './ledger/checkpoint.ts';
import { encodeSign1 } from './ledger/cose.ts';
import { signCoseReceipt } from './ledger/cose-receipt.ts';
import type { Ed25519Key } from './ledger/ed25519.ts';
import type { SigningKey } from './ledger/es256k.ts';
import { decodeEntry } from './ledger/entry.ts';
import { append, EMPTY_TREE } from './ledger/merkle.ts';
import { formatGrowth } from './ledger/growth-proof.ts';
import { consistencyProof, inclusionProof } from './ledger/merkle-proof.ts';
import { noteKey } from './ledger/note-keys.ts';
import { formatPolicy } from './ledger/policy.ts';
import { ReceiptRejected, verifyReceipt } from './ledger/receipt.ts';
import { formatNote, type NoteSignature } from './ledger/signed-note.ts';
import { currentTerm, isRevoked, termAt, type Term } from './ledger/terms.ts';
import { formatProof, type Proven } from './ledger/tlog-proof.ts';
import { Bytes, KiB } from './quantity.ts';
import { LANES, Sequence, type Lane } from './reading.ts';

export type ProofSources = Readonly<{
  journal: Pick<Journal, 'read'>;
  deriveStore: Pick<DeriveStore, 'evidenceFor'>;
  blocks: BlockStore;
  chain: Uint8Array;
  /** Who was in force when, in a lane. */
  terms: (lane: Lane) => readonly Term[];
  /** For the line that public witnesses understand. */
  checkpointKey: () => Ed25519Key;
}>;

/** What is to be proven, by its number. */
export type ProofOrder = Readonly<{ what: 'entry' | 'frame'; number: number }>;

/** The entry's bytes, and a COSE receipt for it (ledger/cose-receipt.ts). */
export type MadeReceipt = Readonly<{ entry: Uint8Array; receipt: Uint8Array }>;

/** `text`: a .tlog-proof file (ledger/tlog-proof.ts). */
export type MadeProof = Readonly<{ text: string; lane: string; entry: number; height: number; countersigned: readonly string[]; needed: number; /** Whose message a frame is. */ device?: string }>;

const READ_SIZE = KiB(512);
/** Later blocks that are looked at for a checkpoint with countersignatures enough. */
const CHECKPOINT_SEARCH = 1024;

/** Throws {@link UsageError} for what is not there, not sealed yet, or erased. */
export async function prove(sources: ProofSources, { what, number }: ProofOrder): Promise<MadeProof> {
  const span = what === 'frame' ? await spanOf(sources, number) : undefined;
  const entry = span?.entry ?? number;
  const { id, height, block, place } = await entryIn(sources, entry);
  const bytes = block.entries[place] as Uint8Array;
  const proven: Proven = span === undefined ? { entry: bytes } : { entry: bytes, frame: await frameIn(sources, number, span) };
  const at = await checkpointFrom(sources, id, height);
  const index = block.header.treeSize - block.entries.length + place;
  const path = await inclusionProof(index, at.block.header.treeSize, (level, position) => sources.blocks.node(id, level, position));
  const text = formatProof({ proven, index, path, note: noteOf(sources, id, at) });
  return { text, lane: id.lane, entry, height: at.height, countersigned: at.receipts.map(({ name }) => name), needed: neededAt(sources, id, at.height), ...(proven.frame === undefined ? {} : { device: decodeFrame(Buffer.from(proven.frame.leaf.subarray(9))).device }) };
}

export type GrowthOrder = Readonly<{ lane: Lane; /** Leaves of the tree at the older checkpoint. */ from: number }>;

/** A file of ledger/growth-proof.ts, from the checkpoint of so many leaves to the newest that hospitals enough have countersigned. Throws {@link UsageError} for a size no block ended at. */
export async function proveGrowth(sources: ProofSources, { lane, from }: GrowthOrder): Promise<Readonly<{ text: string; to: number }>> {
  const id = { chain: sources.chain, lane };
  const height = await heightOfSize(sources.blocks, id, from);
  const older = height === undefined ? undefined : await countersignedAt(sources, id, height);
  if (older === undefined) throw new UsageError(`no block of lane ${lane} ended at ${from} leaves; the size of a checkpoint stands in its second line`);
  const newer = (await newestFinal(sources, id)) ?? older;
  const [size, next] = [older.block.header.treeSize, newer.block.header.treeSize];
  const path = await consistencyProof(size, next, (level, position) => sources.blocks.node(id, level, position));
  return { text: formatGrowth({ older: noteOf(sources, id, older), newer: noteOf(sources, id, newer), path }), to: next };
}

/** The height of the block after which the tree has so many leaves. */
async function heightOfSize(blocks: BlockStore, id: LaneId, size: number): Promise<number | undefined> {
  let [low, high] = [((await blocks.pruned(id))?.height ?? 0) + 1, (await blocks.head(id))?.height ?? 0];
  while (low <= high) {
    const height = Math.floor((low + high) / 2);
    const bytes = await blocks.block(id, height);
    const { treeSize } = bytes === undefined ? { treeSize: NaN } : openBlock(bytes).header;
    if (treeSize === size) return height;
    if (treeSize < size) low = height + 1;
    else high = height - 1;
  }
  return undefined;
}

/** The newest block with receipts enough; without one, the newest. */
async function newestFinal(sources: ProofSources, id: LaneId): Promise<Countersigned | undefined> {
  const head = (await sources.blocks.head(id))?.height ?? 0;
  let newest: Countersigned | undefined;
  for (let height = head; height > Math.max(0, head - CHECKPOINT_SEARCH); height--) {
    const found = await countersignedAt(sources, id, height);
    newest ??= found;
    if (found !== undefined && found.receipts.length >= neededAt(sources, id, height)) return found;
  }
  return newest;
}

/** Throws {@link UsageError} for an entry that no block holds. */
export async function receiptFor(sources: ProofSources & Readonly<{ key: SigningKey }>, entry: number): Promise<MadeReceipt> {
  const { id, block: { header, entries }, place } = await entryIn(sources, entry);
  const index = header.treeSize - entries.length + place;
  const path = await inclusionProof(index, header.treeSize, (level, position) => sources.blocks.node(id, level, position));
  return { entry: entries[place] as Uint8Array, receipt: signCoseReceipt({ size: header.treeSize, index, path, root: header.treeRoot }, sources.key) };
}

/**
 * Whom an auditor has to believe: the hospitals in force, and the gateway's keys, those that were rotated among them, for they signed the
 * older blocks. A key that was lost or stolen is not.
 */
export function policyOf({ chain, terms, checkpointKey }: Pick<ProofSources, 'chain' | 'terms' | 'checkpointKey'>): string {
  const logs = LANES.flatMap((lane) => {
    const origin = originOf({ chain, lane });
    return [...gatewayKeysIn(terms(lane)).map((key) => noteKey('header', origin, key)), noteKey('ed25519', origin, checkpointKey().publicKey)];
  });
  const { hospitals, quorum } = currentTerm(terms('record')).authority;
  return formatPolicy({ logs, witnesses: hospitals.map(({ name, key }) => noteKey('receipt', witnessName(name), key)), needed: quorum });
}

function gatewayKeysIn(terms: readonly Term[]): readonly Uint8Array[] {
  const keys = new Map(terms.map(({ authority: { gateway } }) => [toHex(gateway), gateway]));
  return [...keys.values()].filter((key) => !isRevoked(terms, key));
}

/** Names of keys have neither spaces nor plus signs. */
const witnessName = (name: string): string => name.replaceAll(/[\s+]+/g, '-');

async function spanOf({ deriveStore, journal }: ProofSources, number: number): Promise<EvidenceSpan> {
  const [span, run] = [await deriveStore.evidenceFor(Sequence(number)), await journal.read(Sequence(number), Bytes(1))];
  if (run === undefined) throw new UsageError(`the journal has no frame ${number}`);
  if (run.erased?.has(number) === true) throw new UsageError(`frame ${number} was erased: nobody can show what it said any more`);
  if (span === undefined || number < span.first) throw new UsageError(`frame ${number} is accepted, and no entry covers it yet; wait for the next block`);
  return span;
}

export type HeldEntry = Readonly<{ id: LaneId; height: number; block: OpenBlock; /** Its place in the block. */ place: number }>;

async function entryIn({ blocks, chain }: ProofSources, entry: number): Promise<HeldEntry> {
  for (const lane of LANES) {
    const found = await blockHolding(blocks, { chain, lane }, entry);
    if (found !== undefined) return found;
  }
  await refusePruned(blocks, chain, entry);
  throw new UsageError(`no block holds entry ${entry}; the newest ones wait for theirs`);
}

/** Throws {@link UsageError} for an entry of which nothing can be proven here any more. */
export async function refusePruned(blocks: BlockStore, chain: Uint8Array, entry: number): Promise<void> {
  const pruned = await blocks.pruned({ chain, lane: 'record' });
  if (pruned !== undefined && entry <= pruned.lastEntrySequence) throw new UsageError(`entry ${entry} is in a block that was pruned here (storage.keep.blocks), or in one whose place in the tree was: a hospital can prove it`);
}

/** Finds the block of a lane that holds an entry, by halving the heights; undefined when none does, or it was pruned. */
export async function blockHolding(blocks: BlockStore, id: LaneId, entry: number): Promise<HeldEntry | undefined> {
  let low = ((await blocks.pruned(id))?.height ?? 0) + 1;
  let high = (await blocks.head(id))?.height ?? 0;
  while (low <= high) {
    const height = Math.floor((low + high) / 2);
    const bytes = await blocks.block(id, height);
    if (bytes === undefined) return undefined;
    const block = openBlock(bytes);
    const [first, last] = block.header.entryRange ?? [0, 0];
    if (entry < first) high = height - 1;
    else if (entry > last) low = height + 1;
    else {
      const place = block.entries.findIndex((each) => decodeEntry(each).sequence === entry);
      return place < 0 ? undefined : { id, height, block, place };
    }
  }
  return undefined;
}

/** The hashes of what evidence covers, rebuilt from the journal. Throws {@link UsageError} when the journal does not go back so far. */
export async function evidenceLeaves({ journal }: Pick<ProofSources, 'journal'>, { first, last }: EvidenceSpan): Promise<readonly Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  while (first + leaves.length <= last) {
    const run = await journal.read(Sequence(first + leaves.length), READ_SIZE);
    if (run === undefined) throw new UsageError(`the journal does not hold the frames ${first} to ${last} any more`);
    for (const [i, frame] of run.frames.slice(0, last - run.first + 1).entries()) {
      leaves.push(run.erased?.get(run.first + i) ?? sha256(evidenceLeaf(run.first + i, frame)));
    }
  }
  return leaves;
}

/** How a frame's leaf leads to the root of its evidence. */
export async function pathInEvidence(leaves: readonly Uint8Array[], index: number): Promise<readonly Uint8Array[]> {
  const byPlace = new Map(append(EMPTY_TREE, leaves).nodes.map(({ level, index: place, hash }) => [`${level}/${place}`, hash]));
  return await inclusionProof(index, leaves.length, (level, place) => byPlace.get(`${level}/${place}`) as Uint8Array);
}

async function frameIn(sources: ProofSources, number: number, span: EvidenceSpan): Promise<NonNullable<Proven['frame']>> {
  const [leaves, run] = [await evidenceLeaves(sources, span), await sources.journal.read(Sequence(number), Bytes(1))];
  const index = number - span.first;
  return { leaf: evidenceLeaf(number, run?.frames[0] as Uint8Array), index, size: leaves.length, path: await pathInEvidence(leaves, index) };
}

type Countersigned = Readonly<{ height: number; block: OpenBlock; receipts: readonly Readonly<{ name: string; key: Uint8Array; bytes: Uint8Array }>[] }>;

const neededAt = ({ terms }: ProofSources, { lane }: LaneId, height: number): number => termAt(terms(lane), height).authority.quorum;

/**
 * The first block from `height` on that hospitals enough have countersigned; else the one that most have. Of an entry from before the
 * hospitals changed it is a block of those in force now, if there is one: they are who an auditor of today believes.
 */
async function checkpointFrom(sources: ProofSources, id: LaneId, height: number): Promise<Countersigned> {
  const begun = Math.max(height, currentTerm(sources.terms(id.lane)).from);
  const head = (await sources.blocks.head(id))?.height ?? 0;
  const start = begun <= head ? begun : height;
  let best: Countersigned | undefined;
  for (let at = start; at < start + CHECKPOINT_SEARCH; at++) {
    const found = await countersignedAt(sources, id, at);
    if (found === undefined) break;
    if (best === undefined || found.receipts.length > best.receipts.length) best = found;
    if (found.receipts.length >= neededAt(sources, id, at)) return found;
  }
  return best as Countersigned;
}

async function countersignedAt({ blocks, terms }: ProofSources, id: LaneId, height: number): Promise<Countersigned | undefined> {
  const bytes = await blocks.block(id, height);
  if (bytes === undefined) return undefined;
  const block = openBlock(bytes);
  const kept = await blocks.receipts(id, height);
  const receipts = termAt(terms(id.lane), height).authority.hospitals.flatMap(({ name, key }) => {
    const good = kept.find((receipt) => isReceipt(receipt, key, id, block.hash));
    return good === undefined ? [] : [{ name, key, bytes: good }];
  });
  return { height, block, receipts };
}

function isReceipt(bytes: Uint8Array, key: Uint8Array, id: LaneId, hash: Uint8Array): boolean {
  try {
    verifyReceipt(bytes, { ...id, key, hash });
    return true;
  } catch (error) {
    if (error instanceof ReceiptRejected) return false;
    throw error;
  }
}

function noteOf({ terms, checkpointKey }: ProofSources, id: LaneId, { height, block, receipts }: Countersigned): string {
  const origin = originOf(id);
  const text = formatCheckpoint({ origin, size: block.header.treeSize, root: block.header.treeRoot });
  const key = checkpointKey();
  const signatures: readonly NoteSignature[] = [
    { ...noteKey('header', origin, termAt(terms(id.lane), height).authority.gateway), signature: encodeSign1(block.envelope) },
    { ...noteKey('ed25519', origin, key.publicKey), signature: key.sign(Buffer.from(text, 'utf8')) },
    ...receipts.map(({ name, key: hospital, bytes }) => ({ ...noteKey('receipt', witnessName(name), hospital), signature: bytes })),
  ];
  return formatNote({ text, signatures });
}
