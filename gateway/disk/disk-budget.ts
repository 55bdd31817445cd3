/** How full the disk is, against what the gateway may take of it. Pure. */

import { type Bytes, Bytes as bytes, MiB } from '../quantity.ts';

export type DiskUse = Readonly<{
  /** Of the data folder. */
  used: Bytes;
  /** That the file system has left. */
  free: Bytes;
}>;

/** `roomy`: nothing has to go; `tight`: the least important goes; `full`: no more readings are taken. */
export const DISK_LEVELS = ['roomy', 'tight', 'full'] as const;
export type DiskLevel = (typeof DISK_LEVELS)[number];

/** Part of the limit from which on the least important goes, and down to which it goes. */
const TIGHT = 0.9;
const ROOMY = 0.85;
/** Full until there is so much room again: a reading that is taken must not be the last. */
const FULL_UNTIL = 0.97;
/** Of the file system, for compaction and for whoever else writes there. */
const RESERVE: Bytes = MiB(64);
/** Where no limit is set: what there is, less a tenth. */
const DEFAULT_SHARE = 0.9;

/** What the gateway may take: as configured, or nine tenths of what it has and could have, and never more than there is. */
export function limitFor({ used, free }: DiskUse, configured: Bytes | undefined): Bytes {
  const there = Math.max(0, used + free - RESERVE);
  return bytes(Math.floor(Math.min(configured ?? there * DEFAULT_SHARE, there)));
}

export function levelOf({ used, free }: DiskUse, limit: Bytes, before: DiskLevel): DiskLevel {
  const share = limit === 0 ? 1 : used / limit;
  const room = before === 'full' ? free >= RESERVE * 1.5 && share < FULL_UNTIL : free >= RESERVE && share < 1;
  if (!room) return 'full';
  return share >= TIGHT ? 'tight' : 'roomy';
}

/** How many bytes have to go so that there is room again; 0 while there is. `isGoing`: something went already, and it goes on until there is some room. */
export function excessOf({ used, free }: DiskUse, limit: Bytes, isGoing: boolean): Bytes {
  const over = used >= limit * (isGoing ? ROOMY : TIGHT) ? used - limit * ROOMY : 0;
  const short = free < RESERVE * 2 ? RESERVE * 2 - free : 0;
  return bytes(Math.ceil(Math.max(over, short)));
}
