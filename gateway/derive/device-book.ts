import { Millis } from '../quantity.ts';
import type { DeviceId, Sequence } from '../reading.ts';
import type { DeviceClock } from './device-clock.ts';
import type { DeviceCondition } from './care.ts';
import { RunningStatus, allowedSilence, EMPTY_BATTERY, LOW_BATTERY, type DeviceStatus, type Sign } from './device-status.ts';

/** Something began or ended to be wrong with a device: a technical condition (IEC 60601-1-8), never one of the patient. */
export type DeviceChange = Readonly<{ device: DeviceId; phase: 'raised' | 'cleared'; condition: DeviceCondition }>;

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

  /** Takes in a message. `onChange` is told which silences it ended, and what became of the battery. */
  hear(device: DeviceId, sign: Sign, onChange: (change: DeviceChange) => void): void {
    let status = this.#devices.get(device);
    if (status === undefined) {
      status = RunningStatus.blank(sign);
      this.#devices.set(device, status);
    }
    status.hear(sign, (measurement, silentFor, allowed) => onChange(silence('cleared', device, measurement, silentFor, allowed)));
    const battery = status.tellBattery();
    if (battery !== undefined) onChange(batteryChange(device, battery.told, battery.percent, sign.sequence));
    this.#changed.add(device);
  }

  /** It has another bearer now: what was told of it is told to them again. */
  forgetTold(device: DeviceId): void {
    const status = this.#devices.get(device);
    if (status === undefined) return;
    status.forgetTold();
    this.#changed.add(device);
    this.#nextLook = Millis(0);
  }

  /** Nobody listened for a while: whoever was heard before has all of its time again. */
  resume(now: Millis): void {
    for (const [device, status] of this.#devices) {
      status.resume(now);
      this.#changed.add(device);
    }
  }

  /** Channels that have become silent by `now`, of devices somebody waits for. */
  silences(now: Millis, isWaitedFor: (device: DeviceId) => boolean): readonly DeviceChange[] {
    this.#nextLook = undefined;
    const begun: DeviceChange[] = [];
    for (const [device, status] of this.#devices) {
      if (isWaitedFor(device)) begun.push(...this.#silencesOf(device, status, now));
    }
    return begun.sort(byName);
  }

  #silencesOf(device: DeviceId, status: RunningStatus, now: Millis): readonly DeviceChange[] {
    const begun: DeviceChange[] = [];
    for (const [measurement, channel] of status.channels) {
      const allowed = channel.silent === true ? undefined : allowedSilence(measurement, channel);
      if (allowed === undefined) continue;
      const due = Millis(channel.last + allowed);
      if (due <= now) {
        begun.push(silence('raised', device, measurement, Millis(now - channel.last), allowed));
        status.silence(measurement);
      } else this.#nextLook = Millis(Math.min(due, this.#nextLook ?? due));
    }
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
const byName = (a: DeviceChange, b: DeviceChange): number => (`${a.device} ${a.condition.rule}` < `${b.device} ${b.condition.rule}` ? -1 : 1);

const inMinutes = (duration: Millis): number => Math.round(duration / 6000) / 10;

function silence(phase: DeviceChange['phase'], device: DeviceId, measurement: string, silentFor: Millis, allowed: Millis): DeviceChange {
  const [value, limit] = [inMinutes(silentFor), inMinutes(allowed)];
  return {
    device, phase,
    condition: {
      rule: `no-data ${measurement} ${device}`, priority: 'low', message: `No ${measurement} from ${device} for ${value} min (expected within ${limit} min)`,
      evidence: { condition: `minutes_since("${measurement}") > ${limit}`, values: [{ measurement, value, unit: 'min', limit }], frames: [] },
    },
  };
}

function batteryChange(device: DeviceId, told: 'low' | 'empty' | 'good', value: number, frame: Sequence): DeviceChange {
  const limit = told === 'empty' ? EMPTY_BATTERY : LOW_BATTERY;
  return {
    device, phase: told === 'good' ? 'cleared' : 'raised',
    condition: {
      rule: `low-battery ${device}`, priority: told === 'empty' ? 'medium' : 'low', message: `The battery of ${device} is at ${Math.round(value)} %`,
      evidence: { condition: `battery <= ${limit}`, values: [{ measurement: 'battery', value, unit: '%', limit }], frames: [frame] },
    },
  };
}
