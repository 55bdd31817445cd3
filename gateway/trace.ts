import type { DeriveStore, EvidenceSpan } from './derive/derive-store.ts';
import type { DerivationOverview } from './derive/overview.ts';
import { UsageError } from './errors.ts';
import { framesOf } from './frame-codec.ts';
import type { Journal } from './ingest/journal.ts';
import type { BlockStore, LaneId } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { toHex } from './ledger/bytes.ts';
import { decodeEntry } from './ledger/entry.ts';
import { leafHash } from './ledger/merkle.ts';
import { inclusionProof, verifyInclusion } from './ledger/merkle-proof.ts';
import { ReceiptRejected, verifyReceipt, type ExpectedReceipt, type Receipt } from './ledger/receipt.ts';
import { currentTerm, termAt, type Term } from './ledger/terms.ts';
import { blockHolding, evidenceLeaves, pathInEvidence, refusePruned, type HeldEntry } from './prove.ts';
import { Bytes, KiB } from './quantity.ts';
import { Sequence, nameOf, type AcceptedFrame, type DeviceId, type Lane, type ReadingState } from './reading.ts';

/** Where one message is on its way, and the proof of it. Hashes are hexadecimal. */
export type Trace = Readonly<{
  state: Exclude<ReadingState, 'received'>;
  accepted: Readonly<{
    sequence: number;
    device: string;
    topic: string;
    qos: number;
    receivedAt: string;
    clockTrust: string;
    bytes: number;
    payload: string;
    subject: string | null;
  }>;
  sealed?: Readonly<{
    chain: string;
    lane: 'record';
    height: number;
    block: string;
    entry: number;
    evidence: Readonly<{ first: number; last: number; root: string; frame: string; leaf: string; index: number; size: number; proof: readonly string[] }>;
    inclusion: Readonly<{ leaf: string; index: number; size: number; root: string; proof: readonly string[] }>;
  }>;
  receipts: readonly Readonly<{ hospital: string; height: number; time: string }>[];
  quorum: Readonly<{ needed: number; of: number }>;
}>;

export type TraceSources = Readonly<{
  journal: Journal;
  deriveStore: DeriveStore;
  derived: DerivationOverview;
  blocks: BlockStore;
  chain: Uint8Array;
  /** Who was in force when, in a lane. */
  terms: (lane: Lane) => readonly Term[];
}>;

/** How far back from the end of the journal the last message of a device is looked for, before the derived windows are asked. */
const RECENT_FRAMES = 8192;
const READ_SIZE = KiB(512);
/** Later blocks whose receipts are looked at: a receipt covers every block below it. */
const RECEIPT_SEARCH = 1024;

/**
 * Follows one message of a device from its bytes to its receipts, checking every proof on the way. Throws
 * {@link UsageError} when the device has no such message.
 */
export async function traceMessage(sources: TraceSources, device: DeviceId, sequence?: Sequence): Promise<Trace> {
  const accepted = sequence === undefined ? await lastMessageOf(sources, device) : await messageAt(sources, device, sequence);
  const span = await sources.deriveStore.evidenceFor(accepted.sequence);
  const block = span === undefined ? undefined : await blockHolding(sources.blocks, recordLane(sources), span.entry);
  if (span !== undefined && block === undefined) await refusePruned(sources.blocks, sources.chain, span.entry);
  const trace = { accepted: describe(sources, device, accepted) };
  if (span === undefined || block === undefined) return { state: 'accepted', ...trace, quorum: quorumOf(currentTerm(sources.terms('record'))), receipts: [] };
  const sealed = await proven(sources, accepted, span, block);
  const { receipts, quorum } = await countersigned(sources, block.height);
  const receipted = quorum.needed > 0 && receipts.length >= quorum.needed;
  return { state: receipted ? 'receipted' : receipts.length > 0 ? 'relayed' : 'sealed', ...trace, quorum, sealed, receipts };
}

async function messageAt({ journal, derived }: TraceSources, device: DeviceId, sequence: Sequence): Promise<AcceptedFrame> {
  const run = Number.isSafeInteger(sequence) && sequence > 0 ? await journal.read(sequence, Bytes(1)) : undefined;
  const accepted = run === undefined ? undefined : framesOf(run)[0];
  // A device behind a connection has only that one's messages.
  const connections = [device, derived.devices.get(device)?.connection];
  if (accepted === undefined || accepted.frame.device === '' || !connections.includes(accepted.frame.device)) throw new UsageError(`frame ${sequence} of the journal is no message of ${device}`);
  return accepted;
}

async function lastMessageOf(sources: TraceSources, device: DeviceId): Promise<AcceptedFrame> {
  const { journal, deriveStore, derived } = sources;
  const recent = await lastIn(journal, device, Math.max(1, journal.next - RECENT_FRAMES), journal.next - 1);
  if (recent !== undefined) return recent;
  const status = derived.devices.get(device);
  if (status !== undefined && status.connection !== device) return await messageAt(sources, device, status.sequence);
  const window = derived.lastWindowOf(device);
  const span = window === undefined ? undefined : await deriveStore.evidenceFor(window);
  const older = span === undefined ? undefined : await lastIn(journal, device, span.first, span.last);
  if (older === undefined) throw new UsageError(`${device} has no message in the journal`);
  return older;
}

