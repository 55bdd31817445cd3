import type { Duplex } from 'node:stream';
import { KiB, type Bytes, type Millis } from '../quantity.ts';
import { UNLIMITED, type Allowance, type Pace } from './pace.ts';

/** MQTT 3.1.1 §2.2.3: four length bytes at most, seven bits each. */
const MAX_LENGTH_BYTES = 4;
const PUBLISH = 3;
/** MQTT 3.1.1 §2.2.1: the packet types that flow from a client to a broker, CONNECT to DISCONNECT. */
const CLIENT_TYPES: ReadonlySet<number> = new Set([1, 3, 4, 5, 6, 7, 8, 10, 12, 14]);

/** What is wrong with a packet whatever it holds; `client_error` is one that nobody finished. */
export type PacketFault = Readonly<{ reason: 'oversized_packet' | 'malformed_packet' | 'client_error'; message: string }>;

/**
 * Follows the packet boundaries in a stream of MQTT bytes, however it is cut into chunks, and reports the first packet that
 * is larger than `limit` bytes (when its length field is complete, long before its body arrives) or of a type that no client
 * sends. A malformed length field is left to the parser.
 */
export class PacketMeter {
  readonly #limit: number;
  #state: 'type' | 'length' | 'body' = 'type';
  #lengthBytes = 0;
  #length = 0;
  #fed = 0;
  #publishes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a packet has begun and not ended. */
  get insidePacket(): boolean {
    return this.#state !== 'type';
  }

  /** How many bytes of the last chunk were fed: all, up to a fault, or up to the packet that would have been too much. */
  get fed(): number {
    return this.#fed;
  }

  /** PUBLISH packets that began in what was fed of the last chunk. */
  get publishes(): number {
    return this.#publishes;
  }

  /** The first fault in the stream so far, or undefined. Nothing may be fed after one. Stops before a packet that is beyond `most`. */
  feed(chunk: Uint8Array, most: Allowance = UNLIMITED): PacketFault | undefined {
    this.#publishes = 0;
    this.#fed = 0;
    while (this.#fed < chunk.length && !this.#isEnough(chunk[this.#fed] as number, most)) {
      const fault = this.#step(chunk);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #isEnough(byte: number, { messages, bytes }: Allowance): boolean {
    return this.#state === 'type' && (this.#fed >= bytes || (byte >> 4 === PUBLISH && this.#publishes >= messages));
  }

  #step(chunk: Uint8Array): PacketFault | undefined {
    if (this.#state === 'body') {
      const step = Math.min(this.#length, chunk.length - this.#fed);
      this.#fed += step;
      this.#length -= step;
      if (this.#length === 0) this.#state = 'type';
      return undefined;
    }
    const byte = chunk[this.#fed] as number;
    const fault = this.#state === 'type' ? this.#begin(byte >> 4) : this.#takeLengthByte(byte);
    if (fault === undefined) this.#fed += 1;
    return fault;
  }

  #begin(type: number): PacketFault | undefined {
    this.#state = 'length';
    this.#length = 0;
    this.#lengthBytes = 0;
    if (type === PUBLISH) this.#publishes += 1;
    return CLIENT_TYPES.has(type) ? undefined : { reason: 'malformed_packet', message: `a packet of type ${type}, which no client sends` };
  }

  #takeLengthByte(byte: number): PacketFault | undefined {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    const last = (byte & 0x80) === 0 || this.#lengthBytes === MAX_LENGTH_BYTES;
    if (last) this.#state = this.#length === 0 ? 'type' : 'body';
    return this.#length > this.#limit ? { reason: 'oversized_packet', message: `a packet of ${this.#length} bytes` } : undefined;
  }
}

/** Diverted bytes of one connection after which no more are read. */
const MAX_UNDER_WAY: Bytes = KiB(64);

/** PUBLISH packets at the head of a stream that need no parser, their bytes, and when whoever took them is ready for more. */
export type Taken = Readonly<{
  messages: number;
  length: number;
  /** Whether it stopped because of the allowance; otherwise what is left is the beginning of a packet, if anything. */
  cut: boolean;
  settled: Promise<unknown>;
}>;

export type PacketGuard = Readonly<{
  /** Largest packet: its remaining length, in bytes. */
  limit: Bytes;
  /** Called before a larger packet can be collected in memory (the parser has no limit of its own), and for what it passes over in silence. */
  onFault: (fault: PacketFault) => void;
  /** Is shown bytes that begin with a packet, and takes some of the packets at their head, no more than `most`, or none. MUST NOT reject. */
  divert: (bytes: Buffer, most: Allowance) => Taken | undefined;
  /** How fast the stream may be; undefined while nobody knows whose it is. */
  pace: () => Pace | undefined;
  uptime: () => Millis;
  /** Called when the stream is left unread for a while because it is too fast. */
  onPause: (duration: Millis) => void;
}>;

/**
 * Stands between a stream and the parser that reads it: with `stream.read()`, so that is where the bytes can be seen without
 * another stream in between. While many diverted bytes are under way nothing more is read, so that the sender waits; nor is it
 * while the stream is too fast. What was read too early goes back into the stream, whose end then waits for it.
 */
export function guardPackets(stream: Duplex, guard: PacketGuard): void {
  const guarded = new GuardedStream(stream, guard);
  stream.read = (size?: number) => guarded.read(size);
}

class GuardedStream {
  readonly #stream: Duplex;
  readonly #guard: PacketGuard;
  readonly #meter: PacketMeter;
  readonly #read: (size?: number) => Buffer | null;
  #rest: Buffer | undefined;
  #underWay = 0;
  #paused = false;
  #pause: NodeJS.Timeout | undefined;
  #asked = false;

