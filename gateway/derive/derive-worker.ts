/** The other end of derive-thread.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { unpackFrames } from '../frame-codec.ts';
import { Derivation } from './derivation.ts';
import type { DeriveRequest, DeriveWorkerData } from './derive-thread.ts';
import { LocalDeriver } from './deriver.ts';
import { SubjectSecrets } from './secrets.ts';

const { subjectKey, state } = workerData as DeriveWorkerData;
const deriver = new LocalDeriver(new Derivation(new SubjectSecrets(subjectKey), state));

parentPort?.on('message', ({ first, packed }: DeriveRequest) => {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  parentPort?.postMessage(deriver.deriveNow({ first, frames: unpackFrames(bytes) }));
});
