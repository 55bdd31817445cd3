import type { AlarmState } from '../alarm/alarm.ts';
import type { Profile } from '../decode/profile.ts';
import { Millis, UnixMillis } from '../quantity.ts';
import type { DeviceId, Sequence, Subject } from '../reading.ts';
import { subjectAt, type Bindings } from './bindings.ts';
import type { ConsentState } from './consent-state.ts';
import type { Checkpoint, DerivedState, Totals } from './derive-store.ts';
import type { DeviceStatus } from './device-status.ts';
import type { Orders } from './orders.ts';
import type { Sighting } from './sightings.ts';
import type { SteadyState } from './steady-time.ts';
import type { SuccessionState } from './succession-state.ts';

/** The parts of the state that are replaced as a whole. */
type Head = Pick<DerivedState, 'cursor' | 'totals' | 'profiles' | 'steady' | 'orders' | 'alarms' | 'succession' | 'consent'>;

/**
 * What the rest of the gateway may know of derivation: its state as of the last committed checkpoint, followed by
 * taking in checkpoints. Derivation itself runs in a thread of its own.
 */
export class DerivationOverview {
  #head: Head;
  readonly #bindings: Map<DeviceId, Bindings>;
  readonly #devices: Map<DeviceId, DeviceStatus>;
  readonly #sightings: Map<string, Sighting>;
  readonly #lastWindow = new Map<DeviceId, Sequence>();

  constructor(state: DerivedState) {
    this.#head = headOf(state, state);
    this.#bindings = new Map(state.bindings);
    this.#devices = new Map(state.devices);
    this.#sightings = new Map(state.sightings);
    for (const [device, chunks] of state.seen) {
      const last = chunks.at(-1);
      if (last !== undefined) this.#lastWindow.set(device, last.window);
    }
  }

  take(checkpoint: Checkpoint): void {
    const { profiles = this.#head.profiles, orders = this.#head.orders, alarms = this.#head.alarms, consent = this.#head.consent } = checkpoint;
    this.#head = headOf(checkpoint, { profiles, orders, alarms, consent });
    for (const [device, bindings] of checkpoint.bindings) this.#bindings.set(device, bindings);
    for (const [device, status] of checkpoint.devices) this.#devices.set(device, status);
    for (const [name, sighting] of checkpoint.sightings) {
      if (sighting === undefined) this.#sightings.delete(name);
      else this.#sightings.set(name, sighting);
    }
    for (const device of checkpoint.seen.keys()) this.#lastWindow.set(device, checkpoint.cursor);
  }

  /** The last frame that is derived and committed. */
  get cursor(): number {
    return this.#head.cursor;
  }

  /** What people decided about watching. */
  get orders(): Orders {
    return this.#head.orders;
  }

  /** What patients have permitted. */
  get consent(): ConsentState {
    return this.#head.consent;
  }

  /** Of who speaks for the chain. */
  get succession(): SuccessionState {
    return this.#head.succession;
  }

  get alarms(): AlarmState {
    return this.#head.alarms;
  }

  /** As configured; the built-in ones are not among them. */
  get profiles(): readonly Profile[] {
    return this.#head.profiles;
  }

  get totals(): Totals {
    return this.#head.totals;
  }

  get bindings(): ReadonlyMap<DeviceId, Bindings> {
    return this.#bindings;
  }

  get devices(): ReadonlyMap<DeviceId, DeviceStatus> {
    return this.#devices;
  }

  get sightings(): readonly Sighting[] {
    return [...this.#sightings.values()];
  }

  /** Whom a device measured at an instant of the gateway's wall clock. */
  subjectAt(device: DeviceId, instant: UnixMillis): Subject | undefined {
    return subjectAt(this.#bindings.get(device), this.steadyAt(instant));
  }

  /** An instant of the wall clock as steady time (steady-time.ts), as both stand now. */
  steadyAt(instant: UnixMillis): Millis {
    const { steady } = this.#head;
    return Millis(instant + (steady === undefined ? 0 : steady.now - steady.receivedAt));
  }

  wallAt(steady: Millis): UnixMillis {
    return UnixMillis(steady - this.steadyAt(UnixMillis(0)));
  }

  /** The last closed window, named by its last frame, in which the device sent something. */
  lastWindowOf(device: DeviceId): Sequence | undefined {
    return this.#lastWindow.get(device);
  }
}

type Replaced = Pick<Head, 'profiles' | 'orders' | 'alarms' | 'consent'>;

const headOf = ({ cursor, totals, steady, succession }: Omit<Head, keyof Replaced> & Readonly<{ steady: SteadyState | undefined }>, { profiles, orders, alarms, consent }: Replaced): Head => ({
  cursor, totals, steady, succession, profiles, orders, alarms, consent,
});
