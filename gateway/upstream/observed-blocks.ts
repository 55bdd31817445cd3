import { type BlockStore, type Fork, type LaneId, passedOn } from '../ledger/block-store.ts';
import type { ChainState } from '../ledger/state.ts';

/** Called after what they tell of is in the store. MUST NOT throw. */
export type BlockEvents = Readonly<{
  appended: (state: ChainState) => void;
  countersigned: (id: LaneId) => void;
  forked: (fork: Fork) => void;
}>;

/** The same store, whose callers say by themselves what they change. */
export function observed(blocks: BlockStore, events: BlockEvents): BlockStore {
  return {
    ...passedOn(blocks),
    append: async (block, ...following) => {
      const result = await blocks.append(block, ...following);
      if (result.outcome === 'committed') events.appended((following.at(-1) ?? block).verified.state);
      return result;
    },
    putReceipt: async (id, ...receipt) => {
      await blocks.putReceipt(id, ...receipt);
      events.countersigned(id);
    },
    putFork: async (fork) => {
      await blocks.putFork(fork);
      events.forked(fork);
    },
  };
}
