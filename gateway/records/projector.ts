import { Doorbell } from '../doorbell.ts';
import { messageOf, StoreError } from '../errors.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import { BlockFinder } from './block-finder.ts';
import type { Leases } from './lease.ts';
import type { ContentKeys } from './opening.ts';
import { Projection } from './projection.ts';
import type { Arrival, BadRow, ProjectionState, RecordStore } from './record-store.ts';

/** The lease of whoever projects. */
const LEASE = 'projector';
const LEASE_LENGTH = Seconds(15);
/** It is taken anew when so much of it is left at most. */
const LEASE_RENEWAL = Seconds(10);
/** How long after the last look there is another one, although nobody rang: another process may have stored something. */
const POLL = Seconds(1);
/** How long after a fault of the store. */
const AFTER_FAULT = Seconds(5);
/** How long payloads wait for their block before they are tried again: at first, and at most. */
const FIRST_RETRY = Millis(250);
const LAST_RETRY = Seconds(30);
/** For how long it only looks behind what it has looked at: an arrival of another process, whose clock is slow or whose write took long, may stand before that. */
const LONGEST_PASS = Seconds(5);
/** Most arrivals in one step, and after how many payloads it ends. */
const ARRIVALS = 64;
const PAYLOADS = 500;
/** Up to how many arrivals are counted for {@link Projector.status}. */
const MOST_BEHIND = 10_000;

type ProjectorLog = Readonly<Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>>;

export type ProjectorOptions = Readonly<{
  store: RecordStore;
  blocks: Pick<BlockStore, 'head' | 'block' | 'chains'>;
  keys: ContentKeys;
  leases: Leases;
  /** Of this process, and of the one that takes its place when it dies: that need not wait for the end of a lease. */
  holder: string;
  now: () => UnixMillis;
  log: ProjectorLog;
  /** The store must be opened anew when its code is `VG_STORE_CLOSED`. */
  onStoreFault: (fault: StoreError) => void;
}>;

/**
 * `opened`: records that were ever made. `waiting`: payloads whose block is not here yet. `bad`: payloads and content keys that do not open
 * or do not fit. `behind`: releases that were not looked at, counted up to 10,000. `projects`: this process does it, not another one.
 */
export type ProjectionStatus = Readonly<{ opened: number; waiting: number; bad: number; behind: number; projects: boolean }>;

/**
 * Follows the releases that arrive and keeps the index of records up to date: in steps that are written whole, by one process at a time. It never
 * stands in the way of whoever receives.
 */
export class Projector {
  readonly #options: ProjectorOptions;
  readonly #finder: BlockFinder;
  readonly #bell = new Doorbell();
  readonly #listeners = new Set<() => void>();
  #running: Promise<void> | undefined;
  #isStopping = false;
  /** When the lease ends, on the monotonic clock; 0: another has it. */
  #heldUntil = 0;
  #newest = 0;
  /** When it last began with the first arrival there is. */
  #begun = 0;
  /** The last arrival that was looked at since then: what is gone before it need not be passed over again and again. */
  #after: Arrival | undefined;
  #waiting = 0;
  /** The same at the end of the last pass, while the next counts anew. */
  #waited = 0;
  #retryIn: Millis = FIRST_RETRY;
  #retryAt = 0;

