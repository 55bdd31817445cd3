import type { StepHistory } from './alarm-feed.ts';
import type { StepView } from './alarm-views.ts';
import { StoreError } from './errors.ts';
import type { BlockStore, LaneId, PendingEntries } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import { decode, type CborValue } from './ledger/cbor.ts';
import { decodeEntry, type Entry } from './ledger/entry.ts';
import { subjectNamed } from './reading.ts';
import type { Keyring } from './vault/keyring.ts';
import { openPayload } from './vault/payload.ts';

export type AlarmHistoryOptions = Readonly<{ blocks: BlockStore; pending: PendingEntries; chain: Uint8Array; keyring: Keyring }>;

const PENDING_AT_A_TIME = 256;

/**
 * Steps of alarms as the alarm lane of the chain keeps them: what is public in the entries, what is personal in their payloads, which stay
 * on this machine.
 */
export class AlarmHistory implements StepHistory {
  readonly #options: AlarmHistoryOptions;
  readonly #lane: LaneId;

  constructor(options: AlarmHistoryOptions) {
    this.#options = options;
    this.#lane = { chain: options.chain, lane: 'alarm' };
  }

  async read(first: number, last: number): Promise<readonly StepView[]> {
    // Entries go from waiting to sealed, so that looking in this order misses none.
    const entries = new Map<number, Uint8Array>();
    for (const entry of [...(await this.#waiting()), ...(await this.#sealed(first, last))]) {
      const step = stepOf(decodeEntry(entry));
      if (step !== undefined && step >= first && step <= last) entries.set(step, entry);
    }
    const steps: StepView[] = [];
    for (let step = first; step <= last; step++) steps.push(await this.#view(step, entries.get(step)));
    return steps;
  }

  async #waiting(): Promise<readonly Uint8Array[]> {
    const entries: Uint8Array[] = [];
    for (let after = 0; ; ) {
      const page = await this.#options.pending.pending('alarm', after, PENDING_AT_A_TIME);
      entries.push(...page.map(({ bytes }) => bytes));
      after = page.at(-1)?.sequence ?? after;
      if (page.length < PENDING_AT_A_TIME) return entries;
    }
  }

  async #sealed(first: number, last: number): Promise<readonly Uint8Array[]> {
    const entries: Uint8Array[] = [];
    for await (const bytes of this.#options.blocks.blocks(this.#lane, await this.#heightBefore(first))) {
      const inBlock = openBlock(bytes).entries;
      entries.push(...inBlock);
      if (inBlock.some((entry) => (stepOf(decodeEntry(entry)) ?? 0) >= last)) break;
    }
    return entries;
  }

  /** A height from which on every block with this step or a later one is found, by halving. */
  async #heightBefore(step: number): Promise<number> {
    let low = 0;
    let high = (await this.#options.blocks.head(this.#lane))?.height ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const firstThere = await this.#firstStepFrom(middle, high);
      if (firstThere === undefined || firstThere > step) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  /** The first step in a block at this height or above. Not every block has one: the lane is older than steps, and not for them alone. */
  async #firstStepFrom(height: number, highest: number): Promise<number | undefined> {
    for (let at = height; at <= highest; at++) {
      const bytes = await this.#options.blocks.block(this.#lane, at);
      const steps = bytes === undefined ? [] : openBlock(bytes).entries.map((entry) => stepOf(decodeEntry(entry)));
      const first = steps.find((step) => step !== undefined);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  async #view(step: number, entry: Uint8Array | undefined): Promise<StepView> {
    if (entry === undefined) throw new StoreError('VG_STORE_CORRUPT', `step ${step} of alarms is not in the alarm lane`);
    const sealed = await this.#options.pending.sealedPayload(decodeEntry(entry).sequence);
    if (sealed === undefined) return viewOf(decodeEntry(entry), undefined, LOST);
    const open = openPayload(this.#options.keyring, entry, sealed);
    return viewOf(decodeEntry(entry), open?.subject, open === undefined ? ERASED : (plain(decode(open.payload, { floats: true })) as Payload));
  }
}

function stepOf({ fields }: Entry): number | undefined {
  const step = fields.get('step');
  return typeof step === 'number' ? step : undefined;
}

/** What stays beside the chain (derive/); what is not there is null or absent. */
type Payload = Partial<Omit<StepView, 'subject' | 'step' | 'time' | 'revision'>>;

/** Copied from a hospital after the disk was lost: what lay beside it is not there any more (restoration.ts). */
const LOST: Payload = { message: 'lost with the disk' };
/** Whom it was about is erased, and what it said. */
const ERASED: Payload = { message: 'erased' };

function viewOf({ fields, time }: Entry, subject: string | undefined, payload: Payload): StepView {
  const number = (name: string): number => Number(fields.get(name) ?? 0);
  const word = (name: string): string => String(fields.get(name) ?? '');
  const { rule = null, kind = null, priority = null, message = null, count = null, evidence = null, told = null, untold = null, by = null, refusal = null } = payload;
  return {
    step: number('step'),
    time: new Date(time).toISOString(),
    alarm: number('alarm'),
    revision: number('revision'),
    why: word('why') as StepView['why'],
    from: word('from') as StepView['from'],
    to: word('to') as StepView['to'],
    subject: subject === undefined ? null : subjectNamed(subject), rule, kind, priority, message, count, evidence, told, untold, by, refusal,
  };
}

/** CBOR as JSON has it. */
function plain(value: CborValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...(value as ReadonlyMap<string, CborValue>)].map(([key, each]) => [key, plain(each)]));
  return Array.isArray(value) ? (value as readonly CborValue[]).map(plain) : value;
}
