/**
 * Gateways on links that cost keep waveforms until a cheap one is there. A hospital that needs those of a chain now asks for them until a
 * certain time; its node says so in every answer to a release. One file for each chain, in the folder `asked`: the time, Unix milliseconds.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../ledger/bytes.ts';
import type { UnixMillis } from '../quantity.ts';

const pathOf = (data: string, chain: Uint8Array): string => join(data, 'asked', toHex(chain));

/** Works beside the running node. */
export function askForDetails(data: string, chain: Uint8Array, until: UnixMillis): void {
  mkdirSync(join(data, 'asked'), { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(data, chain), `${until}\n`, { mode: 0o600, flush: true });
}

/** Whether somebody here asks for them now. A file that cannot be read asks for nothing. */
export function areDetailsAsked(data: string, chain: Uint8Array, now: UnixMillis): boolean {
  try {
    return now < Number(readFileSync(pathOf(data, chain), 'utf8'));
  } catch {
    return false;
  }
}
