import type { Profile } from '../decode/profile.ts';
import type { DeviceId, Sequence, Subject } from '../reading.ts';
import type { Checkpoint, DerivedState, Totals } from './derive-store.ts';

/**
 * What the rest of the gateway may know of derivation: its state as of the last committed checkpoint, followed by
 * taking in checkpoints. Derivation itself runs in a thread of its own.
 */
export class DerivationOverview {
  #cursor: number;
  #contract: Uint8Array | undefined;
  #totals: Totals;
  #profiles: readonly Profile[];
  readonly #bindings: Map<DeviceId, Subject>;
  readonly #lastWindow = new Map<DeviceId, Sequence>();

  constructor(state: DerivedState) {
    this.#cursor = state.cursor;
    this.#contract = state.contract;
    this.#totals = state.totals;
    this.#profiles = state.profiles;
    this.#bindings = new Map(state.bindings);
    for (const [device, chunks] of state.seen) {
      const last = chunks.at(-1);
      if (last !== undefined) this.#lastWindow.set(device, last.window);
    }
  }

  take(checkpoint: Checkpoint): void {
    this.#cursor = checkpoint.cursor;
    this.#contract = checkpoint.contract;
    this.#totals = checkpoint.totals;
    this.#profiles = checkpoint.profiles ?? this.#profiles;
    for (const [device, subject] of checkpoint.bindings) {
      if (subject === undefined) this.#bindings.delete(device);
      else this.#bindings.set(device, subject);
    }
    for (const device of checkpoint.seen.keys()) this.#lastWindow.set(device, checkpoint.cursor);
  }

  /** The last frame that is derived and committed. */
  get cursor(): number {
    return this.#cursor;
  }

  /** SHA-256 of the rules in force; undefined before any were activated. */
  get contract(): Uint8Array | undefined {
    return this.#contract;
  }

  /** As configured; the built-in ones are not among them. */
  get profiles(): readonly Profile[] {
    return this.#profiles;
  }

  get totals(): Totals {
    return this.#totals;
  }

  get bindings(): ReadonlyMap<DeviceId, Subject> {
    return this.#bindings;
  }

  /** The last closed window, named by its last frame, in which the device sent something. */
  lastWindowOf(device: DeviceId): Sequence | undefined {
    return this.#lastWindow.get(device);
  }
}
