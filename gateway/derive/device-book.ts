import { Millis } from '../quantity.ts';
import type { DeviceId } from '../reading.ts';
import { afterMessage, allowedSilence, type DeviceStatus, type Sign } from './device-status.ts';

/** A channel whose values stopped coming, or came again. */
export type SilenceChange = Readonly<{
  device: DeviceId;
  measurement: string;
  phase: 'raised' | 'cleared';
  silentFor: Millis;
  /** How long it may say nothing. */
  allowed: Millis;
}>;

/** The status of every device, and who has been silent for too long. All instants are steady time (steady-time.ts). */
export class DeviceBook {
  readonly #devices: Map<DeviceId, DeviceStatus>;
  #changed = new Set<DeviceId>();
  #nextLook: Millis | undefined;

  constructor(devices: ReadonlyMap<DeviceId, DeviceStatus>) {
    this.#devices = new Map(devices);
  }

  statusOf(device: DeviceId): DeviceStatus | undefined {
    return this.#devices.get(device);
  }

  /** Takes in a message and returns which silences it ended. */
  hear(device: DeviceId, sign: Sign): readonly SilenceChange[] {
    const before = this.#devices.get(device);
    this.#set(device, afterMessage(before, sign));
    if (before === undefined) return [];
    const ended = new Map<string, SilenceChange>();
    for (const { measurement } of sign.readings) {
      const channel = before.channels[measurement];
      if (channel?.silent !== true) continue;
      ended.set(measurement, { device, measurement, phase: 'cleared', silentFor: Millis(sign.now - channel.last), allowed: allowedSilence(measurement, channel) ?? Millis(0) });
    }
    return [...ended.values()];
  }

  /** Nobody listened for a while: whoever was heard before has all of its time again. */
  resume(now: Millis): void {
    for (const [device, status] of this.#devices) {
      const channels = Object.entries(status.channels).map(([name, channel]) => [name, { ...channel, last: now }] as const);
      this.#set(device, { ...status, seen: now, channels: Object.fromEntries(channels) });
    }
  }

  /** Channels that have become silent by `now`, of devices somebody waits for. */
  silences(now: Millis, isWaitedFor: (device: DeviceId) => boolean): readonly SilenceChange[] {
    this.#nextLook = undefined;
    const begun: SilenceChange[] = [];
    for (const [device, status] of this.#devices) {
      if (isWaitedFor(device)) begun.push(...this.#silencesOf(device, status, now));
    }
    return begun;
  }

  #silencesOf(device: DeviceId, status: DeviceStatus, now: Millis): readonly SilenceChange[] {
    const begun: SilenceChange[] = [];
    for (const [measurement, channel] of Object.entries(status.channels)) {
      const allowed = channel.silent === true ? undefined : allowedSilence(measurement, channel);
      if (allowed === undefined) continue;
      const due = Millis(channel.last + allowed);
      if (due <= now) begun.push({ device, measurement, phase: 'raised', silentFor: Millis(now - channel.last), allowed });
      else this.#nextLook = Millis(Math.min(due, this.#nextLook ?? due));
    }
    if (begun.length > 0) this.#set(device, silenced(status, begun));
    return begun;
  }

  /** When somebody will have been silent for too long unless something comes; undefined: nobody. As of the last look. */
  get nextLook(): Millis | undefined {
    return this.#nextLook;
  }

  /** The statuses that changed since the last call. */
  takeChanges(): ReadonlyMap<DeviceId, DeviceStatus> {
    const changed = new Map([...this.#changed].map((device) => [device, this.#devices.get(device) as DeviceStatus]));
    this.#changed = new Set();
    return changed;
  }

  #set(device: DeviceId, status: DeviceStatus): void {
    this.#devices.set(device, status);
    this.#changed.add(device);
  }
}

function silenced(status: DeviceStatus, begun: readonly SilenceChange[]): DeviceStatus {
  const channels = { ...status.channels };
  for (const { measurement } of begun) {
    const channel = channels[measurement];
    if (channel !== undefined) channels[measurement] = { ...channel, silent: true };
  }
  return { ...status, channels };
}
