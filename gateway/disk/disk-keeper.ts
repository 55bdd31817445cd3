/** Keeps the data folder within its limit: what is old is made small, what is least important goes first, and the chain says that it went. */

import { messageOf, StoreError } from '../errors.ts';
import { type Bytes, formatBytes, type Millis, Seconds } from '../quantity.ts';
import { type DiskLevel, type DiskUse, excessOf, levelOf, limitFor } from './disk-budget.ts';

/** What went, or is about to: `first` and `last` number frames, blocks of the record lane, or entries of the chain, whichever `what` says. */
export type Sacrifice = Readonly<{ what: 'payloads' | 'frames' | 'unreceipted_payloads' | 'blocks'; why: 'age' | 'disk'; first: number; last: number; count: number }>;

/** One kind of what may go, oldest first. */
export interface Expendable {
  /** Of about that many bytes, what would go next; undefined where nothing may. */
  next(bytes: Bytes): Promise<Omit<Sacrifice, 'why'> | undefined>;
  /** The same, where it is older than its time; undefined where nothing is. Absent: it is kept as long as there is room. */
  aged?(): Promise<Omit<Sacrifice, 'why'> | undefined>;
  /** Takes it out for good. May be done again. */
  drop(sacrifice: Omit<Sacrifice, 'why'>): Promise<void>;
}

export type DiskKeeperOptions = Readonly<{
  measure: () => Promise<DiskUse>;
  /** Default: see {@link limitFor}. */
  limit: Bytes | undefined;
  /** Makes what is old small. Resolves with whether there may be more to do. */
  fold: () => Promise<boolean>;
  /** In the order in which they go. */
  expendables: readonly Expendable[];
  /** Puts into the chain what is about to go. MUST be durable when it resolves. */
  announce: (sacrifice: Sacrifice) => Promise<void>;
  /** Readings are refused from now on, or taken again (undefined). */
  refuse: (fault: StoreError | undefined) => void;
  log: Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void }>;
  /** Default 60 s, and 5 s while there is little room. */
  lookEvery?: Millis;
}>;

export type DiskStatus = DiskUse & Readonly<{ limit: Bytes; level: DiskLevel; /** Since the start, by kind. */ dropped: Readonly<Record<Sacrifice['what'], number>> }>;

const LOOK_EVERY = { roomy: Seconds(60), tight: Seconds(5), full: Seconds(5) } as const;
/** Most that goes between two looks: the measure must not lag behind by more. */
const MOST_STEPS = 64;
const MOST_FOLDS = 1000;

export class DiskKeeper {
  readonly #options: DiskKeeperOptions;
  readonly #stopping = new AbortController();
  readonly #dropped = { payloads: 0, frames: 0, unreceipted_payloads: 0, blocks: 0 };
  #status: (DiskUse & Readonly<{ limit: Bytes }>) | undefined;
  #level: DiskLevel = 'roomy';
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
  }

  /** Looks for the first time, and now and then until {@link stop}. */
  async start(): Promise<void> {
    await this.look();
  }

  /** Undefined before the first look. */
  get status(): DiskStatus | undefined {
    return this.#status && { ...this.#status, level: this.#level, dropped: { ...this.#dropped } };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Looks now. Never rejects: a disk that cannot be measured is looked at again. */
  async look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#options.log.error({ error: messageOf(error) }, 'keeping the disk within its limit');
      })
      .finally(() => {
        this.#looking = undefined;
        if (this.#stopping.signal.aborted) return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => void this.look(), this.#options.lookEvery ?? LOOK_EVERY[this.#level]);
      });
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (let folds = 0; folds < MOST_FOLDS && !this.#isStopping && (await this.#options.fold()); folds++);
    await this.#dropAged();
    let use = await this.#measure();
    for (let step = 0; step < MOST_STEPS && !this.#isStopping; step++) {
      const excess = excessOf(use, limitFor(use, this.#options.limit), step > 0);
      if (excess === 0 || !(await this.#dropSome(excess))) break;
      use = await this.#measure();
    }
    this.#enter(levelOf(use, limitFor(use, this.#options.limit), this.#level), use);
  }

  async #measure(): Promise<DiskUse> {
    const use = await this.#options.measure();
    this.#status = { ...use, limit: limitFor(use, this.#options.limit) };
    return use;
  }

  async #dropAged(): Promise<void> {
    for (const expendable of this.#options.expendables) {
      for (let step = 0; step < MOST_STEPS && !this.#isStopping; step++) {
        const next = await expendable.aged?.();
        if (next === undefined) break;
        await this.#drop(expendable, { ...next, why: 'age' });
      }
    }
  }

  /** Whether something went. */
  async #dropSome(bytes: Bytes): Promise<boolean> {
    for (const expendable of this.#options.expendables) {
      const next = await expendable.next(bytes);
      if (next === undefined) continue;
      await this.#drop(expendable, { ...next, why: 'disk' });
      return true;
    }
    return false;
  }

  /** Said before it is done: what is gone without a word would look like a fault. */
  async #drop(expendable: Expendable, sacrifice: Sacrifice): Promise<void> {
    await this.#options.announce(sacrifice);
    await expendable.drop(sacrifice);
    this.#dropped[sacrifice.what] += sacrifice.count;
    this.#options.log[sacrifice.why === 'disk' ? 'warn' : 'info'](sacrifice, 'dropped from the disk');
  }

  #enter(level: DiskLevel, use: DiskUse): void {
    const before = this.#level;
    this.#level = level;
    if (level === before) return;
    const limit = limitFor(use, this.#options.limit);
    const fields = { level, used: use.used, free: use.free, limit };
    if (level === 'full') {
      this.#options.log.error(fields, 'the disk is full, and nothing more may go: readings are refused');
      this.#options.refuse(new StoreError('VG_STORE_FULL', `the disk is full: the gateway has ${formatBytes(use.used)} of ${formatBytes(limit)}, ${formatBytes(use.free)} are free; make room, or raise storage.limit`));
    } else {
      this.#options.log[level === 'tight' ? 'warn' : 'info'](fields, level === 'tight' ? 'the disk gets full: the least important goes' : 'the disk has room');
      if (before === 'full') this.#options.refuse(undefined);
    }
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }
}
