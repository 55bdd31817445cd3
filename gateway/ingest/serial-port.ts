import type { SerialPort } from 'serialport';
import { messageOf } from '../errors.ts';
import { KiB, MiB, Seconds, type Bytes, type Millis } from '../quantity.ts';
import type { DeviceId, Frame, Sequence } from '../reading.ts';
import type { Clock } from './clock.ts';
import { encodeAck, encodeNack } from './cobs.ts';
import {
  CONTEC_9_KEEP_ALIVE,
  CONTEC_9_KEEP_ALIVE_EVERY,
  CONTEC_9_START,
  FRAMINGS,
  SERIAL_SILENCE,
  createFraming,
  type DropReason,
  type FramedPayload,
  type Framing,
  type FramingName,
} from './serial-frames.ts';
import { locate, type PortSelector } from './usb-ports.ts';

/** One serial line and the device that speaks on it. */
export type SerialLineOptions = Readonly<{
  device: DeviceId;
  port: PortSelector;
  /** Device family (decode/families.ts); also the last level of the frames' topic. */
  decoder: string;
  /** How texts and messages are cut; binary formats have one of their own, of the same name. Default `line`. */
  framing?: 'line' | 'cobs';
  /** bit/s. Default: that of the format, else 115,200. */
  baudRate?: number;
  /** How often a port that is missing or fails is looked for. Default 1 s. */
  retryEvery?: Millis;
}>;

export type SerialHooks = Readonly<{
  /** See Acceptor.acceptAll: resolves only when the frames would survive a power cut. */
  accept: (frames: readonly Frame[]) => Promise<Sequence>;
  clock: Clock;
  observe: SerialObserver;
}>;

/** Why bytes or messages of a serial line came to nothing. Metric labels: do not rename. */
export type SerialLoss = DropReason | 'store_fault' | 'overloaded';

export type SerialObserver = Readonly<{
  received: (messages: number) => void;
  /** `waited`: from the arrival of the last byte until it was durable; `bytes`: of the payload. */
  accepted: (waited: Millis, bytes: number) => void;
  lost: (device: DeviceId, reason: SerialLoss, bytes: number) => void;
  /** The line was opened, or cannot be; told once for each change. */
  line: (device: DeviceId, state: 'open' | 'closed', detail: string) => void;
}>;

export type SerialLine = Readonly<{ close: () => Promise<void> }>;

type Speed = Readonly<{ baudRate: number; parity: 'none' | 'odd' }>;

/** What the formats' own documents say (serial-frames.ts). */
const SPEEDS: Readonly<Record<FramingName, Speed>> = {
  line: { baudRate: 115_200, parity: 'none' },
  cobs: { baudRate: 115_200, parity: 'none' },
  'nonin-2': { baudRate: 9600, parity: 'none' },
  'nonin-7': { baudRate: 9600, parity: 'none' },
  'nonin-8': { baudRate: 9600, parity: 'none' },
  'nonin-13': { baudRate: 9600, parity: 'none' },
  'contec-9': { baudRate: 115_200, parity: 'none' },
  'contec-5': { baudRate: 19_200, parity: 'odd' },
};

/**
 * Payloads of one line that may wait for the disk. A serial device cannot be made to wait, so what comes beyond it is lost, and
 * counted: at 115,200 bit/s that is a disk that stood still for a minute and a half.
 */
const MAX_UNDER_WAY: Bytes = MiB(1);
/** Answers to a device that reads none; a line without flow control takes them at once. */
const MAX_UNREAD: Bytes = KiB(16);
const RETRY_EVERY = Seconds(1);

/**
 * Follows one serial line for as long as it is asked to: opens it when it is there, and again after it was unplugged. Never
 * rejects: what is wrong with the line is told to the observer, and tried again.
 */
export async function followSerialLine(options: SerialLineOptions, hooks: SerialHooks): Promise<SerialLine> {
  // The native part is loaded by those who have a line only: it costs memory.
  const { SerialPort: Port } = await import('serialport');
  return new Follower(options, hooks, (path, speed) => new Port({ path, ...speed, autoOpen: false }));
}

/** The framing of a decoder: its own, when its format has one. */
function framingOf({ decoder, framing }: SerialLineOptions): FramingName {
  return FRAMINGS.find((name) => name === decoder) ?? framing ?? 'line';
}

class Follower implements SerialLine {
  readonly #options: SerialLineOptions;
  readonly #hooks: SerialHooks;
  readonly #make: (path: string, speed: Speed) => SerialPort;
  readonly #framing: FramingName;
  #connection: Connection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #told: string | undefined;
  #closed = false;

  constructor(options: SerialLineOptions, hooks: SerialHooks, make: (path: string, speed: Speed) => SerialPort) {
    this.#options = options;
    this.#hooks = hooks;
    this.#make = make;
    this.#framing = framingOf(options);
    this.#open();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#connection?.close();
  }

