/** CRC-16/CCITT-FALSE by division, bit by bit; of a message with its CRC behind it: 0. */
export function naiveCrc(bytes: Iterable<number>): number {
  let crc = 0xffff;
  for (const each of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const out = ((crc >> 15) ^ (each >> bit)) & 1;
      crc = ((crc << 1) & 0xffff) ^ (out * 0x1021);
    }
  }
  return crc;
}
