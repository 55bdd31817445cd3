import { StoreError, messageOf } from '../errors.ts';
import { encodeFrame, FRAME_SALT_BYTES } from '../frame-codec.ts';
import { MiB, Seconds, type Bytes, type Millis } from '../quantity.ts';
import { Sequence, type Frame, type FrameRun } from '../reading.ts';
import type { Journal } from './journal.ts';

export type AcceptorOptions = Readonly<{
  journal: Journal;
  /**
   * Called with every group of frames right after it became durable and before its senders hear of it; `messages` of
   * them came from devices. MUST NOT throw.
   */
  onAccepted: (run: FrameRun, messages: number) => void;
  /**
   * Called when the store starts to fail (with the reason), when it turns out that it must be opened anew (`VG_STORE_CLOSED`,
   * nothing is tried after that), and when it takes writes again (with undefined).
   */
  onFault: (fault: StoreError | undefined) => void;
  /** Unpredictable bytes, for the salts of frames. */
  random: (size: number) => Uint8Array;
  /** The id of the key that a frame is to lie under, asked when it comes. */
  keyOf: (frame: Frame) => string;
  /** At most this many bytes in one journal record. Default 4 MiB. */
  maxGroup?: Bytes;
  /** At most this many bytes waiting; beyond it best-effort frames are dropped. Default 16 MiB. */
  maxWaiting?: Bytes;
  /** How often a failing store is tried again. Default 1 s. */
  probeEvery?: Millis;
}>;

/** Frames that came together: written in one record, answered at once. */
type Waiting = Readonly<{
  frames: readonly Buffer[];
  keys: readonly string[];
  size: number;
  /** How many of them came from a device. */
  messages: number;
  resolve: (first: Sequence) => void;
  reject: (error: StoreError) => void;
}>;

const SALTS_AT_ONCE = 256;

/**
 * Group commit: all frames that wait at the moment the disk becomes free are written as one record behind one fsync,
 * then every sender is answered. The busier the gateway, the larger the groups.
 *
 * When the store fails, every waiting and every later frame is refused until a synced write succeeds again, or for good
 * when the store must be opened anew. Nothing is kept in memory for better times: the devices still have what was never
 * acknowledged.
 */
