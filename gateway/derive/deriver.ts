import { framesOf } from '../frame-codec.ts';
import type { Millis, UnixMillis } from '../quantity.ts';
import { nameOf, type DeviceId, type Doubt, type FrameRun, type Sequence, type Subject } from '../reading.ts';
import type { Derivation } from './derivation.ts';
import type { Checkpoint } from './derive-store.ts';

/** What a run of frames gave. */
export type Derived = Readonly<{
  checkpoints: readonly Checkpoint[];
  /** Whether frames wait for their window to close: then a `timer` frame is due in time. */
  windowIsOpen: boolean;
  /** When a `timer` frame is due even if nothing comes, so that a silence is noticed; undefined: never. */
  dueIn: Millis | undefined;
  /** Of everybody and of each measurement the newest, where they were asked for. */
  newest?: readonly NewestReading[];
}>;

/** What was measured of somebody, of the newest of its kind in a run of frames. */
export type NewestReading = Readonly<{
  /** The frame that brought it. */
  sequence: Sequence;
  /** Who measured; empty: a person, by hand. */
  device: DeviceId | '';
  subject: Subject;
  measurement: string;
  value: number;
  /** UCUM. */
  unit: string;
  measuredAt: UnixMillis;
  doubt?: Doubt;
  /** Older ones of the same run that are left out. */
  skipped: number;
}>;

/** Derives frames, in order. Calls MUST NOT overlap. */
export interface Deriver {
  derive(run: FrameRun): Promise<Derived>;
  close(): Promise<void>;
}

/** Derives where it is called: for replays and inside derive-worker.ts. */
export class LocalDeriver implements Deriver {
  readonly #derivation: Derivation;

  constructor(derivation: Derivation) {
    this.#derivation = derivation;
  }

  async derive(run: FrameRun): Promise<Derived> {
    return this.deriveNow(run);
  }

  /** `tells`: with the newest readings. */
  deriveNow(run: FrameRun, tells = false): Derived {
    if (!tells) return this.#derive(run);
    const newest = new Map<string, NewestReading>();
    this.#derivation.onReading = (sequence, device, { reading: { measurement, value, unit, doubt }, subject, measuredAt }) => {
      if (typeof value !== 'number') return;
      const key = `${nameOf(subject)} ${measurement}`;
      newest.set(key, { sequence, device, subject, measurement, value, unit, measuredAt, ...(doubt === undefined ? {} : { doubt }), skipped: (newest.get(key)?.skipped ?? -1) + 1 });
    };
    try {
      return { ...this.#derive(run), newest: [...newest.values()] };
    } finally {
      this.#derivation.onReading = undefined;
    }
  }

  #derive(run: FrameRun): Derived {
    const checkpoints = framesOf(run).flatMap((accepted) => this.#derivation.step(accepted) ?? []);
    return { checkpoints, windowIsOpen: this.#derivation.hasOpenWindow, dueIn: this.#derivation.dueIn };
  }

  async close(): Promise<void> {}
}
