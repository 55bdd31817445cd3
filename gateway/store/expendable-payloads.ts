import type { Expendable, Sacrifice } from '../disk/disk-keeper.ts';
import type { BlockStore } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { decodeEntry } from '../ledger/entry.ts';
import type { Bytes, Millis, UnixMillis } from '../quantity.ts';
import type { KeyValueStore } from './key-value.ts';
import { payloadKey, payloadsDroppedKey } from './keys.ts';

export type ExpendablePayloadsOptions = Readonly<{
  what: 'payloads' | 'unreceipted_payloads';
  store: KeyValueStore;
  blocks: BlockStore;
  chain: Uint8Array;
  /** Up to which block of the record lane payloads may go; undefined while none may. */
  through: () => Promise<number | undefined>;
  /** How long they are kept where there is room, and the time now. Default: for ever. */
  keep?: Readonly<{ time: Millis; now: () => UnixMillis }>;
}>;

/** Blocks that are looked through at once. */
const MOST_BLOCKS = 500;

type Planned = Readonly<{ sequences: readonly number[]; through: number; bytes: number }>;
type Limits = Readonly<{ bytes: number; before: number }>;

/**
 * Payloads of summaries in the record lane, oldest first. What people decided, and whatever is in the alarm lane, stays; of what goes, the
 * commitment stays in the chain.
 */
export class ExpendablePayloads implements Expendable {
  readonly #options: ExpendablePayloadsOptions;
  #planned: Planned | undefined;

  constructor(options: ExpendablePayloadsOptions) {
    this.#options = options;
  }

  async next(bytes: Bytes): Promise<Omit<Sacrifice, 'why'> | undefined> {
    return await this.#plan({ bytes, before: Number.POSITIVE_INFINITY });
  }

  async aged(): Promise<Omit<Sacrifice, 'why'> | undefined> {
    const { keep } = this.#options;
    return keep === undefined ? undefined : await this.#plan({ bytes: Number.POSITIVE_INFINITY, before: keep.now() - keep.time });
  }

  async drop(): Promise<void> {
    const { store } = this.#options;
    if (this.#planned === undefined) return;
    const { sequences, through } = this.#planned;
    await store.write([...sequences.map((sequence) => ({ key: payloadKey(sequence) })), { key: payloadsDroppedKey(), value: heightBytes(through) }], { sync: true });
    this.#planned = undefined;
    await store.compact({ gte: payloadKey(sequences[0] ?? 0), lt: payloadKey((sequences.at(-1) ?? 0) + 1) });
  }

  async #plan(limits: Limits): Promise<Omit<Sacrifice, 'why'> | undefined> {
    const through = (await this.#options.through()) ?? -1;
    let after = await this.#dropped();
    for (;;) {
      const planned = await this.#look(after, through, limits);
      if (planned === undefined) return undefined;
      const { sequences } = planned;
      const [first, last] = [sequences[0], sequences.at(-1)];
      if (first !== undefined && last !== undefined) {
        this.#planned = planned;
        return { what: this.#options.what, first, last, count: sequences.length };
      }
      // Nothing in these: the next time begins behind them.
      after = planned.through;
      await this.#options.store.write([{ key: payloadsDroppedKey(), value: heightBytes(after) }], { sync: false });
    }
  }

  async #look(after: number, through: number, { bytes: most, before }: Limits): Promise<Planned | undefined> {
    const { blocks, chain, store } = this.#options;
    const sequences: number[] = [];
    let [height, bytes] = [after, 0];
    for await (const block of blocks.blocks({ chain, lane: 'record' }, after + 1)) {
      const { header, entries } = openBlock(block);
      if (header.height > through || header.time >= before || height - after >= MOST_BLOCKS || bytes >= most) break;
      height = header.height;
      for (const { kind, sequence } of entries.map(decodeEntry)) {
        const payload = kind === 'summary' ? await store.get(payloadKey(sequence)) : undefined;
        if (payload === undefined) continue;
        sequences.push(sequence);
        bytes += payload.length;
      }
    }
    return height === after ? undefined : { sequences, through: height, bytes };
  }

  /** Up to which block they are gone. */
  async #dropped(): Promise<number> {
    const bytes = await this.#options.store.get(payloadsDroppedKey());
    return bytes === undefined ? -1 : Number(Buffer.from(bytes).readBigInt64BE(0));
  }
}

function heightBytes(height: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(height));
  return bytes;
}
