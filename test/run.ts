/**
 * `npm test`: makes sure of the RocksDB addon and of the Debian packages that suites need, runs vitest, and says at the
 * end what could not run. Arguments go to vitest: `npm test -- ledger`. The last line is always `N passed, N failed`.
 * With CI=true a suite that could not run has failed.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { aptLine, missingPackages, NOTE_START, tryToInstall, type DebianPackage } from './debian-packages.ts';

type Verdict = Readonly<{ passed: number; failed: number; skipped: number; couldNotRun: readonly string[] }>;
/** What of vitest's JSON report is read here. */
type Assertion = Readonly<{ status: string; ancestorTitles: readonly string[] }>;
type FileReport = Readonly<{ status: string; assertionResults: readonly Assertion[] }>;
type Report = Readonly<{ testResults: readonly FileReport[] }>;

const ROOT = resolve(import.meta.dirname, '..');

function say(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function runNode(script: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): number {
  const command = [join(ROOT, script), ...args];
  const ran = spawnSync(process.execPath, command, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return ran.status ?? 1;
}

function provide(): DebianPackage[] {
  const missing = missingPackages();
  if (missing.length > 0) tryToInstall(missing);
  return missingPackages();
}

function runVitest(report: string, unavailable: readonly DebianPackage[]): number {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const env = { ...process.env, VITALGATE_UNAVAILABLE: unavailable.map(({ name }) => name).join(',') };
  const args = ['run', '--config', 'test/vitest.config.ts', ...reporters, ...process.argv.slice(2)];
  return runNode('node_modules/vitest/vitest.mjs', args, env);
}

/** A file that failed before its first test, and a run that failed without a failed test, count as one failure each. */
function judge(report: Report, status: number): Verdict {
  const assertions = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  const count = (wanted: string): number => assertions.filter((each) => each.status === wanted).length;
  const failedSilently = (file: FileReport): boolean => file.assertionResults.every((each) => each.status !== 'failed');
  const broken = report.testResults.filter((file) => file.status === 'failed' && failedSilently(file));
  const failed = count('failed') + broken.length;
  const couldNotRun = new Set(assertions.flatMap(({ ancestorTitles }) => ancestorTitles.filter((title) => title.includes(NOTE_START))));
  const passed = count('passed');
  return {
    passed,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: assertions.length - passed - count('failed'),
    couldNotRun: [...couldNotRun],
  };
}

function readReport(file: string): Report {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : { testResults: [] };
}

function explain(unavailable: readonly DebianPackage[], { skipped, couldNotRun }: Verdict): void {
  if (skipped > 0) say(`${skipped} skipped`);
  for (const suite of couldNotRun) say(`could not run: ${suite}`);
  if (unavailable.length > 0) say(`to run everything: ${aptLine(unavailable)}`);
}

function main(): void {
  const unavailable = provide();
  for (const { name, suites } of unavailable) say(`the Debian package ${name} is missing: without it there is no test of ${suites}`);
  const folder = mkdtempSync(join(tmpdir(), 'vitalgate-test-'));
  try {
    if (runNode('gateway/store/build-rocksdb.ts', []) !== 0) say('the RocksDB addon is not usable; the suites that need it will fail');
    const report = join(folder, 'report.json');
    const status = runVitest(report, unavailable);
    const verdict = judge(readReport(report), status);
    explain(unavailable, verdict);
    const failed = verdict.failed + (process.env['CI'] === 'true' ? verdict.couldNotRun.length : 0);
    process.exitCode = failed > 0 ? 1 : 0;
    say(`${verdict.passed} passed, ${failed} failed`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
