/** Whether bytes are a packet of Nonin with all its checksums, judged anew from "Onyx II Model 9560 Specification" 6470-000-01. */

const sumOf = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;

/** Data formats 2 (`statusAt` 1) and 7 (0): 25 frames of 5 bytes, each with the sum of its first four. */
export function isNonin25(packet: Uint8Array, statusAt: 0 | 1): boolean {
  const frames = Array.from({ length: 25 }, (_, i) => packet.subarray(5 * i, 5 * i + 5));
  return packet.length === 125 && frames.every((frame, i) => {
    const status = frame[statusAt] as number;
    return (statusAt === 0 || frame[0] === 1) && status >= 128 && status % 2 === (i === 0 ? 1 : 0) && sumOf(frame.subarray(0, 4)) === frame[4];
  });
}

/** Data format 13: `00 02 00 0D 00`, a length of 14 to 64, so many bytes, their sum, `03`. */
export function isNonin13(packet: Uint8Array): boolean {
  const data = packet.subarray(6, -2);
  const header = Buffer.from(packet.subarray(0, 5)).toString('hex') === '0002000d00' && packet[5] === data.length;
  return header && data.length >= 14 && data.length <= 64 && packet.at(-2) === sumOf(data) && packet.at(-1) === 3;
}
