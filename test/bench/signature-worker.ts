/** Verifies signatures, and signs some, as fast as one thread can, and says how many it verified in a second. */

import { parentPort, workerData } from 'node:worker_threads';
import { signES256K, signingKeyFrom, verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';

export type SignedMessage = Readonly<{ message: Uint8Array; signature: Uint8Array; key: Uint8Array }>;
/** `signEvery`: after so many verifications one message is signed. Default: none. */
export type SignatureWork = Readonly<{ signed: readonly SignedMessage[]; seconds: number; signEvery?: number }>;

const { signed, seconds, signEvery = Infinity } = workerData as SignatureWork;
const own = signingKeyFrom(new Uint8Array(32).fill(1));
const rate = (forSeconds: number): number => {
  const began = performance.now();
  let done = 0;
  for (; performance.now() - began < forSeconds * 1000; done++) {
    const { message, signature, key } = signed[done % signed.length] as SignedMessage;
    if (!verifyWithNodeCrypto(message, signature, key)) throw new Error('a signature is not good');
    if (done % signEvery === signEvery - 1) signES256K(message, own);
  }
  return (done * 1000) / (performance.now() - began);
};
rate(Math.min(0.3, seconds / 4));
parentPort?.postMessage(rate(seconds));
