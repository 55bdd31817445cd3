import type { Socket } from 'node:net';
import { KiB, type Bytes } from '../quantity.ts';

/** MQTT 3.1.1 §2.2.3: four length bytes at most, seven bits each. */
const MAX_LENGTH_BYTES = 4;
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

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a packet has begun and not ended. */
  get insidePacket(): boolean {
    return this.#state !== 'type';
  }

  /** The first fault in the stream so far, or undefined. Nothing may be fed after one. */
  feed(chunk: Uint8Array): PacketFault | undefined {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#state === 'body') {
        const step = Math.min(this.#length, chunk.length - offset);
        offset += step;
        this.#length -= step;
        if (this.#length === 0) this.#state = 'type';
        continue;
      }
      const byte = chunk[offset] as number;
      const fault = this.#state === 'type' ? this.#begin(byte >> 4) : this.#takeLengthByte(byte);
      if (fault !== undefined) return fault;
      offset += 1;
    }
    return undefined;
  }

  #begin(type: number): PacketFault | undefined {
    this.#state = 'length';
    this.#length = 0;
    this.#lengthBytes = 0;
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

/** Diverted bytes of one socket after which no more are read. */
const MAX_UNDER_WAY: Bytes = KiB(64);

/** Bytes at the head of a stream that need no parser, and when whoever took them is ready for more. */
export type Taken = Readonly<{ length: number; settled: Promise<unknown> }>;

export type PacketGuard = Readonly<{
  /** Largest packet: its remaining length, in bytes. */
  limit: Bytes;
  /** Called before a larger packet can be collected in memory (the parser has no limit of its own), and for what it passes over in silence. */
  onFault: (fault: PacketFault) => void;
  /** Is shown bytes that begin with a packet, and takes some of the packets at their head or none. MUST NOT reject. */
  divert: (bytes: Buffer) => Taken | undefined;
}>;

/**
 * Stands between a socket and the parser that reads it: with `socket.read()`, so that is where the bytes can be seen without
 * another stream in between. While many diverted bytes are under way nothing more is read, so that the sender waits.
 */
export function guardPackets(socket: Socket, { limit, onFault, divert }: PacketGuard): void {
  const meter = new PacketMeter(limit);
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  let rest: Buffer | undefined;
  let underWay = 0;
  let asked = false;
  const settle = (length: number): void => {
    underWay -= length;
    if (!asked) return;
    asked = false;
    socket.emit('readable');
  };
  socket.read = (size?: number): Buffer | null => {
    if (size === 0) return read(0); // the stream itself, to get more from the kernel
    asked = underWay >= MAX_UNDER_WAY;
    const chunk = asked ? null : read(size);
    if (chunk === null) return null;
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    const taken = meter.insidePacket ? undefined : divert(bytes);
    if (taken !== undefined) {
      rest = taken.length < bytes.length ? bytes.subarray(taken.length) : undefined;
      underWay += taken.length;
      void taken.settled.then(() => settle(taken.length));
      return null;
    }
    const fault = meter.feed(bytes);
    if (fault === undefined) return bytes;
    onFault(fault);
    return null;
  };
  socket.once('end', () => {
    if (meter.insidePacket || rest !== undefined) onFault({ reason: 'client_error', message: 'the connection ended inside a packet' });
  });
}
