/** Load instead of life: many devices, one steady total rate, small heart-rate messages. For tests and benchmarks. */

import { ConfigError } from '../gateway/errors.ts';
import { Millis, Seconds, UnixMillis } from '../gateway/quantity.ts';
import type { Device } from './device.ts';
import { measured } from './message.ts';
import { Random } from './random.ts';
import { checkPositive, closeDevices, openDevices, type RunCounts, type RunOptions, sumCounts } from './run.ts';
import { machineTime } from './time.ts';

export type LoadOptions = RunOptions &
  Readonly<{
    /** Readings per second, all devices together. */
    readingsPerSecond: number;
    /** Stops producing after so many readings. Default: only `signal` ends the run. */
    total?: number;
  }>;

/** How often the backlog of due readings is handed over. */
const TICK = Millis(5);

/**
 * Every device in `credentials` takes its turn. With `total`, waits until all of them are acknowledged. The promise: production
 * MUST NOT slow down because acknowledgements do (an open loop), so latencies seen by `onAcknowledged` hide no waiting; a buffer
 * that overflows is counted in `overwritten`.
 */
export async function runLoad(options: LoadOptions): Promise<RunCounts> {
  const { total = Infinity, readingsPerSecond } = options;
  checkPositive('readings per second', readingsPerSecond);
  if (total !== Infinity && (!Number.isSafeInteger(total) || total < 1)) {
    throw new ConfigError(`total ${total}: expected a whole number from 1`);
  }
  if (options.credentials.size === 0) throw new ConfigError('credentials: expected at least one device');
  const devices = openDevices([...options.credentials.keys()], options);
  try {
    await produce([...devices.values()], options, total);
    if (!options.signal.aborted) await drainOrAbort(devices.values(), options.signal);
  } finally {
    await closeDevices(devices, options);
  }
  return sumCounts(devices.values());
}

async function produce(devices: readonly Device[], options: LoadOptions, total: number): Promise<void> {
  const { time = machineTime, signal, seed, readingsPerSecond } = options;
  const pulse = new Random(seed).split('pulse');
  const begin = time.uptime();
  for (let produced = 0; produced < total && !signal.aborted; await time.sleep(TICK, signal)) {
    const due = Math.min(total, Math.floor(((time.uptime() - begin) / Seconds(1)) * readingsPerSecond));
    const now = UnixMillis(time.now());
    for (; produced < due; produced++) {
      devices[produced % devices.length]?.record({ readings: [measured('heart_rate', 72 + 6 * pulse.gaussian())] }, now);
    }
  }
}

async function drainOrAbort(devices: Iterable<Device>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await Promise.race([aborted, Promise.all(Array.from(devices, (device) => device.drained()))]);
}
