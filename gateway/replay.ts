/**
 * Derives a journal again: to see that the chain says what the frames give, and what other rule packs would have found in them. It reads
 * only, and may do so while a gateway runs on the folder.
 */

import type { Step } from './alarm/step.ts';
import type { Contract } from './context/contract.ts';
import { decodeOperatorAction, encodeOperatorAction } from './decode/operator.ts';
import { NOTHING_DERIVED, type Checkpoint } from './derive/derive-store.ts';
import { Derivation, type DerivationOptions } from './derive/derivation.ts';
import { LocalDeriver } from './derive/deriver.ts';
import { randomKeys, SubjectKeys } from './derive/subject-keys.ts';
import { DecodeError, UsageError } from './errors.ts';
import { encodeFrame, framesOf, saltOf } from './frame-codec.ts';
import type { Journal } from './ingest/journal.ts';
import { firstAuthority } from './ledger/authority.ts';
import type { BlockStore } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { equalBytes, sha256 } from './ledger/bytes.ts';
import { decodeEntry } from './ledger/entry.ts';
import { MiB, type UnixMillis } from './quantity.ts';
import type { VaultKey } from './vault/keyring.ts';
import { LANES, Sequence, nameOf, type AcceptedFrame, type FrameRun } from './reading.ts';

export type ReplaySources = Readonly<{
  journal: Pick<Journal, 'next' | 'read'>;
  blocks: BlockStore;
  /** All that the gateway has. */
  keys: readonly VaultKey[];
  random: (size: number) => Uint8Array;
}>;

export type ReplayOptions = Readonly<{
  /** Entries and alarms from this instant (included) to that (excluded) count, on the gateway's wall clock. */
  from: UnixMillis;
  to: UnixMillis;
  /** Called now and then; `last`: of the journal. */
  onProgress: (frame: number, last: number) => void;
  signal: AbortSignal;
}>;

/** How an entry that was derived again differs from the chain. */
export type Difference = Readonly<{ entry: number; kind: string; time: UnixMillis; what: 'other bytes' | 'not in the chain' | 'only in the chain' }>;

export type Verification = Readonly<{ frames: number; entries: number; differences: readonly Difference[]; /** More than those listed. */ further: number }>;

const PIECE = MiB(1);
const MOST_DIFFERENCES = 20;

/** Compares every entry that the frames give with the chain. Entries at the end that are not sealed yet are no difference. */
export async function verifyByReplay(sources: ReplaySources, options: ReplayOptions): Promise<Verification> {
  const { journal, blocks } = sources;
  const chain = await sealedIn(blocks);
  const found = new Findings(chain);
  for await (const checkpoint of derived(sources, options)) found.compare(checkpoint, options);
  return { frames: journal.next - 1, ...found.end(options) };
}

/** Hash, kind and time of every sealed entry. */
type Sealed = ReadonlyMap<number, Readonly<{ hash: Uint8Array; kind: string; time: UnixMillis }>>;

async function sealedIn(blocks: BlockStore): Promise<Sealed> {
  const sealed = new Map<number, Readonly<{ hash: Uint8Array; kind: string; time: UnixMillis }>>();
  for (const chain of await blocks.chains()) {
    for (const lane of LANES) {
      const pruned = await blocks.pruned({ chain, lane });
      if (pruned !== undefined) throw new UsageError(`blocks of lane ${lane} up to ${pruned.height} were pruned here (storage.keep.blocks): there is nothing to compare what the first messages give with`);
      for await (const bytes of blocks.blocks({ chain, lane }, 0)) {
        for (const entry of openBlock(bytes).entries) {
          const { sequence, kind, time } = decodeEntry(entry);
          sealed.set(sequence, { hash: sha256(entry), kind, time });
        }
      }
    }
  }
  return sealed;
}

class Findings {
  readonly #sealed: Sealed;
  readonly #seen = new Set<number>();
  #lastSealed = 0;
  readonly #differences: Difference[] = [];
  #count = 0;
  #entries = 0;

  constructor(sealed: Sealed) {
    this.#sealed = sealed;
    for (const sequence of sealed.keys()) this.#lastSealed = Math.max(this.#lastSealed, sequence);
  }

  compare({ entries }: Checkpoint, { from, to }: ReplayOptions): void {
    for (const { sequence, bytes } of entries) {
      this.#seen.add(sequence);
      const { kind, time } = decodeEntry(bytes);
      if (time < from || time >= to) continue;
      const sealed = this.#sealed.get(sequence);
      this.#entries += 1;
      if (sealed === undefined ? sequence < this.#lastSealed : !equalBytes(sealed.hash, sha256(bytes))) {
        this.#note({ entry: sequence, kind, time, what: sealed === undefined ? 'not in the chain' : 'other bytes' });
      }
    }
  }

