import { describe, expect, it } from 'vitest';

import { DeviceClock, drawClockError } from '../../firmware-sim/clock.ts';
import { Random } from '../../firmware-sim/random.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';

const START = UnixMillis(1_764_000_000_000);
const after = (ms: number): UnixMillis => UnixMillis(START + ms);
const DAY = 86_400_000;

describe('a device clock', () => {
  it('is off by its offset when set', () => {
    expect(new DeviceClock(START, { offset: Millis(-1500), driftPpm: 20 }).read(START)).toBe(START - 1500);
  });

  it('gains 1728 ms a day at 20 ppm and loses them at −20 ppm', () => {
    expect(new DeviceClock(START, { offset: Millis(0), driftPpm: 20 }).read(after(DAY))).toBe(START + DAY + 1728);
    expect(new DeviceClock(START, { offset: Millis(0), driftPpm: -20 }).read(after(DAY))).toBe(START + DAY - 1728);
  });

  it('never goes back while true time goes on', () => {
    const clock = new DeviceClock(START, { offset: Millis(700), driftPpm: -20 });
    let last = clock.read(START);
    for (let ms = 1; ms < 5000; ms++) {
      const now = clock.read(after(ms));
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it('has errors that repeat with the seed, within 20 ppm, around zero', () => {
    expect(drawClockError(new Random(1))).toEqual(drawClockError(new Random(1)));
    const errors = Array.from({ length: 300 }, (_, i) => drawClockError(new Random(`clock ${i}`)));
    for (const { driftPpm } of errors) expect(Math.abs(driftPpm)).toBeLessThanOrEqual(20);
    expect(errors.some(({ offset }) => offset > 500)).toBe(true);
    expect(errors.some(({ offset }) => offset < -500)).toBe(true);
  });
});
