import { Minutes, Millis, Seconds, UnixMillis } from '../quantity.ts';

/**
 * What is known of a device's clock. Its lag is steady time minus device time: a constant (how the clock is set) plus how long
 * the message was on its way, which is never negative. The smallest lag seen is therefore the best estimate of the constant.
 */
export type DeviceClock = Readonly<{
  /** The estimate, in ms. */
  offset: number;
  /** The smallest lag since `since` (steady), and of the stretch before, if there was one. */
  lowest: number;
  since: Millis;
  previous: number | null;
  /** What the device last said. */
  shown: UnixMillis;
}>;

/** How long lags are compared before the estimate may grow. */
const STRETCH = Seconds(15);
const JITTER = Seconds(1);
/** No device that is switched on buffers more than this: a greater lag is a clock that was set back. */
export const LONGEST_BUFFER = Minutes(31 * 24 * 60);
/** A clock that shows less was never set: it counts from the moment the device was switched on. */
const CLOCK_WAS_SET = UnixMillis(Date.UTC(2020, 0, 1));

/**
 * Takes in the newest device time of a message. A smaller lag is believed at once: the clock was put forward, or a message was
 * faster. A greater one is believed when it stays for two stretches without shrinking (the clock was put back, or drifts); while
 * it shrinks, a device is sending what it had kept.
 */
export function observeClock(clock: DeviceClock | undefined, deviceTime: UnixMillis, now: Millis): DeviceClock {
  // JSON knows no negative zero.
  const shown = UnixMillis(deviceTime + 0);
  const lag = now - shown;
  if (clock === undefined || hasNewEra(clock, shown, lag)) return { offset: lag, lowest: lag, since: now, previous: null, shown };
  const offset = Math.min(clock.offset, lag);
  if (now - clock.since < STRETCH) return { offset, lowest: Math.min(clock.lowest, lag), since: clock.since, previous: clock.previous, shown };
  const stays = clock.previous !== null && clock.previous > offset && clock.lowest >= clock.previous - JITTER;
  return { offset: stays ? Math.min(clock.lowest, lag) : offset, lowest: lag, since: now, previous: clock.lowest, shown };
}

function hasNewEra(clock: DeviceClock, shown: UnixMillis, lag: number): boolean {
  return lag - clock.offset > LONGEST_BUFFER || (shown < CLOCK_WAS_SET && shown < clock.shown);
}

/** How old a value is by its device's clock, never less than 0. */
export function ageOf({ offset }: DeviceClock, deviceTime: UnixMillis, now: Millis): Millis {
  return Millis(Math.max(0, now - deviceTime - offset));
}

/** How far a device's clock is ahead of a wall clock that shows `receivedAt`; negative when it is behind. */
export function aheadOf({ offset }: DeviceClock, receivedAt: UnixMillis, now: Millis): Millis {
  return Millis(now - receivedAt - offset);
}
