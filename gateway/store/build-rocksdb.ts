/**
 * The root `postinstall`: makes `require('rocksdb')` work on this machine, in seconds.
 *
 * The package's prebuilt binary aborts under Node 22 and later (`std::bad_alloc` from an old-ABI `std::regex` in a static
 * initialiser) and there is none for arm64, so its own install script is denied in package.json. Its `binding.cc` compiles
 * unchanged against Debian's `librocksdb-dev` (7.8 and 9.10 tried), with the headers of `node-api-headers` and `napi-macros`.
 * The result goes where `node-gyp-build` looks before it looks at the prebuilt binary:
 *
 *     node_modules/rocksdb/build/Release/leveldown.node     the addon
 *     node_modules/rocksdb/build/Release/vitalgate.stamp    SHA-256 over everything it was built from
 *
 * Where `librocksdb-dev` is missing the RocksDB bundled with the package is built instead, which is slow. An addon counts as
 * built only when a fresh process of this very node has opened a database with it, written a value and read it back.
 *
 * Environment: `VITALGATE_ROCKSDB=system|bundled` forces one way (default: system when it is there, else bundled);
 * `CXX` names the C++ compiler (default g++).
 *
 * Only `node:` imports: this runs while the packages are being installed.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

type Way = 'system' | 'bundled';
type Compiler = Readonly<{ command: string; works: boolean; rocksdb: string | undefined }>;

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGE = join(ROOT, 'node_modules/rocksdb');
const RELEASE = join(PACKAGE, 'build/Release');
const ADDON = join(RELEASE, 'leveldown.node');
const STAMP = join(RELEASE, 'vitalgate.stamp');
const NAPI_HEADERS = join(ROOT, 'node_modules/node-api-headers/include');
const NAPI_MACROS = join(ROOT, 'node_modules/napi-macros');
const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNODE_GYP_MODULE_NAME=leveldown', `-I${NAPI_HEADERS}`, `-I${NAPI_MACROS}`];
const APT_LINE = 'sudo apt-get install -y g++ librocksdb-dev && npm run postinstall';

function say(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `rocksdb: ${line}\n`).join(''));
}

function fail(...lines: string[]): never {
  process.stderr.write(lines.map((line) => `rocksdb: ${line}\n`).join(''));
  process.exit(1);
}

/** Asks the compiler itself which RocksDB it would use, so that its own search path counts and not a guess of ours. */
function askCompiler(command: string): Compiler {
  const seen = spawnSync(command, ['-E', '-dM', '-x', 'c++', '-'], { input: '#include <rocksdb/version.h>\n', encoding: 'utf8' });
  if (seen.error !== undefined) return { command, works: false, rocksdb: undefined };
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`^#define ROCKSDB_${part} (\\d+)$`, 'm').exec(seen.stdout)?.[1]);
  return { command, works: true, rocksdb: seen.status === 0 ? parts.join('.') : undefined };
}

function forcedWay(): Way | undefined {
  const forced = process.env['VITALGATE_ROCKSDB'] ?? '';
  if (forced === '' || forced === 'system' || forced === 'bundled') return forced === '' ? undefined : forced;
  fail(`VITALGATE_ROCKSDB is "${forced}"; expected "system" or "bundled"`);
}

function chooseWay(compiler: Compiler): Way {
  const forced = forcedWay();
  if (forced === 'bundled') return 'bundled';
  if (compiler.works && compiler.rocksdb !== undefined) return 'system';
  const missing = compiler.works ? 'the header rocksdb/db.h (Debian package librocksdb-dev)' : `the compiler ${compiler.command}`;
  if (forced === 'system') fail(`${missing} is missing. Install it with`, `  ${APT_LINE}`);
  say(`${missing} is missing. With it this step takes seconds:`, `  ${APT_LINE}`);
  return 'bundled';
}

