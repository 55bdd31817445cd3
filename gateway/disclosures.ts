/** Who was shown what of whom: every reading of somebody's data is an entry about them, sealed under their key. */

import { encodeOperatorAction, type Actor, type OperatorAction } from './decode/operator.ts';
import { messageOf, StoreError } from './errors.ts';
import type { Clock } from './ingest/clock.ts';
import { openBlock } from './ledger/block.ts';
import type { BlockStore, LaneId, PendingEntries } from './ledger/block-store.ts';
import { decode, type CborMap } from './ledger/cbor.ts';
import { decodeEntry } from './ledger/entry.ts';
import type { Logger } from './operations/log.ts';
import { purposeOf } from './people/access.ts';
import type { Pipeline } from './pipeline.ts';
import { Minutes, type Millis, type UnixMillis } from './quantity.ts';
import { nameOf, type Subject } from './reading.ts';
import type { Keyring } from './vault/keyring.ts';
import { openPayload } from './vault/payload.ts';

/** What somebody was shown. */
export const DISCLOSED = ['values', 'alarms', 'alarm history', 'raw message', 'disclosures', 'consents', 'episodes', 'payloads', 'pseudonym', 'nothing: denied'] as const;
export type Disclosed = (typeof DISCLOSED)[number];

/** The four things that an accounting of disclosures has (45 CFR 164.528), and how often it was within the time. */
export type Disclosure = Readonly<{
  time: UnixMillis;
  /** A person, a hospital, or somebody there: `hospital/person`. */
  recipient: string;
  role: string;
  what: string;
  purpose: string;
  times: number;
  /** Of what a hospital did: when that was by its clock, why, and its signed word (consent/hospital-note.ts), base64. */
  at?: UnixMillis;
  reason?: string;
  note?: string;
}> & Basis;

/** On what it was decided: versions of the consents of those the data are about, and a break-glass episode. */
export type Basis = Readonly<{ consents?: readonly string[]; episode?: number }>;

/** Somebody of whom something is shown. `purpose`: ActReason code; absent: what goes with the role of whoever looks. */
export type Shown = Basis & Readonly<{ subject: Subject; purpose?: string }>;

export type DisclosuresOptions = Readonly<{
  pipeline: Pick<Pipeline, 'decide'>;
  clock: Pick<Clock, 'uptime'>;
  log: Logger;
}>;

/** Whoever looks again within this time is looking still: one entry for the first look, and one that counts the others. */
const SAME_LOOK = Minutes(15);

/** What is decided anew is looked at anew. */
const nameOfLook = (by: Actor, { subject, purpose = '', consents = [], episode = 0 }: Shown, what: Disclosed): string => [by.id, by.role, what, nameOf(subject), purpose, episode, ...consents].join('\n');

type Look = { since: Millis; more: number; action: Extract<OperatorAction, { type: 'disclose' }> };

export class Disclosures {
  readonly #options: DisclosuresOptions;
  readonly #looks = new Map<string, Look>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: DisclosuresOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(false), Minutes(1));
    this.#timer.unref();
  }

  /**
   * Notes that somebody is about to be shown something. Resolves when that is in the journal. A store that fails keeps nobody from seeing
   * an alarm: it is logged, and the gateway raises its own about the store.
   */
  async note(by: Actor, all: readonly Shown[], what: Disclosed): Promise<void> {
    const now = this.#options.clock.uptime();
    const fresh: Look['action'][] = [];
    for (const [name, { subject, purpose = purposeOf(by.role), ...basis }] of new Map(all.map((each) => [nameOfLook(by, each, what), each]))) {
      const look = this.#looks.get(name);
      if (look !== undefined && now - look.since < SAME_LOOK) {
        look.more += 1;
        continue;
      }
      if (look !== undefined && look.more > 0) fresh.push({ ...look.action, times: look.more });
      const action = { type: 'disclose', subject, what, purpose, times: 1, by, ...basis } as const;
      this.#looks.set(name, { since: now, more: 0, action });
      fresh.push(action);
    }
    await this.#tell(fresh);
  }

  /** Forgets looks at a subject that is erased: nothing is to be said of them any more. */
  forget(subject: Subject): void {
    for (const [name, { action }] of this.#looks) if (nameOf(action.subject) === nameOf(subject)) this.#looks.delete(name);
  }

  /** Tells of looks that went on, when their time is over; with `all` of every one. */
  async flush(all: boolean): Promise<void> {
    const now = this.#options.clock.uptime();
    const over = [...this.#looks].filter(([, { since }]) => all || now - since >= SAME_LOOK);
    for (const [name] of over) this.#looks.delete(name);
    await this.#tell(over.flatMap(([, { action, more }]) => (more === 0 ? [] : [{ ...action, times: more }])));
  }

  async #tell(actions: readonly OperatorAction[]): Promise<void> {
    try {
      await Promise.all(actions.map((action) => this.#options.pipeline.decide(encodeOperatorAction(action))));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.log.error({ code: error.code, error: messageOf(error) }, 'what somebody was shown could not be written down');
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush(true);
  }
}

export type DisclosureSources = Readonly<{ blocks: BlockStore; pending: PendingEntries; chain: Uint8Array; keyring: Keyring }>;

/** Everything the chain says of whom a subject's data were shown to, in order. What was erased is not there any more. */
export async function disclosuresOf(sources: DisclosureSources, subject: Subject): Promise<readonly Disclosure[]> {
  const found: Disclosure[] = [];
  for await (const entry of recordEntries(sources)) {
    const { kind, sequence, time } = decodeEntry(entry);
    if (kind !== 'disclosure') continue;
    const sealed = await sources.pending.sealedPayload(sequence);
    const open = sealed === undefined ? undefined : openPayload(sources.keyring, entry, sealed);
    if (open === undefined) continue;
    if (open.subject !== nameOf(subject)) continue;
    const { note, ...said } = Object.fromEntries(decode(open.payload, { floats: true }) as CborMap) as Omit<Disclosure, 'time' | 'note'> & Readonly<{ note?: Uint8Array }>;
    found.push({ time, ...said, ...(note === undefined ? {} : { note: Buffer.from(note).toString('base64') }) });
  }
  return found;
}

const PAGE = 256;

/** Entries of the record lane, sealed ones first, then those that wait for their block. */
async function* recordEntries({ blocks, pending, chain }: DisclosureSources): AsyncGenerator<Uint8Array> {
  const id: LaneId = { chain, lane: 'record' };
  let last = 0;
  for await (const bytes of blocks.blocks(id, 1)) {
    const { header, entries } = openBlock(bytes);
    last = header.entryRange?.[1] ?? last;
    yield* entries;
  }
  for (;;) {
    const page = await pending.pending('record', last, PAGE);
    for (const { bytes, sequence } of page) {
      last = sequence;
      yield bytes;
    }
    if (page.length < PAGE) return;
  }
}