  #open(): void {
    const located = locate(this.#options.port);
    if ('missing' in located) return this.#tryLater(located.missing);
    const speed = { ...SPEEDS[this.#framing], ...(this.#options.baudRate === undefined ? {} : { baudRate: this.#options.baudRate }) };
    const port = this.#make(located.path, speed);
    port.open((error) => {
      if (error !== null) return this.#tryLater(messageOf(error));
      this.#tell('open', `${located.path} at ${speed.baudRate} bit/s`);
      this.#connection = new Connection(port, this.#framing, this.#options, this.#hooks, (reason) => this.#tryLater(reason));
      if (this.#closed) void this.#connection.close();
    });
  }

  #tryLater(reason: string): void {
    this.#connection = undefined;
    if (this.#closed) return;
    this.#tell('closed', reason);
    this.#retry = setTimeout(() => this.#open(), this.#options.retryEvery ?? RETRY_EVERY);
  }

  #tell(state: 'open' | 'closed', detail: string): void {
    if (this.#told === `${state} ${detail}`) return;
    this.#told = `${state} ${detail}`;
    this.#hooks.observe.line(this.#options.device, state, detail);
  }
}

/** A line that is open. */
class Connection {
  readonly #port: SerialPort;
  readonly #options: SerialLineOptions;
  readonly #hooks: SerialHooks;
  readonly #framing: Framing;
  readonly #silence: NodeJS.Timeout;
  readonly #keepAlive: NodeJS.Timeout | undefined;
  readonly #ended = Promise.withResolvers<void>();
  #heard = false;
  #underWay = 0;
  #settled: Promise<unknown> = Promise.resolve();

  constructor(port: SerialPort, framing: FramingName, options: SerialLineOptions, hooks: SerialHooks, onEnd: (reason: string) => void) {
    this.#port = port;
    this.#options = options;
    this.#hooks = hooks;
    const { device } = options;
    this.#framing = createFraming(framing, { onDropped: ({ reason, bytes }) => hooks.observe.lost(device, reason, bytes) });
    this.#silence = setTimeout(() => this.#take(this.#framing.flush()), SERIAL_SILENCE);
    if (framing === 'contec-9') {
      this.#write(CONTEC_9_START);
      this.#keepAlive = setInterval(() => this.#keepTalking(), CONTEC_9_KEEP_ALIVE_EVERY);
    }
    port.on('data', (chunk: Buffer) => {
      this.#heard = true;
      this.#silence.refresh();
      this.#take(this.#framing.push(chunk));
    });
    port.on('error', (error) => this.#end(messageOf(error), onEnd));
    port.on('close', (error: Error | null) => this.#end(error === null ? 'closed' : messageOf(error), onEnd));
  }

  /** One that was switched on after its cable was plugged in, or off and on again, waits to be started. */
  #keepTalking(): void {
    this.#write(this.#heard ? CONTEC_9_KEEP_ALIVE : CONTEC_9_START);
    this.#heard = false;
  }

  /** Closes the port, and waits for what is on its way to the disk. */
  async close(): Promise<void> {
    if (this.#port.isOpen) this.#port.close();
    else this.#ended.resolve();
    await this.#ended.promise;
    await this.#settled;
  }

  #end(reason: string, onEnd: (reason: string) => void): void {
    clearTimeout(this.#silence);
    clearInterval(this.#keepAlive);
    this.#port.removeAllListeners('close');
    this.#port.removeAllListeners('data');
    // What is wrong with a port that is given up is of no interest any more.
    this.#port.removeAllListeners('error').on('error', () => undefined);
    this.#take(this.#framing.close());
    if (this.#port.isOpen) this.#port.close(() => undefined);
    this.#ended.resolve();
    onEnd(reason);
  }

  #take(payloads: readonly FramedPayload[]): void {
    const size = payloads.reduce((sum, { payload }) => sum + payload.length, 0);
    if (payloads.length === 0) return;
    const { device } = this.#options;
    const { accept, clock, observe } = this.#hooks;
    observe.received(payloads.length);
    if (this.#underWay + size > MAX_UNDER_WAY) return observe.lost(device, 'overloaded', size);
    const arrived = clock.uptime();
    this.#underWay += size;
    this.#settled = accept(payloads.map(({ payload }) => this.#frameOf(payload)))
      .then(
        () => {
          for (const { sequence, payload } of payloads) {
            observe.accepted((clock.uptime() - arrived) as Millis, payload.length);
            if (sequence !== undefined) this.#write(encodeAck(sequence));
          }
        },
        () => {
          observe.lost(device, 'store_fault', size);
          for (const { sequence } of payloads) if (sequence !== undefined) this.#write(encodeNack(sequence));
        },
      )
      .then(() => void (this.#underWay -= size));
  }

  #frameOf(payload: Uint8Array): Frame {
    const { device, decoder } = this.#options;
    const { clock } = this.#hooks;
    const topic = `devices/${device}/${decoder}`;
    return { source: 'serial', device, topic, qos: 0, dup: false, payload, receivedAt: clock.now(), uptime: clock.uptime(), clockTrust: clock.trust() };
  }

  /** A device that does not read is told nothing more until it does: what it hears of no packet, it sends again. */
  #write(bytes: Uint8Array): void {
    if (this.#port.isOpen && this.#port.writableLength < MAX_UNREAD) this.#port.write(Buffer.from(bytes));
  }
}
