import { coverageOf, type Coverage } from './derive/coverage.ts';
import type { BlockStore, LaneId } from './ledger/block-store.ts';
import { openBlock } from './ledger/block.ts';
import type { VerifiedBlock } from './ledger/verify.ts';
import type { ReadingState } from './reading.ts';
import { Turns } from './turns.ts';

/** How far a state has come: device messages counted since this process started, and the last journal frame that reached it. */
export type StateProgress = { messages: number; through: number };

/** Coverage of blocks kept in memory; beyond them a block is read again, which is cheaper than a week's offline backlog in memory. */
const REMEMBERED_BLOCKS = 1024;

/**
 * Follows every message through the five states. Messages are sealed as evidence entries of the record lane, so what a
 * block's height means in messages is read from its entries.
 */
export class Progress {
  readonly states: Readonly<Record<ReadingState, StateProgress>>;
  readonly #blocks: Pick<BlockStore, 'block'>;
  readonly #record: LaneId;
  readonly #coverage = new Map<number, Coverage>();
  readonly #heights: Record<'relayed' | 'receipted', number>;
  readonly #turns = new Turns();

  /** `heights`: what was relayed and receipted before this process started; it is not counted again. */
  constructor(options: {
    blocks: Pick<BlockStore, 'block'>;
    chain: Uint8Array;
    accepted: number;
    heights: Readonly<Record<'relayed' | 'receipted', number | undefined>>;
  }) {
    this.#blocks = options.blocks;
    this.#record = { chain: options.chain, lane: 'record' };
    this.#heights = { relayed: options.heights.relayed ?? -1, receipted: options.heights.receipted ?? -1 };
    const start = (): StateProgress => ({ messages: 0, through: 0 });
    this.states = { received: start(), accepted: { messages: 0, through: options.accepted }, sealed: start(), relayed: start(), receipted: start() };
  }

  /** Reads where sealing, relaying and receipting stood when the process started. */
  async recover(sealedHeight: number | undefined): Promise<void> {
    const heights = { sealed: sealedHeight ?? -1, ...this.#heights };
    for (const state of ['sealed', 'relayed', 'receipted'] as const) {
      this.states[state].through = await this.#throughAt(heights[state]);
    }
  }

  /** The last frame covered up to a height: a block may hold no evidence at all, then one below it says. */
  async #throughAt(height: number): Promise<number> {
    for (let at = height; at >= 0; at--) {
      const { through } = await this.#coverageAt(at);
      if (through !== undefined) return through;
    }
    return 0;
  }

  received(): void {
    this.states.received.messages += 1;
  }

  accepted(messages: number, through: number): void {
    this.#advance('accepted', { messages, through });
  }

  sealed(block: VerifiedBlock): void {
    if (block.state.lane !== 'record') return;
    const coverage = coverageOf(block.entries);
    if (this.#coverage.size < REMEMBERED_BLOCKS) this.#coverage.set(block.state.height, coverage);
    this.#advance('sealed', coverage);
  }

  /**
   * The record lane is relayed and receipted up to these heights now. Rejects with StoreError when a block cannot be read;
   * what is missing then is counted by the next call.
   */
  countersigned(heights: Readonly<Record<'relayed' | 'receipted', number | undefined>>): Promise<void> {
    return this.#turns.take('countersigned', async () => {
      await this.#follow('relayed', heights.relayed);
      await this.#follow('receipted', heights.receipted);
    });
  }

  async #follow(state: 'relayed' | 'receipted', height: number | undefined): Promise<void> {
    while (height !== undefined && this.#heights[state] < height) {
      const next = this.#heights[state] + 1;
      const coverage = await this.#coverageAt(next);
      this.#heights[state] = next;
      this.#advance(state, coverage);
      if (state === 'receipted') this.#coverage.delete(next);
    }
  }

  async #coverageAt(height: number): Promise<Coverage> {
    const known = this.#coverage.get(height);
    if (known !== undefined) return known;
    const bytes = await this.#blocks.block(this.#record, height);
    return bytes === undefined ? { messages: 0, through: undefined } : coverageOf(openBlock(bytes).entries);
  }

  #advance(state: ReadingState, { messages, through }: Coverage): void {
    const progress = this.states[state];
    progress.messages += messages;
    progress.through = through ?? progress.through;
  }
}
