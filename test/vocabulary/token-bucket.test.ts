import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace } from '../../gateway/ingest/pace.ts';
import { TokenBucket } from '../../gateway/token-bucket.ts';
import { Bytes, KiB, Millis } from '../../gateway/quantity.ts';

const START = Millis(5000);
/** Fractions of milliseconds add up to something. */
const ROUNDING = 1e-6;
const rates = fc.integer({ min: 1, max: 10_000 });
/** What is taken, as a share of a second's worth, and how long the taker idles before. */
const takes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 3000 })), { maxLength: 60 });

describe('a token bucket', () => {
  it('never gives more than its burst and what flowed in, to whoever waits as told', () => {
    fc.assert(fc.property(rates, fc.integer({ min: 0, max: 4 }), takes, (rate, seconds, plan) => {
      const burst = rate * seconds;
      const bucket = new TokenBucket({ rate, burst, now: START });
      let now: number = START;
      let taken = 0;
      for (const [share, idle] of plan) {
        now += idle;
        taken += share * rate;
        now += bucket.take(share * rate, Millis(now));
        expect(taken).toBeLessThanOrEqual(burst + (rate * (now - START)) / 1000 + ROUNDING * rate);
      }
    }));
  });

  it('lets nobody wait for longer than a second, whoever else takes from it', () => {
    fc.assert(fc.property(rates, takes, fc.integer({ min: 1, max: 100 }), (rate, plan, greed) => {
      const bucket = new TokenBucket({ rate, burst: rate, now: START });
      let now: number = START;
      for (const [share, idle] of plan) {
        now += idle / 100;
        const wait = bucket.take(share * rate * greed, Millis(now));
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(1000);
      }
    }));
  });

  it('makes nobody wait who stays below its rate', () => {
    const bucket = new TokenBucket({ rate: 10, burst: 1, now: START });
    for (let i = 0; i < 100; i++) expect(bucket.take(1, Millis(START + i * 100))).toBe(0);
  });

  it('keeps no more than its burst, however long nobody takes anything', () => {
    const bucket = new TokenBucket({ rate: 10, burst: 20, now: START });
    expect(bucket.level(Millis(START + 3_600_000))).toBe(20);
    expect(bucket.take(21, Millis(START + 3_600_000))).toBe(100);
  });
});

describe('the pace of a device', () => {
  it('allows two seconds at once and then small portions, never nothing', () => {
    const pace = new Pace({ maxRate: 100, maxRateBytes: KiB(100), now: START });
    expect(pace.allowance(START)).toEqual({ messages: 200, bytes: KiB(200) });
    expect(pace.count(200, 1000, START)).toBe(0);
    expect(pace.allowance(START)).toEqual({ messages: 5, bytes: KiB(200) - 1000 });
    expect(pace.count(5, 100, START)).toBeCloseTo(50);
    expect(new Pace({ maxRate: 1, maxRateBytes: Bytes(1), now: START }).allowance(START)).toEqual({ messages: 2, bytes: 2 });
  });

  it('is that of messages or of bytes, whichever is slower', () => {
    const pace = new Pace({ maxRate: 100, maxRateBytes: KiB(100), now: START });
    expect(pace.count(1, KiB(250), START)).toBeCloseTo(500);
    expect(pace.allowance(START)).toEqual({ messages: 199, bytes: KiB(5) });
  });

  it('is shared by all connections of a device, and each gets its part', () => {
    const pace = new Pace({ maxRate: 100, maxRateBytes: KiB(1000), now: START });
    pace.count(200, 0, START);
    const connections = [{ next: START as number, messages: 0 }, { next: START as number, messages: 0 }];
    for (let now: number = START; now < START + 10_000; now += 1) {
      for (const connection of connections) {
        if (connection.next > now) continue;
        const { messages } = pace.allowance(Millis(now));
        connection.messages += messages;
        connection.next = now + pace.count(messages, 0, Millis(now));
      }
    }
    const [one = 0, other = 0] = connections.map(({ messages }) => messages);
    expect(one + other).toBeLessThanOrEqual(1000 + 10);
    expect(one + other).toBeGreaterThan(950);
    expect(Math.abs(one - other)).toBeLessThan(20);
  });
});
