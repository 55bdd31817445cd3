/** Copies the receipts that the node of another hospital has, its own and others', so that whoever has all blocks can also prove who countersigned them. */

import type { BlockStore, LaneId } from '../ledger/block-store.ts';
import { openBlock } from '../ledger/block.ts';
import { equalBytes } from '../ledger/bytes.ts';
import { DOMAINS, openSign1, signedBytes } from '../ledger/cose.ts';
import { CborError } from '../ledger/cbor.ts';
import { fingerprintBytes, type SignatureCheck } from '../ledger/es256k.ts';
import { readReceipt, ReceiptRejected, signerOf, verifyReceipt } from '../ledger/receipt.ts';
import { type Term, termAt, termsOf } from '../ledger/terms.ts';
import type { PeerClient } from './peer-client.ts';
import type { SignatureThreads } from './signature-threads.ts';

/** Receipts that are verified together. */
const RUN = 256;
/** Heights below the head that are looked at for the last receipt of a peer. */
const LOOK_BACK = 1024;

/** `through`: the last height of which there was one; `message`: what was wrong with one, which ended it. */
export type ReceiptsCopied = Readonly<{ kept: number; through: number | undefined; message?: string }>;

/** The height after the newest receipt of that key that is here, as far as is looked back; 0 where there is none. Throws {@link StoreError}. */
export async function receiptsNeededFrom(blocks: BlockStore, id: LaneId, key: Uint8Array): Promise<number> {
  const head = (await blocks.head(id))?.height ?? -1;
  const fingerprint = fingerprintBytes(key);
  for (let height = head; height > Math.max(-1, head - LOOK_BACK); height--) {
    if ((await blocks.receipts(id, height)).some((receipt) => equalBytes(signerOf(receipt), fingerprint))) return height + 1;
  }
  return 0;
}

/**
 * Keeps receipts from that height on that are of a hospital of their time and of the very block that is here. Those of others are left out; one that is
 * not what it says ends it. Rejects with {@link PeerError} or {@link StoreError}.
 */
export async function copyReceipts(blocks: BlockStore, id: LaneId, { peer, from, signatures }: Readonly<{ peer: PeerClient; from: number; signatures: SignatureThreads }>, signal: AbortSignal): Promise<ReceiptsCopied> {
  const [terms, head] = [await termsOf(blocks, id), (await blocks.head(id))?.height ?? -1];
  let [kept, through]: [number, number | undefined] = [0, undefined];
  try {
    for await (const run of runsOf(peer.receipts(id, from, signal))) {
      const found = run.map((bytes) => ({ bytes, height: readReceipt(bytes).height })).filter(({ height }) => height <= head);
      const candidates = found.map((each) => ({ ...each, key: keyOf(terms, each) })).filter((each): each is typeof each & { key: Uint8Array } => each.key !== undefined);
      const check = await signatures.ahead(candidates.map(({ bytes, key }) => signedIn(bytes, key)));
      for (const { bytes, height, key } of candidates) {
        if (await keep(blocks, id, { bytes, height, key }, check)) kept += 1;
      }
      through = found.at(-1)?.height ?? through;
      if (found.length < run.length) break;
    }
    return { kept, through };
  } catch (thrown) {
    if (thrown instanceof ReceiptRejected || thrown instanceof CborError) return { kept, through, message: `a receipt is not what it says: ${thrown.message}` };
    throw thrown;
  }
}

type Candidate = Readonly<{ bytes: Uint8Array; height: number; key: Uint8Array }>;

async function keep(blocks: BlockStore, id: LaneId, { bytes, height, key }: Candidate, check: SignatureCheck): Promise<boolean> {
  const fingerprint = fingerprintBytes(key);
  if ((await blocks.receipts(id, height)).some((receipt) => equalBytes(signerOf(receipt), fingerprint))) return false;
  const block = await blocks.block(id, height);
  if (block === undefined) return false;
  const { header: { treeSize, treeRoot }, hash } = openBlock(block);
  verifyReceipt(bytes, { ...id, key, height, hash, treeSize, treeRoot }, check);
  await blocks.putReceipt(id, height, fingerprint, bytes);
  return true;
}

/** The key of the hospital in force at that height whose receipt it says it is. */
function keyOf(terms: readonly Term[], { bytes, height }: Omit<Candidate, 'key'>): Uint8Array | undefined {
  const signer = signerOf(bytes);
  return termAt(terms, height).authority.hospitals.find(({ key }) => equalBytes(fingerprintBytes(key), signer))?.key;
}

function signedIn(bytes: Uint8Array, key: Uint8Array): Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }> {
  const { payload, signature } = openSign1(bytes);
  return { message: signedBytes(payload, DOMAINS.receipt), signature, key };
}

async function* runsOf(receipts: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  let run: Uint8Array[] = [];
  for await (const receipt of receipts) {
    if (run.push(receipt) < RUN) continue;
    yield run;
    run = [];
  }
  if (run.length > 0) yield run;
}
