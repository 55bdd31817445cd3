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

type OpenedBlock = Readonly<{ height: number; first: number; last: number; hash: Uint8Array; entries: readonly Uint8Array[]; decoded: (Entry | undefined)[]; size: number }>;

/** What blocks that were found last may weigh. */
const ROOM = MiB(4);

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
    const last = this.#last.get(nameOf(id));
    if (last !== undefined && last.first <= entry && entry <= last.last) return undefined;
    const head = await this.#blocks.head(id);
    if (head === undefined || head.lastEntrySequence < entry) return 'not here yet';
    const height = await this.#heightOf(id, entry, head.height, last);
    if (height === undefined) return undefined;
    const block = await this.#open(id, height);
    return placedIn(block, id.lane, entry);
  }

  /** The first block that ends with this entry or behind it: near the last one in growing steps, then between two in halves. */
  async #heightOf(id: LaneId, entry: number, head: number, near: OpenedBlock | undefined): Promise<number | undefined> {
    let [low, high] = near === undefined ? [1, head] : near.last < entry ? [near.height + 1, head] : [1, near.height];
    for (let step = 1; near !== undefined && near.last < entry && low < high; step *= 2) {
      const probe = Math.min(low + step - 1, high);
      const last = await this.#lastOf(id, probe);
      if (last === undefined) return undefined;
      if (last >= entry) {
        high = probe;
        break;
      }
      low = probe + 1;
    }
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const last = await this.#lastOf(id, middle);
      if (last === undefined) return undefined;
      if (last >= entry) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Number of a block's last entry. */
  async #lastOf(id: LaneId, height: number): Promise<number | undefined> {
    const bytes = await this.#blocks.block(id, height);
    return bytes === undefined ? undefined : (headerIn(bytes).entryRange?.[1] ?? 0);
  }

  async #open(id: LaneId, height: number): Promise<OpenedBlock | undefined> {
    const bytes = await this.#blocks.block(id, height);
    if (bytes === undefined) return undefined;
    const { header: { entryRange: [first, last] = [0, 0] }, hash, entries } = openBlock(bytes);
    const block = { height, first, last, hash, entries, decoded: [], size: bytes.length };
    this.#last.set(nameOf(id), block);
    return block;
  }
}

const nameOf = ({ chain, lane }: LaneId): string => `${toHex(chain)}/${lane}`;

/** Numbers in a block ascend. */
function placedIn(block: OpenedBlock | undefined, lane: Lane, wanted: number): PlacedEntry | undefined {
  if (block === undefined || wanted < block.first || wanted > block.last) return undefined;
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
