/** MQTT 3.1.1 packets written and read by hand, so that a test can also send what no client library would. */

import { connect, type Socket } from 'node:net';

/** Packet types (MQTT 3.1.1 §2.2.1), in the upper half of the first byte. */
export const CONNACK = 2;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBCOMP = 7;
export const SUBACK = 9;
export const PINGRESP = 13;

/** One packet as it came: the type, the lower half of the first byte, and everything after the length field. */
export type Packet = Readonly<{ type: number; flags: number; body: Buffer }>;

/** A length-prefixed string (§1.5.3); bytes are taken as they are. */
export function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([uint16(bytes.length), bytes]);
}

export function uint16(n: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(n);
  return bytes;
}

/** The length field of a fixed header (§2.2.3): seven bits a byte, least significant first. */
export function lengthField(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A packet with this first byte and a length field that is true. */
export function packetOf(first: number, ...body: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(body);
  return Buffer.concat([Buffer.of(first), lengthField(bytes.length), bytes]);
}

export type ConnectFields = Readonly<{
  clientId?: string;
  username?: string | Uint8Array | undefined;
  password?: string | undefined;
  /** Seconds. Default 60. */
  keepAlive?: number;
  clean?: boolean;
  will?: Readonly<{ topic: string; payload: string; qos?: 0 | 1 | 2; retain?: boolean }>;
  protocol?: string;
  level?: number;
  /** Or-ed into the connect flags. */
  extraFlags?: number;
}>;

/** CONNECT (§3.1). */
export function connectPacket(fields: ConnectFields): Buffer {
  const { clientId = '', username, password, keepAlive = 60, clean = true, will, protocol = 'MQTT', level = 4, extraFlags = 0 } = fields;
  const willFlags = will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0);
  const flags = (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40) | willFlags | (clean ? 0x02 : 0) | extraFlags;
  const payload = [text(clientId), ...(will === undefined ? [] : [text(will.topic), text(will.payload)])];
  for (const field of [username, password]) if (field !== undefined) payload.push(text(field));
  return packetOf(0x10, text(protocol), Buffer.of(level, flags), uint16(keepAlive), ...payload);
}

export type PublishFields = Readonly<{
  topic: string | Uint8Array;
  payload?: string | Uint8Array;
  qos?: 0 | 1 | 2;
  id?: number;
  dup?: boolean;
  retain?: boolean;
}>;

/** PUBLISH (§3.3). */
export function publishPacket({ topic, payload = '', qos = 1, id = 1, dup = false, retain = false }: PublishFields): Buffer {
  const first = 0x30 | (qos << 1) | (dup ? 0x08 : 0) | (retain ? 0x01 : 0);
  return packetOf(first, text(topic), ...(qos === 0 ? [] : [uint16(id)]), Buffer.from(payload as Uint8Array));
}

export const pubrelPacket = (id: number): Buffer => packetOf(0x62, uint16(id));
export const subscribePacket = (id: number, filter: string, qos: 0 | 1 | 2 = 1): Buffer => packetOf(0x82, uint16(id), text(filter), Buffer.of(qos));
export const PINGREQ = packetOf(0xc0);
export const DISCONNECT = packetOf(0xe0);

/** Takes whole packets off the front of `bytes`. */
export function readPackets(bytes: Buffer): { packets: Packet[]; rest: Buffer } {
  const packets: Packet[] = [];
  let at = 0;
  for (;;) {
    const header = readHeader(bytes, at);
    if (header === undefined || header.end > bytes.length) return { packets, rest: bytes.subarray(at) };
    const first = bytes[at] as number;
    packets.push({ type: first >> 4, flags: first & 0x0f, body: bytes.subarray(header.start, header.end) });
    at = header.end;
  }
}

function readHeader(bytes: Buffer, at: number): { start: number; end: number } | undefined {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + 1 + i];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** i;
    if ((byte & 0x80) === 0) return { start: at + 2 + i, end: at + 2 + i + length };
  }
  throw new Error('the broker sent a length field of more than four bytes');
}

/** A TCP connection to a broker that sends any bytes and hands out the packets that come back, in order. */
export class RawClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #arrived: Packet[] = [];
  readonly #waiting: ((packet: Packet | undefined) => void)[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #rest: Buffer = Buffer.alloc(0);
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#close());
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  /** Opens a connection, logs in and expects to be let in. */
  static async login(port: number, fields: ConnectFields): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.send(connectPacket(fields));
    const code = await client.returnCode();
    if (code !== 0) throw new Error(`refused with return code ${code}`);
    return client;
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(bytes));
  }

  /** The next packet, or undefined when the connection closes first. */
  next(): Promise<Packet | undefined> {
    const packet = this.#arrived.shift();
    if (packet !== undefined || this.#isClosed) return Promise.resolve(packet);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Packets that arrived and were not asked for yet. */
  get unread(): readonly Packet[] {
    return this.#arrived;
  }

  /** The return code of the CONNACK that comes next (§3.2.2.3), or undefined when the connection closes instead. */
  async returnCode(): Promise<number | undefined> {
    return (await this.next())?.body[1];
  }

  /** Publishes with QoS 1; true at its PUBACK, false when the connection closes instead. */
  async publish(fields: PublishFields): Promise<boolean> {
    this.send(publishPacket(fields));
    return (await this.next())?.type === PUBACK;
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Says nothing more; the other direction stays open. */
  finish(): void {
    this.#socket.end();
  }

  /** Cuts the connection without a DISCONNECT. */
  cut(): void {
    this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.closed;
  }

  #take(chunk: Buffer): void {
    const { packets, rest } = readPackets(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    for (const packet of packets) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#arrived.push(packet);
      else waiting(packet);
    }
  }

  #close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
    this.#closed.resolve();
  }
}
