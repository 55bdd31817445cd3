/**
 * The gateway's own binary protocol for microcontrollers on a serial line: numbered packets, each acknowledged when it is
 * durable. This comment is all that firmware needs to know.
 *
 * A packet, before it is encoded (numbers are big endian):
 *
 *     0  1  type       0x01 data (device to gateway), 0x02 ack, 0x03 nack (gateway to device)
 *     1  2  sequence   of the data packet; in an ack or nack that of the packet it answers
 *     3  n  payload    0 to 4096 bytes: one message in the format of the device's profile; empty in ack and nack
 *     …  2  CRC        CRC-16/CCITT-FALSE over everything before it
 *
 * On the wire it is COBS encoded (Cheshire & Baker, IEEE/ACM Transactions on Networking 7(2), 1999), which leaves no 0x00 in
 * it, and followed by one 0x00. A device sends another 0x00 before its first packet, so that what came before (line noise, its
 * boot loader) is not taken for a part of it; empty packets mean nothing. A block 0xFF at the very end may be followed by a
 * block 0x01 or not.
 *
 * - The sequence counts data packets, 65535 is followed by 0, and may begin anywhere after a restart: it is no identity and is
 *   not kept. What tells repetitions apart is in the payload (its own counter and time).
 * - The gateway answers `ack` after the packet is on disk behind an fsync, and then the device forgets it. It answers `nack`
 *   when its store refuses. A packet that arrives broken is not answered, since its number cannot be believed.
 * - The device keeps up to 8 packets unanswered (1 is stop-and-wait) and sends each again, unchanged and with its sequence, 1 s
 *   after it was last sent or refused, for as long as it can keep it. Answers come in any order.
 * - A packet that arrives twice is acknowledged twice: the first acknowledgement may be what was lost.
 */

const TYPES = { data: 0x01, ack: 0x02, nack: 0x03 } as const;
export type PacketType = keyof typeof TYPES;
const TYPE_OF: ReadonlyMap<number, PacketType> = new Map([[TYPES.data, 'data'], [TYPES.ack, 'ack'], [TYPES.nack, 'nack']]);

/** Largest payload of a packet, in bytes. */
export const MAX_PACKET_PAYLOAD = 4096;
/** The largest sequence; 0 comes after it. */
export const MAX_PACKET_SEQUENCE = 0xffff;

const HEADER_LENGTH = 3;
const CRC_LENGTH = 2;
/** A code byte stands for at most this many bytes that are not 0x00. */
const MAX_BLOCK = 254;
const MAX_PACKET = HEADER_LENGTH + MAX_PACKET_PAYLOAD + CRC_LENGTH;

/** Largest encoded packet without its 0x00, in bytes: one code byte for every 254, and the block 0x01 that some encoders end with. */
export const MAX_ENCODED_PACKET = MAX_PACKET + Math.floor(MAX_PACKET / MAX_BLOCK) + 1;

export type Packet = Readonly<{ type: PacketType; sequence: number; payload: Uint8Array }>;
/** Why bytes are no packet; `bad_checksum` when their CRC says so. */
export type PacketRefusal = 'malformed_frame' | 'bad_checksum';

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, high) => {
  let crc = high << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc & 0xffff;
});

/** CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xFFFF, nothing reflected or inverted. That of "123456789" is 0x29B1. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ byte] as number);
  return crc;
}

/** COBS without the 0x00 that follows it on the wire. A last block of 254 bytes gets no block 0x01 after it. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(bytes.length + Math.floor(bytes.length / MAX_BLOCK) + 1);
  let codeAt = 0;
  let length = 1;
  for (const [i, byte] of bytes.entries()) {
    if (byte !== 0) encoded[length++] = byte;
    const blockIsFull = length - codeAt > MAX_BLOCK;
    if (byte !== 0 && !(blockIsFull && i < bytes.length - 1)) continue;
    encoded[codeAt] = length - codeAt;
    codeAt = length++;
  }
  encoded[codeAt] = length - codeAt;
  return encoded.subarray(0, length);
}

/** The inverse of {@link cobsEncode}, for bytes between two 0x00; undefined when a code byte points beyond their end or a 0x00 is among them. */
export function cobsDecode(encoded: Uint8Array): Uint8Array | undefined {
  if (encoded.length === 0 || encoded.includes(0)) return undefined;
  const bytes = new Uint8Array(encoded.length);
  let length = 0;
  let at = 0;
  while (at < encoded.length) {
    const code = encoded[at] as number;
    const end = at + code;
    if (end > encoded.length) return undefined;
    bytes.set(encoded.subarray(at + 1, end), length);
    length += code - 1;
    at = end;
    // A block stands for the 0x00 after it too, unless it is full or the last.
    if (code <= MAX_BLOCK && at < encoded.length) bytes[length++] = 0;
  }
  return bytes.subarray(0, length);
}

/** One packet as it goes on the wire, with the 0x00 after it. */
export function encodePacket({ type, sequence, payload }: Packet): Uint8Array {
  if (payload.length > MAX_PACKET_PAYLOAD) throw new RangeError(`a payload of ${payload.length} bytes; at most ${MAX_PACKET_PAYLOAD}`);
  if (!Number.isInteger(sequence) || sequence < 0 || sequence > MAX_PACKET_SEQUENCE) throw new RangeError('a sequence that is no 16-bit number');
  const bytes = Buffer.alloc(HEADER_LENGTH + payload.length + CRC_LENGTH);
  bytes[0] = TYPES[type];
  bytes.writeUInt16BE(sequence, 1);
  bytes.set(payload, HEADER_LENGTH);
  bytes.writeUInt16BE(crc16(bytes.subarray(0, -CRC_LENGTH)), bytes.length - CRC_LENGTH);
  const encoded = cobsEncode(bytes);
  const wire = new Uint8Array(encoded.length + 1);
  wire.set(encoded);
  return wire;
}

const NOTHING = new Uint8Array(0);
/** What the gateway sends when the data packet `sequence` would survive a power cut. MUST NOT be sent before. */
export const encodeAck = (sequence: number): Uint8Array => encodePacket({ type: 'ack', sequence, payload: NOTHING });
/** What the gateway sends when its store refused the data packet `sequence`: the device keeps it. */
export const encodeNack = (sequence: number): Uint8Array => encodePacket({ type: 'nack', sequence, payload: NOTHING });

/** What stood between two 0x00 on the wire. The CRC is judged before what it protects. */
export function decodePacket(encoded: Uint8Array): Packet | PacketRefusal {
  const bytes = cobsDecode(encoded);
  if (bytes === undefined || bytes.length < HEADER_LENGTH + CRC_LENGTH || bytes.length > MAX_PACKET) return 'malformed_frame';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - CRC_LENGTH;
  if (crc16(bytes.subarray(0, end)) !== view.getUint16(end)) return 'bad_checksum';
  const type = TYPE_OF.get(bytes[0] as number);
  const payload = bytes.slice(HEADER_LENGTH, end);
  if (type === undefined || (type !== 'data' && payload.length > 0)) return 'malformed_frame';
  return { type, sequence: view.getUint16(1), payload };
}
