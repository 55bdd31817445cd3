/**
 * vitalgate's protocol for microcontrollers on a serial line, the device's side. A packet, numbers big endian:
 *
 *     0  1  type: 01 data, 02 ack, 03 nack        1  2  sequence: of the data, in an answer of what it answers
 *     3  n  payload, empty in answers             …  2  CRC-16/CCITT-FALSE over everything before it
 *
 * COBS encoded (Cheshire and Baker 1999), followed by one 00. Up to 8 packets stay unanswered; each is sent again, unchanged, 1 s
 * after it was last sent or refused.
 */

import { type Millis, Seconds } from '../gateway/quantity.ts';

const DATA = 0x01;
const ACK = 0x02;
const NACK = 0x03;
const WINDOW = 8;
const SEND_AGAIN_AFTER = Seconds(1);
const SEQUENCES = 0x1_0000;
/** A block has a code byte and at most so many others. */
const BLOCK = 254;

/** Polynomial 0x1021, initial value 0xFFFF, nothing reflected or inverted; that of "123456789" is 0x29B1. */
export function crc16(bytes: Iterable<number>): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x1021)) & 0xffff;
  }
  return crc;
}

/** Without the 00 after it. A last block that is full is followed by an empty one, as simple encoders do. */
export function cobsEncode(bytes: Iterable<number>): readonly number[] {
  const encoded: number[] = [];
  let block: number[] = [];
  for (const byte of bytes) {
    if (byte !== 0) block.push(byte);
    if (byte !== 0 && block.length < BLOCK) continue;
    encoded.push(block.length + 1, ...block);
    block = [];
  }
  return [...encoded, block.length + 1, ...block];
}

/** Undefined for what no encoder makes. */
export function cobsDecode(encoded: readonly number[]): readonly number[] | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length;) {
    const code = encoded[at] ?? 0;
    if (code === 0 || at + code > encoded.length) return undefined;
    bytes.push(...encoded.slice(at + 1, at + code));
    at += code;
    if (code <= BLOCK && at < encoded.length) bytes.push(0);
  }
  return bytes;
}

/** A data packet as it goes on the wire, without the 00 after it. */
export function dataPacket(sequence: number, payload: Uint8Array): Uint8Array {
  const bytes = [DATA, sequence >> 8, sequence & 0xff, ...payload];
  const crc = crc16(bytes);
  return Uint8Array.from(cobsEncode([...bytes, crc >> 8, crc & 0xff]));
}

type Answer = Readonly<{ type: number; sequence: number }>;

function answerIn(encoded: readonly number[]): Answer | undefined {
  const bytes = cobsDecode(encoded);
  if (bytes?.length !== 5) return undefined;
  const [type = 0, high = 0, low = 0, crcHigh = 0, crcLow = 0] = bytes;
  return crc16(bytes.slice(0, 3)) === crcHigh * 256 + crcLow ? { type, sequence: high * 256 + low } : undefined;
}

export type DuePacket = Readonly<{ bytes: Uint8Array; again: boolean }>;

/** The packets a device has not forgotten. It promises to keep each until it is acknowledged. */
export class PacketSender {
  readonly #unanswered = new Map<number, { readonly bytes: Uint8Array; sentAt: Millis | undefined }>();
  #next: number;
  #heard: number[] = [];

  /** @param first any sequence: devices begin anywhere after a restart. */
  constructor(first: number) {
    this.#next = first % SEQUENCES;
  }

  get hasRoom(): boolean {
    return this.#unanswered.size < WINDOW;
  }

  get unanswered(): number {
    return this.#unanswered.size;
  }

  keep(payload: Uint8Array): void {
    this.#unanswered.set(this.#next, { bytes: dataPacket(this.#next, payload), sentAt: undefined });
    this.#next = (this.#next + 1) % SEQUENCES;
  }

  /** What is to be sent at `now`; it counts as sent then. */
  due(now: Millis): readonly DuePacket[] {
    const due: DuePacket[] = [];
    for (const packet of this.#unanswered.values()) {
      if (packet.sentAt !== undefined && now - packet.sentAt < SEND_AGAIN_AFTER) continue;
      due.push({ bytes: packet.bytes, again: packet.sentAt !== undefined });
      packet.sentAt = now;
    }
    return due;
  }

  /** Takes what the gateway sent, in pieces as it comes; returns how many packets that acknowledges. */
  hear(bytes: Uint8Array, now: Millis): number {
    let acknowledged = 0;
    for (const byte of bytes) {
      if (byte !== 0) this.#heard.push(byte);
      else if (this.#obey(answerIn(this.#heard.splice(0)), now)) acknowledged += 1;
    }
    return acknowledged;
  }

  #obey(answer: Answer | undefined, now: Millis): boolean {
    const packet = answer === undefined ? undefined : this.#unanswered.get(answer.sequence);
    if (answer === undefined || packet === undefined) return false;
    if (answer.type === NACK) packet.sentAt = now;
    return answer.type === ACK && this.#unanswered.delete(answer.sequence);
  }
}
