/** The definitions of RFC 9162 §2.1 written down as they stand there: slow, recursive, over whole lists. For tests only. */

import { createHash } from 'node:crypto';

function hash(...parts: Uint8Array[]): Uint8Array {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return Uint8Array.from(digest.digest());
}

function split(n: number): number {
  return 2 ** (Math.ceil(Math.log2(n)) - 1);
}

/** MTH(D[n]), §2.1.1. */
export function referenceRoot(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return hash();
  if (entries.length === 1) return hash(Uint8Array.of(0), entries[0] as Uint8Array);
  const k = split(entries.length);
  return hash(Uint8Array.of(1), referenceRoot(entries.slice(0, k)), referenceRoot(entries.slice(k)));
}

/** PATH(m, D[n]), §2.1.3.1. */
export function referencePath(m: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  if (m < k) return [...referencePath(m, entries.slice(0, k)), referenceRoot(entries.slice(k))];
  return [...referencePath(m - k, entries.slice(k)), referenceRoot(entries.slice(0, k))];
}

/** PROOF(m, D[n]), §2.1.4.1. */
export function referenceConsistency(m: number, entries: readonly Uint8Array[]): Uint8Array[] {
  return subproof(m, entries, true);
}

function subproof(m: number, entries: readonly Uint8Array[], isOldRoot: boolean): Uint8Array[] {
  if (m === entries.length) return isOldRoot ? [] : [referenceRoot(entries)];
  const k = split(entries.length);
  if (m <= k) return [...subproof(m, entries.slice(0, k), isOldRoot), referenceRoot(entries.slice(k))];
  return [...subproof(m - k, entries.slice(k), false), referenceRoot(entries.slice(0, k))];
}
