/** Which of the files that somebody dropped is what. */

import { BlockRejected } from '../errors.ts';
import { openBlock, type OpenBlock } from '../ledger/block.ts';
import { CborError } from '../ledger/cbor.ts';
import { readBlocks } from '../ledger/chain-file.ts';
import { decodeEntry } from '../ledger/entry.ts';
import { isGrowth } from '../ledger/growth-proof.ts';

export type FileKind = 'policy' | 'proof' | 'fork' | 'chain' | 'entry' | 'receipt';

const PROOF = 'c2sp.org/tlog-proof@v1\n';

/** By its bytes; a name may say anything. What is nothing else, and no text, is taken for a COSE receipt, and judged as one. */
export async function kindOf(bytes: Uint8Array): Promise<FileKind | undefined> {
  const text = textIn(bytes);
  if (text !== undefined) {
    if (text.startsWith(PROOF) || isGrowth(text)) return 'proof';
    return /^\s*(#.*\n\s*)*(log|witness|group|quorum)\s/.test(text) ? 'policy' : undefined;
  }
  if (isEntry(bytes)) return 'entry';
  const blocks = await firstBlocks(bytes);
  if (blocks === undefined) return 'receipt';
  const [one, other] = blocks;
  return other !== undefined && blocks.length === 2 && one?.header.lane === other.header.lane && (one.header.height === other.header.height) ? 'fork' : 'chain';
}

/** Undefined for bytes that are no text. */
export function textIn(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return /\p{Cc}/u.test(text.replaceAll(/[\t\n\r]/g, '')) ? undefined : text;
  } catch {
    return undefined;
  }
}

function isEntry(bytes: Uint8Array): boolean {
  try {
    decodeEntry(bytes);
    return true;
  } catch (error) {
    if (error instanceof CborError) return false;
    throw error;
  }
}

/** Up to three; undefined where the first is none. A block that is broken further on is the chain's fault, not the file's. */
async function firstBlocks(bytes: Uint8Array): Promise<readonly OpenBlock[] | undefined> {
  const blocks: OpenBlock[] = [];
  try {
    for await (const block of readBlocks(bytes)) {
      blocks.push(openBlock(block));
      if (blocks.length === 3) break;
    }
  } catch (error) {
    if (!(error instanceof BlockRejected)) throw error;
  }
  return blocks.length === 0 ? undefined : blocks;
}
