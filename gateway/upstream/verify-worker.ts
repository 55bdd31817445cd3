/** A thread that judges and signs for verify-pool.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { signingKeyFrom } from '../ledger/es256k.ts';
import type { TreeNode } from '../ledger/merkle.ts';
import { signReceipt } from '../ledger/receipt.ts';
import { judgeRun, type GoodBlock, type JudgedRun, type PlacedBlock } from './verifier.ts';
import { NODE_BYTES, type Job, type PackedGood, type PackedRun, type WorkerAnswer } from './verify-pool.ts';

const key = signingKeyFrom((workerData as Readonly<{ secret: Uint8Array }>).secret);

parentPort?.on('message', ({ number, work }: Job) => {
  const answer: WorkerAnswer = 'receipt' in work ? { number, receipt: copy(signReceipt(work.receipt, key)) } : { number, judged: packed(judgeRun(work.run)) };
  parentPort?.postMessage(answer);
});

/** A view into a larger buffer would take all of that along. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function packed({ below, good, after, stopped }: JudgedRun): PackedRun {
  return {
    below: below.map(placed),
    good: good.map(packedGood),
    ...(after && { after: copy(after) }),
    ...(stopped && { stopped: stopped.outcome === 'unfitting' ? { ...stopped, block: placed(stopped.block) } : stopped }),
  };
}

const placed = ({ height, hash, prev }: PlacedBlock): PlacedBlock => ({ height, hash: copy(hash), prev: copy(prev) });

function packedGood({ header, hash, sequences, nodes }: GoodBlock): PackedGood {
  const { chain, prev, treeRoot, contracts, nonce, parameters, ...rest } = header;
  const copied = { ...rest, chain: copy(chain), prev: copy(prev), treeRoot: copy(treeRoot), contracts: contracts.map(copy), ...(nonce && { nonce: copy(nonce) }), ...(parameters && { parameters: copy(parameters) }) };
  return { header: copied, hash: copy(hash), sequences, nodes: packedNodes(nodes) };
}

function packedNodes(nodes: readonly TreeNode[]): Uint8Array {
  const bytes = Buffer.alloc(nodes.length * NODE_BYTES);
  for (const [position, { level, index, hash }] of nodes.entries()) {
    const at = position * NODE_BYTES;
    bytes.writeUInt8(level, at);
    bytes.writeBigUInt64BE(BigInt(index), at + 1);
    bytes.set(hash, at + 9);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
