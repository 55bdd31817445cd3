import { describe, expect, it } from 'vitest';
import { Bytes, KiB, Millis } from '../../gateway/quantity.ts';
import { BatchSize } from '../../gateway/uplink/batch-size.ts';

/** Sends full batches over a link of so many bytes per second until the size no longer changes. */
function settledAt(bytesPerSecond: number, size = new BatchSize()): number {
  for (let round = 0; round < 20; round++) size.worked(size.bytes, Millis(Math.round((size.bytes / bytesPerSecond) * 1000)));
  return size.bytes;
}

describe('the size of a batch', () => {
  it('finds what a link carries in a second, between 4 and 256 KiB', () => {
    expect(settledAt(100_000)).toBeGreaterThan(99_000);
    expect(settledAt(100_000)).toBeLessThan(101_000);
    expect(settledAt(10_000_000)).toBe(KiB(256));
    expect(settledAt(100)).toBe(KiB(4));
  });

  it('halves with every failure, down to 4 KiB, and grows again', () => {
    const size = new BatchSize();
    const first = size.bytes;
    size.failed();
    expect(size.bytes).toBe(first / 2);
    for (let n = 0; n < 10; n++) size.failed();
    expect(size.bytes).toBe(KiB(4));
    expect(settledAt(10_000_000, size)).toBe(KiB(256));
  });

  it('is not made small by a short batch that took a round trip', () => {
    const size = new BatchSize();
    const before = size.bytes;
    size.worked(Bytes(500), Millis(600));
    expect(size.bytes).toBe(before);
  });
});
