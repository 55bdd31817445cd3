/**
 * Evidence of forks as files, in the folder `evidence`, to be taken to whoever has to decide: the two blocks one after the other, as `vitalgate verify fork`
 * and the verifier's page read them. The store has them too; a file that is missing is written again when the node starts.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fork } from '../ledger/block-store.ts';
import { toHex } from '../ledger/bytes.ts';

/** Writes the file unless it is there, and returns its path. Throws what the file system says. */
export function writeEvidence(data: string, { chain, lane, height, recorded, offered }: Fork): string {
  const folder = join(data, 'evidence');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${toHex(chain)}-${lane}-${height}.fork`);
  if (!existsSync(path)) writeFileSync(path, Buffer.concat([recorded, offered]), { mode: 0o600, flush: true });
  return path;
}
