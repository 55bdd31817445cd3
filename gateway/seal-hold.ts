import type { DeriveStore } from './derive/derive-store.ts';
import type { SuccessionState } from './derive/succession-state.ts';

/** Nothing is sealed past the entries of a replacement that is awaited. */
export class SealHold {
  /** The last entry that may be sealed; undefined: all. */
  until: number | undefined;

  constructor(state: SuccessionState) {
    this.until = untilIn(state);
  }

  /** It holds before the entries after it are there to be seen, and lets go when those it waits for are. */
  over(store: Pick<DeriveStore, 'commit'>): Pick<DeriveStore, 'commit'> {
    return {
      commit: async (checkpoints) => {
        this.until ??= checkpoints.map(({ succession }) => untilIn(succession)).find((until) => until !== undefined);
        await store.commit(checkpoints);
        const last = checkpoints.at(-1);
        if (last !== undefined) this.until = untilIn(last.succession);
      },
    };
  }
}

const untilIn = ({ reserved }: SuccessionState): number | undefined => (reserved === undefined ? undefined : reserved - 1);
