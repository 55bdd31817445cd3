import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';
import { RetrySchedule, systemTime } from '../../gateway/uplink/retry.ts';
import { ManualTime } from './manual-time.ts';

const time = new ManualTime();
const ALMOST_ONE = 1 - Number.EPSILON;
const schedule = (random: () => number, clock = time): RetrySchedule => new RetrySchedule({}, random, clock.now);

describe('the retry schedule', () => {
  it('doubles the ceiling with every failure in a row up to the cap', () => {
    const retry = schedule(() => ALMOST_ONE);
    expect(Array.from({ length: 9 }, () => retry.failed())).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000));
  });

  it('never waits less than the floor or more than the cap, whatever chance says and however long the row', () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }), { minLength: 1, maxLength: 3000 }), (numbers) => {
      let at = 0;
      const retry = schedule(() => numbers[at++ % numbers.length] as number);
      for (let n = 0; n < numbers.length; n++) {
        const delay = n % 7 === 6 ? retry.refused() : retry.failed();
        expect(delay).toBeGreaterThanOrEqual(100);
        expect(delay).toBeLessThanOrEqual(60_000);
      }
    }), { numRuns: 20 });
  });

  it('spreads delays over the whole range: half of chance gives half of the ceiling', () => {
    const retry = schedule(() => 0.5);
    expect([retry.failed(), retry.failed(), retry.failed()]).toEqual([500, 1000, 2000]);
  });

  it('starts again from the base only after the link has worked for the stable period', () => {
    const clock = new ManualTime();
    const retry = schedule(() => ALMOST_ONE, clock);
    retry.failed();
    retry.failed();
    retry.worked();
    clock.advance(Seconds(9));
    retry.worked();
    expect(retry.failed()).toBe(4000);
    retry.worked();
    clock.advance(Seconds(10));
    expect(retry.failed()).toBe(1000);
  });

  it('counts the stable period from the first success after a failure, not from an earlier one', () => {
    const clock = new ManualTime();
    const retry = schedule(() => ALMOST_ONE, clock);
    retry.worked();
    clock.advance(Minutes(1));
    expect(retry.failed()).toBe(1000);
    clock.advance(Minutes(1));
    retry.worked();
    expect(retry.failed()).toBe(2000);
  });

  it('waits between half of the cap and the cap for what a person has to mend', () => {
    expect(schedule(() => 0).refused()).toBe(30_000);
    expect(schedule(() => ALMOST_ONE).refused()).toBe(60_000);
  });

  it('ends a real sleep when it is told to stop', async () => {
    const stop = new AbortController();
    const asleep = systemTime.sleep(Minutes(10), stop.signal);
    stop.abort();
    await asleep;
    await systemTime.sleep(Minutes(10), stop.signal);
    await systemTime.sleep(Millis(1), new AbortController().signal);
    expect(systemTime.now()).toBeGreaterThan(0);
  });
});
