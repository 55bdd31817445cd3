import { DecodeError } from '../errors.ts';
import type { Reading } from '../reading.ts';

/** IEC 60601-1-8 priorities of a condition. `high` goes into the alarm lane's next block at once, as do the others raised here. */
export const PRIORITIES = ['high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** One limit on one measurement, with hysteresis: raised beyond the limit, cleared only at `clearAt`. */
export type ThresholdRule = Readonly<{
  id: string;
  measurement: string;
  /** Raised above this value. Exactly one of `above` and `below` is given. In the measurement's own unit. */
  above?: number | undefined;
  /** Raised below this value. */
  below?: number | undefined;
  /** Cleared at or inside this value. */
  clearAt: number;
  priority: Priority;
  /** For people: what is wrong. */
  wording: string;
  /** Where the number comes from. */
  source: string;
}>;

/**
 * The rules of an `operator` frame. A journal outlives the program that wrote it, so what stands there is checked before it
 * is applied. Throws {@link DecodeError} `wrong_shape` for the first rule that this version cannot apply.
 */
export function readRules(values: readonly unknown[]): readonly ThresholdRule[] {
  return values.map((value, index) => {
    const rule = readRule((typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>);
    if (rule === undefined) throw new DecodeError('wrong_shape', `rule ${index + 1} is no threshold rule of this version`);
    return rule;
  });
}

function readRule(rule: Readonly<Record<string, unknown>>): ThresholdRule | undefined {
  const { id, measurement, above, below, clearAt, priority, wording, source } = rule;
  const known = PRIORITIES.find((each) => each === priority);
  const limits = isLimit(above) ? below === undefined : isLimit(below) && above === undefined;
  if (known === undefined || !limits || !isLimit(clearAt)) return undefined;
  if (!isText(id) || !isText(measurement) || !isText(wording) || !isText(source)) return undefined;
  const limit = isLimit(above) ? { above } : { below: below as number };
  return { id: canonical(id), measurement, ...limit, clearAt, priority: known, wording: canonical(wording), source };
}

const isLimit = (value: unknown): value is number => Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string';

/** Text as the ledger encodes it (ledger/cbor.ts): well-formed, Unicode normalisation form C, no byte order mark in front. */
const canonical = (text: string): string => text.toWellFormed().replace(/^\uFEFF+/, '').normalize('NFC');

export type Phase = 'raised' | 'cleared';

/** What one reading changed about one rule. */
export type Finding = Readonly<{ rule: ThresholdRule; phase: Phase; value: number; limit: number }>;

/** What is known about one patient or room: which rules are raised. */
export type SubjectContext = Readonly<{ raised: readonly string[] }>;

export const EMPTY_CONTEXT: SubjectContext = { raised: [] };

/**
 * Applies the rules to a reading. Pure: the same context, reading and rules give the same findings and the same new
 * context, which is `context` itself when nothing changed. Waveforms are not judged by thresholds.
 */
export function applyRules(
  context: SubjectContext,
  reading: Reading,
  rules: readonly ThresholdRule[],
): Readonly<{ context: SubjectContext; findings: readonly Finding[] }> {
  const { value } = reading;
  if (typeof value !== 'number') return { context, findings: [] };
  const findings: Finding[] = [];
  for (const rule of rules) {
    if (rule.measurement !== reading.measurement) continue;
    const phase = transition(rule, value, context.raised.includes(rule.id));
    if (phase !== undefined) findings.push({ rule, phase, value, limit: phase === 'raised' ? limitOf(rule) : rule.clearAt });
  }
  return findings.length === 0 ? { context, findings } : { context: after(context, findings), findings };
}

const limitOf = (rule: ThresholdRule): number => rule.above ?? (rule.below as number);

function transition(rule: ThresholdRule, value: number, raised: boolean): Phase | undefined {
  if (!raised) {
    const beyond = rule.above === undefined ? value < limitOf(rule) : value > rule.above;
    return beyond ? 'raised' : undefined;
  }
  const inside = rule.above === undefined ? value >= rule.clearAt : value <= rule.clearAt;
  return inside ? 'cleared' : undefined;
}

function after(context: SubjectContext, findings: readonly Finding[]): SubjectContext {
  const changed = new Set(findings.map((finding) => finding.rule.id));
  const kept = context.raised.filter((id) => !changed.has(id));
  const raised = findings.filter((finding) => finding.phase === 'raised').map((finding) => finding.rule.id);
  return { raised: [...kept, ...raised].sort() };
}
