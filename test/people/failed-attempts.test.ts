import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailedAttempts } from '../../gateway/people/failed-attempts.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';

describe('failed attempts', () => {
  it('may be ten at once, then one every six seconds', () => {
    const failures = new FailedAttempts();
    const waits = Array.from({ length: 12 }, () => failures.note('10.0.0.1', Millis(0)));
    expect(waits).toEqual([...Array<number>(10).fill(0), 6000, 6000]);
    expect(failures.note('10.0.0.1', Seconds(12))).toBe(0);
    expect(failures.note('10.0.0.1', Seconds(12))).toBe(6000);
  });

  it('of one address are nothing to another; of IPv6 a network counts as one', () => {
    const failures = new FailedAttempts();
    const fail = (address: string): number => failures.note(address, Millis(0));
    for (let i = 0; i < 10; i++) fail(`2001:db8:0:1::${i + 1}`);
    expect([fail('2001:db8:0:1:8000::1'), fail('2001:db8:0:2::1'), fail('10.0.0.1'), fail('::1'), fail('2001:db8::1:0:0:0:1')]).toEqual([6000, 0, 0, 0, 6000]);
  });

  it('never make an address wait longer than for one more, and are forgotten', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 20_000 }))), (attempts) => {
      const failures = new FailedAttempts();
      let now = 0;
      for (const [address, later] of attempts) {
        now += later;
        const wait = failures.note(`10.0.0.${address}`, Millis(now));
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(6000);
      }
      expect(failures.note('10.0.0.1', Millis(now + 120_000))).toBe(0);
    }));
  });

  it('take no more memory than for a thousand addresses', () => {
    const failures = new FailedAttempts();
    for (let i = 0; i < 11; i++) failures.note('10.9.9.9', Millis(0));
    for (let i = 0; i < 1024; i++) failures.note(`10.0.${i >> 8}.${i & 255}`, Millis(0));
    expect(failures.note('10.9.9.9', Millis(0))).toBe(0);
  });
});
