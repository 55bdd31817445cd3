import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { Minutes, Seconds, parseDuration, type Millis } from '../quantity.ts';
import type { Activity } from './activity.ts';
import { literalOf, nodesIn, parseCel, PLAIN, questionOf, WINDOWED } from './cel.ts';
import type { Facts } from './facts.ts';
import { DERIVED } from './vocabulary.ts';

/** A condition of a contract that was checked. */
export type Condition = Readonly<{
  text: string;
  /** Measurements it names, in alphabetical order. */
  measurements: readonly string[];
  /** Those whose values can change it at once: a slope is one of many values, and asked for once a minute. */
  prompt: readonly string[];
  /** Names of vocabulary.ts it names, in alphabetical order. */
  derived: readonly string[];
  /** Over which times it looks back, each once. */
  windows: readonly Readonly<{ measurement: string; window: Millis }>[];
  /** Of which measurements it asks what is usual. */
  baselines: readonly string[];
  /** With what a measurement or a name of vocabulary.ts is compared, where that is a number: the first of them. */
  limits: ReadonlyMap<string, number>;
  /** Whether only new values can make it hold: it names nothing but measurements, of which time makes an unknown at most. */
  timeless: boolean;
  /**
   * Whether it holds; undefined when it depends on something that is not known. What is not known does not matter where the
   * rest decides: `a || b` holds when b does (CEL, langdef.md, "Logical Operators").
   */
  holds: (facts: Facts) => boolean | undefined;
}>;

/** What is wrong with a condition, and where in its text: offsets in UTF-16 units. */
export class ConditionProblem extends Error {
  readonly start: number;
  readonly end: number;
  constructor(message: string, start: number, end: number) {
    super(message);
    this.start = start;
    this.end = end;
  }
}

const LONGEST = 1000;
const ACTIVITIES: readonly Activity[] = ['walk', 'rest', 'sleep', 'unknown'];

const SHORTEST_WINDOW = Seconds(30);
const LONGEST_WINDOW = Minutes(31 * 24 * 60);

type Windowed = (typeof WINDOWED)[number];

/** Checks a condition and makes it ready to be asked. Throws {@link ConditionProblem} for the first thing that is wrong with it. */
export function compileCondition(text: string): Condition {
  if (text.length > LONGEST) throw new ConditionProblem(`a condition of ${text.length} characters; at most ${LONGEST}`, 0, text.length);
  const parsed = parse(text);
  const { valid, type, error } = parsed.check();
  if (!valid) throw problemOf(error, text);
  if (type !== 'bool') throw new ConditionProblem(`a condition must be true or false, this is ${type ?? 'something else'}`, 0, text.length);
  const { measurements, prompt, derived, windows, baselines, limits, passing } = namesIn(parsed.ast);
  return {
    text,
    measurements: [...measurements].toSorted(),
    prompt: [...prompt].toSorted(),
    derived: [...derived].toSorted(),
    windows: [...windows.values()],
    baselines: [...baselines].toSorted(),
    limits,
    timeless: passing.size === 0,
    holds: questionOf(parsed.ast),
  };
}

function parse(text: string): ParseResult {
  try {
    return parseCel(text);
  } catch (error) {
    throw problemOf(error, text);
  }
}

type CelError = Readonly<{ summary?: string; message?: string; range?: Readonly<{ start: number; end: number }> }>;

function problemOf(error: unknown, text: string): ConditionProblem {
  const { summary, message = 'cannot be read', range = { start: 0, end: text.length } } = (error ?? {}) as CelError;
  return new ConditionProblem(summary ?? message, range.start, range.end);
}

type Named = Readonly<{
  measurements: Set<string>;
  prompt: Set<string>;
  derived: Set<string>;
  windows: Map<string, Condition['windows'][number]>;
  baselines: Set<string>;
  limits: Map<string, number>;
  /** What time alone can change. */
  passing: Set<string>;
}>;

/** What a condition names. Throws {@link ConditionProblem} for words that name nothing: they would never be equal to anything. */
function namesIn(root: ASTNode): Named {
  const named: Named = { measurements: new Set(), prompt: new Set(), derived: new Set(), windows: new Map(), baselines: new Set(), limits: new Map(), passing: new Set() };
  visit(root, (node) => {
    if (node.op === 'id' && MEASUREMENTS.has(node.args)) addMeasurement(node.args, named);
    else if (node.op === 'id') named.passing.add(node.args);
    if (node.op === 'call') named.passing.add(node.args[0]);
    if (node.op === 'id' && DERIVED.has(node.args)) named.derived.add(node.args);
    if (node.op === 'call') noteCall(node.args, named);
    if (node.op === '==' || node.op === '!=') checkWords(node.args);
    if (node.op === 'in') checkListed(node.args);
    if (isComparison(node)) noteLimit(node, node.args, named.limits);
  });
  return named;
}

