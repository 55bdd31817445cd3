/**
 * What this process knows of every gateway, counted as it happens: nothing is found out by reading chains. Heads that others have moved
 * (several processes over one store) are read again now and then. A gateway takes less than 2 KB of memory.
 */

import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { fingerprint, fingerprintBytes } from '../ledger/es256k.ts';
import { readReceipt } from '../ledger/receipt.ts';
import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import { LANES, type Lane } from '../reading.ts';
import type { TakenBlocks } from './observed-stores.ts';

/** How often a gateway is expected, until it has shown what is usual. */
const USUAL_AT_FIRST = Minutes(10);
/** Nobody is called silent before. */
const LEAST_SILENCE = Minutes(5);
const SILENT_AFTER = 3;
/** Part of a new interval in what is usual. */
const NEWEST_SHARE = 0.2;
/** Blocks that come within this time came together: a gateway that catches up tells nothing of its rhythm. */
const TOGETHER = Millis(1000);
/** Longer intervals, such as a week without power, say no more of what is usual than this. */
const LONGEST_INTERVAL = Minutes(24 * 60);
/** Of what is not known, when it is put in order: after everything that is. */
const UNKNOWN = 8_640_000_000_000_000;
/** How often it is asked for forks that other processes have seen. */
const FORKS_EVERY = Minutes(5);
/** Reads of the store under way at a time. */
const READERS = 8;

type LaneNotes = {
  height: number;
  /** Of the newest block, the gateway's clock; NaN: not known. */
  time: number;
  /** When it came, this node's clock; NaN: not known. */
  arrived: number;
  /** What is usual between arrivals; NaN: not known yet. */
  usual: number;
  /** Blocks, since the start. */
  taken: number;
  bytes: number;
  receipts: number;
  gaps: number;
  /** Height of the fork; NaN: none. */
  fork: number;
};

type Notes = {
  name: string | undefined;
  /** Hexadecimal. */
  fingerprint: string;
  lanes: Record<Lane, LaneNotes | undefined>;
  releases: number;
  payloads: number;
  /** Offers that were refused for another reason than a gap, since the start. Made when there is one. */
  failures: Map<string, number> | undefined;
  lastFailure: Readonly<{ reason: string; time: UnixMillis }> | undefined;
};

/** `forked`: two histories were seen; `silent`: no block for longer than is usual; `current`: all is well. */
export const GATEWAY_STATES = ['forked', 'silent', 'current'] as const;
export type GatewayState = (typeof GATEWAY_STATES)[number];

export type LaneView = Readonly<{
  lane: Lane;
  height: number;
  /** Of the newest block, the gateway's clock; null: not read yet. */
  time: UnixMillis | null;
  /** When it came, this node's clock; null: before this node kept receipts, or not read yet. */
  arrived: UnixMillis | null;
  /** How old it was when it came, ms; negative where the gateway's clock is ahead. */
  delay: Millis | null;
  /** Between arrivals, ms; null: not known yet. */
  usual: Millis | null;
  /** Height at which another history was seen. */
  fork: number | null;
  /** Of this process, since it started. */
  blocks: number;
  bytes: number;
  receipts: number;
  gaps: number;
}>;

export type GatewayView = Readonly<{
  /** 32 hexadecimal digits. */
  chain: string;
  /** As the configuration calls it; null: it does not. */
  name: string | null;
  /** Of the key that speaks for the chain, 32 hexadecimal digits. */
  fingerprint: string;
  state: GatewayState;
  /** Age of the newest block by its own time, ms; null: not known. */
  lag: Millis | null;
  /** Since something came, ms; of a gateway of which nothing is known, since this node started. */
  quiet: Millis;
  /** Silent when it is quiet for longer, ms. */
  expected: Millis;
  lanes: readonly LaneView[];
  gaps: number;
  receipts: number;
  releases: number;
  payloads: number;
  /** Offers that were refused, by reason: rejections, forks, keys that are not admitted. */
  failures: Readonly<Record<string, number>>;
  lastFailure: Readonly<{ reason: string; time: UnixMillis }> | null;
}>;

export const GATEWAY_ORDERS = ['chain', 'lag', 'quiet', 'failures', 'gaps'] as const;
export type GatewayOrder = (typeof GATEWAY_ORDERS)[number];

