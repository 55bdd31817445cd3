import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { headerIn, openBlock } from '../ledger/block.ts';
import { toHex } from '../ledger/bytes.ts';
import { decodeEntry, type Entry } from '../ledger/entry.ts';
import { MiB } from '../quantity.ts';
import { LANES, type Lane } from '../reading.ts';
import { LeastRecent } from './least-recent.ts';

/** An entry and the block that holds it. */
export type PlacedEntry = Readonly<{ lane: Lane; height: number; blockHash: Uint8Array; entry: Entry }>;

/** `not here yet`: some lane has not come so far. `nowhere`: both have, and neither has it. */
export type Found = PlacedEntry | 'not here yet' | 'nowhere';

/** `floor`: the last entry of the block before. What lies between that and `last` is in this block, or not in its lane. */
type OpenedBlock = Readonly<{ height: number; floor: number; last: number; hash: Uint8Array; entries: readonly Uint8Array[]; decoded: (Entry | undefined)[]; size: number }>;

/** What blocks that were found last may take of memory, and how much more than its bytes one takes whose entries are decoded. */
const ROOM = MiB(8);
const DECODED = 8;

/** Finds the block of an entry by the ranges in the headers, beginning where the last one was. It never reads a lane from end to end. */
export class BlockFinder {
  readonly #blocks: Pick<BlockStore, 'head' | 'block'>;
  readonly #last = new LeastRecent<string, OpenedBlock>(ROOM, ({ size }) => size);

  constructor(blocks: Pick<BlockStore, 'head' | 'block'>) {
    this.#blocks = blocks;
  }

  async find(chain: Uint8Array, entry: number): Promise<Found> {
    for (const lane of LANES) {
      const placed = placedIn(this.#last.get(nameOf({ chain, lane })), lane, entry);
      if (placed !== undefined) return placed;
    }
    let isComplete = true;
    for (const lane of LANES) {
      const found = await this.#findIn({ chain, lane }, entry);
      if (found === 'not here yet') isComplete = false;
      else if (found !== undefined) return found;
    }
    return isComplete ? 'nowhere' : 'not here yet';
  }

  /** Undefined: the lane has come beyond it without it. */
  async #findIn(id: LaneId, entry: number): Promise<PlacedEntry | 'not here yet' | undefined> {
    const near = this.#last.get(nameOf(id));
    if (near !== undefined && covers(near, entry)) return undefined;
    const head = await this.#blocks.head(id);
    if (head === undefined || head.lastEntrySequence < entry) return 'not here yet';
    const block = await this.#search(id, entry, head.height, near);
    if (block === undefined) return undefined;
    this.#last.set(nameOf(id), block);
    return placedIn(block, id.lane, entry);
  }

  /** The first block that ends with this entry or behind it: near the last one in growing steps, then between two in halves. Undefined: one is missing. */
  async #search(id: LaneId, entry: number, head: number, near: OpenedBlock | undefined): Promise<OpenedBlock | undefined> {
    const isAhead = near !== undefined && near.last < entry;
    let [low, high, floor] = isAhead ? [near.height + 1, head, near.last] : [1, near?.height ?? head, 0];
    let best: Uint8Array | undefined;
    for (let step = 1; low < high || best === undefined; step *= 2) {
      // Growing steps until one is behind it.
      const probe = isAhead && best === undefined ? Math.min(low + step - 1, high) : Math.floor((low + high) / 2);
      const bytes = await this.#blocks.block(id, probe);
      if (bytes === undefined) return undefined;
      const last = headerIn(bytes).entryRange?.[1] ?? 0;
      if (last >= entry) {
        [high, best] = [probe, bytes];
      } else {
        if (probe === high) return undefined;
        [low, floor] = [probe + 1, last];
      }
    }
    return opened(best, floor);
  }
}

function opened(bytes: Uint8Array, floor: number): OpenedBlock {
  const { header: { height, entryRange }, hash, entries } = openBlock(bytes);
  return { height, floor, last: entryRange?.[1] ?? 0, hash, entries, decoded: [], size: bytes.length * DECODED };
}

const covers = ({ floor, last }: OpenedBlock, entry: number): boolean => floor < entry && entry <= last;

const nameOf = ({ chain, lane }: LaneId): string => `${toHex(chain)}/${lane}`;

/** Numbers in a block ascend. */
function placedIn(block: OpenedBlock | undefined, lane: Lane, wanted: number): PlacedEntry | undefined {
  if (block === undefined || !covers(block, wanted)) return undefined;
  let [low, high] = [0, block.entries.length - 1];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const entry = (block.decoded[middle] ??= decodeEntry(block.entries[middle] as Uint8Array));
    if (entry.sequence === wanted) return { lane, height: block.height, blockHash: block.hash, entry };
    if (entry.sequence < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
