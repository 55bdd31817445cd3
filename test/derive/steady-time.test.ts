import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SteadyTime } from '../../gateway/derive/steady-time.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import { CLOCK_TRUSTS, type ClockTrust } from '../../gateway/reading.ts';

const frame = (uptime: number, receivedAt: number, clockTrust: ClockTrust = 'synchronised'): Parameters<SteadyTime['follow']>[0] => (
  { uptime: Millis(uptime), receivedAt: UnixMillis(receivedAt), clockTrust }
);
const NOON = Date.UTC(2026, 10, 23, 12);

describe('steady time', () => {
  it('follows the monotonic clock, whatever the wall clock does', () => {
    const time = new SteadyTime(undefined);
    expect(time.follow(frame(5000, NOON))).toEqual({ now: 0, restarted: false });
    expect(time.follow(frame(6000, 0, 'implausible')).now).toBe(1000);
    expect(time.follow(frame(7000, NOON + 3_600_000)).now).toBe(2000);
    expect(time.follow(frame(8000, NOON - 86_400_000)).now).toBe(3000);
  });

  it('counts the time a gateway was away when the wall clock can be believed before and after', () => {
    const time = new SteadyTime(undefined);
    time.follow(frame(100_000, NOON));
    expect(time.follow(frame(2000, NOON + 600_000))).toEqual({ now: 600_000, restarted: true });
  });

  const doubts: readonly [name: string, before: ClockTrust, after: ClockTrust][] = [['before', 'implausible', 'unverified'], ['after', 'unverified', 'implausible']];
  for (const [name, before, after] of doubts) {
    it(`counts only what passed since the start when the wall clock was not set ${name}`, () => {
      const time = new SteadyTime(undefined);
      time.follow(frame(100_000, NOON, before));
      expect(time.follow(frame(2000, NOON + 600_000, after))).toEqual({ now: 2000, restarted: true });
    });
  }

  it('does not take a frame that was stamped a little earlier for a restart', () => {
    const time = new SteadyTime(undefined);
    time.follow(frame(5000, NOON));
    expect(time.follow(frame(4990, NOON))).toEqual({ now: 0, restarted: false });
    expect(time.follow(frame(5100, NOON)).now).toBe(100);
  });

  it('never goes back, and goes on from its state as if it had never stopped', () => {
    const stamps = fc.record({ uptime: fc.nat(1e6), receivedAt: fc.integer({ min: 0, max: 4e12 }), clockTrust: fc.constantFrom(...CLOCK_TRUSTS) });
    fc.assert(fc.property(fc.array(stamps), (all) => {
      const time = new SteadyTime(undefined);
      let copy = new SteadyTime(undefined);
      let last = 0;
      for (const { uptime, receivedAt, clockTrust } of all) {
        const followed = time.follow(frame(uptime, receivedAt, clockTrust));
        expect(copy.follow(frame(uptime, receivedAt, clockTrust))).toEqual(followed);
        copy = new SteadyTime(JSON.parse(JSON.stringify(copy.state)) as never);
        expect(followed.now).toBeGreaterThanOrEqual(last);
        last = followed.now;
      }
    }));
  });
});
