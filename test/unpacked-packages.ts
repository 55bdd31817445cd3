/**
 * Packages of another release of Debian than the machine's, unpacked into a folder of the checkout: nothing of the system changes, not even its lists of
 * packages.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where a file of a package is, from the root of the checkout. */
export const unpackedFile = (release: string, path: string): string => `node_modules/.cache/debian-${release}/${path}`;

/** Look afterwards whether it is there: without Debian's apt, or without a network, it is not. */
export function unpackPackage(name: string, release: string): void {
  const mirror = mirrorOfTheMachine();
  if (mirror === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-apt-'));
  try {
    for (const each of ['state/lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, each), { recursive: true });
    writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${release} main\n`);
    const settings = {
      'Dir::State': join(folder, 'state'), 'Dir::State::status': '/dev/null', 'Dir::Cache': join(folder, 'cache'),
      'Dir::Etc::SourceList': join(folder, 'sources.list'), 'Dir::Etc::SourceParts': '/dev/null',
      'Acquire::Languages': 'none', 'APT::Sandbox::User': 'root',
    };
    const apt = (...words: readonly string[]): boolean => ran(folder, 'apt-get', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]), '-q', ...words);
    if (!apt('update') || !apt('download', name)) return;
    const archive = readdirSync(folder).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
    const target = join(ROOT, unpackedFile(release, ''));
    mkdirSync(target, { recursive: true });
    if (archive !== undefined) ran(folder, 'dpkg-deb', '-x', archive, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where the machine has its own Debian packages from. */
function mirrorOfTheMachine(): string | undefined {
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'], { encoding: 'utf8' });
  const targets = (stdout ?? '').split('\n').map((line) => line.split(' '));
  return targets.find(([uri, release, component]) => component === 'main' && uri?.endsWith('/debian/') === true && release?.includes('-') === false)?.[0];
}

function ran(folder: string, command: string, ...words: readonly string[]): boolean {
  return spawnSync(command, words, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}
