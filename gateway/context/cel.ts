/**
 * Asking CEL. Three-valued logic of the connectives, and plain comparisons with a number or a word, are done here without it: a
 * rule is asked for every value that comes. What is left over goes to the library; both give the same answers (a property test).
 */

import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js';
import { serialize } from '@marcbachmann/cel-js/serialize';
import { MEASUREMENTS } from '../decode/measurements.ts';
import { parseDuration, type Millis } from '../quantity.ts';
import type { Facts } from './facts.ts';
import { DERIVED } from './vocabulary.ts';

/** Functions over one measurement, with the window they look back on or without. */
export const WINDOWED = ['mean', 'lowest', 'highest', 'slope'] as const;
export const PLAIN = ['usual', 'deviation', 'minutes_since'] as const;

const LIMITS = { maxAstNodes: 200, maxDepth: 32, maxListElements: 64, maxMapEntries: 1, maxCallArguments: 4 };

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
  const types = { number: 'double', bool: 'bool', text: 'string' };
  for (const [name, { type }] of DERIVED) made.registerVariable(name, types[type]);
  made.registerVariable('activity', 'string').registerVariable('room', 'string').registerVariable('hour', 'double');
  // CEL compares across numeric types by order, but not for equality between a variable and a literal: `fall == 1` should be sayable.
  made.registerOperator('double == int', (left: number, right: bigint) => left === Number(right));
  for (const name of WINDOWED) {
    made.registerFunction(`${name}(string, string): double`, (measurement: string, window: string) => known(current()[name](measurement, windowOf(window))));
  }
  made.registerFunction('usual(string): double', (measurement: string) => known(current().usual(measurement)));
  made.registerFunction('deviation(string): double', (measurement: string) => known(current().deviation(measurement)));
  made.registerFunction('minutes_since(string): double', (measurement: string) => known(current().minutesSince(measurement)));
  return made;
}

const windows = new Map<string, Millis>();

/** The few there are in rules, read once. */
function windowOf(text: string): Millis {
  let window = windows.get(text);
  if (window === undefined) {
    window = parseDuration(text);
    windows.set(text, window);
  }
  return window;
}

/** Throws what the library throws for a text it cannot read. */
export const parseCel = (text: string): ParseResult => environment.parse(text);

/** Answers a question; undefined when that depends on something that is not known. */
export type Question = (facts: Facts) => boolean | undefined;

/** The question a checked tree asks. */
export function questionOf(node: ASTNode): Question {
  switch (node.op) {
    case '&&': return both(questionOf(node.args[0]), questionOf(node.args[1]));
    case '||': return either(questionOf(node.args[0]), questionOf(node.args[1]));
    case '!_': return negated(questionOf(node.args));
    case '<': case '<=': case '>': case '>=': case '==': case '!=': return comparison(node.op, node.args) ?? celQuestion(node);
    case 'in': return membership(node.args) ?? celQuestion(node);
    default: return celQuestion(node);
  }
}

// CEL, langdef.md, "Logical Operators": what cannot be answered does not matter where the other side decides.
const both = (left: Question, right: Question): Question => (facts) => {
  const first = left(facts);
  if (first === false) return false;
  const second = right(facts);
  return second === false ? false : first === undefined ? undefined : second;
};

const either = (left: Question, right: Question): Question => (facts) => {
  const first = left(facts);
  if (first === true) return true;
  const second = right(facts);
  return second === true ? true : first === undefined ? undefined : second;
};

const negated = (question: Question): Question => (facts) => {
  const answer = question(facts);
  return answer === undefined ? undefined : !answer;
};

type Comparator = '<' | '<=' | '>' | '>=' | '==' | '!=';
const COMPARE: Readonly<Record<Comparator, (left: Value, right: Value) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
};

/** Two sides that can be answered without the library, compared; undefined when they are not that simple. */
function comparison(op: Comparator, [left, right]: readonly [ASTNode, ASTNode]): Question | undefined {
  const [first, second, compare] = [answerOf(left), answerOf(right), COMPARE[op]];
  if (first === undefined || second === undefined) return undefined;
  return (facts) => {
    const a = first(facts);
    if (a === undefined) return undefined;
    const b = second(facts);
    return b === undefined ? undefined : compare(a, b);
  };
}

/** Whether a name is one of the words or numbers that stand there. */
function membership([left, right]: readonly [ASTNode, ASTNode]): Question | undefined {
  const literals: readonly (Value | undefined)[] = right.op === 'list' ? right.args.map(literalOf) : [undefined];
  const get = answerOf(left);
  if (get === undefined || literals.includes(undefined)) return undefined;
  return (facts) => {
    const value = get(facts);
    return value === undefined ? undefined : literals.includes(value);
  };
}

type Value = number | boolean | string;
type Answer = (facts: Facts) => Value | undefined;