async function lastIn(journal: Journal, device: DeviceId, first: number, last: number): Promise<AcceptedFrame | undefined> {
  let found: AcceptedFrame | undefined;
  for (let next = first; next <= last; ) {
    const run = await journal.read(Sequence(next), READ_SIZE);
    if (run === undefined) break;
    found = framesOf(run).findLast((accepted) => accepted.frame.device === device && accepted.sequence <= last) ?? found;
    next += run.frames.length;
  }
  return found;
}

function describe({ derived }: TraceSources, device: DeviceId, { sequence, frame }: AcceptedFrame): Trace['accepted'] {
  const subject = derived.subjectAt(device, frame.receivedAt);
  return {
    sequence,
    device: frame.device,
    topic: frame.topic,
    qos: frame.qos,
    receivedAt: new Date(frame.receivedAt).toISOString(),
    clockTrust: frame.clockTrust,
    bytes: frame.payload.length,
    payload: Buffer.from(frame.payload).toString('utf8'),
    subject: subject === undefined ? null : nameOf(subject),
  };
}

const recordLane = ({ chain }: TraceSources): LaneId => ({ chain, lane: 'record' });

async function proven(sources: TraceSources, accepted: AcceptedFrame, span: EvidenceSpan, { id, height, block, place }: HeldEntry): Promise<NonNullable<Trace['sealed']>> {
  const { header: { treeSize, treeRoot }, hash, entries } = block;
  const bytes = entries[place] as Uint8Array;
  const leafIndex = treeSize - entries.length + place;
  const proof = await inclusionProof(leafIndex, treeSize, (level, position) => sources.blocks.node(id, level, position));
  verifyInclusion(leafHash(bytes), leafIndex, treeSize, proof, treeRoot);
  return {
    chain: toHex(sources.chain),
    lane: 'record',
    height,
    block: toHex(hash),
    entry: span.entry,
    evidence: await proveFrame(sources, accepted, span, decodeEntry(bytes).fields.get('root') as Uint8Array),
    inclusion: { leaf: toHex(leafHash(bytes)), index: leafIndex, size: treeSize, root: toHex(treeRoot), proof: proof.map(toHex) },
  };
}

/** Rebuilds the evidence tree of the window from the journal and proves the frame in it. */
async function proveFrame(
  sources: TraceSources,
  accepted: AcceptedFrame,
  span: EvidenceSpan,
  root: Uint8Array,
): Promise<NonNullable<Trace['sealed']>['evidence']> {
  const leaves = await evidenceLeaves(sources, span);
  const index = accepted.sequence - span.first;
  const proof = await pathInEvidence(leaves, index);
  verifyInclusion(leaves[index] as Uint8Array, index, leaves.length, proof, root);
  return {
    first: span.first,
    last: span.last,
    root: toHex(root),
    frame: toHex(accepted.bytes),
    leaf: toHex(leaves[index] as Uint8Array),
    index,
    size: leaves.length,
    proof: proof.map(toHex),
  };
}

const quorumOf = ({ authority: { quorum, hospitals } }: Term): Trace['quorum'] => ({ needed: quorum, of: hospitals.length });

/** By the hospitals in force at the block or, when they are too few, by those of a later term, whose receipts cover it as well. */
async function countersigned(sources: TraceSources, height: number): Promise<Pick<Trace, 'receipts' | 'quorum'>> {
  const terms = sources.terms('record');
  const first = terms.indexOf(termAt(terms, height));
  let found: Pick<Trace, 'receipts' | 'quorum'> | undefined;
  for (const term of terms.slice(first)) {
    const receipts = await receiptsIn(sources, term, Math.max(height, term.from));
    if (found === undefined || receipts.length >= term.authority.quorum) found = { receipts, quorum: quorumOf(term) };
    if (receipts.length >= term.authority.quorum) break;
  }
  return found ?? { receipts: [], quorum: quorumOf(currentTerm(terms)) };
}

/** The hospitals of a term that countersigned the block or one above it, each with its receipt nearest to the block. */
async function receiptsIn(sources: TraceSources, { authority: { hospitals } }: Term, height: number): Promise<Trace['receipts']> {
  const { blocks, chain } = sources;
  const found = new Map<string, { hospital: string; height: number; time: string }>();
  for (let at = height; at < height + RECEIPT_SEARCH && found.size < hospitals.length; at++) {
    const block = await blocks.block(recordLane(sources), at);
    if (block === undefined) break;
    for (const receipt of await blocks.receipts(recordLane(sources), at)) {
      for (const { name, key } of hospitals) {
        if (found.has(name)) continue;
        const verified = receiptOf(receipt, { key, chain, lane: 'record', height: at, hash: openBlock(block).hash });
        if (verified !== undefined) found.set(name, { hospital: name, height: at, time: new Date(verified.time).toISOString() });
      }
    }
  }
  return [...found.values()];
}

/** The receipt if it is this hospital's and true; undefined when it is another's. */
function receiptOf(bytes: Uint8Array, expected: ExpectedReceipt): Receipt | undefined {
  try {
    return verifyReceipt(bytes, expected);
  } catch (error) {
    if (error instanceof ReceiptRejected) return undefined;
    throw error;
  }
}
