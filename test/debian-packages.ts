/**
 * The Debian packages that suites and benches need beyond those of the set-up. `npm test` (run.ts) looks for them,
 * installs what it may, and names in VITALGATE_UNAVAILABLE what is missing, so that only the suites that need it stay out.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { unpackedFile, unpackPackage } from './unpacked-packages.ts';

export type DebianPackage = Readonly<{
  name: string;
  /** Any of these shows that it is there: the name of a command, a file of the checkout (with a slash), or an absolute path. */
  shownBy: readonly string[];
  /** What cannot run without it, for people. */
  suites: string;
  /** Not installed but unpacked from this release of Debian (unpacked-packages.ts), because that of the machine is another. */
  from?: string;
}>;

const FAKETIME = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`);

/** Debian keeps the servers of every version apart, and none of them on the path. */
const POSTGRES = [14, 15, 16, 17, 18, 19].map((version) => `/usr/lib/postgresql/${version}/bin/initdb`);

const DEBIAN_PACKAGES: readonly DebianPackage[] = [
  { name: 'chromium', shownBy: ['/usr/bin/chromium'], suites: 'the page that verifies, in a browser' },
  { name: 'mosquitto', shownBy: ['mosquitto', '/usr/sbin/mosquitto'], suites: 'the comparison in "npm run bench -- ingest"' },
  { name: 'mosquitto-clients', shownBy: ['mosquitto_pub'], suites: 'readings published by a foreign client' },
  { name: 'gcc', shownBy: ['gcc'], suites: 'links between a house and a hospital in network namespaces' },
  { name: 'iproute2', shownBy: ['ip', '/usr/sbin/ip'], suites: 'links between a house and a hospital in network namespaces' },
  { name: 'libfaketime', shownBy: FAKETIME, suites: 'hours of a gateway in minutes: what is pruned by age, and "npm run bench -- backlog"' },
  { name: 'nats-server', shownBy: ['nats-server', '/usr/sbin/nats-server'], suites: 'NATS servers that are too old' },
  { name: 'nats-server-2.10', shownBy: [`./${unpackedFile('trixie', 'usr/sbin/nats-server')}`], suites: 'the store of a hospital on NATS', from: 'trixie' },
  { name: 'openssl', shownBy: ['openssl'], suites: 'certificates and requests, made and judged by openssl' },
  { name: 'postgresql', shownBy: POSTGRES, suites: 'the store of a hospital on PostgreSQL, with standbys and without' },
  { name: 'python3-paho-mqtt', shownBy: ['/usr/lib/python3/dist-packages/paho/mqtt/client.py'], suites: 'Paho for Python over TLS' },
  { name: 'socat', shownBy: ['socat'], suites: 'serial lines, through pseudo-terminals' },
  {
    name: 'librocksdb-dev',
    shownBy: ['/usr/include/rocksdb/db.h', './node_modules/rocksdb/build/Release/leveldown.node'],
    suites: 'every suite over the RocksDB store',
  },
];

const ROOT = resolve(import.meta.dirname, '..');

function isThere(place: string): boolean {
  const files = place.includes('/')
    ? [isAbsolute(place) ? place : join(ROOT, place)]
    : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, place));
  return files.some((file) => {
    try {
      accessSync(file, place.includes('/') ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function missingPackages(): DebianPackage[] {
  return DEBIAN_PACKAGES.filter(({ shownBy }) => !shownBy.some(isThere));
}

export function aptLine(packages: readonly DebianPackage[]): string {
  return `sudo apt-get install -y ${packages.filter(({ from }) => from === undefined).map(({ name }) => name).join(' ')}`;
}

/** Installs them if that needs no one's password; look again to see what is there now. */
export function tryToInstall(missing: readonly DebianPackage[]): void {
  for (const { name, from } of missing) if (from !== undefined) unpackPackage(name.replace(/-[\d.]+$/, ''), from);
  const packages = missing.filter(({ from }) => from === undefined);
  if (packages.length === 0) return;
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const run = (...words: string[]): boolean => {
    const [command = '', ...rest] = [...sudo, ...words];
    return spawnSync(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  };
  if (sudo.length > 0 && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) return;
  const install = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '--no-install-recommends'];
  const names = packages.map(({ name }) => name);
  // On a machine whose package lists are old or absent the first attempt fails.
  if (!run(...install, ...names) && run('apt-get', 'update')) run(...install, ...names);
}

/**
 * For a suite that needs Debian packages:
 *
 *     const needed = needs('mosquitto-clients');
 *     describe.skipIf(needed.missing)(`a foreign client${needed.note}`, () => { … });
 *
 * `note` is how `npm test` finds the suites it must name at the end; without it a skipped suite is just skipped.
 */
export function needs(...names: readonly string[]): Readonly<{ missing: boolean; note: string }> {
  const unknown = names.filter((name) => !DEBIAN_PACKAGES.some((each) => each.name === name));
  if (unknown.length > 0) throw new TypeError(`not in the table of test/debian-packages.ts: ${unknown.join(', ')}`);
  const unavailable = (process.env['VITALGATE_UNAVAILABLE'] ?? '').split(',');
  const missing = names.filter((name) => unavailable.includes(name));
  return { missing: missing.length > 0, note: missing.length > 0 ? ` ${NOTE_START}${missing.join(' ')}]` : '' };
}

/** How the note of a suite that could not run begins. */
export const NOTE_START = '[needs ';
