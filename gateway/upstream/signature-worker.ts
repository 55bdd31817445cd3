/** The other end of signature-threads.ts. */

import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { verifyWithNodeCrypto } from '../ledger/es256k.ts';
import { type SignatureAnswer, type SignatureJob, unpackSigned } from './signature-threads.ts';

/** Behind the thread that judges, appends and answers gateways, where there are fewer cores than threads: everything here waits for that one. */
const NICENESS = 5;

// Linux counts niceness by thread, and 0 is the thread that asks; elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(0, NICENESS);

parentPort?.on('message', ({ number, packed }: SignatureJob) => {
  const good = unpackSigned(packed).map(({ message, signature, key }) => verifyWithNodeCrypto(message, signature, key));
  parentPort?.postMessage({ number, good } satisfies SignatureAnswer);
});