export type GatewayQuery = Readonly<{
  /** `chain`: ascending; the others: most first. */
  order: GatewayOrder;
  limit: number;
  /** What the page before gave as `next`. */
  after?: string;
  state?: GatewayState;
  /** Beginning of the chain, of the fingerprint or of the name. */
  search?: string;
}>;

export type GatewayPage = Readonly<{ gateways: readonly GatewayView[]; /** Null: that was all. */ next: string | null; /** That fit the query. */ matching: number }>;

export type GatewayTotals = Readonly<{ known: number; forked: number; silent: number; current: number }>;

export type GatewayBookOptions = Readonly<{
  /** Read, never written. */
  blocks: BlockStore;
  /** This hospital's public key: its receipts say when a block came. */
  key: Uint8Array;
  /** What gateways are called, by the public key they began with, hexadecimal. Default: nothing. */
  names?: ReadonlyMap<string, string>;
  now: () => UnixMillis;
}>;

export class GatewayBook {
  readonly #options: GatewayBookOptions;
  readonly #own: Uint8Array;
  readonly #notes = new Map<string, Notes>();
  readonly #startedAt: UnixMillis;
  #isRead = false;
  #forksRead = -Infinity;

  constructor(options: GatewayBookOptions) {
    this.#options = options;
    this.#own = fingerprintBytes(options.key);
    this.#startedAt = options.now();
  }

  /** Whether everything that was in the store at the start is known. */
  get isRead(): boolean {
    return this.#isRead;
  }

  get size(): number {
    return this.#notes.size;
  }

  took({ chain, lane, height, time, gateway, firstKey, blocks, bytes }: TakenBlocks): void {
    const notes = this.#of(toHex(chain));
    const found = laneOf(notes, lane);
    const now = this.#options.now();
    if (now - found.arrived >= TOGETHER) found.usual = smoothed(found.usual, now - found.arrived);
    notes.name ??= this.#nameOf(firstKey);
    notes.fingerprint = fingerprint(gateway);
    found.height = height;
    found.time = time;
    found.arrived = now;
    found.taken += blocks;
    found.bytes += bytes;
  }

  countersigned({ chain, lane }: LaneId): void {
    const notes = this.#notes.get(toHex(chain));
    if (notes !== undefined) laneOf(notes, lane).receipts += 1;
  }

