import { readFileSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Bytes } from '../quantity.ts';
import type { DiskUse } from './disk-budget.ts';

/** What a folder takes with all below it, and what its file system has left for us. */
export async function measureDisk(folder: string): Promise<DiskUse> {
  const { bavail, bsize } = await statfs(folder);
  return { used: Bytes(await sizeOf(folder)), free: Bytes(bavail * bsize) };
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { withFileTypes: true });
  const sizes = await Promise.all(names.map(async (each) => {
    const path = join(folder, each.name);
    try {
      return each.isDirectory() ? await sizeOf(path) : each.isFile() ? (await stat(path)).size : 0;
    } catch {
      // RocksDB has removed it in the meantime.
      return 0;
    }
  }));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * Bytes that this process has caused to be written to disks since its start (Linux, proc(5): `write_bytes`). What the card itself writes beyond
 * that, nobody is told. Undefined where the kernel does not say.
 */
export function bytesWritten(): Bytes | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1];
    return found === undefined ? undefined : Bytes(Number(found));
  } catch {
    return undefined;
  }
}
