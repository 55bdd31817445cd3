/**
 * What this hospital has promised by signing a replacement of a gateway's key: no block of the old key above the heights the replacement
 * names, or a thief could go on before it is in force. One file for each chain, in the folder `promises`, as the change was signed.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../ledger/bytes.ts';
import type { Replacement, SignedChange } from '../ledger/change.ts';
import { formatChange, parseChange } from '../ledger/change-file.ts';
import type { VerifiedBlock } from '../ledger/verify.ts';
import type { UnixMillis } from '../quantity.ts';

const pathOf = (data: string, chain: Uint8Array): string => join(data, 'promises', `${toHex(chain)}.change`);

/** Durable enough for its purpose when it returns: it is written before the signature is. */
export function promise(data: string, signed: SignedChange): void {
  mkdirSync(join(data, 'promises'), { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(data, signed.change.chain), formatChange(signed, []), { mode: 0o600, flush: true });
}

/** Does nothing where nothing was promised. */
export function takeBack(data: string, chain: Uint8Array): void {
  rmSync(pathOf(data, chain), { force: true });
}

/** Undefined where nothing is promised. Throws CborError for a file that is damaged. */
export function promisedFor(data: string, chain: Uint8Array): Replacement | undefined {
  const { change } = read(pathOf(data, chain)) ?? {};
  return change?.type === 'replacement' ? change : undefined;
}

/** Whether a promise that holds at that time keeps the block from being taken. */
export function isForbidden(promised: Replacement | undefined, { state }: Pick<VerifiedBlock, 'state'>, now: UnixMillis): boolean {
  if (promised === undefined || state.authority.number >= promised.number || state.height <= promised.last[state.lane]) return false;
  return promised.expires === undefined || promised.expires >= now;
}

function read(path: string): SignedChange | undefined {
  try {
    return parseChange(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
