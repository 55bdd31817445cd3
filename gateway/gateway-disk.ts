import { DiskKeeper, type Expendable, type Sacrifice } from './disk/disk-keeper.ts';
import { bytesWritten, measureDisk } from './disk/disk-use.ts';
import { encodeOperatorAction } from './decode/operator.ts';
import { decodeFrame } from './frame-codec.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { Clock } from './ingest/clock.ts';
import type { TidyJournal } from './ingest/journal.ts';
import type { Logger } from './operations/log.ts';
import type { Pipeline } from './pipeline.ts';
import type { Progress } from './progress.ts';
import { Bytes, type Millis, Minutes } from './quantity.ts';
import { Sequence } from './reading.ts';

/** What the store does for the keeper of the disk, for this chain. */
export type TidyStore = Readonly<{
  /** Payloads of summaries up to a block of the record lane. */
  payloads: (what: 'payloads' | 'unreceipted_payloads', through: () => Promise<number | undefined>, keep: Readonly<{ time: Millis; now: Clock['now'] }> | undefined) => Expendable;
  /** Blocks of the record lane up to one. */
  blocks: (through: () => Promise<number | undefined>, keep: Readonly<{ time: Millis; now: Clock['now'] }>) => Expendable;
  /** Up to which frame derivation would go on if the process ended now. */
  resumesAfter: () => Promise<number>;
  /** Makes what was written there until now durable, {@link resumesAfter} too. */
  sync: () => Promise<void>;
  /** Bytes written since the gateway was set up. */
  written: Readonly<{ load: () => Promise<number>; save: (bytes: number) => Promise<void> }>;
}>;

export type GatewayDiskOptions = Readonly<{
  config: Pick<GatewayConfig, 'data' | 'storage'>;
  journal: TidyJournal;
  tidy: TidyStore;
  pipeline: Pipeline;
  progress: Progress;
  /**
   * Blocks of the record lane: how far hospitals enough have countersigned and all have what lies beside; how far every hospital has all of it,
   * and a later one was countersigned; and how far there are any.
   */
  heights: Readonly<{ delivered: () => number | undefined; everywhere: () => number | undefined; sealed: () => Promise<number | undefined> }>;
  clock: Clock;
  log: Logger;
}>;

export type DiskReport = Readonly<{
  used: number;
  free: number;
  limit: number;
  level: string;
  dropped: Readonly<Record<string, number>>;
  /** Bytes that this gateway has written to disk since it was set up; null where the kernel does not say. */
  written: number | null;
  /** Bytes written for each byte of messages accepted, since the start; null before there were any. */
  amplification: number | null;
}>;

const SAVE_WRITTEN_EVERY = Minutes(10);

/** Keeps the data folder within its limit, and counts what is written there. */
export class GatewayDisk {
  readonly #keeper: DiskKeeper;
  readonly #options: GatewayDiskOptions;
  readonly #timer: NodeJS.Timeout;
  #writtenBefore = 0;

  /** Looks for the first time. Throws {@link StoreError}. */
  static async start(options: GatewayDiskOptions): Promise<GatewayDisk> {
    const disk = new GatewayDisk(options);
    disk.#writtenBefore = await options.tidy.written.load();
    // What is put into the chain needs the loops that are only starting.
    void disk.#keeper.start();
    return disk;
  }

  private constructor(options: GatewayDiskOptions) {
    const { config, pipeline, log } = options;
    this.#options = options;
    this.#keeper = new DiskKeeper({
      measure: () => measureDisk(config.data),
      limit: config.storage.limit,
      fold: () => this.#fold(),
      expendables: this.#expendables(),
      announce: (sacrifice) => pipeline.carryOut([encodeOperatorAction({ type: 'dropped', ...sacrifice })]),
      refuse: (fault) => pipeline.refuse(fault),
      log,
    });
    this.#timer = setInterval(() => void this.#saveWritten().catch((error: unknown) => log.warn({ error }, 'keeping how much was written')), SAVE_WRITTEN_EVERY);
  }

  report(): DiskReport | null {
    const { status } = this.#keeper;
    if (status === undefined) return null;
    const { used, free, limit, level, dropped } = status;
    const [written, accepted] = [bytesWritten(), this.#options.pipeline.acceptedBytes];
    return { used, free, limit, level, dropped, written: written === undefined ? null : this.#writtenBefore + written, amplification: written === undefined || accepted === 0 ? null : written / accepted };
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#keeper.stop();
    await this.#saveWritten();
  }

  /** A piece of what derivation needs no more. */
  async #fold(): Promise<boolean> {
    const { journal, tidy } = this.#options;
    return (await journal.fold(Sequence((await tidy.resumesAfter()) + 1))) !== undefined;
  }

  #expendables(): readonly Expendable[] {
    const { config: { storage: { keep } }, tidy, heights, clock } = this.#options;
    const kept = keep.payloads === undefined ? undefined : { time: keep.payloads, now: clock.now };
    return [
      tidy.payloads('payloads', () => Promise.resolve(heights.delivered()), kept),
      this.#frames(keep.frames),
      tidy.payloads('unreceipted_payloads', heights.sealed, undefined),
      ...(keep.blocks === undefined ? [] : [tidy.blocks(() => Promise.resolve(heights.everywhere()), { time: keep.blocks, now: clock.now })]),
    ];
  }

  /** Raw frames whose meaning is sealed. What alarms were raised by stays in their payloads. */
  #frames(keep: Millis | undefined): Expendable {
    const { journal, tidy, progress, clock } = this.#options;
    const plan = async (through: number, most: number = FRAMES_AT_ONCE): Promise<Omit<Sacrifice, 'why'> | undefined> => {
      const first = journal.oldest;
      const last = Math.min(through, await tidy.resumesAfter(), first + most - 1);
      // Saying that a few are gone would take as much room as they do.
      return last - first + 1 < LEAST_FRAMES ? undefined : { what: 'frames', first, last, count: last - first + 1 };
    };
    return {
      next: () => plan(progress.states.sealed.through),
      aged: async () => {
        if (keep === undefined) return undefined;
        // Of a gateway that hears little, fewer are a long time.
        for (const most of [FRAMES_AT_ONCE, FRAMES_AT_ONCE / 10]) {
          const planned = await plan(progress.states.receipted.through, most);
          if (planned !== undefined && (await this.#receivedAt(planned.last)) < clock.now() - keep) return planned;
        }
        return undefined;
      },
      drop: async ({ last }) => {
        // A power cut must not take derivation back to frames that are gone.
        await tidy.sync();
        await journal.drop(Sequence(last), Bytes(Number.MAX_SAFE_INTEGER));
      },
    };
  }

  /** When a frame came; long ago for one that is not there any more. */
  async #receivedAt(sequence: number): Promise<number> {
    const run = await this.#options.journal.read(Sequence(sequence), Bytes(1));
    const [frame] = run?.frames ?? [];
    return frame === undefined || frame.length === 0 ? Number.NEGATIVE_INFINITY : decodeFrame(Buffer.from(frame)).receivedAt;
  }

  async #saveWritten(): Promise<void> {
    const written = bytesWritten();
    if (written !== undefined) await this.#options.tidy.written.save(this.#writtenBefore + written);
  }
}

const FRAMES_AT_ONCE = 50_000;
const LEAST_FRAMES = 1000;
