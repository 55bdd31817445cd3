import type { BlockStore, LaneId, Place } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { fingerprintBytes, type SigningKey } from '../ledger/es256k.ts';
import { signerOf, signReceipt } from '../ledger/receipt.ts';
import type { UnixMillis } from '../quantity.ts';

/** What copying needs of whoever countersigns. In a node that runs it is the witness (witness.ts). */
export interface Countersigner {
  isForked(lane: LaneId): boolean;
  /** The lane is forked, and the evidence is kept: MUST countersign nothing of it any more. */
  stop(lane: LaneId): void;
  /** Countersigns the block recorded there, unless its lane is forked. */
  receipt(place: Place): Promise<Uint8Array | undefined>;
}

export type CopyCountersignerOptions = Readonly<{ blocks: BlockStore; key: SigningKey; now: () => UnixMillis }>;

/** For a node that copies and serves nobody: blocks that were copied are the only ones there are. */
export class CopyCountersigner implements Countersigner {
  readonly #options: CopyCountersignerOptions;
  readonly #forked: Set<string>;

  /** Throws {@link StoreError}. */
  static async open(options: CopyCountersignerOptions): Promise<CopyCountersigner> {
    return new CopyCountersigner(options, new Set((await options.blocks.forks()).map(nameOf)));
  }

  private constructor(options: CopyCountersignerOptions, forked: Set<string>) {
    [this.#options, this.#forked] = [options, forked];
  }

  isForked(lane: LaneId): boolean {
    return this.#forked.has(nameOf(lane));
  }

  stop(lane: LaneId): void {
    this.#forked.add(nameOf(lane));
  }

  async receipt(place: Place): Promise<Uint8Array | undefined> {
    const { blocks, key, now } = this.#options;
    const recorded = await blocks.block(place, place.height);
    if (recorded === undefined || this.isForked(place)) return undefined;
    const fingerprint = fingerprintBytes(key.publicKey);
    const stored = (await blocks.receipts(place, place.height)).find((each) => equalBytes(signerOf(each), fingerprint));
    if (stored !== undefined) return stored;
    const { header: { chain, lane, height, treeSize, treeRoot }, hash } = openBlock(recorded);
    const receipt = signReceipt({ chain, lane, height, hash, treeSize, treeRoot, time: now() }, key);
    await blocks.putReceipt({ chain, lane }, height, fingerprint, receipt);
    return receipt;
  }
}

const nameOf = ({ chain, lane }: LaneId): string => `${toHex(chain)}/${lane}`;
