import { describe, expect, it } from 'vitest';
import { Bytes, KiB, Millis } from '../../gateway/quantity.ts';
import { DEFAULT_SEAL_POLICY, dueIn, nextBlockLength, type Pending } from '../../gateway/ledger/seal-policy.ts';

const pending = (entries: number, bytes = 0, oldestAge = 0): Pending => ({ entries, bytes: Bytes(bytes), oldestAge: Millis(oldestAge) });

describe('when a lane is sealed', () => {
  it('is never while nothing waits', () => {
    expect(dueIn(pending(0), 'alarm')).toBeUndefined();
    expect(dueIn(pending(0, 0, 60_000), 'record')).toBeUndefined();
  });

  it('is at once for an alarm', () => {
    expect(dueIn(pending(1, 100), 'alarm')).toBe(0);
  });

  it('is when the oldest record is 5 s old', () => {
    expect(dueIn(pending(1, 100, 0), 'record')).toBe(5000);
    expect(dueIn(pending(1, 100, 4999), 'record')).toBe(1);
    expect(dueIn(pending(1, 100, 5000), 'record')).toBe(0);
    expect(dueIn(pending(1, 100, 9000), 'record')).toBe(0);
  });

  it('is at once when 1,000 records or 64 KiB wait', () => {
    expect(dueIn(pending(999, 65_535), 'record')).toBe(5000);
    expect(dueIn(pending(1000, 10), 'record')).toBe(0);
    expect(dueIn(pending(2, 65_536), 'record')).toBe(0);
  });

  it('follows the policy it is given', () => {
    const policy = { entries: 3, bytes: KiB(1), age: Millis(50) };
    expect(dueIn(pending(2, 10, 20), 'record', policy)).toBe(30);
    expect(dueIn(pending(3, 10, 20), 'record', policy)).toBe(0);
  });
});

describe('how many entries make the next block', () => {
  it('is all while they fit', () => {
    expect(nextBlockLength([])).toBe(0);
    expect(nextBlockLength([10, 20, 30])).toBe(3);
  });

  it('ends at the count or before the bytes are passed', () => {
    expect(nextBlockLength(Array.from({ length: 5000 }, () => 1))).toBe(1000);
    expect(nextBlockLength([40_000, 25_536, 1])).toBe(2);
    expect(nextBlockLength([40_000, 25_537])).toBe(1);
  });

  it('is one at least, however long it is', () => {
    expect(nextBlockLength([1_000_000, 1], DEFAULT_SEAL_POLICY)).toBe(1);
  });
});
