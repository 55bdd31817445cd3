/** The other end of derive-thread.ts. */

import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { unpackFrames } from '../frame-codec.ts';
import { Derivation } from './derivation.ts';
import type { DeriveRequest, DeriveWorkerData } from './derive-thread.ts';
import { LocalDeriver } from './deriver.ts';
import { SubjectSecrets } from './secrets.ts';

/**
 * A little behind the accepting thread in the queue for a core: when there are more frames than both can do, devices are
 * acknowledged first (one fifth more a second on two busy cores) and derivation catches up. With a core to spare it
 * changes nothing.
 */
const NICENESS = 5;

// Linux counts niceness by thread, and 0 is the thread that asks; elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(0, NICENESS);

const { subjectKey, resumption: { state, committed } } = workerData as DeriveWorkerData;
const deriver = new LocalDeriver(new Derivation(new SubjectSecrets(subjectKey), state, { committed }));

parentPort?.on('message', ({ first, packed }: DeriveRequest) => {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  parentPort?.postMessage(deriver.deriveNow({ first, frames: unpackFrames(bytes) }));
});
