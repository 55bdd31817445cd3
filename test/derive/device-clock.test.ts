import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ageOf, aheadOf, observeClock, type DeviceClock } from '../../gateway/derive/device-clock.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `shown(now)`: the device time of the message that arrives at steady time `now`, every `every` ms. Returns the ages. */
function ages(count: number, every: number, shown: (now: number) => number, before?: DeviceClock): { ages: number[]; clock: DeviceClock } {
  let clock = before;
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const now = Millis(i * every);
    const time = UnixMillis(shown(now));
    clock = observeClock(clock, time, now);
    found.push(ageOf(clock, time, now));
  }
  return { ages: found, clock: clock as DeviceClock };
}

describe('a device\'s clock', () => {
  it('that is right, ahead, behind or was never set makes live values no older than their way', () => {
    for (const error of [0, 90 * MINUTE, -3 * HOUR, -NOON, 70 * 365 * 24 * HOUR]) {
      const { ages: live } = ages(100, 1000, (now) => NOON + now + error - (now % 7) * 20);
      expect(Math.max(...live)).toBeLessThanOrEqual(120);
    }
  });

  it('tells how old the values are that a device had kept while it was away', () => {
    const live = ages(60, 1000, (now) => NOON + now).clock;
    // An hour without a network, then ten values a second until it has caught up.
    const now = Millis(HOUR);
    let clock = live;
    const backlog = Array.from({ length: 3600 }, (_, i) => NOON + i * 1000);
    for (const [i, time] of backlog.entries()) {
      const at = Millis(now + i * 100);
      clock = observeClock(clock, UnixMillis(time), at);
      expect(ageOf(clock, UnixMillis(time), at)).toBe(at - i * 1000);
    }
  });

  it('that is put forward is believed at once', () => {
    const { ages: found } = ages(20, 1000, (now) => NOON + now + (now >= 10_000 ? HOUR : 0));
    expect(Math.max(...found)).toBe(0);
  });

  it('that is put back is believed when the lag stays, within a minute of messages', () => {
    const { ages: found } = ages(120, 1000, (now) => NOON + now - (now >= 10_000 ? HOUR : 0));
    expect(found.slice(10, 15)).toEqual([HOUR, HOUR, HOUR, HOUR, HOUR]);
    expect(found.slice(60).every((age) => age === 0)).toBe(true);
  });

  it('that is put back is believed after three messages of a device that speaks rarely', () => {
    const { ages: found } = ages(8, 600_000, (now) => NOON + now - (now >= 1_800_000 ? HOUR : 0));
    expect(found).toEqual([0, 0, 0, HOUR, HOUR, 0, 0, 0]);
  });

  it('that starts at 1970 again is believed at once', () => {
    const { ages: found } = ages(20, 1000, (now) => (now >= 10_000 ? now - 10_000 : NOON + now));
    expect(Math.max(...found)).toBe(0);
    const { ages: twice } = ages(20, 1000, (now) => (now >= 10_000 ? now - 10_000 : now));
    expect(Math.max(...twice)).toBe(0);
  });

  it('that drifts is followed', () => {
    const { ages: found } = ages(86_400, 1000, (now) => NOON + now * 0.9999);
    expect(Math.max(...found)).toBeLessThan(100);
  });

  it('is told as ahead of or behind the wall clock', () => {
    const { clock } = ages(10, 1000, (now) => NOON + now + 90_000);
    expect(aheadOf(clock, UnixMillis(NOON + 9000), Millis(9000))).toBe(90_000);
  });

  it('survives being written down as JSON, and never makes a value younger than now', () => {
    const times = fc.array(fc.tuple(fc.nat(100_000), fc.integer({ min: -1e12, max: 5e12 })), { minLength: 1 });
    fc.assert(fc.property(times, (all) => {
      let clock: DeviceClock | undefined;
      let now = 0;
      for (const [passed, shown] of all) {
        now += passed;
        clock = observeClock(clock, UnixMillis(shown), Millis(now));
        expect(JSON.parse(JSON.stringify(clock))).toEqual(clock);
        expect(ageOf(clock, UnixMillis(shown), Millis(now))).toBeGreaterThanOrEqual(0);
      }
    }));
  });
});
