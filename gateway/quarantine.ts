/** What could not be understood: looking at it, and trying again after a correction. */

import { encodeOperatorAction } from './decode/operator.ts';
import type { DeriveStore, Quarantined } from './derive/derive-store.ts';
import { UsageError, type QuarantineReason } from './errors.ts';
import { framesOf } from './frame-codec.ts';
import type { Journal } from './ingest/journal.ts';
import { Bytes, MiB } from './quantity.ts';
import type { AcceptedFrame, Sequence } from './reading.ts';

export type QuarantineFilter = Readonly<{ device?: string; reason?: QuarantineReason }>;

/** A page of the quarantine; `next`: where the following one begins, null when there is none. */
export type QuarantinePage = Readonly<{ quarantined: readonly Quarantined[]; next: number | null }>;

/** A message in quarantine with its bytes. Instants are ISO 8601 in UTC. */
export type QuarantinedFrame = Quarantined &
  Readonly<{
    topic: string;
    source: string;
    receivedAt: string;
    clockTrust: string;
    bytes: number;
    /** Base64. */
    payload: string;
    /** The payload as text, when it is UTF-8 without control characters. */
    text: string | null;
  }>;

/** What a page of retries gave. */
export type RetryPage = Readonly<{ retried: number; next: number | null }>;

export type QuarantineSources = Readonly<{
  journal: Journal;
  deriveStore: DeriveStore;
  /** See Pipeline.carryOut. */
  carryOut: (actions: readonly Uint8Array[]) => Promise<void>;
}>;

/** Records read for one page: a filter may leave few of them. */
const PAGE = 200;

export async function quarantinePage({ deriveStore }: Pick<QuarantineSources, 'deriveStore'>, from: Sequence, { device, reason }: QuarantineFilter): Promise<QuarantinePage> {
  const records = await deriveStore.quarantine(from, PAGE);
  const matches = (each: Quarantined): boolean =>
    (device === undefined || each.device === device) && (reason === undefined || each.rejections.some((rejection) => rejection.reason === reason));
  const last = records.at(-1);
  return { quarantined: records.filter(matches), next: records.length < PAGE || last === undefined ? null : last.sequence + 1 };
}

/** Throws {@link UsageError} when the frame is not in quarantine. */
export async function quarantinedFrame(sources: Pick<QuarantineSources, 'deriveStore' | 'journal'>, sequence: Sequence): Promise<QuarantinedFrame> {
  const [record] = await sources.deriveStore.quarantine(sequence, 1);
  if (record?.sequence !== sequence) throw new UsageError(`frame ${sequence} is not in quarantine`);
  const { frame } = await frameAt(sources.journal, sequence);
  const payload = Buffer.from(frame.payload);
  return {
    ...record,
    topic: frame.topic,
    source: frame.source,
    receivedAt: new Date(frame.receivedAt).toISOString(),
    clockTrust: frame.clockTrust,
    bytes: payload.length,
    payload: payload.toString('base64'),
    text: textIn(payload),
  };
}

function textIn(payload: Buffer): string | null {
  const text = payload.toString('utf8');
  return /[\p{Cc}\uFFFD]/u.test(text.replace(/[\t\r\n]/g, '')) ? null : text;
}

/**
 * Tries a page of the quarantine again with the profiles and decoders of today, each attempt a frame of the journal, and resolves
 * when they are derived. What is understood now leaves the quarantine; what is not stays, with its new reason.
 */
export async function retryPage(sources: QuarantineSources, from: Sequence, filter: QuarantineFilter): Promise<RetryPage> {
  const { quarantined, next } = await quarantinePage(sources, from, filter);
  const messages = quarantined.filter(({ device }) => device !== '');
  const actions = await Promise.all(messages.map((each) => retryOf(sources.journal, each)));
  for (const batch of batches(actions)) await sources.carryOut(batch);
  return { retried: actions.length, next };
}

/** A record of the journal is written and read as a whole. */
const BATCH: Bytes = MiB(1);

/** In their order, each of one action at least. */
function batches(actions: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const all: Uint8Array[][] = [];
  let size: number = BATCH;
  for (const action of actions) {
    if (size + action.length > BATCH) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(action);
    size += action.length;
  }
  return all;
}

/** As {@link retryPage}, for one frame. Throws {@link UsageError} when it is not in quarantine. */
export async function retryOne(sources: QuarantineSources, sequence: Sequence): Promise<void> {
  const [record] = await sources.deriveStore.quarantine(sequence, 1);
  if (record?.sequence !== sequence) throw new UsageError(`frame ${sequence} is not in quarantine`);
  if (record.device === '') throw new UsageError(`frame ${sequence} is a decision, not a message of a device`);
  await sources.carryOut([await retryOf(sources.journal, record)]);
}

async function retryOf(journal: Journal, { sequence, taken = [] }: Quarantined): Promise<Uint8Array> {
  const { bytes } = await frameAt(journal, sequence);
  return encodeOperatorAction({ type: 'retry', sequence, frame: bytes, taken });
}

async function frameAt(journal: Journal, sequence: Sequence): Promise<AcceptedFrame> {
  const run = await journal.read(sequence, Bytes(1));
  const accepted = run === undefined ? undefined : framesOf(run)[0];
  if (accepted === undefined) throw new UsageError(`the journal does not hold frame ${sequence} any more`);
  return accepted;
}