export class Acceptor {
  readonly #journal: Journal;
  readonly #onAccepted: AcceptorOptions['onAccepted'];
  readonly #onFault: AcceptorOptions['onFault'];
  readonly #maxGroup: Bytes;
  readonly #maxWaiting: Bytes;
  readonly #probeEvery: Millis;
  readonly #random: AcceptorOptions['random'];
  readonly #keyOf: AcceptorOptions['keyOf'];
  #salts: Uint8Array = new Uint8Array();
  #saltAt = 0;
  #waiting: Waiting[] = [];
  #waitingFrames = 0;
  #waitingBytes = 0;
  #committing: Promise<void> | undefined;
  #fault: StoreError | undefined;
  #noRoom: StoreError | undefined;
  #acceptedBytes = 0;
  #probeTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: AcceptorOptions) {
    this.#journal = options.journal;
    this.#onAccepted = options.onAccepted;
    this.#onFault = options.onFault;
    this.#random = options.random;
    this.#keyOf = options.keyOf;
    this.#maxGroup = options.maxGroup ?? MiB(4);
    this.#maxWaiting = options.maxWaiting ?? MiB(16);
    this.#probeEvery = options.probeEvery ?? Seconds(1);
  }

  /** Frames that are received but not accepted yet. */
  get waiting(): number {
    return this.#waitingFrames;
  }

  /** Why frames of devices are refused at the moment, or undefined. */
  get fault(): StoreError | undefined {
    return this.#fault ?? this.#noRoom;
  }

  /** Bytes of frames that were accepted since the start. */
  get acceptedBytes(): number {
    return this.#acceptedBytes;
  }

  /** Refuses frames of devices from now on, or takes them again (undefined). What people decide, and what is said of the gap, is taken all the same. */
  refuse(fault: StoreError | undefined): void {
    this.#noRoom = fault;
    this.#onFault(this.fault);
  }

  /**
   * Resolves with the frame's sequence once it would survive a power cut: only then may the sender be told
   * (PUBACK, PUBREC). MUST NOT resolve earlier. Rejects with {@link StoreError}; then the sender must not be told.
   */
  accept(frame: Frame): Promise<Sequence> {
    return this.acceptAll([frame]);
  }

  /** As {@link accept}, for frames in their order: all of them or none. Resolves with the sequence of the first. */
  acceptAll(frames: readonly Frame[]): Promise<Sequence> {
    const refusal = this.#refusal() ?? (frames.some(({ device }) => device !== '') ? this.#noRoom : undefined);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const encoded = frames.map((frame) => encodeFrame(frame, this.#salt()));
      const keys = frames.map(this.#keyOf);
      const size = encoded.reduce((sum, bytes) => sum + bytes.length, 0);
      const messages = frames.filter(({ device }) => device !== '').length;
      this.#waiting.push({ frames: encoded, keys, size, messages, resolve, reject });
      this.#waitingFrames += encoded.length;
      this.#waitingBytes += size;
      this.#committing ??= this.#commitWaiting();
    });
  }

  /** Takes a frame whose sender expects no answer (QoS 0). Returns false, and takes nothing, when there is no room or the store fails. */
  offer(frame: Frame): boolean {
    if ((this.#refusal() ?? this.#noRoom) !== undefined || this.#waitingBytes >= this.#maxWaiting) return false;
    // Its sender will not be told anything, so a failure shows in the alarm alone.
    this.accept(frame).catch(() => undefined);
    return true;
  }

  /** Refuses new frames, waits until those under way are accepted or refused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#probeTimer);
    await this.#committing;
  }

  /** Asked for many at once: a call of the generator costs more than a frame. */
  #salt(): Uint8Array {
    if (this.#saltAt >= this.#salts.length) {
      this.#salts = this.#random(SALTS_AT_ONCE * FRAME_SALT_BYTES);
      this.#saltAt = 0;
    }
    this.#saltAt += FRAME_SALT_BYTES;
    return this.#salts.subarray(this.#saltAt - FRAME_SALT_BYTES, this.#saltAt);
  }

  #refusal(): StoreError | undefined {
    return this.#closed ? new StoreError('VG_STORE_CLOSED', 'the gateway is stopping') : this.#fault;
  }

  async #commitWaiting(): Promise<void> {
    // One turn of the event loop lets everything that arrived together join the first group.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#commit(this.#takeGroup());
    this.#committing = undefined;
  }

  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && size + waiting.size > this.#maxGroup) break;
      size += waiting.size;
      count += 1;
    }
    this.#waitingBytes -= size;
    const group = this.#waiting.splice(0, count);
    this.#waitingFrames -= group.reduce((sum, { frames }) => sum + frames.length, 0);
    return group;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const frames = group.flatMap((waiting) => waiting.frames);
    let first: Sequence;
    try {
      first = await this.#journal.append(frames, group.flatMap(({ keys }) => keys));
    } catch (cause) {
      this.#fail(cause, group);
      return;
    }
    this.#acceptedBytes += group.reduce((sum, { size }) => sum + size, 0);
    this.#onAccepted({ first, frames }, group.reduce((sum, { messages }) => sum + messages, 0));
    let next: number = first;
    for (const waiting of group) {
      waiting.resolve(Sequence(next));
      next += waiting.frames.length;
    }
  }

  #fail(cause: unknown, group: readonly Waiting[]): void {
    const fault = cause instanceof StoreError ? cause : new StoreError('VG_STORE_WRITE', messageOf(cause), { cause });
    this.#enter(fault);
    for (const waiting of [...group, ...this.#waiting]) waiting.reject(fault);
    this.#waiting = [];
    this.#waitingFrames = 0;
    this.#waitingBytes = 0;
    this.#scheduleProbe();
  }

  #enter(fault: StoreError | undefined): void {
    this.#fault = fault;
    this.#onFault(this.fault);
  }

  #scheduleProbe(): void {
    if (this.#closed || this.#fault?.code === 'VG_STORE_CLOSED') return;
    this.#probeTimer = setTimeout(() => void this.#probe(), this.#probeEvery);
  }

  async #probe(): Promise<void> {
    try {
      await this.#journal.probe();
    } catch (cause) {
      if (cause instanceof StoreError && cause.code === 'VG_STORE_CLOSED') this.#enter(cause);
      this.#scheduleProbe();
      return;
    }
    this.#enter(undefined);
  }
}