  constructor(stream: Duplex, guard: PacketGuard) {
    this.#stream = stream;
    this.#guard = guard;
    this.#meter = new PacketMeter(guard.limit);
    this.#read = stream.read.bind(stream) as (size?: number) => Buffer | null;
    stream.once('end', () => {
      if (this.#meter.insidePacket || this.#rest !== undefined) guard.onFault({ reason: 'client_error', message: 'the connection ended inside a packet' });
    });
    stream.once('close', () => clearTimeout(this.#pause));
  }

  read(size?: number): Buffer | null {
    if (size === 0) return this.#read(0); // the stream itself, to get more from the kernel
    this.#asked = this.#mustWait;
    const chunk = this.#asked ? null : this.#read(size);
    if (chunk === null) return null;
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    const pace = this.#guard.pace();
    const most = pace === undefined ? UNLIMITED : pace.allowance(this.#guard.uptime());
    const taken = this.#meter.insidePacket ? undefined : this.#guard.divert(bytes, most);
    return taken === undefined ? this.#handOn(bytes, most, pace) : this.#divert(bytes, taken, pace);
  }

  get #mustWait(): boolean {
    return this.#underWay >= MAX_UNDER_WAY || this.#paused;
  }

  #divert(bytes: Buffer, taken: Taken, pace: Pace | undefined): null {
    const { length, messages, cut } = taken;
    const left = length < bytes.length ? bytes.subarray(length) : undefined;
    if (!cut) this.#rest = left;
    this.#underWay += length;
    void taken.settled.then(() => {
      this.#underWay -= length;
      this.#goOn();
    });
    this.#count(pace, messages, length, cut ? left : undefined);
    return null;
  }

  #handOn(bytes: Buffer, most: Allowance, pace: Pace | undefined): Buffer | null {
    const fault = this.#meter.feed(bytes, most);
    if (fault !== undefined) {
      this.#guard.onFault(fault);
      return null;
    }
    const { fed, publishes } = this.#meter;
    const isAll = fed === bytes.length;
    this.#count(pace, publishes, fed, isAll ? undefined : bytes.subarray(fed));
    return isAll ? bytes : bytes.subarray(0, fed);
  }

  /** `tooMuch` is what the pace does not allow yet. */
  #count(pace: Pace | undefined, messages: number, length: number, tooMuch: Buffer | undefined): void {
    if (pace === undefined) return;
    const wait = pace.count(messages, length, this.#guard.uptime());
    if (wait > 0) this.#guard.onPause(wait);
    if (tooMuch !== undefined) {
      this.#stream.unshift(tooMuch);
      // The stream says "readable" for what comes from the kernel, not for what came back.
      this.#asked = true;
    }
    // Also without a wait: the parser reads on while it is still parsing, and is then confused by what it gets.
    if (wait > 0 || tooMuch !== undefined) this.#pauseFor(wait);
  }

  #pauseFor(duration: Millis): void {
    this.#paused = true;
    const end = (): void => {
      this.#paused = false;
      this.#goOn();
    };
    if (duration === 0) setImmediate(end);
    else this.#pause = setTimeout(end, duration);
  }

  #goOn(): void {
    if (!this.#asked || this.#mustWait || this.#stream.destroyed) return;
    this.#asked = false;
    this.#stream.emit('readable');
  }
}
