import { connect, type Socket } from 'node:net';
import { CONNACK, connectPacket, DISCONNECT, PUBACK, publishPacket, readPackets } from '../ingest/mqtt-wire.ts';
import type { DeviceWithPassword } from '../path/site.ts';

export type LoadDeviceOptions = Readonly<{
  port: number;
  device: DeviceWithPassword;
  /** Messages sent and not acknowledged at a time. Default 4. */
  window?: number;
  /** Make the next message as soon as one is acknowledged, so that at every moment some are being written. Default: every 5 ms. */
  eager?: boolean;
  /** Bytes every message is padded with. Default 0. */
  padding?: number;
}>;

type Message = Readonly<{ payload: string }> & { sent: boolean };

const PUMP_EVERY_MS = 5;
const RECONNECT_AFTER_MS = 20;
const START = Date.UTC(2026, 11, 1);

/**
 * A device that keeps its promise and a record: it publishes with QoS 1 as long as it runs, sends what was not acknowledged
 * again on every new connection (same `seq`, same time, same bytes, DUP set), and notes every PUBACK it ever saw.
 */
export class LoadDevice {
  readonly id: string;
  /** Payload of every message a PUBACK was seen for. */
  readonly acknowledged = new Set<string>();
  readonly #options: LoadDeviceOptions;
  readonly #pump = setInterval(() => this.#send(), PUMP_EVERY_MS);
  readonly #finished = Promise.withResolvers<void>();
  readonly #waiting = new Set<Message>();
  #next = 1;
  #opening: Socket | undefined;
  /** The connection, once it was granted. */
  #socket: Socket | undefined;
  #inFlight = new Map<number, Message>();
  #rest: Buffer = Buffer.alloc(0);
  #packetId = 0;
  #state: 'running' | 'finishing' | 'finished' = 'running';

  constructor(options: LoadDeviceOptions) {
    this.id = options.device.device;
    this.#options = options;
    this.#connect();
  }

  /** Makes no new message, and resolves when all are acknowledged. */
  async finish(): Promise<void> {
    this.#state = 'finishing';
    this.#send();
    await this.#finished.promise;
    this.end();
  }

  /** Ends at once. */
  end(): void {
    this.#state = 'finished';
    clearInterval(this.#pump);
    this.#socket?.end(DISCONNECT);
    this.#socket?.destroySoon();
  }

  #connect(): void {
    if (this.#state === 'finished') return;
    const { port, device } = this.#options;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('close', () => {
      this.#socket = undefined;
      setTimeout(() => this.#connect(), RECONNECT_AFTER_MS);
    });
    this.#rest = Buffer.alloc(0);
    this.#inFlight = new Map();
    socket.write(connectPacket({ clientId: device.device, username: device.device, password: device.password }));
    this.#opening = socket;
  }

  #take(chunk: Buffer): void {
    const { packets, rest } = readPackets(Buffer.concat([this.#rest, chunk]));
    this.#rest = rest;
    for (const { type, body } of packets) {
      if (type === CONNACK && body[1] === 0) this.#open();
      else if (type === PUBACK) this.#acknowledge(body.readUInt16BE(0));
    }
  }

  #open(): void {
    this.#socket = this.#opening;
    this.#send();
  }

  #acknowledge(packetId: number): void {
    const message = this.#inFlight.get(packetId);
    if (message === undefined) return;
    this.#inFlight.delete(packetId);
    this.#waiting.delete(message);
    this.acknowledged.add(message.payload);
    if (this.#options.eager === true) this.#send();
    if (this.#state === 'finishing' && this.#waiting.size === 0) this.#finished.resolve();
  }

  #send(): void {
    if (this.#state === 'running') this.#make();
    else if (this.#waiting.size === 0) this.#finished.resolve();
    if (this.#socket === undefined) return;
    const underWay = new Set(this.#inFlight.values());
    for (const message of this.#waiting) {
      if (!underWay.has(message)) this.#publish(this.#socket, message);
    }
  }

  #make(): void {
    const { window = 4, padding = 0 } = this.#options;
    while (this.#waiting.size < window && this.#socket !== undefined) {
      const seq = this.#next++;
      const payload = JSON.stringify({ seq, time: START + seq, measurement: 'heart_rate', value: 60 + (seq % 40), unit: '/min', padding: 'x'.repeat(padding) });
      this.#waiting.add({ payload, sent: false });
    }
  }

  #publish(socket: Socket, message: Message): void {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    this.#inFlight.set(this.#packetId, message);
    socket.write(publishPacket({ topic: this.#options.device.topic, payload: message.payload, id: this.#packetId, dup: message.sent }));
    message.sent = true;
  }
}
