/** Verifies signatures as fast as one thread can, and says how many it did in a second. */

import { parentPort, workerData } from 'node:worker_threads';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';

export type SignedMessage = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;
export type SignatureWork = Readonly<{ signed: readonly SignedMessage[]; seconds: number }>;

const { signed, seconds } = workerData as SignatureWork;
const rate = (forSeconds: number): number => {
  const began = performance.now();
  let done = 0;
  for (; performance.now() - began < forSeconds * 1000; done++) {
    const { message, signature, key } = signed[done % signed.length] as SignedMessage;
    if (!verifyWithNodeCrypto(message, signature, key)) throw new Error('a signature is not good');
  }
  return (done * 1000) / (performance.now() - began);
};
rate(Math.min(0.3, seconds / 4));
parentPort?.postMessage(rate(seconds));
