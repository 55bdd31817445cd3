import { MEASUREMENTS } from '../decode/measurements.ts';
import { DecodeError } from '../errors.ts';
import { Minutes, UnixMillis } from '../quantity.ts';
import type { ClockTrust, Reading } from '../reading.ts';

/**
 * Returns why a reading cannot be true of any living person or room, or of what its device can report (`between`), or undefined.
 * The value itself is not repeated.
 */
export function implausible(reading: Reading, between?: readonly [lowest: number, highest: number]): DecodeError | undefined {
  const measurement = MEASUREMENTS.get(reading.measurement);
  if (measurement === undefined) return new DecodeError('unknown_measurement', `unknown measurement "${reading.measurement}"`);
  const lowest = Math.max(measurement.plausible[0], between?.[0] ?? -Infinity);
  const highest = Math.min(measurement.plausible[1], between?.[1] ?? Infinity);
  const values = typeof reading.value === 'number' ? [reading.value] : reading.value;
  if (values.every((value) => value >= lowest && value <= highest)) return undefined;
  return new DecodeError('implausible_value', `${reading.measurement} outside ${lowest} to ${highest} ${measurement.unit}`);
}

/** A device may be this far ahead of the gateway before its clock counts as wrong. It may lag by as much as it buffered. */
const MAX_AHEAD = Minutes(5);
/** No wearable that speaks this protocol existed before: its clock was never set. */
const EARLIEST_DEVICE_TIME = UnixMillis(Date.UTC(2020, 0, 1));

/**
 * Whether a device's own time can be right. A reading with a wrong time is kept and counted: its place in the journal
 * still says when it came. With a gateway clock that is itself `implausible` only the earliest date can be judged.
 */
export function clockPlausible(deviceTime: UnixMillis, receivedAt: UnixMillis, trust: ClockTrust): boolean {
  if (deviceTime < EARLIEST_DEVICE_TIME) return false;
  return trust === 'implausible' || deviceTime <= receivedAt + MAX_AHEAD;
}
