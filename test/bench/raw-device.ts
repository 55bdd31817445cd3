import { connect, type Socket } from 'node:net';
import { connectPacket, PublishPackets } from './mqtt-packets.ts';

export type Login = Readonly<{ id: string; password: string }>;

export type RawDeviceOptions = Readonly<{
  port: number;
  login: Login;
  firstSequence: number;
  /** Write the packets of one call of {@link RawDevice.publish} together. */
  coalesce: boolean;
  /** `latencies`: milliseconds from each write to its acknowledgement, for the acknowledgements of one chunk. */
  onAcknowledged: (device: RawDevice, latencies: readonly number[]) => void;
  /** The connection is gone or said something unexpected. */
  onFault: (fault: Error) => void;
}>;

const CONNACK = 0x20;
const PUBACK = 0x40;
/** CONNACK and PUBACK are both this long (§3.2, §3.4). */
const ANSWER_BYTES = 4;
const PACKET_IDS = 0xffff;

/** A device that publishes QoS 1 readings over a bare socket and times every acknowledgement. */
export class RawDevice {
  readonly #options: RawDeviceOptions;
  readonly #socket: Socket;
  readonly #packets: PublishPackets;
  readonly #sentAt = new Float64Array(PACKET_IDS + 1);
  readonly #connected: Promise<void>;
  #onConnected: () => void = () => undefined;
  #rest: Buffer = Buffer.alloc(0);
  #packetId = 0;
  #sequence: number;
  #inFlight = 0;

  constructor(options: RawDeviceOptions) {
    this.#options = options;
    this.#sequence = options.firstSequence;
    this.#packets = new PublishPackets(`devices/${options.login.id}/readings`);
    this.#connected = new Promise((resolve) => {
      this.#onConnected = resolve;
    });
    this.#socket = connect(options.port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', options.onFault);
    this.#socket.on('end', () => options.onFault(new Error(`${options.login.id}: the broker closed the connection`)));
    this.#socket.write(connectPacket(options.login.id, options.login.password));
  }

  /** Resolves with the broker's CONNACK. */
  get connected(): Promise<void> {
    return this.#connected;
  }

  /** Readings without an acknowledgement. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Publishes `count` readings, each in a write of its own as a device does, unless they are coalesced. */
  publish(count: number): void {
    const packets = Array.from({ length: count }, () => this.#nextPacket());
    if (this.#options.coalesce) this.#socket.write(Buffer.concat(packets));
    else for (const bytes of packets) this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #nextPacket(): Buffer {
    this.#packetId = (this.#packetId % PACKET_IDS) + 1;
    this.#sentAt[this.#packetId] = performance.now();
    this.#inFlight += 1;
    return this.#packets.next(this.#packetId, this.#sequence++, Date.now());
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - (bytes.length % ANSWER_BYTES);
    this.#rest = bytes.subarray(end);
    const now = performance.now();
    const latencies: number[] = [];
    for (let at = 0; at < end; at += ANSWER_BYTES) {
      if (bytes[at] === PUBACK) latencies.push(now - (this.#sentAt[bytes.readUInt16BE(at + 2)] as number));
      else if (bytes[at] === CONNACK && bytes[at + 3] === 0) this.#onConnected();
      else return this.#options.onFault(new Error(`${this.#options.login.id}: unexpected answer ${bytes.toString('hex', at, at + ANSWER_BYTES)}`));
    }
    this.#inFlight -= latencies.length;
    if (latencies.length > 0) this.#options.onAcknowledged(this, latencies);
  }
}
