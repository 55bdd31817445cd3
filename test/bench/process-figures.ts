import { readFileSync } from 'node:fs';

/** USER_HZ, the unit of times in /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;
const MB = 1e6;

export type Memory = Readonly<{
  /** Resident now, and the most it ever was. */
  rss: number;
  peak: number;
  /** Resident memory of its own, and pages of files (program text), which processes of one program share. */
  anonymous: number;
  file: number;
}>;

/** Memory of a process in MB (1,000,000 bytes), from /proc/<pid>/status (proc(5)). */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? NaN) * KIB) / MB;
  return { rss: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon'), file: field('RssFile') };
}

/** Seconds of CPU, user and system, of all threads of a process since it started. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; utime and stime are the 14th and 15th field, the 12th and 13th after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
