import { framesOf } from '../frame-codec.ts';
import type { Millis } from '../quantity.ts';
import type { FrameRun } from '../reading.ts';
import type { Derivation } from './derivation.ts';
import type { Checkpoint } from './derive-store.ts';

/** What a run of frames gave. */
export type Derived = Readonly<{
  checkpoints: readonly Checkpoint[];
  /** Whether frames wait for their window to close: then a `timer` frame is due in time. */
  windowIsOpen: boolean;
  /** When a `timer` frame is due even if nothing comes, so that a silence is noticed; undefined: never. */
  dueIn: Millis | undefined;
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

  deriveNow(run: FrameRun): Derived {
    const checkpoints = framesOf(run).flatMap((accepted) => this.#derivation.step(accepted) ?? []);
    return { checkpoints, windowIsOpen: this.#derivation.hasOpenWindow, dueIn: this.#derivation.dueIn };
  }

  async close(): Promise<void> {}
}
