/**
 * A chain file: the blocks of one chain one after the other, as a CBOR sequence (RFC 8742), nothing before, between or
 * after them. Each lane is in order of height; how the two lanes alternate has no meaning.
 */

import { BlockRejected } from '../errors.ts';
import { MAX_BLOCK_BYTES, rejecting } from './block.ts';
import { type CborScan, resumeScan, startScan } from './cbor-scan.ts';

/** A whole file, or its pieces in order, cut anywhere. */
export type ChainSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

function isComplete(scan: CborScan, bytes: Uint8Array): boolean {
  const complete = rejecting(() => resumeScan(scan, bytes));
  if (scan.position > MAX_BLOCK_BYTES) throw new BlockRejected('malformed', `a block is longer than ${MAX_BLOCK_BYTES} bytes`);
  return complete;
}

/**
 * The bytes of each block, in the order of the file; keeps one block and one piece in memory. Nothing is judged but where
 * an item ends. Throws a `malformed` {@link BlockRejected} when a block is over the limit or the source ends inside one.
 * What the source throws passes through.
 */
export async function* readBlocks(source: ChainSource): AsyncGenerator<Uint8Array, void, undefined> {
  let kept: Uint8Array = new Uint8Array();
  let scan = startScan();
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
    kept = kept.length === 0 ? piece : Buffer.concat([kept, piece]);
    while (kept.length > 0 && isComplete(scan, kept)) {
      yield Uint8Array.from(kept.subarray(0, scan.position));
      kept = kept.subarray(scan.position);
      scan = startScan();
    }
  }
  if (kept.length > 0) throw new BlockRejected('malformed', `the file ends inside a block, ${kept.length} bytes after its start`);
}
