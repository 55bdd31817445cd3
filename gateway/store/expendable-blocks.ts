import type { Expendable, Sacrifice } from '../disk/disk-keeper.ts';
import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { openBlock, type OpenBlock } from '../ledger/block.ts';
import { decodeEntry, type EntryKind } from '../ledger/entry.ts';
import type { Millis, UnixMillis } from '../quantity.ts';
import type { StoredBlocks } from './block-store.ts';

export type ExpendableBlocksOptions = Readonly<{
  blocks: Pick<BlockStore, 'head' | 'block' | 'pruned'> & Pick<StoredBlocks, 'prune'>;
  chain: Uint8Array;
  /** Up to which block of the record lane they may go: every hospital has them, and what lies beside them. Undefined while none may. */
  through: () => Promise<number | undefined>;
  /** How long they are kept, and the time now. */
  keep: Readonly<{ time: Millis; now: () => UnixMillis }>;
}>;

/** What was measured may go. What happened, who decided what, and who looked, stays with its block. */
const MEASURED: ReadonlySet<EntryKind> = new Set<EntryKind>(['summary', 'evidence']);
/** Blocks of one sacrifice: saying that a few are gone would take as much room as they do. */
const LEAST = 100;
const MOST = 1000;

/** Blocks of the record lane that every hospital has, by age alone: nothing a full disk does takes one. */
export class ExpendableBlocks implements Expendable {
  readonly #options: ExpendableBlocksOptions;
  readonly #id: LaneId;
  #planned: Readonly<{ through: number; going: readonly number[] }> | undefined;

  constructor(options: ExpendableBlocksOptions) {
    this.#options = options;
    this.#id = { chain: options.chain, lane: 'record' };
  }

  next(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async aged(): Promise<Omit<Sacrifice, 'why'> | undefined> {
    const { blocks, through, keep } = this.#options;
    const [before, until] = [keep.now() - keep.time, (await through()) ?? 0];
    const after = (await blocks.pruned(this.#id))?.height ?? 0;
    const changes = new Set((await blocks.head(this.#id))?.changes);
    const going: number[] = [];
    let last = after;
    // Where all have to stay it looks on: those behind them would never go.
    for (let height = after + 1; height <= until && (height - after <= MOST || going.length === 0); height++) {
      const bytes = await blocks.block(this.#id, height);
      const block = bytes && openBlock(bytes);
      if (block === undefined || block.header.time >= before) break;
      last = height;
      if (!changes.has(height) && isMeasured(block)) going.push(height);
    }
    const [first] = going;
    if (first === undefined || last - after < LEAST) return undefined;
    this.#planned = { through: last, going };
    return { what: 'blocks', first, last, count: going.length };
  }

  async drop(): Promise<void> {
    if (this.#planned === undefined) return;
    await this.#options.blocks.prune(this.#id, this.#planned);
    this.#planned = undefined;
  }
}

const isMeasured = ({ entries }: OpenBlock): boolean => entries.every((entry) => MEASURED.has(decodeEntry(entry).kind));