function addMeasurement(name: string, { measurements, prompt }: Named): void {
  measurements.add(name);
  prompt.add(name);
}

type Comparison = Extract<ASTNode, { op: '<' | '<=' | '>' | '>=' | '==' | '!=' }>;
const isComparison = (node: ASTNode): node is Comparison => ['<', '<=', '>', '>=', '==', '!='].includes(node.op);

function noteCall([name, [subject, lookBack]]: readonly [string, readonly ASTNode[]], named: Named): void {
  const windowed = WINDOWED.includes(name as Windowed);
  if (!windowed && !PLAIN.some((each) => each === name)) return;
  const measurement = textOf(subject, `${name} takes the name of a measurement in quotes`);
  if (!MEASUREMENTS.has(measurement)) throw problemAt(subject, `unknown measurement "${measurement}"`);
  if (name === 'slope') named.measurements.add(measurement);
  else addMeasurement(measurement, named);
  if (name === 'usual' || name === 'deviation') named.baselines.add(measurement);
  if (!windowed) return;
  const text = textOf(lookBack, `${name} takes a duration such as "5min" as its second argument`);
  const window = durationOf(text);
  if (window === undefined) throw problemAt(lookBack, `"${text}" is no duration such as "30s", "5min", "2h"`);
  if (window < SHORTEST_WINDOW || window > LONGEST_WINDOW) throw problemAt(lookBack, `"${text}" is too short or too long to look back on: 30 s to 31 d`);
  named.windows.set(`${measurement} ${window}`, { measurement, window });
}

function durationOf(text: string): Millis | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

/** A text that stands there, not one that is put together. */
function textOf(node: ASTNode | undefined, expectation: string): string {
  if (node?.op !== 'value' || typeof node.args !== 'string') throw problemAt(node, expectation);
  return node.args;
}

function checkWords([left, right]: readonly [ASTNode, ASTNode]): void {
  for (const [name, value] of [[left, right], [right, left]] as const) checkWord(name, value);
}

function checkListed([name, list]: readonly [ASTNode, ASTNode]): void {
  if (list.op === 'list') for (const value of nodesIn(list.args)) checkWord(name, value);
}

function checkWord(name: ASTNode, value: ASTNode): void {
  const word = literalOf(value);
  if (name.op !== 'id' || typeof word !== 'string') return;
  const words: readonly string[] | undefined = name.args === 'activity' ? ACTIVITIES : DERIVED.get(name.args)?.words;
  if (words?.includes(word) !== false) return;
  throw problemAt(value, `${name.args === 'activity' ? 'an activity' : name.args} is one of ${words.join(', ')}`);
}

/** A limit no sensor can report would never be crossed, or always be: a fever in degrees Fahrenheit, a saturation as a fraction. */
function noteLimit(comparison: ASTNode, [left, right]: readonly [ASTNode, ASTNode], limits: Map<string, number>): void {
  for (const [name, literal] of [[left, right], [right, left]] as const) {
    if (name.op !== 'id') continue;
    const limit = literalOf(literal);
    const { unit, range } = boundsOf(name.args) ?? {};
    if (range === undefined || typeof limit !== 'number') continue;
    const [lowest, highest] = range;
    if (limit < lowest || limit > highest) throw problemAt(comparison, `${name.args} is from ${lowest} to ${highest} ${unit ?? ''}: this is the same whatever is measured`);
    if (!limits.has(name.args)) limits.set(name.args, limit);
  }
}

function boundsOf(name: string): Readonly<{ unit: string; range?: readonly [number, number] }> | undefined {
  const measurement = MEASUREMENTS.get(name);
  return measurement === undefined ? DERIVED.get(name) : { unit: measurement.unit, range: measurement.plausible };
}

const problemAt = (node: ASTNode | undefined, message: string): ConditionProblem => new ConditionProblem(message, node?.start ?? 0, node?.end ?? 0);

function visit(node: ASTNode, see: (node: ASTNode) => void): void {
  see(node);
  for (const child of nodesIn(node.args)) visit(child, see);
}
