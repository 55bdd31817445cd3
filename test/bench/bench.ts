/** What a bench is, and what it is given. */

import type { Conditions } from './conditions.ts';
import type { Figures } from './figures.ts';

/** One of the things a bench compares. */
export type Case = Readonly<{
  name: string;
  figures: Figures;
  /** What stands between a write and the power cut, in words. */
  sync?: string;
}>;

/** What should be reached. A target is printed beside what was measured; a missed one is a finding, not a failure. */
export type Target = Readonly<{ figure: string; case: string; bound: 'at least' | 'at most'; value: number; measured: number | undefined }>;

export type Findings = Readonly<{
  cases: readonly Case[];
  targets: readonly Target[];
  /** Lines of tables of its own, under a heading each. */
  tables?: readonly (readonly string[])[];
  /** What a reader must know to read the figures right. */
  notes: readonly string[];
  /** Promises that were broken, in words. A figure is never one; with any the program ends with 1. */
  faults?: readonly string[];
}>;

export type BenchOptions = Readonly<{
  /** Length of one measurement in seconds. Default: the bench's own. */
  seconds?: number;
  /** How often each case is measured; figures are medians. Default: the bench's own. */
  rounds?: number;
  /** `startup`: queued frames. Default 5 million. */
  frames?: number;
  /** `sync`: blocks of the lane. Default 20,000. */
  blocks?: number;
  /** `week`: what chance is drawn from, how many people, and how many scored days. */
  seed?: number;
  patients?: number;
  days?: number;
  /** `ingest`: answer all acknowledgements of one chunk with one write, as no device does. Default false. */
  coalesce: boolean;
  /** Shorter and less exact. Default false. */
  quick: boolean;
}>;

export type BenchContext = Readonly<{
  options: BenchOptions;
  /** An empty folder of this bench alone, on the medium that {@link Conditions} name; it is removed afterwards. */
  folder: string;
  conditions: Conditions;
  /** Says how far it has come. */
  progress: (line: string) => void;
  /** Aborted by Ctrl-C: the bench MUST end what it started and throw. */
  signal: AbortSignal;
}>;

export type Bench = Readonly<{ name: string; summary: string; run: (context: BenchContext) => Promise<Findings> }>;

/** `figure` of the case of that name, against a bound. */
export function targetFor(cases: readonly Case[], name: string, figure: string, bound: Target['bound'], value: number): Target {
  return { figure, case: name, bound, value, measured: cases.find((each) => each.name === name)?.figures[figure] };
}

export function isMet({ bound, value, measured }: Target): boolean | undefined {
  if (measured === undefined) return undefined;
  return bound === 'at least' ? measured >= value : measured <= value;
}
