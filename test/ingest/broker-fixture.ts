/** A broker on a free port over hooks that a test holds in its hand. */

import { StoreError } from '../../gateway/errors.ts';
import type { AuthenticationOutcome, Proof } from '../../gateway/ingest/devices.ts';
import { startMqttBroker, type MqttBroker, type MqttBrokerOptions, type MqttObserver, type RefusalReason } from '../../gateway/ingest/mqtt-broker.ts';
import { Bytes, MiB, Millis, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type Frame } from '../../gateway/reading.ts';
import { RawClient, type ConnectFields } from './mqtt-wire.ts';

export const PASSWORD = 'correct horse';

type Held = Readonly<{ frame: Frame; resolve: () => void; reject: () => void }>;
type Refusal = Readonly<{ reason: RefusalReason; device?: string; message?: string }>;

/** Counts what the broker tells, and lets a test wait for it. */
class Observations implements MqttObserver {
  readonly refusals: Refusal[] = [];
  connections = 0;
  receivedCount = 0;
  acceptedCount = 0;
  throttledMs = 0;
  #watchers: { holds: () => boolean; resolve: () => void }[] = [];

  connected = (delta: 1 | -1): void => this.#note(() => (this.connections += delta));
  received = (): void => this.#note(() => (this.receivedCount += 1));
  accepted = (): void => this.#note(() => (this.acceptedCount += 1));
  throttled = (_device: string, duration: Millis): void => this.#note(() => (this.throttledMs += duration));
  refused = (reason: RefusalReason, detail: object): void => this.#note(() => this.refusals.push({ reason, ...detail }));

  /** Resolves as soon as `holds` does, asked after every observation. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push({ holds, resolve }));
  }

  get reasons(): readonly RefusalReason[] {
    return this.refusals.map(({ reason }) => reason);
  }

  #note(change: () => unknown): void {
    change();
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) {
      if (watcher.holds()) watcher.resolve();
      else this.#watchers.push(watcher);
    }
  }
}

export class BrokerUnderTest implements AsyncDisposable {
  readonly frames: Frame[] = [];
  /** How many frames came with each call of `accept`. */
  readonly groups: number[] = [];
  /** Frames offered with QoS 0. */
  readonly offered: Frame[] = [];
  readonly observed = new Observations();
  /** Frames nobody has decided about yet, while {@link holding}. */
  readonly held: Held[] = [];
  /** Whether `accept` waits for the test. */
  holding = false;
  takesOffers = true;
  /** When given, called for every password, and no password is ever judged. */
  authenticating: (() => void) | undefined;
  /** When given, every password waits for it before it is judged. */
  waiting: (() => Promise<void>) | undefined;
  outcome: AuthenticationOutcome | 'fault' | undefined;
  broker: MqttBroker | undefined;
  /** Fingerprints of the certificates that are registered, hexadecimal, by device. */
  readonly certificates = new Map<string, string>();
  #close: () => Promise<void> = () => Promise.resolve();
  #heldWaiters: (() => void)[] = [];

  static async start(options: Partial<MqttBrokerOptions> = {}): Promise<BrokerUnderTest> {
    const under = new BrokerUnderTest();
    const broker = await startMqttBroker(
      {
        listen: { host: '127.0.0.1', port: 0 },
        maxPayload: Bytes(4096),
        maxConnections: 20,
        maxInFlight: 10,
        maxTopicLevels: 8,
        maxRate: 100_000,
        maxRateBytes: MiB(1024),
        keepAliveLimit: Seconds(1800),
        connectTimeout: Seconds(10),
        ...options,
      },
      {
        authenticate: async (device, proof) => under.#authenticate(device, proof),
        accept: (frames) => under.#acceptAll(frames),
        offer: (frame) => {
          if (under.takesOffers) under.offered.push(frame);
          return under.takesOffers;
        },
        clock: { now: () => UnixMillis(1_800_000_000_000), uptime: () => Millis(performance.now()), trust: () => 'synchronised' },
        observe: under.observed,
      },
    );
    under.broker = broker;
    under.#close = broker.close;
    return under;
  }

  /** Where plain TCP listens. */
  get port(): number {
    return this.broker?.addresses.tcp?.port ?? 0;
  }

  get tlsPort(): number {
    return this.broker?.addresses.tls?.port ?? 0;
  }

  get webSocketPort(): number {
    return this.broker?.addresses.webSocket?.port ?? 0;
  }

  /** Ends the broker; the hooks stay as they are. */
  stop(): Promise<void> {
    return this.#close();
  }

  /** A client that is let in as `device`. */
  login(device: string, fields: ConnectFields = {}): Promise<RawClient> {
    return RawClient.login(this.port, { clientId: device, username: device, password: PASSWORD, ...fields });
  }

  /** Resolves when at least `count` frames wait for the test. */
  async untilHeld(count: number): Promise<void> {
    while (this.held.length < count) await new Promise<void>((resolve) => this.#heldWaiters.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { resolve } of this.held) resolve();
    await this.#close();
  }

  async #authenticate(device: string, proof: Proof): Promise<AuthenticationOutcome> {
    if (proof.kind === 'certificate') return this.certificates.get(device) === Buffer.from(proof.fingerprint).toString('hex') ? 'accepted' : 'wrong_certificate';
    this.authenticating?.();
    if (this.authenticating !== undefined) await new Promise(() => undefined);
    await this.waiting?.();
    if (this.outcome === 'fault') throw new StoreError('VG_STORE_READ', 'the credentials cannot be read');
    return this.outcome ?? (Buffer.from(proof.password).equals(Buffer.from(PASSWORD)) ? 'accepted' : 'wrong_credentials');
  }

  async #acceptAll(frames: readonly Frame[]): Promise<Sequence> {
    this.groups.push(frames.length);
    const [first] = await Promise.all(frames.map((frame) => this.#accept(frame)));
    return first as Sequence;
  }

  #accept(frame: Frame): Promise<Sequence> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        this.frames.push(frame);
        resolve(Sequence(this.frames.length));
      };
      if (!this.holding) return take();
      this.held.push({ frame, resolve: take, reject: () => reject(new StoreError('VG_STORE_WRITE', 'the disk is full')) });
      for (const wake of this.#heldWaiters.splice(0)) wake();
    });
  }
}