  forked({ chain, lane, height }: LaneId & Readonly<{ height: number }>): void {
    laneOf(this.#of(toHex(chain)), lane).fork = height;
  }

  released({ chain, payloads }: Readonly<{ chain: Uint8Array; payloads: number }>): void {
    const notes = this.#notes.get(toHex(chain));
    if (notes === undefined) return;
    notes.releases += 1;
    notes.payloads += payloads;
  }

  /** An offer that was not taken. Of a chain that is not here nothing is noted: strangers could name as many as they like. */
  refused({ chain, lane }: LaneId, reason: string): void {
    const notes = this.#notes.get(toHex(chain));
    if (notes === undefined) return;
    if (reason === 'gap') {
      laneOf(notes, lane).gaps += 1;
      return;
    }
    notes.failures ??= new Map();
    notes.failures.set(reason, (notes.failures.get(reason) ?? 0) + 1);
    notes.lastFailure = { reason, time: this.#options.now() };
  }

  /**
   * Reads what the store knows and this process does not: chains that are new here, forks, and the heads of whoever seems to be silent,
   * because another process may have taken what they sent. Ends early when `signal` says so. Throws {@link StoreError}.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const { blocks, now } = this.#options;
    const chains = await blocks.chains();
    const at = now();
    const unclear = chains.filter((chain) => {
      const notes = this.#notes.get(toHex(chain));
      return notes === undefined || this.#quietOf(notes, at) > expectedOf(notes) / 2;
    });
    await inParallel(unclear, signal, (chain) => this.#readChain(chain));
    if (signal.aborted) return;
    // The evidence may be large, and this process was told of every fork that it has seen itself.
    if (at - this.#forksRead >= FORKS_EVERY) {
      for (const { chain, lane, height } of await blocks.forks()) this.forked({ chain, lane, height });
      this.#forksRead = at;
    }
    this.#isRead = true;
  }

  list({ order, limit, after, state, search }: GatewayQuery): GatewayPage {
    const at = this.#options.now();
    const matching: Sortable[] = [];
    for (const [chain, notes] of this.#notes) {
      if (state !== undefined && this.#stateOf(notes, at) !== state) continue;
      if (search !== undefined && ![chain, notes.fingerprint, notes.name].some((each) => each?.startsWith(search))) continue;
      matching.push({ chain, value: this.#valueOf(notes, order) });
    }
    matching.sort(inOrder);
    const from = after === undefined ? undefined : cursorIn(after);
    const start = from === undefined ? 0 : matching.findIndex((each) => inOrder(each, from) > 0);
    const page = start < 0 ? [] : matching.slice(start, start + limit);
    const last = page.at(-1);
    const isEnd = start < 0 || start + limit >= matching.length;
    return { gateways: page.flatMap(({ chain }) => this.view(chain) ?? []), next: last === undefined || isEnd ? null : cursorOf(last), matching: matching.length };
  }

  /** Undefined for a chain that is not known. */
  view(chain: string): GatewayView | undefined {
    const notes = this.#notes.get(chain);
    if (notes === undefined) return undefined;
    const at = this.#options.now();
    const lanes = LANES.flatMap((lane) => viewOf(lane, notes.lanes[lane]));
    return {
      chain, name: notes.name ?? null, fingerprint: notes.fingerprint, state: this.#stateOf(notes, at), lag: lagOf(notes, at), quiet: this.#quietOf(notes, at), expected: expectedOf(notes), lanes,
      gaps: sumOf(lanes, 'gaps'), receipts: sumOf(lanes, 'receipts'), releases: notes.releases, payloads: notes.payloads,
      failures: Object.fromEntries(notes.failures ?? []), lastFailure: notes.lastFailure ?? null,
    };
  }

  totals(): GatewayTotals {
    const at = this.#options.now();
    const totals = { known: this.#notes.size, forked: 0, silent: 0, current: 0 };
    for (const notes of this.#notes.values()) totals[this.#stateOf(notes, at)] += 1;
    return totals;
  }

  #of(chain: string): Notes {
    let notes = this.#notes.get(chain);
    if (notes === undefined) {
      notes = { name: undefined, fingerprint: '', lanes: { alarm: undefined, record: undefined }, releases: 0, payloads: 0, failures: undefined, lastFailure: undefined };
      this.#notes.set(chain, notes);
    }
    return notes;
  }

  #nameOf(firstKey: Uint8Array): string | undefined {
    return this.#options.names?.get(toHex(firstKey));
  }

  async #readChain(chain: Uint8Array): Promise<void> {
    for (const lane of LANES) {
      const head = await this.#options.blocks.head({ chain, lane });
      if (head === undefined) continue;
      const known = this.#notes.get(toHex(chain))?.lanes[lane]?.height ?? -1;
      if (known >= head.height) continue;
      const [time, arrived] = [await this.#timeOf(head), await this.#arrivalOf(head)];
      const notes = this.#of(toHex(chain));
      const found = laneOf(notes, lane);
      // More may have come while this was read.
      if (found.height >= head.height) continue;
      const isNews = found.height >= 0;
      if (isNews && arrived - found.arrived >= TOGETHER) found.usual = smoothed(found.usual, arrived - found.arrived);
      notes.name ??= this.#nameOf(head.parameters.gateway);
      notes.fingerprint = fingerprint(head.authority.gateway);
      Object.assign(found, { height: head.height, time, arrived });
    }
  }

  async #timeOf(head: LaneId & Readonly<{ height: number }>): Promise<number> {
    const bytes = await this.#options.blocks.block(head, head.height);
    return bytes === undefined ? Number.NaN : openBlock(bytes).header.time;
  }

  /** This hospital signs its receipt when a block has come. */
  async #arrivalOf(head: LaneId & Readonly<{ height: number }>): Promise<number> {
    const own = Buffer.from(this.#own);
    for (const receipt of await this.#options.blocks.receipts(head, head.height)) {
      // Its fingerprint stands in what is signed; whose signature it is was judged when it was kept.
      if (Buffer.from(receipt).includes(own)) return readReceipt(receipt).time;
    }
    return Number.NaN;
  }

  #quietOf(notes: Notes, at: UnixMillis): Millis {
    return Millis(Math.max(0, at - (newestOf(notes, 'arrived') ?? this.#startedAt)));
  }

  #stateOf(notes: Notes, at: UnixMillis): GatewayState {
    if (LANES.some((lane) => !Number.isNaN(notes.lanes[lane]?.fork ?? Number.NaN))) return 'forked';
    return this.#quietOf(notes, at) > expectedOf(notes) ? 'silent' : 'current';
  }

  #valueOf(notes: Notes, order: GatewayOrder): number {
    switch (order) {
      case 'chain': return 0;
      // What does not change while somebody turns the pages.
      case 'lag': return -(newestOf(notes, 'time') ?? UNKNOWN);
      case 'quiet': return -(newestOf(notes, 'arrived') ?? this.#startedAt);
      case 'failures': return [...(notes.failures?.values() ?? [])].reduce((sum, count) => sum + count, 0);
      case 'gaps': return LANES.reduce((sum, lane) => sum + (notes.lanes[lane]?.gaps ?? 0), 0);
    }
  }
}

type Sortable = Readonly<{ chain: string; value: number }>;

const inOrder = (a: Sortable, b: Sortable): number => b.value - a.value || (a.chain < b.chain ? -1 : a.chain > b.chain ? 1 : 0);

/** Without a minus, which would begin an option of a command. */
const CURSOR = /^(m?)(\d+)_([0-9a-f]{32})$/;

const cursorOf = ({ value, chain }: Sortable): string => `${value < 0 ? 'm' : ''}${Math.abs(value)}_${chain}`;

/** Whether it is a `next` that a page gave. */
export const isCursor = (text: string): boolean => CURSOR.test(text);

function cursorIn(text: string): Sortable | undefined {
  const [, sign, value, chain] = CURSOR.exec(text) ?? [];
  return value === undefined || chain === undefined ? undefined : { value: sign === 'm' ? -Number(value) : Number(value), chain };
}

function laneOf(notes: Notes, lane: Lane): LaneNotes {
  return (notes.lanes[lane] ??= { height: -1, time: Number.NaN, arrived: Number.NaN, usual: Number.NaN, taken: 0, bytes: 0, receipts: 0, gaps: 0, fork: Number.NaN });
}

function smoothed(usual: number, interval: number): number {
  const counted = Math.min(interval, LONGEST_INTERVAL);
  return Number.isNaN(usual) ? counted : usual + (counted - usual) * NEWEST_SHARE;
}

/** By the lane that comes more often: alarms are rare, and their silence says nothing. */
function expectedOf({ lanes }: Notes): Millis {
  const known = LANES.map((lane) => lanes[lane]?.usual ?? Number.NaN).filter((usual) => !Number.isNaN(usual));
  return Millis(Math.round(Math.max(LEAST_SILENCE, SILENT_AFTER * (known.length === 0 ? USUAL_AT_FIRST : Math.min(...known)))));
}

function newestOf({ lanes }: Notes, what: 'time' | 'arrived'): number | undefined {
  const known = LANES.map((lane) => lanes[lane]?.[what] ?? Number.NaN).filter((instant) => !Number.isNaN(instant));
  return known.length === 0 ? undefined : Math.max(...known);
}

function lagOf(notes: Notes, at: UnixMillis): Millis | null {
  const newest = newestOf(notes, 'time');
  return newest === undefined ? null : Millis(at - newest);
}

function viewOf(lane: Lane, notes: LaneNotes | undefined): readonly LaneView[] {
  if (notes === undefined || notes.height < 0) return [];
  const { height, time, arrived, usual, taken, bytes, receipts, gaps, fork } = notes;
  const known = (value: number): number | null => (Number.isNaN(value) ? null : Math.round(value));
  return [{
    lane, height, time: known(time) as UnixMillis | null, arrived: known(arrived) as UnixMillis | null, delay: known(arrived - time) as Millis | null,
    usual: known(usual) as Millis | null, fork: known(fork), blocks: taken, bytes, receipts, gaps,
  }];
}

const sumOf = (lanes: readonly LaneView[], what: 'gaps' | 'receipts'): number => lanes.reduce((sum, lane) => sum + lane[what], 0);

async function inParallel<T>(all: readonly T[], signal: AbortSignal, work: (each: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(Array.from({ length: READERS }, async () => {
    for (const each of left) {
      if (signal.aborted) return;
      await work(each);
    }
  }));
}
