/**
 * Evidence that a gateway told two histories: two blocks that one key signed and that cannot stand in one chain. Whoever has
 * both blocks has the proof; nobody has to be believed but the gateway itself.
 */

import { BlockRejected } from '../errors.ts';
import type { OpenBlock } from './block.ts';
import { equalBytes, toHex } from './bytes.ts';
import { DOMAINS, verifySign1 } from './cose.ts';
import type { SignatureCheck } from './es256k.ts';

export type ForkVerdict = Readonly<{ chain: Uint8Array; lane: string; height: number; /** Hashes of the two blocks. */ hashes: readonly [Uint8Array, Uint8Array] }>;

/**
 * Judges two blocks, in any order. `gateway`: the key that is accused, 33 bytes. Throws {@link BlockRejected} with the reason why they
 * prove nothing: `bad_signature`, `wrong_chain`, `wrong_lane`, or `wrong_height` when both can stand in one chain.
 */
export function verifyFork(one: OpenBlock, other: OpenBlock, gateway: Uint8Array, check: SignatureCheck): ForkVerdict {
  for (const { envelope, header } of [one, other]) {
    if (!verifySign1(envelope, gateway, DOMAINS.block, check)) throw new BlockRejected('bad_signature', `the block of height ${header.height} was not signed by gateway key ${toHex(gateway)}`);
  }
  if (!equalBytes(one.header.chain, other.header.chain)) throw new BlockRejected('wrong_chain', 'the blocks are of two chains');
  if (one.header.lane !== other.header.lane) throw new BlockRejected('wrong_lane', 'the blocks are of two lanes, which have heights of their own');
  const [first, second] = one.header.height <= other.header.height ? [one, other] : [other, one];
  const { chain, lane, height } = second.header;
  if (equalBytes(first.hash, second.hash)) throw new BlockRejected('wrong_height', `both are the same block of height ${height}`);
  const isRival = first.header.height === height;
  const isTorn = first.header.height + 1 === height && !equalBytes(second.header.prev, first.hash);
  if (!isRival && !isTorn) throw new BlockRejected('wrong_height', `blocks ${first.header.height} and ${height} can both stand in one chain`);
  return { chain, lane, height, hashes: [first.hash, second.hash] };
}
