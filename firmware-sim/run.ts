/** Runs a fleet against a real broker: simulated time paced by real time, every device with its own connection. */

import { ConfigError } from '../gateway/errors.ts';
import { Millis, type UnixMillis } from '../gateway/quantity.ts';
import type { Counters } from './counters.ts';
import type { Credentials } from './credentials.ts';
import { Device, type DeviceCounts, type DeviceOptions } from './device.ts';
import type { EpisodeOrder } from './episodes.ts';
import { fleetFor, type FleetMessage, type FleetOptions, simulateFleet } from './fleet.ts';
import { Random } from './random.ts';
import { localTimeOfDay, machineTime, type RealTime } from './time.ts';

/** What runs of every kind share. */
export type RunOptions = Readonly<{
  /** `mqtt://host:port` or `mqtts://host:port`. */
  brokerUrl: string;
  credentials: Credentials;
  /** Any number or text; the same one repeats the run. */
  seed: number | string;
  /** Ends the run. */
  signal: AbortSignal;
  /** Where message counters survive a restart. Default: every device begins at 1. */
  counters?: Counters;
  /** Buffer, window, pauses and timeouts of every device; defaults as there. */
  device?: Pick<DeviceOptions, 'capacity' | 'window' | 'minPause' | 'maxPause' | 'keepalive' | 'ackTimeout' | 'stopGrace'>;
  /** Called once for every message whose PUBACK arrived while the device kept it. Default nothing. */
  onAcknowledged?: (deviceId: string, seq: number, payload: Buffer) => void;
  /** Called with lines for people; they hold device ids and no measured values. Default nothing. */
  log?: (line: string) => void;
  /** Default the machine's clocks. */
  time?: RealTime;
}>;

export type FleetRunOptions = RunOptions &
  FleetOptions &
  Readonly<{
    /** Simulated seconds per real second. Default 1. */
    speed?: number;
    /** How many times as often as normal everything is measured, in simulated time. Default 1; 1 ÷ speed keeps the real rate. */
    rate?: number;
    /** Episodes certain to come, in simulated time from now. Default none. */
    episodes?: readonly EpisodeOrder[];
    /** Local time of day at which the simulated day begins, from midnight. Default this machine's time of day. */
    timeOfDay?: Millis;
    /**
     * What devices' clocks follow when `speed` is not 1: `wall`, so that a gateway sees nothing odd, or `simulated`, so that times
     * and values fit together. Default `wall`.
     */
    deviceTime?: 'wall' | 'simulated';
  }>;

/** The sum over all devices of a run. */
export type RunCounts = DeviceCounts & Readonly<{ devices: number }>;

/** Messages handed over without a look at the clock or at the network: keeps acknowledgements flowing when the run is behind. */
const BATCH = 256;

/**
 * Runs until `signal` is aborted, then stops every device and returns what happened. Throws {@link ConfigError} before the first
 * connection when an option is impossible or a device has no password.
 */
export async function runFleet(options: FleetRunOptions): Promise<RunCounts> {
  const { speed = 1, time = machineTime, signal } = options;
  checkPositive('speed', speed);
  checkPositive('rate', options.rate ?? 1);
  const startedAt = time.now();
  const messages = simulateFleet(simulationOf(options, startedAt, speed));
  const devices = openDevices(fleetFor(options).map(({ id }) => id), options);
  try {
    await pace(messages, devices, speed, time, signal);
  } finally {
    await closeDevices(devices, options);
  }
  return sumCounts(devices.values());
}

function simulationOf(options: FleetRunOptions, startedAt: UnixMillis, speed: number): Parameters<typeof simulateFleet>[0] {
  const { timeOfDay = localTimeOfDay(startedAt), deviceTime = 'wall' } = options;
  return { ...options, startedAt, timeOfDay, compression: deviceTime === 'wall' ? speed : 1 };
}

/** Hands each message to its device when its moment has come. */
async function pace(
  messages: Iterator<FleetMessage, never>,
  devices: ReadonlyMap<string, Device>,
  speed: number,
  time: RealTime,
  signal: AbortSignal,
): Promise<void> {
  const begin = time.uptime();
  let next = messages.next().value;
  while (!signal.aborted) {
    const reached = (time.uptime() - begin) * speed;
    for (let n = 0; n < BATCH && next.at <= reached; n++) {
      devices.get(next.device)?.record(next.sample, next.deviceTime);
      next = messages.next().value;
    }
    await time.sleep(Millis(Math.max(0, (next.at - reached) / speed)), signal);
  }
}

/** Creates and starts a device for every id. Throws {@link ConfigError} that names the devices without a password. */
export function openDevices(ids: readonly string[], options: RunOptions): Map<string, Device> {
  const missing = ids.filter((id) => !options.credentials.has(id));
  if (missing.length > 0) throw new ConfigError(`credentials: no password for ${missing.join(', ')}; expected one for each device`);
  const devices = new Map(ids.map((id) => [id, new Device(deviceOptions(id, options))]));
  for (const device of devices.values()) device.start();
  return devices;
}

function deviceOptions(id: string, options: RunOptions): DeviceOptions {
  const { counters, onAcknowledged, log } = options;
  return {
    ...options.device,
    id,
    brokerUrl: options.brokerUrl,
    password: options.credentials.get(id) ?? '',
    random: new Random(options.seed).split(`${id}/network`),
    ...(counters && { firstSequence: counters.first(id), onNumbered: (seq: number) => counters.use(id, seq) }),
    ...(onAcknowledged && { onAcknowledged: (seq: number, payload: Buffer) => onAcknowledged(id, seq, payload) }),
    ...(log && { log }),
  };
}

export async function closeDevices(devices: ReadonlyMap<string, Device>, { counters }: Pick<RunOptions, 'counters'>): Promise<void> {
  await Promise.all(Array.from(devices.values(), (device) => device.stop()));
  counters?.close();
}

export function sumCounts(devices: Iterable<Device>): RunCounts {
  const sum = { devices: 0, recorded: 0, acknowledged: 0, repeated: 0, overwritten: 0, waiting: 0, connections: 0 };
  for (const { counts } of devices) {
    sum.devices += 1;
    sum.recorded += counts.recorded;
    sum.acknowledged += counts.acknowledged;
    sum.repeated += counts.repeated;
    sum.overwritten += counts.overwritten;
    sum.waiting += counts.waiting;
    sum.connections += counts.connections;
  }
  return sum;
}

export function checkPositive(what: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) throw new ConfigError(`${what} ${value}: expected a number above 0`);
}