  constructor(options: ProjectorOptions) {
    this.#options = options;
    this.#finder = new BlockFinder(options.blocks);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There is something to do. */
  ring(): void {
    this.#bell.ring();
  }

  /** Resolves when nothing is being written any more: only then may the store be closed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#bell.ring();
    await this.#running;
    if (this.#heldUntil > 0) await this.#options.leases.release(LEASE, this.#options.holder).catch(() => undefined);
  }

  /** Calls back when there may be more records. Returns what ends it. */
  onMore(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async status(): Promise<ProjectionStatus> {
    const { store } = this.#options;
    const [waiting, projects] = [Math.max(this.#waiting, this.#waited), this.#heldUntil > 0];
    // What was looked at and is there still waits for a block.
    const behind = await store.countArrivals(MOST_BEHIND, this.#waiting === 0 ? undefined : this.#after);
    const { opened, bad } = await store.state();
    return { opened, waiting, bad, behind, projects };
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const rest = await this.#stepOrFault();
      if (rest > 0 && !this.#isStopping) await this.#bell.wait(rest);
    }
  }

  /** How long to wait before the next one unless somebody rings. */
  async #stepOrFault(): Promise<Millis> {
    try {
      return await this.#step();
    } catch (error) {
      this.#options.log.error({ error: messageOf(error) }, 'what gateways have given cannot be opened now; it is tried again');
      if (error instanceof StoreError) this.#options.onStoreFault(error);
      return AFTER_FAULT;
    }
  }

  async #step(): Promise<Millis> {
    const { store } = this.#options;
    const holds = await this.#holds();
    const state = await store.state();
    this.#tell(state.newest);
    if (!holds) return POLL;
    if (!state.hasQueuedOld) {
      await this.#queueOld(state);
      return Millis(0);
    }
    if (performance.now() >= (this.#waiting > 0 ? this.#retryAt : this.#begun + LONGEST_PASS)) this.#beginAnew();
    const arrivals = await store.arrivals(ARRIVALS, this.#after);
    if (arrivals.length > 0) {
      await this.#project(arrivals, state);
      return Millis(0);
    }
    return this.#rest();
  }

  async #holds(): Promise<boolean> {
    const { leases, holder } = this.#options;
    const now = performance.now();
    if (this.#heldUntil - now > LEASE_RENEWAL) return true;
    this.#heldUntil = (await leases.hold(LEASE, holder, LEASE_LENGTH)) ? now + LEASE_LENGTH : 0;
    return this.#heldUntil > 0;
  }

  /** Names everything that was given before arrivals were written down. */
  async #queueOld(state: ProjectionState): Promise<void> {
    const { store, blocks, now } = this.#options;
    const queued: Arrival[] = [];
    for (const chain of await blocks.chains()) {
      const keys = await Array.fromAsync(store.keysOf(chain));
      if (keys.length > 0) queued.push({ arrived: now(), chain, number: 0, part: 0, keys, payloads: [], erased: [] });
    }
    await store.write({ before: state, state: { ...state, hasQueuedOld: true }, records: [], gone: [], people: [], forgotten: [], bad: [], mended: [], done: [], queued });
  }

  async #project(arrivals: readonly Arrival[], state: ProjectionState): Promise<void> {
    const { store, blocks, keys } = this.#options;
    const projection = new Projection({ store, blocks, keys, finder: this.#finder }, state);
    let after = this.#after;
    for (const arrival of arrivals) {
      const isOver = await projection.take(arrival);
      if (!isOver) break;
      after = arrival;
      if (projection.looked >= PAYLOADS) break;
    }
    const changes = projection.changes();
    if (changes !== undefined && !(await store.write(changes))) {
      // Whoever held the lease longer than it lasts, because this process or its machine stood still, is too late.
      this.#heldUntil = 0;
      return;
    }
    this.#after = after;
    if (projection.waiting > 0) this.#wait(projection.waiting);
    for (const bad of projection.bad) this.#complain(bad);
    if (changes !== undefined) this.#tell(changes.state.newest);
  }

  #complain({ chain, entry, why }: BadRow): void {
    this.#options.log.warn({ chain: toHex(chain), entry, why }, 'what a gateway has given does not open; it is kept as it is');
  }

  #wait(more: number): void {
    if (this.#waiting === 0) {
      this.#retryAt = performance.now() + this.#retryIn;
      this.#retryIn = Millis(Math.min(this.#retryIn * 2, LAST_RETRY));
    }
    this.#waiting += more;
  }

  #beginAnew(): void {
    this.#begun = performance.now();
    this.#after = undefined;
    this.#waiting = 0;
  }

  /** At the end of the queue. */
  #rest(): Millis {
    this.#waited = this.#waiting;
    if (this.#waiting > 0) return Millis(Math.min(POLL, Math.max(1, Math.ceil(this.#retryAt - performance.now()))));
    this.#beginAnew();
    this.#retryIn = FIRST_RETRY;
    return POLL;
  }

  #tell(newest: number): void {
    if (newest <= this.#newest) return;
    this.#newest = newest;
    for (const listener of this.#listeners) listener();
  }
}
