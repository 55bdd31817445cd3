import { setTimeout as pause } from 'node:timers/promises';
import { decodePacket } from '../../gateway/ingest/cobs.ts';
import { SerialCable } from '../path/serial-cable.ts';
import type { SerialDevice } from './serial-devices.ts';

/** What 115,200 bit/s carry with a start bit, 8 data bits and a stop bit for each byte. */
export const LINE_BYTES_PER_S = 11_520;
/** How long bytes are gathered before they are written, as the latency timer of a USB adapter does. */
const GATHER_MS = 16;
/** A line never catches up: what it did not carry for longer than this, it carries later. */
const MAX_BEHIND_MS = 64;
/** Packets of our own protocol that may wait for their answer (gateway/ingest/cobs.ts). */
const WINDOW = 8;
const ANSWERS_WITHIN_MS = 30_000;

/** Bytes a line may carry now; a pseudo-terminal, which has no speed, would take any number. */
class Pace {
  #carriedUntil = performance.now();

  async due(): Promise<number> {
    const wait = this.#carriedUntil + GATHER_MS - performance.now();
    await pause(Math.max(1, wait));
    const now = performance.now();
    const from = Math.max(this.#carriedUntil, now - MAX_BEHIND_MS);
    const bytes = Math.floor(((now - from) * LINE_BYTES_PER_S) / 1000);
    this.#carriedUntil = from + (bytes * 1000) / LINE_BYTES_PER_S;
    return bytes;
  }
}

/** A packet on its way: where its last byte is in all that is sent, and when that left. */
type Sent = { readonly end: number; at?: number };

/** A device that sends one frame after the other down its cable, as fast as the line carries them. */
export class SerialFeed implements AsyncDisposable {
  readonly device: SerialDevice;
  readonly cable: SerialCable;
  /** Milliseconds from the last byte of a packet until its acknowledgement; none for formats without one. */
  readonly latencies: number[] = [];
  readonly #unanswered = new Map<number, Sent>();
  #heard: Uint8Array = new Uint8Array();
  #onAnswer: () => void = () => undefined;
  #begun = 0;
  #begunBytes = 0;
  #queue: Uint8Array = new Uint8Array();
  #bytes = 0;
  #seconds = 0;
  #payloadBytes = 0;

  constructor(folder: string, device: SerialDevice) {
    this.device = device;
    this.cable = new SerialCable(folder, device.name, (chunk) => this.#hear(chunk));
  }

  /** Frames that are written to their last byte, once {@link feed} resolved. */
  get frames(): number {
    return this.#begun;
  }

  /** What the line carried, while there was something to send. */
  get bytesPerSecond(): number {
    return this.#bytes / this.#seconds;
  }

  /** Bytes that the gateway must keep. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** Packets without an acknowledgement; not 0 after {@link feed} when the gateway refused some or answered late. */
  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Sends frames until `isEnough` of their number, finishes the last one, and waits half a minute for the answers that are due. */
  async feed(isEnough: (frames: number) => boolean): Promise<void> {
    const pace = new Pace();
    const start = performance.now();
    while (this.#queue.length > 0 || !isEnough(this.#begun)) {
      const piece = this.#take(await pace.due(), isEnough);
      if (piece.length > 0) await this.#send(piece);
    }
    this.#seconds = (performance.now() - start) / 1000;
    const patience = AbortSignal.timeout(ANSWERS_WITHIN_MS);
    while (this.#unanswered.size > 0 && !patience.aborted) await this.#answer(patience);
  }

  async #send(piece: Uint8Array): Promise<void> {
    const at = performance.now();
    this.#bytes += piece.length;
    for (const sent of this.#unanswered.values()) if (sent.end <= this.#bytes) sent.at ??= at;
    await this.cable.send(piece);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cable.pullOut();
  }

  /** At most so many bytes: the rest of a frame, whole ones, and the beginning of another. Fewer while answers are missing. */
  #take(bytes: number, isEnough: (frames: number) => boolean): Uint8Array {
    const pieces = [this.#queue];
    let length = this.#queue.length;
    while (length < bytes && !isEnough(this.#begun) && this.#unanswered.size < WINDOW) {
      const frame = this.#nextFrame();
      pieces.push(frame);
      length += frame.length;
    }
    const all = Buffer.concat(pieces);
    this.#queue = all.subarray(bytes);
    return all.subarray(0, bytes);
  }

  #nextFrame(): Uint8Array {
    const { wire, payload, settings } = this.device;
    const i = this.#begun;
    this.#begun += 1;
    this.#payloadBytes += payload(i).length;
    const bytes = wire(i);
    this.#begunBytes += bytes.length;
    if (settings.framing === 'cobs') this.#unanswered.set(i % 0x1_0000, { end: this.#begunBytes });
    return bytes;
  }

  #hear(chunk: Uint8Array): void {
    if (this.device.settings.framing !== 'cobs') return;
    let rest: Uint8Array = Buffer.concat([this.#heard, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const packet = decodePacket(rest.subarray(0, end));
      if (typeof packet !== 'string' && packet.type === 'ack') this.#acknowledged(packet.sequence);
      rest = rest.subarray(end + 1);
    }
    this.#heard = rest;
  }

  #acknowledged(sequence: number): void {
    const at = this.#unanswered.get(sequence)?.at;
    if (at === undefined) return;
    this.#unanswered.delete(sequence);
    this.latencies.push(performance.now() - at);
    this.#onAnswer();
  }

  #answer(patience: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
      patience.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
