import type { Bytes } from '../quantity.ts';
import { UNLIMITED, type Allowance } from './pace.ts';

/** One QoS 1 PUBLISH (MQTT 3.1.1 §3.3). `payload` is a view into the bytes it was read from. */
export type Publish = Readonly<{ topic: string; dup: boolean; messageId: number; payload: Buffer }>;

/** The head of a stream: QoS 1 PUBLISH packets and nothing else, how many bytes they take, and whether more of them were too many. */
export type PublishRun = Readonly<{ publishes: readonly Publish[]; length: number; cut: boolean }>;

/** MQTT 3.1.1 §3.3.1: PUBLISH, DUP in bit 3, QoS 1 in bits 2-1, RETAIN in bit 0. */
const isPublish = (byte: number): boolean => (byte & 0b1111_0110) === 0b0011_0010;
const DUP = 0b1000;
/** MQTT 3.1.1 §2.2.3. */
const MAX_LENGTH_BYTES = 4;
/** MQTT 3.1.1 §3.3.2: the length of the topic and the packet identifier. */
const MIN_BODY = 2 + 2;
/** MQTT 3.1.1 §3.4: type 4, two bytes follow, which are the packet identifier. */
const PUBACK = 0x4002_0000;
export const PUBACK_LENGTH = 4;
/** A topic every reader of the stream takes for the same: no wildcard, no control character, and nothing beyond ASCII. */
const PLAIN_TOPIC = /^[ !"$-*,-~]+$/;

/**
 * Reads the complete QoS 1 PUBLISH packets at the head of `bytes`, `most` of them, up to one that is not complete yet. Returns undefined when
 * there is none, or when anything else is among them: a packet of another kind, one larger than `limit` bytes (MQTT 3.1.1
 * §2.2.3 remaining length), or one that is not beyond doubt. Whoever has all of MQTT to go by then judges the same bytes.
 */
export function readPublishes(bytes: Buffer, limit: Bytes, most: Allowance = UNLIMITED): PublishRun | undefined {
  const publishes: Publish[] = [];
  let start = 0;
  let topic: string | undefined;
  let cut = false;
  while (start < bytes.length) {
    cut = publishes.length >= most.messages || start >= most.bytes;
    if (cut) break;
    const flags = bytes[start] as number;
    if (!isPublish(flags)) return undefined;
    const body = lengthAt(bytes, start + 1);
    if (body === undefined) break;
    if (body.length > limit || body.length < MIN_BODY) return undefined;
    const end = body.start + body.length;
    if (end > bytes.length) break;
    const topicEnd = body.start + 2 + bytes.readUInt16BE(body.start);
    if (topicEnd + 2 > end) return undefined;
    const named = bytes.toString('latin1', body.start + 2, topicEnd);
    if (named !== topic && !PLAIN_TOPIC.test(named)) return undefined;
    topic = named;
    const messageId = bytes.readUInt16BE(topicEnd);
    if (messageId === 0) return undefined;
    publishes.push({ topic, dup: (flags & DUP) !== 0, messageId, payload: bytes.subarray(topicEnd + 2, end) });
    start = end;
  }
  return publishes.length === 0 ? undefined : { publishes, length: start, cut };
}

/** MQTT 3.1.1 §2.2.3: seven bits a byte, the lowest first. Undefined when it is not complete, or longer than four bytes. */
function lengthAt(bytes: Buffer, offset: number): { length: number; start: number } | undefined {
  let length = 0;
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** i;
    if ((byte & 0x80) === 0) return { length, start: offset + i + 1 };
  }
  return { length: Infinity, start: offset };
}

/** PUBACK packets (MQTT 3.1.1 §3.4) for all of them, in the order they came [MQTT-4.6.0-2]. */
export function acknowledgements(publishes: readonly Publish[]): Buffer {
  const packets = Buffer.allocUnsafe(publishes.length * PUBACK_LENGTH);
  publishes.forEach(({ messageId }, i) => packets.writeUInt32BE(PUBACK + messageId, i * PUBACK_LENGTH));
  return packets;
}
