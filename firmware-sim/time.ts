/** How the simulator meets real time; the only place that reads the machine's clocks. */

import { setTimeout as delay } from 'node:timers/promises';

import { Millis, UnixMillis } from '../gateway/quantity.ts';

export type RealTime = Readonly<{
  /** Wall clock. */
  now: () => UnixMillis;
  /** Monotonic. */
  uptime: () => Millis;
  /** Resolves after `duration`, or at once when `signal` is aborted. */
  sleep: (duration: Millis, signal: AbortSignal) => Promise<void>;
}>;

export const machineTime: RealTime = {
  now: () => UnixMillis(Date.now()),
  uptime: () => Millis(performance.now()),
  sleep: (duration, signal) => delay(duration, undefined, { signal }).catch(() => undefined),
};

/** Time of day on the wall clock of this machine's time zone. */
export function localTimeOfDay(at: UnixMillis): Millis {
  const date = new Date(at);
  return Millis(((date.getHours() * 60 + date.getMinutes()) * 60 + date.getSeconds()) * 1000);
}
