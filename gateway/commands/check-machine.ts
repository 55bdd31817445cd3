import { existsSync, readFileSync, readdirSync, statSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { systemClock } from '../ingest/clock.ts';
import { Bytes, MiB, formatBytes } from '../quantity.ts';
import { isSealed } from '../vault/sealed-files.ts';

export type Verdict = 'ok' | 'warning' | 'FAILED';
export type Finding = Readonly<{ verdict: Verdict; what: string; detail: string }>;

const LEAST_FREE = MiB(256);

export const finding = (verdict: Verdict, what: string, detail: string): Finding => ({ verdict, what, detail });

export function clockFinding(): Finding {
  const clock = systemClock();
  const now = new Date(clock.now()).toISOString();
  switch (clock.trust()) {
    case 'synchronised':
      return finding('ok', 'clock', `${now}, synchronised`);
    case 'unverified':
      return finding('warning', 'clock', `${now}, but no time service has confirmed it; start systemd-timesyncd`);
    case 'implausible':
      return finding('FAILED', 'clock', `${now} is before this program was written; set the clock`);
  }
}

export function diskFinding(data: string): Finding {
  let folder = resolve(data);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = Bytes(bavail * bsize);
  const verdict = free < LEAST_FREE ? 'FAILED' : 'ok';
  return finding(verdict, 'disk', `${formatBytes(free)} free at ${folder}; at least ${formatBytes(LEAST_FREE)} are needed`);
}

/** The folder and the key files in it. */
export function keyFindings(data: string): readonly Finding[] {
  if (!existsSync(data)) return [finding('ok', 'keys', `${data} does not exist yet; the first run makes folder and keys`)];
  const mode = (path: string): number => statSync(path).mode & 0o777;
  const files = readdirSync(data).filter((name) => name.endsWith('.key')).map((name) => join(data, name));
  return [
    mode(data) === 0o700 ? finding('ok', 'keys', `${data} has mode 700`) : finding('FAILED', 'keys', `${data} can be read by others; run: chmod 700 ${data}`),
    ...sealingOf(files.filter((file) => (mode(file) & 0o077) === 0)),
    ...files.filter((file) => (mode(file) & 0o077) !== 0).map((file) => finding('FAILED', 'keys', `${file} can be read by others; run: chmod 600 ${file}`)),
  ];
}

function sealingOf(files: readonly string[]): readonly Finding[] {
  const plain = files.filter((file) => !isSealed(readFileSync(file, 'utf8')));
  if (files.length === 0) return [];
  if (plain.length === 0) return [finding('ok', 'keys', `${files.length} key files are sealed under a passphrase`)];
  return [finding('warning', 'keys', `${plain.map((file) => basename(file)).join(', ')} in clear: whoever takes the disk has everything; the README says how to seal them`)];
}

/** Whether somebody could listen there now. */
export function checkPort(name: string, { host, port }: Readonly<{ host: string; port: number }>): Promise<Finding> {
  return new Promise((resolveFinding) => {
    const server = createServer();
    server.once('error', (error) => resolveFinding(finding('FAILED', 'ports', `${name} cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host, () => server.close(() => resolveFinding(finding('ok', 'ports', `${name} can listen on ${host}:${port}`))));
  });
}
