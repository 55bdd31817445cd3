/**
 * The data path on one screen: two loops joined by the journal.
 *
 *     frame ─► accept ─► journal (fsync, then acknowledge)
 *                           │ cursor
 *                           ▼
 *                derive: decode ► bind ► context ─► entries   (one atomic batch with the cursor)
 *                           │
 *                           ▼
 *                seal: alarm lane │ record lane ─► block (fsync) ─► relay
 */

import type { WatchState } from './context/watch.ts';
import { DeriveLoop } from './derive/derive-loop.ts';
import { DeriveThread } from './derive/derive-thread.ts';
import type { Checkpoint, DeriveStore, Resumption, Totals } from './derive/derive-store.ts';
import type { NewestReading } from './derive/deriver.ts';
import { DerivationOverview } from './derive/overview.ts';
import { decodeOperatorAction, subjectIn, type OperatorAction } from './decode/operator.ts';
import { DecodeError, StoreError } from './errors.ts';
import { decodeFrame } from './frame-codec.ts';
import { Acceptor } from './ingest/accept.ts';
import type { Clock } from './ingest/clock.ts';
import type { Journal } from './ingest/journal.ts';
import type { BlockStore, PendingEntries } from './ledger/block-store.ts';
import type { Authority } from './ledger/authority.ts';
import type { SigningKey } from './ledger/es256k.ts';
import { SealLoop } from './ledger/seal-loop.ts';
import type { SealPolicy } from './ledger/seal-policy.ts';
import type { VerifiedBlock } from './ledger/verify.ts';
import { Millis } from './quantity.ts';
import { SealHold } from './seal-hold.ts';
import { JOURNAL_OWNER, SAID_OF, type Keyring } from './vault/keyring.ts';
import { LANES, nameOf, type Frame, type FrameRun, type Lane, type Sequence, type Subject } from './reading.ts';

export type PipelineOptions = Readonly<{
  journal: Journal;
  deriveStore: DeriveStore;
  blocks: BlockStore;
  pending: PendingEntries;
  chain: Uint8Array;
  /** Who spoke for the chain when it began. */
  begun: Authority;
  /** See SealLoopOptions. */
  keyFor: (publicKey: Uint8Array) => SigningKey | undefined;
  /** Under which everything personal lies (vault/). */
  keyring: Keyring;
  random: (size: number) => Uint8Array;
  clock: Clock;
  /** `age` is shared between the window of derivation and the block: together they keep it. */
  seal: SealPolicy;
  observe: PipelineObserver;
}>;

export type PipelineObserver = Readonly<{
  /** A group became durable; `messages` of its frames came from devices. */
  accepted: (run: FrameRun, messages: number) => void;
  /** Checkpoints were committed; `before` are the totals without them. */
  derived: (checkpoints: readonly Checkpoint[], before: Totals) => void;
  sealed: (block: VerifiedBlock) => void;
  /** The store refuses writes (with the reason; `VG_STORE_CLOSED` for good), or takes them again (undefined). */
  storeFault: (fault: StoreError | undefined) => void;
  loopFault: (loop: 'derive' | Lane, fault: StoreError) => void;
}>;

export class Pipeline {
  readonly derived: DerivationOverview;
  readonly #deriver: DeriveThread;
  readonly #acceptor: Acceptor;
  readonly #deriveLoop: DeriveLoop;
  readonly #sealLoops: ReadonlyMap<Lane, SealLoop>;
  readonly #clock: Clock;
  readonly #hold: SealHold;
  readonly #listeners = new Set<(newest: readonly NewestReading[]) => void>();
  #waitingForDerivation: { sequence: number; resolve: () => void; reject: (error: StoreError) => void }[] = [];

  /** Loads the state of derivation and starts both loops. Throws {@link StoreError} when it does not fit the journal. */
  static async start(options: PipelineOptions): Promise<Pipeline> {
    const resumption = await options.deriveStore.load();
    const { cursor } = resumption.committed;
    // Frames would be passed over in silence: this is a folder put together from copies of different age.
    if (cursor >= options.journal.next) {
      throw new StoreError('VG_STORE_CORRUPT', `derivation is at frame ${cursor}, but the journal ends at ${options.journal.next - 1}: restore one whole copy of the data folder`);
    }
    const pipeline = new Pipeline(options, resumption);
    await pipeline.#derivedUntil(cursor);
    return pipeline;
  }

