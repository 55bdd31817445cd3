import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { Minutes, Seconds, parseDuration, type Millis } from '../quantity.ts';
import type { Activity } from './activity.ts';

/**
 * What is known about one patient or room when a condition is asked. A value is there only when it is fresh and nothing speaks
 * against it: what is missing or stale is undefined, never 0 and never the last one.
 */
export type Facts = Readonly<{
  /** The newest value, in the unit of measurements.ts. */
  value: (measurement: string) => number | undefined;
  activity: Activity;
  /** The room the person is in; undefined when it is not known. */
  room: string | undefined;
  /** Local time of day in hours, 0 to below 24; undefined while the clock cannot be believed. */
  hour: number | undefined;
  /** Over the values of the last `window`; undefined when there are too few. */
  mean: (measurement: string, window: Millis) => number | undefined;
  lowest: (measurement: string, window: Millis) => number | undefined;
  highest: (measurement: string, window: Millis) => number | undefined;
  /** How much it changes in an hour, over the last `window`. */
  slope: (measurement: string, window: Millis) => number | undefined;
  /** What is usual for this person at this hour of the day, and how far the newest value is from it (baseline.ts). */
  usual: (measurement: string) => number | undefined;
  deviation: (measurement: string) => number | undefined;
  /** Minutes since the last value; undefined when there never was one. */
  minutesSince: (measurement: string) => number | undefined;
}>;

/** A condition of a contract that was checked. */
export type Condition = Readonly<{
  text: string;
  /** Measurements it names, in alphabetical order. */
  measurements: readonly string[];
  /** Over which times it looks back, each once. */
  windows: readonly Readonly<{ measurement: string; window: Millis }>[];
  /** Of which measurements it asks what is usual. */
  baselines: readonly string[];
  /** With what a measurement is compared, where that is a number: the first of them. */
  limits: ReadonlyMap<string, number>;
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
const LIMITS = { maxAstNodes: 200, maxDepth: 32, maxListElements: 64, maxMapEntries: 1, maxCallArguments: 4 };
const ACTIVITIES: readonly Activity[] = ['walk', 'rest', 'sleep', 'unknown'];

const SHORTEST_WINDOW = Seconds(30);
const LONGEST_WINDOW = Minutes(31 * 24 * 60);

/** Functions over one measurement, with the window they look back on or without. */
const WINDOWED = ['mean', 'lowest', 'highest', 'slope'] as const;
const PLAIN = ['usual', 'deviation', 'minutes_since'] as const;
type Windowed = (typeof WINDOWED)[number];

/** Thrown where something is asked that is not known. It has no stack: there is one for every value that is missing. */
class NotKnown extends Error {}
const NOT_KNOWN = new NotKnown('not known');

/** Whose facts are asked at the moment: conditions are synchronous, and the functions of the environment belong to all. */
let asked: Facts | undefined;

const known = (value: number | undefined): number => {
  if (value === undefined) throw NOT_KNOWN;
  return value;
};
const current = (): Facts => {
  if (asked === undefined) throw NOT_KNOWN;
  return asked;
};

const environment = makeEnvironment();

function makeEnvironment(): Environment {
  const made = new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS });
  for (const measurement of MEASUREMENTS.keys()) made.registerVariable(measurement, 'double');
  made.registerVariable('activity', 'string').registerVariable('room', 'string').registerVariable('hour', 'double');
  for (const name of WINDOWED) {
    made.registerFunction(`${name}(string, string): double`, (measurement: string, window: string) => known(current()[name](measurement, parseDuration(window))));
  }
  made.registerFunction('usual(string): double', (measurement: string) => known(current().usual(measurement)));
  made.registerFunction('deviation(string): double', (measurement: string) => known(current().deviation(measurement)));
  made.registerFunction('minutes_since(string): double', (measurement: string) => known(current().minutesSince(measurement)));
  return made;
}

/** Checks a condition and makes it ready to be asked. Throws {@link ConditionProblem} for the first thing that is wrong with it. */
export function compileCondition(text: string): Condition {
  if (text.length > LONGEST) throw new ConditionProblem(`a condition of ${text.length} characters; at most ${LONGEST}`, 0, text.length);
  const parsed = parse(text);
  const { valid, type, error } = parsed.check();
  if (!valid) throw problemOf(error, text);
  if (type !== 'bool') throw new ConditionProblem(`a condition must be true or false, this is ${type ?? 'something else'}`, 0, text.length);
  const { measurements, windows, baselines, limits } = namesIn(parsed.ast);
  const named = [...measurements].toSorted();
  return { text, measurements: named, windows: [...windows.values()], baselines: [...baselines].toSorted(), limits, holds: (facts) => ask(parsed, named, facts) };
}

function parse(text: string): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    throw problemOf(error, text);
  }
}

