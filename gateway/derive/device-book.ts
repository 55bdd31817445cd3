import { Millis } from '../quantity.ts';
import type { DeviceId, Sequence } from '../reading.ts';
import { EMPTY_BATTERY, LOW_BATTERY, type BatteryTold } from './battery.ts';
import type { DeviceClock } from './device-clock.ts';
import type { DeviceCondition } from './care.ts';
import { RunningStatus, type DeviceStatus, type Sign } from './device-status.ts';
import type { Silence } from './silence.ts';

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
    status.hear(sign, (silence) => onChange(silenceChange(device, silence)));
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

  /** Which silences began by `now`, of devices somebody waits for, and which became part of a greater one. */
  silences(now: Millis, isWaitedFor: (device: DeviceId) => boolean): readonly DeviceChange[] {
    this.#nextLook = undefined;
    const begun: DeviceChange[] = [];
    for (const [device, status] of this.#devices) {
      if (!isWaitedFor(device)) continue;
      const silences = status.takeSilences(now);
      begun.push(...silences.map((silence) => silenceChange(device, silence)));
      if (silences.length > 0) this.#changed.add(device);
      const due = status.silentAt;
      if (due !== undefined) this.#nextLook = Millis(Math.min(due, this.#nextLook ?? due));
    }
    return begun.sort(byName);
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

/** `no-data <measurement> <device>`, or `no-data <device>` for all that it measures. */
function silenceChange(device: DeviceId, { phase, measurement, silentFor, allowed, missed }: Silence): DeviceChange {
  const limit = inMinutes(allowed);
  return {
    device, phase,
    condition: {
      rule: measurement === undefined ? `no-data ${device}` : `no-data ${measurement} ${device}`,
      priority: 'low',
      message: `${measurement === undefined ? `${device} has measured nothing` : `No ${measurement} from ${device}`} for ${inMinutes(silentFor)} min (expected within ${limit} min)`,
      evidence: {
        condition: missed.map((each) => `minutes_since("${each.measurement}") > ${limit}`).join(' && '),
        values: missed.map((each) => ({ measurement: each.measurement, value: inMinutes(each.silentFor), unit: 'min', limit })),
        frames: [],
      },
    },
  };
}

function batteryChange(device: DeviceId, told: BatteryTold | 'good', value: number, frame: Sequence): DeviceChange {
  const limit = told === 'empty' ? EMPTY_BATTERY : LOW_BATTERY;
  return {
    device, phase: told === 'good' ? 'cleared' : 'raised',
    condition: {
      rule: `low-battery ${device}`, priority: told === 'empty' ? 'medium' : 'low', message: `The battery of ${device} is at ${Math.round(value)} %`,
      evidence: { condition: `battery <= ${limit}`, values: [{ measurement: 'battery', value, unit: '%', limit }], frames: [frame] },
    },
  };
}