  private constructor(options: PipelineOptions, resumption: Resumption) {
    const { state, committed } = resumption;
    const { observe, clock } = options;
    this.derived = new DerivationOverview(state);
    this.#deriver = new DeriveThread({ keys: options.keyring.all(), resumption, begun: { chain: options.chain, authority: options.begun } });
    this.#clock = clock;
    this.#hold = new SealHold(state.succession);
    const halfAge = Millis(options.seal.age / 2);
    this.#sealLoops = new Map(LANES.map((lane) => [lane, sealLoopFor(lane, { ...options, seal: { ...options.seal, age: halfAge } }, this.derived, this.#hold)]));
    this.#deriveLoop = new DeriveLoop({
      journal: options.journal,
      store: this.#hold.over(keepingKeys(options.deriveStore, options.keyring)),
      deriver: this.#deriver,
      cursor: state.cursor,
      windowAge: halfAge,
      requestTick: () => this.#tick(),
      onCommitted: (checkpoints) => {
        const known = checkpoints.filter(({ cursor }) => cursor <= committed.cursor);
        for (const checkpoint of known) this.derived.take(checkpoint);
        const before = this.derived.totals;
        const fresh = checkpoints.slice(known.length);
        for (const checkpoint of fresh) this.derived.take(checkpoint);
        if (fresh.length > 0) observe.derived(fresh, before);
        this.#answerWaiting();
        for (const lane of lanesOf(fresh)) this.#sealLoops.get(lane)?.wake();
      },
      onNewest: (newest) => {
        for (const listener of this.#listeners) listener(newest);
      },
      onFault: (fault) => observe.loopFault('derive', fault),
    });
    this.#acceptor = new Acceptor({
      journal: options.journal,
      random: options.random,
      keyOf: keyChooser(options.keyring),
      onAccepted: (run, messages) => {
        observe.accepted(run, messages);
        this.#deriveLoop.offer(run);
      },
      onFault: (fault) => {
        observe.storeFault(fault);
        if (fault === undefined) this.#deriveLoop.wake();
      },
    });
    this.#deriveLoop.start();
    // From here on somebody listens again; and if no device ever speaks again, that is to be noticed.
    if (state.devices.size > 0) this.#tick();
    for (const loop of this.#sealLoops.values()) loop.start();
  }

  /** See Acceptor.accept: resolves only when the frame would survive a power cut. */
  accept(frame: Frame): Promise<Sequence> {
    return this.#acceptor.accept(frame);
  }

  /** See Acceptor.acceptAll. */
  acceptAll(frames: readonly Frame[]): Promise<Sequence> {
    return this.#acceptor.acceptAll(frames);
  }

  /** See Acceptor.offer. */
  offer(frame: Frame): boolean {
    return this.#acceptor.offer(frame);
  }

  /** Records what a person or the configuration decided (decode/operator.ts). */
  decide(action: Uint8Array): Promise<Sequence> {
    return this.accept(this.#frame('operator', action));
  }

  /** Records several decisions as one, and resolves when they are derived and committed. Rejects with {@link StoreError} when the pipeline stops before. */
  async carryOut(actions: readonly Uint8Array[]): Promise<void> {
    // The last frame closes their window.
    const frames = [...actions.map((action) => this.#frame('operator', action)), this.#frame('timer', new Uint8Array())];
    const last = (await this.acceptAll(frames)) + frames.length - 1;
    await this.#derivedUntil(last);
  }

  /** What is remembered of a patient or a room now. */
  async watchOf(subject: Subject): Promise<WatchState | undefined> {
    return await this.#deriver.watchOf(nameOf(subject));
  }

  /**
   * Calls back with the newest readings as they are derived. Listeners MUST return at once and not throw. Returns what ends it; while nobody
   * listens it costs nothing.
   */
  onNewest(listener: (newest: readonly NewestReading[]) => void): () => void {
    this.#listeners.add(listener);
    this.#deriver.tells = true;
    return () => {
      this.#listeners.delete(listener);
      this.#deriver.tells = this.#listeners.size > 0;
    };
  }

  #tick(): void {
    this.accept(this.#frame('timer', new Uint8Array())).catch(() => undefined);
  }

  #derivedUntil(sequence: number): Promise<void> {
    if (this.derived.cursor >= sequence) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waitingForDerivation.push({ sequence, resolve, reject }));
  }

  #answerWaiting(): void {
    const due = this.#waitingForDerivation.filter(({ sequence }) => sequence <= this.derived.cursor);
    if (due.length === 0) return;
    this.#waitingForDerivation = this.#waitingForDerivation.filter((each) => !due.includes(each));
    for (const { resolve } of due) resolve();
  }

  /** See Acceptor.refuse. */
  refuse(fault: StoreError | undefined): void {
    this.#acceptor.refuse(fault);
  }

  /** Bytes of frames that were accepted since the start. */
  get acceptedBytes(): number {
    return this.#acceptor.acceptedBytes;
  }

  get waiting(): number {
    return this.#acceptor.waiting;
  }

  get backlog(): number {
    return this.#deriveLoop.backlog;
  }

  get fault(): StoreError | undefined {
    return this.#acceptor.fault;
  }

  /** Stops in the order of the data path: accept, derive, seal. */
  async stop(): Promise<void> {
    await this.#acceptor.close();
    await this.#deriveLoop.stop();
    await this.#deriver.close();
    await Promise.all([...this.#sealLoops.values()].map((loop) => loop.stop()));
    for (const { reject } of this.#waitingForDerivation) reject(new StoreError('VG_STORE_CLOSED', 'the gateway is stopping; the decision is in the journal and is derived after the next start'));
  }

  #frame(source: 'timer' | 'operator', payload: Uint8Array): Frame {
    return {
      source,
      device: '',
      topic: '',
      qos: 0,
      dup: false,
      payload,
      receivedAt: this.#clock.now(),
      uptime: this.#clock.uptime(),
      clockTrust: this.#clock.trust(),
    };
  }
}

function sealLoopFor(lane: Lane, options: PipelineOptions, derived: DerivationOverview, hold: SealHold): SealLoop {
  const { chain, blocks, pending, keyFor, seal, clock, observe } = options;
  return new SealLoop({
    lane,
    chain,
    blocks,
    pending,
    keyFor,
    until: () => hold.until,
    policy: seal,
    now: clock.now,
    uptime: clock.uptime,
    contracts: () => derived.orders.contracts.map(({ hash }) => Buffer.from(hash, 'hex')),
    onSealed: observe.sealed,
    onFault: (fault) => observe.loopFault(lane, fault),
  });
}

/**
 * Whose key a frame lies under: what came from a device is the device's, what people say of one subject is the subject's, everything
 * else the gateway's. A device that changes hands gets another key with the decision, so that each tells of one subject.
 */
function keyChooser(keyring: Keyring): (frame: Frame) => string {
  return ({ source, device, payload }) => {
    if (device !== '') return keyring.current(`device/${device}`).id;
    if (source !== 'operator') return keyring.current(JOURNAL_OWNER).id;
    const action = actionIn(payload);
    if (action?.type === 'bind') {
      // What it measured before may be hers, too, when the binding says so.
      if (action.from !== undefined) keyring.alsoAbout(`device/${action.device}`, [nameOf(action.subject)]);
      keyring.turn(`device/${action.device}`, [nameOf(action.subject)]);
    }
    if (action?.type === 'unbind' || action?.type === 'revoke') keyring.turn(`device/${action.device}`, []);
    if (action?.type === 'epoch') keyring.enter(action.epoch);
    if (action?.type === 'retry') return keyring.current(ownerOfRetried(action.frame)).id;
    const subject = action === undefined ? undefined : subjectIn(action);
    return keyring.current(subject === undefined ? JOURNAL_OWNER : SAID_OF + nameOf(subject)).id;
  };
}

/** Undefined for what derivation will refuse, too. */
function actionIn(payload: Uint8Array): OperatorAction | undefined {
  try {
    return decodeOperatorAction(payload);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function ownerOfRetried(bytes: Uint8Array): string {
  const { device } = decodeFrame(Buffer.from(bytes));
  return device === '' ? JOURNAL_OWNER : `device/${device}`;
}

/** Keys that derivation made are durable before the entries under them. */
const keepingKeys = (store: DeriveStore, keyring: Keyring): Pick<DeriveStore, 'commit'> => ({
  commit: async (checkpoints) => {
    keyring.adopt(checkpoints.flatMap(({ keys }) => keys));
    await store.commit(checkpoints);
  },
});

const lanesOf = (checkpoints: readonly Checkpoint[]): ReadonlySet<Lane> =>
  new Set(checkpoints.flatMap((checkpoint) => checkpoint.entries.map((entry) => entry.lane)));