/** What stands there, a name, a function with everything it needs, or a calculation with them answers; undefined for anything else. */
function answerOf(node: ASTNode): Answer | undefined {
  const literal = node.op === 'value' && typeof node.args === 'boolean' ? node.args : literalOf(node);
  if (literal !== undefined) return () => literal;
  switch (node.op) {
    case 'id': return getterOf(node.args);
    case 'call': return callOf(...node.args);
    case '+': case '-': case '*': return calculation(node.op, node.args);
    default: return undefined;
  }
}

const CALCULATE = {
  '+': (left: number, right: number) => left + right,
  '-': (left: number, right: number) => left - right,
  '*': (left: number, right: number) => left * right,
};

/** With a name or a function on one side: then the check of types has found both to be doubles, or texts, which stay with the library. */
function calculation(op: keyof typeof CALCULATE, [left, right]: readonly [ASTNode, ASTNode]): Answer | undefined {
  const [first, second, calculate] = [answerOf(left), answerOf(right), CALCULATE[op]];
  const names = [...idsIn(left), ...idsIn(right)];
  if (first === undefined || second === undefined || names.some(isText) || (names.length === 0 && !hasCall(left) && !hasCall(right))) return undefined;
  return (facts) => {
    const [a, b] = [first(facts), second(facts)];
    return typeof a !== 'number' || typeof b !== 'number' ? undefined : calculate(a, b);
  };
}

const isText = (name: string): boolean => name === 'activity' || name === 'room' || DERIVED.get(name)?.type === 'text';
const hasCall = (node: ASTNode): boolean => node.op === 'call' || nodesIn(node.args).some(hasCall);

function callOf(name: string, args: readonly ASTNode[]): Answer | undefined {
  const [measurement, text] = args.map(literalOf);
  if (typeof measurement !== 'string') return undefined;
  const windowed = WINDOWED.find((each) => each === name);
  if (windowed !== undefined && typeof text === 'string') {
    const window = windowOf(text);
    return (facts) => facts[windowed](measurement, window);
  }
  switch (name) {
    case 'usual': return (facts) => facts.usual(measurement);
    case 'deviation': return (facts) => facts.deviation(measurement);
    case 'minutes_since': return (facts) => facts.minutesSince(measurement);
    default: return undefined;
  }
}

/** A number or text that stands there. */
export function literalOf(node: ASTNode): number | string | undefined {
  if (node.op === '-_') {
    const value = literalOf(node.args);
    return typeof value === 'number' ? -value : undefined;
  }
  if (node.op !== 'value') return undefined;
  if (typeof node.args === 'bigint') return Number(node.args);
  return typeof node.args === 'number' || typeof node.args === 'string' ? node.args : undefined;
}

function getterOf(name: string): (facts: Facts) => number | boolean | string | undefined {
  if (name === 'activity' || name === 'room' || name === 'hour') return (facts) => facts[name];
  return DERIVED.has(name) ? (facts) => facts.derived(name) : (facts) => facts.value(name);
}

function celQuestion(node: ASTNode): Question {
  if (node.op === 'id') return getterOf(node.args) as Question;
  const names = [...new Set(idsIn(node))].map((name) => [name, getterOf(name)] as const);
  const parsed = parseCel(serialize(node));
  const strict = isStrict(node);
  return (facts) => {
    const variables: Record<string, number | boolean | string> = {};
    for (const [name, get] of names) {
      const value = get(facts);
      if (value !== undefined) variables[name] = value;
      // CEL would say so with an error, which costs more than all other questions together.
      else if (strict) return undefined;
    }
    return evaluate(parsed, variables, facts);
  };
}

function evaluate(parsed: ParseResult, variables: Readonly<Record<string, unknown>>, facts: Facts): boolean | undefined {
  asked = facts;
  try {
    return parsed(variables) as boolean;
  } catch (error) {
    // A value that is not there is an unknown variable to CEL, and what cannot be computed (a list that is too short) an error with
    // a code of its own. Neither may stop a gateway, and neither is an answer.
    if (error === NOT_KNOWN || typeof (error as { code?: unknown }).code === 'string') return undefined;
    throw error;
  } finally {
    asked = undefined;
  }
}

/** Operators that cannot be answered without all of what they are given. */
const STRICT: ReadonlySet<string> = new Set(['id', 'value', 'list', 'call', 'in', '!_', '-_', '+', '-', '*', '/', '%', '<', '<=', '>', '>=', '==', '!=']);
const isStrict = (node: ASTNode): boolean => STRICT.has(node.op) && nodesIn(node.args).every(isStrict);

function idsIn(node: ASTNode): readonly string[] {
  return [...(node.op === 'id' ? [node.args] : []), ...nodesIn(node.args).flatMap(idsIn)];
}

/** The nodes right below, wherever they stand in what an operator was given. */
export function nodesIn(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return (args as unknown[]).flatMap(nodesIn);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}
