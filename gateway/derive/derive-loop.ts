import { Doorbell } from '../doorbell.ts';
import { StoreError, messageOf } from '../errors.ts';
import type { Journal } from '../ingest/journal.ts';
import { MiB, Minutes, Seconds, type Millis } from '../quantity.ts';
import { Sequence, type FrameRun } from '../reading.ts';
import type { Checkpoint, DeriveStore } from './derive-store.ts';
import type { Deriver, NewestReading } from './deriver.ts';

export type DeriveLoopOptions = Readonly<{
  journal: Pick<Journal, 'next' | 'read'>;
  store: Pick<DeriveStore, 'commit'>;
  deriver: Deriver;
  /** The last frame that was derived before. */
  cursor: number;
  /** How long frames may wait in an open window before {@link DeriveLoopOptions.requestTick} is called. */
  windowAge: Millis;
  /** Asks for a `timer` frame in the journal: it closes the open window. */
  requestTick: () => void;
  /** Called after checkpoints were committed, with their entries durable as soon as anything later is. */
  onCommitted: (checkpoints: readonly Checkpoint[]) => void;
  /** Called with the newest readings of frames that were derived, where the deriver tells of them; they may not be committed yet. */
  onNewest?: (newest: readonly NewestReading[]) => void;
  /** Called when a checkpoint cannot be committed or a record cannot be read; the loop tries again. */
  onFault: (fault: StoreError) => void;
}>;

/** Frames handed over in memory beyond this many bytes are left to the journal, from which they are read later. */
const MAX_TAIL = MiB(4);
const READ_SIZE = MiB(1);
/** Frames handed to the deriver at a time. */
const SLICE = 1024;
const RETRY_AFTER = Seconds(1);
/** Node's timers fire at once beyond 2^31 ms. */
const LONGEST_TIMER = Minutes(24 * 60);

/**
 * Follows the journal: from memory while it keeps up, from disk after a start or when it fell behind. It never holds up
 * acceptance, and acceptance never waits for it.
 */
export class DeriveLoop {
  readonly #options: DeriveLoopOptions;
  #cursor: number;
  #windowIsOpen = false;
  #dueIn: Millis | undefined;
  #tail: FrameRun[] = [];
  #tailBytes = 0;
  readonly #doorbell = new Doorbell();
  #tickTimer: NodeJS.Timeout | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: DeriveLoopOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Hands over frames that were just accepted, in order. */
  offer(run: FrameRun): void {
    if (this.#tailBytes < MAX_TAIL) {
      this.#tail.push(run);
      this.#tailBytes += sizeOf(run);
    }
    this.#doorbell.ring();
  }

  /** Looks again: after the store recovered, a `timer` frame may be due. */
  wake(): void {
    this.#doorbell.ring();
  }

  /** Frames in the journal that are not derived yet. */
  get backlog(): number {
    return this.#options.journal.next - 1 - this.#cursor;
  }

  /** Finishes the frames at hand and stops. What remains is derived after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#tickTimer);
    clearTimeout(this.#silenceTimer);
    this.#doorbell.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const next = await this.#retrying(() => this.#nextFrames());
      if (next === undefined) return;
      if (next === 'none') {
        this.#armTick();
        await this.#doorbell.wait();
        continue;
      }
      const { first, frames } = next;
      for (let i = 0; i < frames.length && !this.#stopped; i += SLICE) {
        await this.#derive({ first: Sequence(first + i), frames: frames.slice(i, i + SLICE) });
      }
    }
  }

  async #nextFrames(): Promise<FrameRun | 'none'> {
    const next = Sequence(this.#cursor + 1);
    while (this.#tail.length > 0) {
      const run = this.#tail[0] as FrameRun;
      // A hole before the tail: frames from before the start, or left to the journal.
      if (run.first > next) break;
      this.#tail.shift();
      this.#tailBytes -= sizeOf(run);
      if (run.first + run.frames.length > next) return { first: next, frames: run.frames.slice(next - run.first) };
    }
    return (await this.#options.journal.read(next, READ_SIZE)) ?? 'none';
  }

  async #derive(run: FrameRun): Promise<void> {
    const { checkpoints, windowIsOpen, dueIn, newest = [] } = await this.#options.deriver.derive(run);
    this.#cursor = run.first + run.frames.length - 1;
    this.#windowIsOpen = windowIsOpen;
    this.#dueIn = dueIn;
    if (newest.length > 0) this.#options.onNewest?.(newest);
    if (checkpoints.length === 0) return;
    const committed = await this.#retrying(async () => {
      await this.#options.store.commit(checkpoints);
      return true;
    });
    if (committed === true) this.#options.onCommitted(checkpoints);
  }

  /** Undefined when stopped before it succeeded: the frames are in the journal, so nothing is lost by giving up then. */
  async #retrying<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    while (!this.#stopped) {
      try {
        return await attempt();
      } catch (cause) {
        if (!(cause instanceof StoreError)) throw cause;
        this.#options.onFault(new StoreError(cause.code, `deriving after frame ${this.#cursor}: ${messageOf(cause)}`, { cause }));
        await this.#doorbell.wait(RETRY_AFTER);
      }
    }
    return undefined;
  }

  #armTick(): void {
    if (this.#stopped) return;
    clearTimeout(this.#silenceTimer);
    if (this.#dueIn !== undefined) this.#silenceTimer = setTimeout(() => this.#options.requestTick(), Math.min(this.#dueIn, LONGEST_TIMER));
    if (this.#tickTimer !== undefined || !this.#windowIsOpen) return;
    this.#tickTimer = setTimeout(() => {
      this.#tickTimer = undefined;
      if (this.#windowIsOpen) this.#options.requestTick();
    }, this.#options.windowAge);
  }
}

const sizeOf = (run: FrameRun): number => run.frames.reduce((sum, frame) => sum + frame.length, 0);
