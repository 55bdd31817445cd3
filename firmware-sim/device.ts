/**
 * A device on a real network: numbers what it measures, keeps it until the gateway has acknowledged it, and connects again
 * for as long as it runs.
 */

import { ConfigError } from '../gateway/errors.ts';
import { formatDuration, Millis, Seconds, type UnixMillis } from '../gateway/quantity.ts';
import { encodeMessage, type Sample } from './message.ts';
import type { Random } from './random.ts';
import { type BufferedMessage, RingBuffer } from './ring-buffer.ts';
import { Session } from './session.ts';

export type DeviceOptions = Readonly<{
  /** 1 to 64 of `a-z A-Z 0-9 . _ -`; also user name and client identifier. */
  id: string;
  /** `mqtt://host:port` or `mqtts://host:port`. */
  brokerUrl: string;
  password: string;
  /** Spreads reconnections. */
  random: Random;
  /** Messages kept while nothing is acknowledged; the oldest is overwritten then. Default 10 000, over 13 h of a wrist wearable. */
  capacity?: number;
  /** Most messages sent and not yet acknowledged, 1 to 1000. Default 8. */
  window?: number;
  /** Number of the first message. Default 1; a device that ran before goes on where it stopped. */
  firstSequence?: number;
  /** First pause before a new connection; it doubles up to `maxPause`, each time jittered down by up to half. Default 500 ms. */
  minPause?: Millis;
  /** Longest pause before a new connection. Default 30 s. */
  maxPause?: Millis;
  /** Silence after which the device pings. Default 30 s. */
  keepalive?: Millis;
  /** How long CONNACK, and then the next PUBACK, may take before the connection is given up. Default 20 s. */
  ackTimeout?: Millis;
  /** How long {@link Device.stop} waits for acknowledgements of what is in flight. Default 2 s. */
  stopGrace?: Millis;
  /** Called before a message with this number is kept, so that the number can be remembered first. Default nothing. */
  onNumbered?: (seq: number) => void;
  /** Called once for every message whose PUBACK arrived while it was kept, in the order of arrival. Default nothing. */
  onAcknowledged?: (seq: number, payload: Buffer) => void;
  /** Called with a line for people when a connection begins or ends. Default nothing. */
  log?: (line: string) => void;
}>;

/** At any moment `recorded = acknowledged + overwritten + waiting`. */
export type DeviceCounts = Readonly<{
  /** Messages numbered and put into the buffer. */
  recorded: number;
  /** Messages whose PUBACK arrived while they were kept. */
  acknowledged: number;
  /** Messages sent again on a later connection. */
  repeated: number;
  /** Messages dropped because the buffer was full, before a PUBACK was seen. */
  overwritten: number;
  /** Messages in the buffer now. */
  waiting: number;
  /** Connections the broker has accepted. */
  connections: number;
}>;

/**
 * The promise: a recorded message MUST be sent, in order, until its PUBACK has arrived, or be counted as overwritten; it
 * keeps its `seq` and its bytes however often it is sent; without a lost connection it is sent once.
 */
export class Device {
  readonly id: string;
  readonly #options: DeviceOptions;
  readonly #buffer: RingBuffer;
  readonly #firstSequence: number;
  #status: 'new' | 'running' | 'stopped' = 'new';
  #session: Session | undefined;
  #pause: NodeJS.Timeout | undefined;
  #failures = 0;
  #acknowledged = 0;
  #repeated = 0;
  #connections = 0;
  #drainWaiters: ((empty: boolean) => void)[] = [];

  constructor(options: DeviceOptions) {
    const { window = 8 } = options;
    if (!Number.isSafeInteger(window) || window < 1 || window > 1000) throw new ConfigError(`window ${window}: expected 1 to 1000`);
    this.id = options.id;
    this.#options = { ...options, brokerUrl: checkedBrokerUrl(options.brokerUrl) };
    this.#firstSequence = options.firstSequence ?? 1;
    this.#buffer = new RingBuffer(options.capacity ?? 10_000, this.#firstSequence);
  }

  get counts(): DeviceCounts {
    return {
      recorded: this.#buffer.next - this.#firstSequence,
      acknowledged: this.#acknowledged,
      repeated: this.#repeated,
      overwritten: this.#buffer.overwritten,
      waiting: this.#buffer.size,
      connections: this.#connections,
    };
  }

  /** Begins to connect; returns at once. A device starts once. */
  start(): void {
    if (this.#status !== 'new') return;
    this.#status = 'running';
    this.#connect();
  }

  /** Numbers and keeps a sample, and sends it as soon as the connection allows. Returns its `seq`; works before start and offline. */
  record(sample: Sample, deviceTime: UnixMillis): number {
    this.#options.onNumbered?.(this.#buffer.next);
    const seq = this.#buffer.push((number) => encodeMessage(number, deviceTime, sample));
    this.#session?.pump();
    return seq;
  }

  /** Resolves true as soon as the buffer is empty, false if the device was stopped before. */
  drained(): Promise<boolean> {
    if (this.#buffer.size === 0) return Promise.resolve(true);
    if (this.#status === 'stopped') return Promise.resolve(false);
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /** Ends for good: waits up to `stopGrace` for what is in flight, disconnects, leaves no timer and no socket. The rest is `waiting`. */
  async stop(): Promise<void> {
    this.#status = 'stopped';
    clearTimeout(this.#pause);
    await this.#session?.end(this.#options.stopGrace ?? Seconds(2));
    this.#tellDrained(this.#buffer.size === 0);
  }

  #connect(): void {
    const { id, brokerUrl, password, window = 8, keepalive = Seconds(30), ackTimeout = Seconds(20) } = this.#options;
    this.#session = new Session({ brokerUrl, deviceId: id, password, window, keepalive, ackTimeout }, this.#buffer, {
      opened: () => this.#opened(),
      repeating: () => {
        this.#repeated += 1;
      },
      acknowledged: (message) => this.#noteAcknowledged(message),
      closed: (reason) => this.#closed(reason),
    });
  }

  #opened(): void {
    this.#connections += 1;
    this.#options.log?.(`${this.id}: connected, ${this.#buffer.size} waiting`);
  }

  #noteAcknowledged(message: BufferedMessage): void {
    this.#acknowledged += 1;
    // Only a PUBACK proves a gateway that works; one that accepts connections and then drops them keeps the pauses growing.
    this.#failures = 0;
    this.#options.onAcknowledged?.(message.seq, message.payload);
    if (this.#buffer.size === 0) this.#tellDrained(true);
  }

  #closed(reason: string): void {
    this.#session = undefined;
    if (this.#status === 'stopped') return;
    const pause = this.#nextPause();
    this.#options.log?.(`${this.id}: ${reason}; trying again in ${formatDuration(pause)}`);
    this.#pause = setTimeout(() => this.#connect(), pause);
  }

  #nextPause(): Millis {
    const { minPause = Millis(500), maxPause = Seconds(30), random } = this.#options;
    const longest = Math.min(maxPause, minPause * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    return Millis(Math.round(random.between(longest / 2, longest)));
  }

  #tellDrained(empty: boolean): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const tell of waiters) tell(empty);
  }
}

function checkedBrokerUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '') {
    throw new ConfigError(`broker "${text}": expected mqtt://host:port or mqtts://host:port`);
  }
  return text;
}