/** Everything the addon depends on; another value means another addon. */
function fingerprint(way: Way, compiler: Compiler): string {
  const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };
  const facts = [way, manifest.version, process.versions.modules, process.arch, process.platform, compiler.command];
  if (way === 'system') facts.push(String(compiler.rocksdb), ...FLAGS);
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of [join(PACKAGE, 'binding.cc'), join(NAPI_HEADERS, 'node_api.h'), join(NAPI_MACROS, 'napi-macros.h')]) {
    hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Renamed into place when complete: a gateway that is running keeps the addon it has loaded, and no one loads half of one. */
function compileAgainstSystem(compiler: Compiler): void {
  mkdirSync(RELEASE, { recursive: true });
  const unfinished = `${ADDON}.${process.pid}`;
  const done = spawnSync(compiler.command, [...FLAGS, join(PACKAGE, 'binding.cc'), '-lrocksdb', '-o', unfinished], { stdio: 'inherit' });
  if (done.status !== 0) {
    rmSync(unfinished, { force: true });
    fail(`${compiler.command} could not compile binding.cc against RocksDB ${compiler.rocksdb} (see above). If the library is`,
      'incomplete, reinstall it; to build the bundled RocksDB instead (slow): VITALGATE_ROCKSDB=bundled npm run postinstall');
  }
  rmSync(STAMP, { force: true });
  renameSync(unfinished, ADDON);
}

/** node-gyp comes inside npm: the one that runs us, else the one that is installed here. */
function findNodeGyp(): string | undefined {
  const inside = 'node_modules/node-gyp/bin/node-gyp.js';
  const { npm_execpath: cli } = process.env;
  const candidates = [join(ROOT, 'node_modules/npm', inside)];
  if (cli !== undefined && existsSync(cli)) candidates.unshift(join(dirname(realpathSync(cli)), '..', inside));
  return candidates.find((file) => existsSync(file));
}

function missingForBundled(compiler: Compiler): string[] {
  const runs = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  const missing = compiler.works ? [] : ['g++'];
  return [...missing, ...['make', 'python3'].filter((command) => !runs(command))];
}

/** The headers of the node that runs this, when they lie beside it: then node-gyp needs no network. */
function nodeHeaders(): string[] {
  const home = resolve(realpathSync(process.execPath), '../..');
  return existsSync(join(home, 'include/node/common.gypi')) ? [`--nodedir=${home}`] : [];
}

function buildBundled(compiler: Compiler): void {
  const missing = missingForBundled(compiler);
  if (missing.length > 0) fail(`the bundled RocksDB cannot be built either: ${missing.join(', ')} missing. Run`, `  ${APT_LINE}`);
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) fail('node-gyp, a part of npm, was not found. Start this as "npm run postinstall", or run', `  ${APT_LINE}`);
  say(`building the bundled RocksDB with ${availableParallelism()} cores: 10 to 20 minutes on a PC, an hour or more on a Raspberry Pi`);
  const args = [nodeGyp, 'rebuild', '--jobs', 'max', '--loglevel', 'warn', ...nodeHeaders()];
  const env = { ...process.env, CXX: compiler.command };
  const done = spawnSync(process.execPath, args, { cwd: PACKAGE, stdio: 'inherit', env });
  if (done.status !== 0) fail('building the bundled RocksDB failed (see above). The quick way does without it:', `  ${APT_LINE}`);
  rmSync(join(RELEASE, 'obj.target'), { recursive: true, force: true });
}

const PROOF = `
const { equal } = require('node:assert/strict');
const db = require('rocksdb')(process.argv[1]);
const step = (call) => new Promise((done, failed) => call((error, value) => (error ? failed(error) : done(value))));
(async () => {
  await step((cb) => db.open({ createIfMissing: true }, cb));
  await step((cb) => db.put('proof', 'kept', { sync: true }, cb));
  equal(String(await step((cb) => db.get('proof', cb))), 'kept');
  await step((cb) => db.close(cb));
})();
`;

/** Why the addon cannot be used, or nothing. In a process of its own, because a wrong addon takes the process down with it. */
function disproof(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-rocksdb-'));
  try {
    const ran = spawnSync(process.execPath, ['-e', PROOF, '--', join(folder, 'db')], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 });
    if (ran.status === 0) return undefined;
    return `${ran.error?.message ?? ran.signal ?? `exit ${ran.status}`}\n${ran.stderr}`.trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function upToDate(wanted: string): boolean {
  return existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted && disproof() === undefined;
}

function describe(way: Way, compiler: Compiler): string {
  return `${way === 'system' ? `RocksDB ${compiler.rocksdb} of this system` : 'bundled RocksDB'}, node ${process.version}`;
}

function main(): void {
  if (!existsSync(PACKAGE)) fail('node_modules/rocksdb is missing: run "npm ci" first');
  const compiler = askCompiler(process.env['CXX'] ?? 'g++');
  const way = chooseWay(compiler);
  const wanted = fingerprint(way, compiler);
  if (upToDate(wanted)) return say(`up to date (${describe(way, compiler)})`);
  const started = performance.now();
  if (way === 'system') compileAgainstSystem(compiler);
  else buildBundled(compiler);
  const reason = disproof();
  if (reason !== undefined) fail(`the addon was built but does not work with node ${process.version}:`, reason);
  writeFileSync(STAMP, wanted);
  say(`built and proven in ${((performance.now() - started) / 1000).toFixed(1)} s (${describe(way, compiler)})`);
}

main();
