/** The other end of derive-thread.ts. */

import { randomBytes } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { unpackFrames } from '../frame-codec.ts';
import { Derivation } from './derivation.ts';
import type { DeriveRequest, DeriveWorkerData, WatchAnswer, WatchRequest } from './derive-thread.ts';
import { LocalDeriver } from './deriver.ts';
import { randomKeys, SubjectKeys } from './subject-keys.ts';

/**
 * A little behind the accepting thread in the queue for a core: when there are more frames than both can do, devices are
 * acknowledged first (one fifth more a second on two busy cores) and derivation catches up. With a core to spare it
 * changes nothing.
 */
const NICENESS = 5;

// Linux counts niceness by thread, and 0 is the thread that asks; elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(0, NICENESS);

const { keys, resumption: { state, committed }, begun } = workerData as DeriveWorkerData;
const derivation = new Derivation(new SubjectKeys(keys, randomKeys(randomBytes)), state, { committed, begun });
const deriver = new LocalDeriver(derivation);

parentPort?.on('message', (request: DeriveRequest | WatchRequest) => {
  if ('question' in request) {
    const { question, watchOf } = request;
    parentPort?.postMessage({ question, watch: derivation.watchOf(watchOf) } satisfies WatchAnswer);
    return;
  }
  const { first, packed, tells } = request;
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  parentPort?.postMessage(deriver.deriveNow({ first, frames: unpackFrames(bytes) }, tells));
});
