import { InternalError } from './errors.ts';
import { Millis, UnixMillis } from './quantity.ts';
import { CLOCK_TRUSTS, FRAME_SOURCES, Sequence, type AcceptedFrame, type DeviceId, type Frame, type FrameRun } from './reading.ts';

/**
 * The bytes of one frame, as the journal keeps them and as evidence hashes them. Numbers are big endian.
 *
 *      0  1  source            index into FRAME_SOURCES
 *      1  1  flags             bits 0-1 QoS, bit 2 DUP, bits 3-4 index into CLOCK_TRUSTS, bit 5 retained
 *      2  8  receivedAt        IEEE 754 binary64, Unix milliseconds
 *     10  8  uptime            IEEE 754 binary64, milliseconds since the process started
 *     18  1  device length d
 *     19  2  topic length t
 *     21 16  salt              unpredictable: nobody who knows the hash of these bytes can guess them
 *     37  d  device            UTF-8
 *      …  t  topic             UTF-8
 *      …     payload           the rest
 */
const SALT_AT = 21;
export const FRAME_SALT_BYTES = 16;
const HEADER_LENGTH = SALT_AT + FRAME_SALT_BYTES;
const DUP = 0b100;
const RETAINED = 0b10_0000;

/** `salt`: 16 random bytes, new for every frame. */
export function encodeFrame(frame: Frame, salt: Uint8Array): Buffer {
  const deviceLength = Buffer.byteLength(frame.device);
  const topicLength = Buffer.byteLength(frame.topic);
  if (deviceLength > 0xff || topicLength > 0xffff) throw new InternalError('a device or topic name was not limited at the edge');
  const bytes = Buffer.allocUnsafe(HEADER_LENGTH + deviceLength + topicLength + frame.payload.length);
  bytes[0] = FRAME_SOURCES.indexOf(frame.source);
  bytes[1] = frame.qos | (frame.dup ? DUP : 0) | (CLOCK_TRUSTS.indexOf(frame.clockTrust) << 3) | (frame.retained === true ? RETAINED : 0);
  bytes.writeDoubleBE(frame.receivedAt, 2);
  bytes.writeDoubleBE(frame.uptime, 10);
  bytes[18] = deviceLength;
  bytes.writeUInt16BE(topicLength, 19);
  bytes.set(salt, SALT_AT);
  bytes.write(frame.device, HEADER_LENGTH, 'utf8');
  bytes.write(frame.topic, HEADER_LENGTH + deviceLength, 'utf8');
  bytes.set(frame.payload, HEADER_LENGTH + deviceLength + topicLength);
  return bytes;
}

/** The salt in a frame's bytes. */
export const saltOf = (frame: Uint8Array): Uint8Array => frame.subarray(SALT_AT, HEADER_LENGTH);

/** The inverse of {@link encodeFrame}; `payload` is a view into `bytes`. Throws {@link InternalError} for bytes it did not write. */
export function decodeFrame(bytes: Buffer): Frame {
  const source = FRAME_SOURCES[bytes[0] ?? -1];
  const flags = bytes[1] ?? 0xff;
  const clockTrust = CLOCK_TRUSTS[(flags >> 3) & 0b11];
  const qos = flags & 0b11;
  if (bytes.length < HEADER_LENGTH || source === undefined || clockTrust === undefined || !isQos(qos)) {
    throw new InternalError(`not a frame: ${bytes.length} bytes beginning ${bytes.subarray(0, 4).toString('hex')}`);
  }
  const topicStart = HEADER_LENGTH + (bytes[18] as number);
  const payloadStart = topicStart + bytes.readUInt16BE(19);
  if (payloadStart > bytes.length) throw new InternalError(`not a frame: its names are longer than its ${bytes.length} bytes`);
  return {
    source,
    device: bytes.toString('utf8', HEADER_LENGTH, topicStart) as DeviceId | '',
    topic: bytes.toString('utf8', topicStart, payloadStart),
    qos,
    dup: (flags & DUP) !== 0,
    ...((flags & RETAINED) === 0 ? {} : { retained: true }),
    payload: bytes.subarray(payloadStart),
    receivedAt: UnixMillis(bytes.readDoubleBE(2)),
    uptime: Millis(bytes.readDoubleBE(10)),
    clockTrust,
  };
}

function isQos(n: number): n is 0 | 1 | 2 {
  return n <= 2;
}

/** Several encoded frames in one piece of memory: for each its length (4 bytes, big endian) and its bytes. */
export function packFrames(frames: readonly Uint8Array[], reserve = 0): Buffer {
  const packed = Buffer.allocUnsafeSlow(frames.reduce((sum, frame) => sum + 4 + frame.length, reserve));
  let offset = reserve;
  for (const frame of frames) {
    packed.writeUInt32BE(frame.length, offset);
    packed.set(frame, offset + 4);
    offset += 4 + frame.length;
  }
  return packed;
}

/** The inverse of {@link packFrames}, from `offset` on. The frames are views into `packed`. */
export function unpackFrames(packed: Buffer, offset = 0): Buffer[] {
  const frames: Buffer[] = [];
  while (offset < packed.length) {
    const end = offset + 4 + packed.readUInt32BE(offset);
    frames.push(packed.subarray(offset + 4, end));
    offset = end;
  }
  return frames;
}

/** The frames of a run, read. Those that were erased are left out. */
export function framesOf(run: FrameRun): AcceptedFrame[] {
  return run.frames.flatMap((bytes, i) => {
    if (bytes.length === 0) return [];
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return [{ sequence: Sequence(run.first + i), frame: decodeFrame(view), bytes }];
  });
}

/**
 * What evidence hashes for one frame, so that a single frame can be shown later without showing its neighbours:
 *
 *     00 ‖ sequence (8, big endian) ‖ frame bytes, with their salt
 *
 * It is one leaf of a window's RFC 9162 tree.
 */
export function evidenceLeaf(sequence: number, frame: Uint8Array): Buffer {
  const leaf = Buffer.allocUnsafe(1 + 8 + frame.length);
  leaf[0] = 0;
  // The upper half by division: a sequence is below 2^53.
  leaf.writeUInt32BE(Math.floor(sequence / 2 ** 32), 1);
  leaf.writeUInt32BE(sequence % 2 ** 32, 5);
  leaf.set(frame, 9);
  return leaf;
}
