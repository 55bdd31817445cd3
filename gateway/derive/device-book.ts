import { Millis } from '../quantity.ts';
import type { DeviceId } from '../reading.ts';
import type { DeviceClock } from './device-clock.ts';
import { RunningStatus, allowedSilence, type DeviceStatus, type Sign } from './device-status.ts';

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
  readonly #devices: Map<DeviceId, RunningStatus>;
  #changed = new Set<DeviceId>();
  #nextLook: Millis | undefined;

  constructor(devices: ReadonlyMap<DeviceId, DeviceStatus>) {
    this.#devices = new Map([...devices].map(([device, status]) => [device, new RunningStatus(status)]));
  }

  clockOf(device: DeviceId): DeviceClock | undefined {
    return this.#devices.get(device)?.clock;
  }

  /** Takes in a message. `onEnd` is told which silences it ended. */
  hear(device: DeviceId, sign: Sign, onEnd: (silence: SilenceChange) => void): void {
    let status = this.#devices.get(device);
    if (status === undefined) {
      status = RunningStatus.blank(sign);
      this.#devices.set(device, status);
    }
    status.hear(sign, (measurement, silentFor, allowed) => onEnd({ device, measurement, phase: 'cleared', silentFor, allowed }));
    this.#changed.add(device);
  }

  /** Nobody listened for a while: whoever was heard before has all of its time again. */
  resume(now: Millis): void {
    for (const [device, status] of this.#devices) {
      status.resume(now);
      this.#changed.add(device);
    }
  }

  /** Channels that have become silent by `now`, of devices somebody waits for. */
  silences(now: Millis, isWaitedFor: (device: DeviceId) => boolean): readonly SilenceChange[] {
    this.#nextLook = undefined;
    const begun: SilenceChange[] = [];
    for (const [device, status] of this.#devices) {
      if (isWaitedFor(device)) begun.push(...this.#silencesOf(device, status, now));
    }
    return begun.sort(byName);
  }

  #silencesOf(device: DeviceId, status: RunningStatus, now: Millis): readonly SilenceChange[] {
    const begun: SilenceChange[] = [];
    for (const [measurement, channel] of status.channels) {
      const allowed = channel.silent === true ? undefined : allowedSilence(measurement, channel);
      if (allowed === undefined) continue;
      const due = Millis(channel.last + allowed);
      if (due <= now) begun.push({ device, measurement, phase: 'raised', silentFor: Millis(now - channel.last), allowed });
      else this.#nextLook = Millis(Math.min(due, this.#nextLook ?? due));
    }
    for (const { measurement } of begun) status.silence(measurement);
    if (begun.length > 0) this.#changed.add(device);
    return begun;
  }

  /** When somebody will have been silent for too long unless something comes; undefined: nobody. As of the last look. */
  get nextLook(): Millis | undefined {
    return this.#nextLook;
  }

  /** The statuses that changed since the last call. */
  takeChanges(): ReadonlyMap<DeviceId, DeviceStatus> {
    const changed = new Map([...this.#changed].sort().map((device) => [device, (this.#devices.get(device) as RunningStatus).status]));
    this.#changed = new Set();
    return changed;
  }
}

/** An order that does not depend on who was heard first since the last start. */
const byName = (a: SilenceChange, b: SilenceChange): number => (`${a.device} ${a.measurement}` < `${b.device} ${b.measurement}` ? -1 : 1);
