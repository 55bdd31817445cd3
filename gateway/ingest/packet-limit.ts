import type { Socket } from 'node:net';

/** MQTT 3.1.1 §2.2.3: four length bytes at most, seven bits each. */
const MAX_LENGTH_BYTES = 4;

/**
 * Follows the packet boundaries in a stream of MQTT bytes, however it is cut into chunks, and reports the size of the
 * first packet that is larger than `limit`: when its length field is complete, long before its body arrives.
 */
export class PacketMeter {
  readonly #limit: number;
  #state: 'type' | 'length' | 'body' = 'type';
  #lengthBytes = 0;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The size in bytes of an oversized packet, or undefined. A malformed length field is left to the parser. */
  feed(chunk: Uint8Array): number | undefined {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#state === 'body') {
        const step = Math.min(this.#length, chunk.length - offset);
        offset += step;
        this.#length -= step;
        if (this.#length === 0) this.#state = 'type';
      } else if (this.#state === 'type') {
        offset += 1;
        this.#state = 'length';
        this.#length = 0;
        this.#lengthBytes = 0;
      } else {
        this.#takeLengthByte(chunk[offset] as number);
        offset += 1;
        if (this.#length > this.#limit) return this.#length;
      }
    }
    return undefined;
  }

  #takeLengthByte(byte: number): void {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    const last = (byte & 0x80) === 0 || this.#lengthBytes === MAX_LENGTH_BYTES;
    if (last) this.#state = this.#length === 0 ? 'type' : 'body';
  }
}

/**
 * Calls `onOversized` before a packet larger than `limit` bytes can be collected in memory: the parser that reads this
 * socket has no limit of its own. It reads with `socket.read()`, so that is where the bytes can be seen without
 * another stream in between.
 */
export function limitPacketSize(socket: Socket, limit: number, onOversized: (size: number) => void): void {
  const meter = new PacketMeter(limit);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const chunk = read(size) as Buffer | null;
    const oversized = chunk === null ? undefined : meter.feed(chunk);
    if (oversized === undefined) return chunk;
    onOversized(oversized);
    return null;
  };
}
