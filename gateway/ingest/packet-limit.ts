import type { Socket } from 'node:net';

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

/**
 * Calls `onFault` before a packet larger than `limit` bytes can be collected in memory (the parser that reads this socket
 * has no limit of its own), and for what the parser passes over in silence. It reads with `socket.read()`, so that is where
 * the bytes can be seen without another stream in between.
 */
export function guardPackets(socket: Socket, limit: number, onFault: (fault: PacketFault) => void): void {
  const meter = new PacketMeter(limit);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const chunk = read(size) as Buffer | null;
    const fault = chunk === null ? undefined : meter.feed(chunk);
    if (fault === undefined) return chunk;
    onFault(fault);
    return null;
  };
  socket.once('end', () => {
    if (meter.insidePacket) onFault({ reason: 'client_error', message: 'the connection ended inside a packet' });
  });
}
