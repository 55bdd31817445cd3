import { existsSync } from 'node:fs';
import { Millis, UnixMillis } from '../quantity.ts';
import type { ClockTrust } from '../reading.ts';

/** The gateway's two clocks and what the wall clock is worth. An argument wherever time is needed. */
export type Clock = Readonly<{
  now: () => UnixMillis;
  /** Monotonic, from the start of this process. */
  uptime: () => Millis;
  trust: () => ClockTrust;
}>;

/** No gateway can be running before its program was written: an earlier wall clock is wrong. */
const PROGRAM_WRITTEN = UnixMillis(Date.UTC(2026, 10, 1));
/** Touched by systemd-timesyncd at the first successful synchronisation after boot. */
const SYNCHRONISED_MARK = '/run/systemd/timesync/synchronized';
const TRUST_CHECK_INTERVAL = Millis(10_000);

export function systemClock(): Clock {
  let synchronised = existsSync(SYNCHRONISED_MARK);
  let checkedAt = performance.now();
  return {
    now: () => UnixMillis(Date.now()),
    uptime: () => Millis(performance.now()),
    trust: () => {
      if (Date.now() < PROGRAM_WRITTEN) return 'implausible';
      if (!synchronised && performance.now() - checkedAt > TRUST_CHECK_INTERVAL) {
        synchronised = existsSync(SYNCHRONISED_MARK);
        checkedAt = performance.now();
      }
      return synchronised ? 'synchronised' : 'unverified';
    },
  };
}
