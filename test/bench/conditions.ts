import { closeSync, fdatasyncSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { median, rounded } from './figures.ts';

/** What figures depend on besides the program. Every figure is printed together with these. */
export type Conditions = Readonly<{
  /** File system and device of the data folder. */
  medium: string;
  /** Median time of a 4 KiB write with fdatasync in the data folder: what one group commit costs at least. */
  fdatasync_ms: number;
  cores: number;
  cpu: string;
  node: string;
}>;

const SYNC_PROBES = 60;

export function conditionsIn(folder: string): Conditions {
  return {
    medium: mediumOf(folder),
    fdatasync_ms: rounded(syncTime(folder)),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    node: process.version,
  };
}

/** From /proc/self/mountinfo (proc(5)): the mount with the longest mount point above the folder. */
function mediumOf(folder: string): string {
  const path = `${realpathSync(folder)}/`;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n').map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [type = '', source = ''] = right.split(' ');
    return { point: (left.split(' ')[4] ?? '').replace(/\/?$/, '/'), type, source };
  });
  const holding = mounts.filter(({ point }) => path.startsWith(point)).sort((a, b) => a.point.length - b.point.length).at(-1);
  return holding === undefined ? 'unknown' : `${holding.type} on ${holding.source}`;
}

export const isInMemory = ({ medium }: Conditions): boolean => /^(tmpfs|ramfs) /.test(medium);

function syncTime(folder: string): number {
  const path = join(folder, 'sync-probe');
  const file = openSync(path, 'w');
  const page = Buffer.alloc(4096, 1);
  try {
    const times = Array.from({ length: SYNC_PROBES }, () => {
      const start = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      return performance.now() - start;
    });
    return median(times) ?? 0;
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
