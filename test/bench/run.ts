/** `npm run bench [-- <bench>… options]`: measures, prints, removes what it made. Figures are printed, never asserted; a lost byte is no figure. */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './bench.ts';
import { backlog } from './backlog.ts';
import { conditionsIn } from './conditions.ts';
import { context } from './context.ts';
import { decode } from './decode.ts';
import { failover } from './failover.ts';
import { fhir } from './fhir.ts';
import { flows } from './flows.ts';
import { ingest } from './ingest.ts';
import { outage } from './outage.ts';
import { links } from './links.ts';
import { memory } from './memory.ts';
import { jsonLines, tableLines } from './report.ts';
import { proofs } from './proofs.ts';
import { records } from './records.ts';
import { seal } from './seal.ts';
import { serial } from './serial.ts';
import { startup } from './startup.ts';
import { sync } from './sync.ts';
import { upstream } from './upstream.ts';
import { verify } from './verify.ts';
import { week } from './week.ts';

const BENCHES: readonly Bench[] = [ingest, decode, context, seal, verify, proofs, startup, memory, serial, links, outage, backlog, upstream, failover, sync, fhir, flows, records, week];

const HELP = [
  'Usage: npm run bench [-- <bench>… options]      (without a name: all of them)',
  '',
  ...BENCHES.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`),
  '',
  'Options:',
  '  --json        One JSON object a line; names of figures carry their unit',
  '  --quick       Shorter, fewer rounds, less exact',
  '  --seconds N   Length of one measurement',
  '  --rounds N    Measurements of each case; figures are medians (ingest, startup)',
  '  --frames N    startup: frames queued (default 5,000,000)',
  '  --blocks N    sync: blocks of the lane (default 20,000; a year of a gateway has some 500,000)',
  '  --seed N      week: what chance is drawn from (default 1)',
  '  --patients N  week, fhir: how many people (default 20, the most there are, and 1)',
  '  --days N      week, outage, backlog, fhir: how many days (default 7, 1, 1 and 7)',
  '  --coalesce    ingest: one write for all PUBLISH packets that are due, instead of one for each',
  '  --folder F    Where temporary folders are made (default: the system\'s)',
  '  --help        This text',
  '',
  'How to read the figures: test/bench/README.md',
];

type Call = Readonly<{ benches: readonly Bench[]; options: BenchOptions; json: boolean; help: boolean; folder: string }>;

class UsageMistake extends Error {}
/** Ctrl-C: no fault, and no figures. */
class Interrupted extends Error {}

function parse(words: readonly string[]): Call {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      coalesce: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      frames: { type: 'string' },
      blocks: { type: 'string' },
      seed: { type: 'string' },
      patients: { type: 'string' },
      days: { type: 'string' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  const { json, help, quick, coalesce, folder } = values;
  const counts = Object.fromEntries((['seconds', 'rounds', 'frames', 'blocks', 'seed', 'patients', 'days'] as const).flatMap((name) => countIn(name, values[name])));
  return { benches: benchesNamed(positionals), options: { quick, coalesce, ...counts }, json, help, folder: resolve(folder) };
}

function countIn(name: string, text: string | undefined): [string, number][] {
  if (text === undefined) return [];
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new UsageMistake(`--${name} takes a whole number from 1, got "${text}"`);
  return [[name, count]];
}

function benchesNamed(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return BENCHES;
  return names.map((name) => {
    const bench = BENCHES.find((known) => known.name === name);
    if (bench === undefined) throw new UsageMistake(`there is no bench "${name}"; there are ${BENCHES.map((each) => each.name).join(', ')}`);
    return bench;
  });
}

async function runOne(bench: Bench, call: Call, signal: AbortSignal): Promise<void> {
  const folder = mkdtempSync(join(call.folder, `vitalgate-bench-${bench.name}-`));
  // Mosquitto becomes another user, who must get through to its own folder.
  chmodSync(folder, 0o711);
  try {
    const conditions = conditionsIn(folder);
    const progress = progressLine(bench.name);
    const findings = await bench.run({ options: call.options, folder, conditions, progress, signal });
    progress('');
    const lines = call.json ? jsonLines(bench.name, findings, conditions) : tableLines(bench.name, findings, conditions);
    process.stdout.write(`${lines.join('\n')}\n`);
    if ((findings.faults ?? []).length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On a terminal one line that changes, elsewhere nothing: figures are for standard output, and often for a program. */
function progressLine(bench: string): (line: string) => void {
  return (line) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line === '' ? '' : `${bench}: ${line}`}`);
  };
}

async function main(): Promise<void> {
  const call = parse(process.argv.slice(2));
  if (call.help) {
    process.stdout.write(`${HELP.join('\n')}\n`);
    return;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Interrupted(`stopped by ${name}`)));
  for (const bench of call.benches) await runOne(bench, call, stop.signal);
}

try {
  await main();
} catch (error) {
  const mistake = error instanceof UsageMistake || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
  const told = mistake || error instanceof Interrupted;
  const text = error instanceof Error ? (told ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`bench: ${text}\n`);
  process.exitCode = mistake ? 2 : 1;
}
