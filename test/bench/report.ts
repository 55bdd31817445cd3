/** Figures for programs (one JSON object a line) or for people (a table of each bench). */

import { isMet, type Case, type Findings, type Target } from './bench.ts';
import { isInMemory, type Conditions } from './conditions.ts';
import { rounded, type Figures } from './figures.ts';

const VERDICTS = { true: 'met', false: 'MISSED', undefined: 'not measured' } as const;

const presentOf = (figures: Figures): [string, number][] =>
  Object.entries(figures).flatMap(([name, value]) => (value === undefined ? [] : [[name, rounded(value)]]));

/** A line for each case, with all conditions, then a line for each target and each fault. */
export function jsonLines(bench: string, { cases, tables = [], targets, faults = [] }: Findings, conditions: Conditions): string[] {
  return [
    ...cases.map(({ name, figures, sync }) => ({ bench, case: name, ...Object.fromEntries(presentOf(figures)), ...(sync === undefined ? {} : { sync }), ...conditions })),
    ...targets.map((target) => ({ bench, case: target.case, target: target.figure, bound: target.bound, value: target.value, ...verdictOf(target) })),
    ...tables.flatMap(([heading, ...lines]) => lines.map((line) => ({ bench, table: heading, line }))),
    ...faults.map((fault) => ({ bench, fault })),
  ].map((line) => JSON.stringify(line));
}

function verdictOf(target: Target): Readonly<{ measured: number | null; met: boolean | null }> {
  return { measured: target.measured === undefined ? null : rounded(target.measured), met: isMet(target) ?? null };
}

/** A column for each case, a row for each figure. */
export function tableLines(bench: string, { cases, tables = [], targets, notes, faults = [] }: Findings, conditions: Conditions): string[] {
  return [
    '',
    `${bench}  (${inWords(conditions)})`,
    '',
    ...table(cases),
    '',
    ...tables.flatMap((lines) => [...lines.map((line) => `  ${line}`), '']),
    ...cases.flatMap(({ name, sync }) => (sync === undefined ? [] : [`  sync, ${name}: ${sync}`])),
    ...notes.map((note) => `  note: ${note}`),
    ...(isInMemory(conditions) ? ['  note: this medium is memory, where a sync costs nothing: choose a folder on a disk with --folder'] : []),
    ...targets.map((target) => `  target: ${describe(target)}`),
    ...faults.map((fault) => `  FAULT: ${fault}`),
  ];
}

function inWords({ medium, fdatasync_ms, cores, cpu, node }: Conditions): string {
  return `${medium}, fdatasync ${fdatasync_ms} ms; ${cores} cores, ${cpu}; node ${node}`;
}

function describe(target: Target): string {
  const measured = target.measured === undefined ? '' : `, measured ${rounded(target.measured)}`;
  return `${target.case} ${target.figure} ${target.bound} ${target.value}${measured}: ${VERDICTS[`${isMet(target)}`]}`;
}

function table(cases: readonly Case[]): string[] {
  const columns = cases.map(({ name, figures }) => ({ name, cells: new Map(presentOf(figures)) }));
  const names = [...new Set(columns.flatMap(({ cells }) => [...cells.keys()]))];
  const left = Math.max(...names.map((name) => name.length));
  const row = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(left)}${cells.map((cell, i) => cell.padStart(Math.max(12, (columns[i]?.name.length ?? 0) + 2))).join('')}`;
  return [
    row('', columns.map(({ name }) => name)),
    ...names.map((name) => row(name, columns.map(({ cells }) => cells.get(name)?.toLocaleString('en', { maximumFractionDigits: 4 }) ?? '-'))),
  ];
}