type CelError = Readonly<{ summary?: string; message?: string; range?: Readonly<{ start: number; end: number }> }>;

function problemOf(error: unknown, text: string): ConditionProblem {
  const { summary, message = 'cannot be read', range = { start: 0, end: text.length } } = (error ?? {}) as CelError;
  return new ConditionProblem(summary ?? message, range.start, range.end);
}

type Named = Readonly<{ measurements: Set<string>; windows: Map<string, Condition['windows'][number]>; baselines: Set<string>; limits: Map<string, number> }>;

/** What a condition names. Throws {@link ConditionProblem} for words that name nothing: they would never be equal to anything. */
function namesIn(root: ASTNode): Named {
  const named: Named = { measurements: new Set(), windows: new Map(), baselines: new Set(), limits: new Map() };
  visit(root, (node) => {
    if (node.op === 'id' && MEASUREMENTS.has(node.args)) named.measurements.add(node.args);
    if (node.op === 'call') noteCall(node.args, named);
    if (node.op === '==' || node.op === '!=') checkActivity(node.args);
    if (node.op === '<' || node.op === '<=' || node.op === '>' || node.op === '>=') noteLimit(node, node.args, named.limits);
  });
  return named;
}

function noteCall([name, [subject, lookBack]]: readonly [string, readonly ASTNode[]], { measurements, windows, baselines }: Named): void {
  const windowed = WINDOWED.includes(name as Windowed);
  if (!windowed && !PLAIN.some((each) => each === name)) return;
  const measurement = textOf(subject, `${name} takes the name of a measurement in quotes`);
  if (!MEASUREMENTS.has(measurement)) throw problemAt(subject, `unknown measurement "${measurement}"`);
  measurements.add(measurement);
  if (name === 'usual' || name === 'deviation') baselines.add(measurement);
  if (!windowed) return;
  const text = textOf(lookBack, `${name} takes a duration such as "5min" as its second argument`);
  const window = durationOf(text);
  if (window === undefined) throw problemAt(lookBack, `"${text}" is no duration such as "30s", "5min", "2h"`);
  if (window < SHORTEST_WINDOW || window > LONGEST_WINDOW) throw problemAt(lookBack, `"${text}" is too short or too long to look back on: 30 s to 31 d`);
  windows.set(`${measurement} ${window}`, { measurement, window });
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

function checkActivity([left, right]: readonly [ASTNode, ASTNode]): void {
  for (const [name, value] of [[left, right], [right, left]] as const) {
    if (name.op !== 'id' || name.args !== 'activity' || value.op !== 'value') continue;
    if (!ACTIVITIES.some((each) => each === value.args)) throw problemAt(value, `an activity is one of ${ACTIVITIES.join(', ')}`);
  }
}

/** A limit no sensor can report would never be crossed, or always be: a fever in degrees Fahrenheit, a saturation as a fraction. */
function noteLimit(comparison: ASTNode, [left, right]: readonly [ASTNode, ASTNode], limits: Map<string, number>): void {
  for (const [name, limit] of [[left, right], [right, left]] as const) {
    if (name.op !== 'id') continue;
    const measurement = MEASUREMENTS.get(name.args);
    const value = limit.op === 'value' && (typeof limit.args === 'number' || typeof limit.args === 'bigint') ? Number(limit.args) : undefined;
    if (measurement === undefined || value === undefined) continue;
    const [lowest, highest] = measurement.plausible;
    if (value < lowest || value > highest) throw problemAt(comparison, `${name.args} is from ${lowest} to ${highest} ${measurement.unit}: this is the same whatever is measured`);
    if (!limits.has(name.args)) limits.set(name.args, value);
  }
}

const problemAt = (node: ASTNode | undefined, message: string): ConditionProblem => new ConditionProblem(message, node?.start ?? 0, node?.end ?? 0);

function visit(node: ASTNode, see: (node: ASTNode) => void): void {
  see(node);
  for (const child of nodesIn(node.args)) visit(child, see);
}

function nodesIn(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return (args as unknown[]).flatMap(nodesIn);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

function ask(parsed: ParseResult, measurements: readonly string[], facts: Facts): boolean | undefined {
  const variables: Record<string, number | string> = { activity: facts.activity };
  for (const measurement of measurements) {
    const value = facts.value(measurement);
    if (value !== undefined) variables[measurement] = value;
  }
  if (facts.room !== undefined) variables['room'] = facts.room;
  if (facts.hour !== undefined) variables['hour'] = facts.hour;
  asked = facts;
  try {
    return parsed(variables) as boolean;
  } catch (error) {
    // A value that is not there is an unknown variable to CEL; the check made sure that every name is one of ours.
    if (error === NOT_KNOWN || (error as { code?: string }).code === 'unknown_variable') return undefined;
    throw error;
  } finally {
    asked = undefined;
  }
}
