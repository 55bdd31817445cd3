/**
 * A family's device on a real serial line or pseudo-terminal: opened when it is there, and again after it went away. Most devices talk
 * whether somebody listens or not; some wait to be asked (conversation.ts), and with `cobs` each message is kept until it is acknowledged.
 */

import type { SerialPort } from 'serialport';
import { messageOf as textOf } from '../gateway/errors.ts';
import { Millis } from '../gateway/quantity.ts';
import { PacketSender } from './cobs.ts';
import type { Conversation } from './families/conversation.ts';
import type { Framing, Message, SerialTraits } from './families/family.ts';
import type { Faults, Transmission } from './faults.ts';
import { Bell, type Link, type LinkCounts, Tally } from './link.ts';
import type { Random } from './random.ts';
import type { RealTime } from './time.ts';

export type SerialLinkOptions = Readonly<{
  path: string;
  traits: SerialTraits;
  framing: Framing;
  /** bit/s. Default: that of the family. */
  baudRate?: number;
  faults: Faults;
  random: Random;
  time: RealTime;
  signal: AbortSignal;
  log: (line: string) => void;
}>;

const RETRY_EVERY = Millis(200);
/** How often packets are looked at that may have to be sent again. */
const LOOK_EVERY = Millis(50);
const DELIMITERS: Readonly<Record<Framing, readonly number[]>> = { line: [0x0a], cobs: [0x00], own: [] };
const WHOLE = (bytes: Uint8Array): readonly Transmission[] => [{ bytes, kind: 'good' }];

export class SerialLink implements Link {
  readonly #options: SerialLinkOptions;
  readonly #make: (path: string) => SerialPort;
  readonly #tally = new Tally();
  readonly #bell = new Bell();
  readonly #conversation: Conversation | undefined;
  readonly #packets: PacketSender | undefined;
  #port: SerialPort | undefined;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;
  #told = '';

  /** Opens the line, now or when it comes. */
  static async over(options: SerialLinkOptions): Promise<SerialLink> {
    const { SerialPort: Port } = await import('serialport');
    const { traits, baudRate = traits.baudRate } = options;
    return new SerialLink(options, (path) => new Port({ path, baudRate, parity: traits.parity, autoOpen: false }));
  }

  private constructor(options: SerialLinkOptions, make: (path: string) => SerialPort) {
    this.#options = options;
    this.#make = make;
    this.#conversation = options.traits.conversation?.();
    if (options.framing === 'cobs') this.#packets = new PacketSender(Math.floor(options.random.between(0, 0x1_0000)));
    options.signal.addEventListener('abort', () => this.#bell.ring(), { once: true });
    this.#open();
  }

  get counts(): LinkCounts {
    return this.#tally.counts;
  }

  async ready(): Promise<number | undefined> {
    const { signal, time } = this.#options;
    const maySpeak = (): boolean => this.#port !== undefined && (this.#conversation?.isWanted(time.uptime()) ?? true) && (this.#packets?.hasRoom ?? true);
    await this.#bell.until(() => maySpeak() || signal.aborted || undefined);
    return signal.aborted ? undefined : this.#tally.counts.connections;
  }

  /** A line ending or 00 always makes it: without it the frame after a damaged one would be damaged too, and nobody could count. */
  send(message: Message, spared = false): void {
    if (this.#packets !== undefined) {
      this.#tally.add('values', message.tells.length);
      this.#packets.keep(message.payload);
      return this.#sendDue();
    }
    for (const transmission of spared ? WHOLE(message.payload) : this.#options.faults.disturb(message.payload)) {
      this.#tally.transmitted(transmission, message);
      this.#write(transmission.bytes);
    }
  }

  cut(): void {
    const port = this.#port;
    this.#gone('cut off');
    port?.close(() => undefined);
  }

  async drained(): Promise<void> {
    await this.#bell.until(() => (this.#packets?.unanswered ?? 0) === 0 || this.#options.signal.aborted || undefined);
    const port = this.#port;
    if (port?.isOpen === true) await new Promise<void>((resolve) => port.drain(() => resolve()));
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const port = this.#port;
    if (port?.isOpen === true) await new Promise<void>((resolve) => port.close(() => resolve()));
  }

  #open(): void {
    const { path, time } = this.#options;
    const port = this.#make(path);
    port.open((error) => {
      if (error !== null) return this.#tryLater(error.message);
      if (this.#isEnding) return port.close(() => undefined);
      this.#tell('open');
      this.#tally.add('connections');
      this.#port = port;
      port.on('data', (bytes: Buffer) => this.#hear(bytes, time.uptime()));
      port.on('error', (fault) => this.#gone(textOf(fault), port));
      port.once('close', (fault: Error | null) => this.#gone(fault === null ? 'closed' : textOf(fault), port));
      // What came before on the line is no part of the first packet.
      if (this.#packets !== undefined) this.#write(new Uint8Array(0));
      this.#sendDue();
      this.#bell.ring();
    });
  }

  /** @param port the one that went; one that was given up before says nothing more. */
  #gone(reason: string, port = this.#port): void {
    if (port === undefined || port !== this.#port) return;
    this.#port = undefined;
    clearTimeout(this.#timer);
    if (!this.#isEnding) this.#tryLater(reason);
  }

  #tryLater(reason: string): void {
    this.#tell(reason);
    if (!this.#isEnding) this.#timer = setTimeout(() => this.#open(), RETRY_EVERY);
  }

  #tell(what: string): void {
    if (this.#told !== what) this.#options.log(`${this.#options.path}: ${what}`);
    this.#told = what;
  }

  #hear(bytes: Buffer, now: Millis): void {
    const answer = this.#conversation?.hear(bytes, now);
    if (answer !== undefined && answer.length > 0) this.#port?.write(Buffer.from(answer));
    this.#tally.add('acknowledged', this.#packets?.hear(bytes, now) ?? 0);
    this.#bell.ring();
  }

  #sendDue(): void {
    const { faults, time } = this.#options;
    if (this.#packets === undefined || this.#port === undefined) return;
    for (const { bytes, again } of this.#packets.due(time.uptime())) {
      if (again) this.#tally.add('repeated');
      for (const transmission of faults.disturb(bytes)) {
        this.#tally.add('sent');
        this.#write(transmission.bytes);
      }
    }
    clearTimeout(this.#timer);
    if (!this.#isEnding) this.#timer = setTimeout(() => this.#sendDue(), LOOK_EVERY);
  }

  #write(bytes: Uint8Array): void {
    this.#port?.write(Buffer.from([...bytes, ...DELIMITERS[this.#options.framing]]));
  }
}