  end({ from, to }: ReplayOptions): Omit<Verification, 'frames'> {
    for (const [entry, { kind, time }] of this.#sealed) {
      if (!this.#seen.has(entry) && time >= from && time < to) this.#note({ entry, kind, time, what: 'only in the chain' });
    }
    return { entries: this.#entries, differences: this.#differences, further: this.#count - this.#differences.length };
  }

  #note(difference: Difference): void {
    this.#count += 1;
    if (this.#differences.length < MOST_DIFFERENCES) this.#differences.push(difference);
  }
}

async function* derived({ journal, blocks, keys, random }: ReplaySources, { onProgress, signal }: ReplayOptions, change = (run: FrameRun): FrameRun => run): AsyncGenerator<Checkpoint> {
  const deriver = new LocalDeriver(new Derivation(new SubjectKeys(keys, randomKeys(random)), NOTHING_DERIVED, await begunIn(blocks)));
  const last = journal.next - 1;
  for (let next = 1; next <= last; ) {
    signal.throwIfAborted();
    const run = await journal.read(Sequence(next), PIECE);
    if (run === undefined) return;
    refuseErased(run);
    yield* deriver.deriveNow(change(run)).checkpoints;
    next = run.first + run.frames.length;
    onProgress(next - 1, last);
  }
}

async function begunIn(blocks: BlockStore): Promise<Partial<Pick<DerivationOptions, 'begun'>>> {
  const [chain] = await blocks.chains();
  const head = chain && await blocks.head({ chain, lane: 'record' });
  return head === undefined ? {} : { begun: { chain: head.chain, authority: firstAuthority(head.parameters) } };
}

/** What was erased cannot be derived again, and nothing that came after it. */
function refuseErased({ erased }: FrameRun): void {
  const [first] = erased?.keys() ?? [];
  if (first === undefined) return;
  throw new UsageError(`frame ${first} of the journal was erased, and more may be: what they said is gone for good, so the journal cannot be derived again from its beginning. "vitalgate verify chain" still audits every block`);
}

/** One alarm that was raised. */
export type RaisedAlarm = Readonly<{ time: UnixMillis; subject: string; rule: string; priority: string; message: string }>;

/** What was raised under the packs in force at the time, and what would have been under others. */
export type Comparison = Readonly<{ frames: number; before: readonly RaisedAlarm[]; after: readonly RaisedAlarm[] }>;

/**
 * Derives the frames twice: as they are, and with `packs` in force whenever any were. Answers of people are left out of the second, for
 * they were given to other alarms.
 */
export async function tryPacks(sources: ReplaySources, packs: readonly Contract[], options: ReplayOptions): Promise<Comparison> {
  const before = await alarmsIn(derived(sources, halfOf(options, 0)), options);
  const after = await alarmsIn(derived(sources, halfOf(options, 1), (run) => withPacks(run, packs)), options);
  return { frames: sources.journal.next - 1, before, after };
}

/** Progress over both passes. */
const halfOf = (options: ReplayOptions, pass: 0 | 1): ReplayOptions => ({ ...options, onProgress: (frame, last) => options.onProgress(pass * last + frame, 2 * last) });

/** Whatever makes somebody look who did not look before. */
const RAISING: ReadonlySet<Step['why']> = new Set(['raised', 'raised_again', 'priority_raised']);

async function alarmsIn(checkpoints: AsyncIterable<Checkpoint>, { from, to }: ReplayOptions): Promise<readonly RaisedAlarm[]> {
  const raised: RaisedAlarm[] = [];
  for await (const { steps } of checkpoints) {
    for (const { step: { why, about }, time } of steps) {
      if (!RAISING.has(why) || about === null || time < from || time >= to) continue;
      const { subject, rule, priority, message } = about;
      raised.push({ time, subject: subject === null ? 'gateway' : nameOf(subject), rule, priority, message });
    }
  }
  return raised;
}

/** The same frames, but for what people decided about packs and alarms. */
function withPacks(run: FrameRun, packs: readonly Contract[]): FrameRun {
  const frames = framesOf(run).map((accepted) => (accepted.frame.source === 'operator' ? decidedOtherwise(accepted, packs) : accepted.bytes));
  return { first: run.first, frames };
}

function decidedOtherwise({ frame, bytes }: AcceptedFrame, packs: readonly Contract[]): Uint8Array {
  try {
    const action = decodeOperatorAction(frame.payload);
    if (action.type === 'contracts') return encodeFrame({ ...frame, payload: encodeOperatorAction({ type: 'contracts', packs, by: action.by }) }, saltOf(bytes));
    if (action.type === 'acknowledge' || action.type === 'snooze') return encodeFrame({ ...frame, source: 'timer', payload: new Uint8Array() }, saltOf(bytes));
    return bytes;
  } catch (error) {
    if (error instanceof DecodeError) return bytes;
    throw error;
  }
}
