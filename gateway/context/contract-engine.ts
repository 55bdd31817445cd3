import type { Millis } from '../quantity.ts';
import { compileCondition, type Condition, type Facts } from './condition.ts';
import type { Contract, ContractRule } from './contract.ts';
import { AT_REST, dwell, dwellDue, type DwellState, type Verdict } from './dwell.ts';
import type { Phase } from './rules.ts';
import { needsOf, type Needs } from './subject-state.ts';

type CompiledRule = Readonly<{ rule: ContractRule; when: Condition; clear: Condition | undefined; unless: Condition | undefined; measurements: readonly string[] }>;

/** A contract that is ready to be asked, and what has to be remembered for it. */
export type CompiledContract = Readonly<{ contract: Contract; rules: readonly CompiledRule[]; needs: Needs }>;

/** Where the rules stand for one patient or room, by rule id; a rule that is at rest is absent. JSON. */
export type RuleStates = Readonly<Record<string, DwellState>>;

/** What happened to one rule, and the values that decided: of every measurement it names that is known. */
export type ContractFinding = Readonly<{ rule: ContractRule; phase: Phase; values: Readonly<Record<string, number>> }>;

/** Throws ConditionProblem for a contract that was not checked before (contract.ts). */
export function compileContract(contract: Contract): CompiledContract {
  const rules = contract.rules.map(compileRule);
  return { contract, rules, needs: needsOf(rules.flatMap(({ when, clear, unless }) => [when, clear, unless].filter((each) => each !== undefined))) };
}

function compileRule(rule: ContractRule): CompiledRule {
  const compiled = (text: string | undefined): Condition | undefined => (text === undefined ? undefined : compileCondition(text));
  const [when, clear, unless] = [compileCondition(rule.when), compiled(rule.clear), compiled(rule.unless)];
  const measurements = [...new Set([when, clear, unless].flatMap((each) => each?.measurements ?? []))].toSorted();
  return { rule, when, clear, unless, measurements };
}

/**
 * Moves every rule on to what is known `now` (steady). Pure: the same states and facts give the same findings, in the order of
 * the pack. A rule that left the pack takes its state with it.
 */
export function applyContract({ rules }: CompiledContract, states: RuleStates, facts: Facts, now: Millis): Readonly<{ states: RuleStates; findings: readonly ContractFinding[] }> {
  const after: Record<string, DwellState> = {};
  const findings: ContractFinding[] = [];
  for (const compiled of rules) {
    const { rule } = compiled;
    const { state, phase } = dwell(states[rule.id] ?? AT_REST, verdictOf(compiled, facts), now, rule);
    if (state.raised || state.since !== undefined || state.raisedAt !== undefined) after[rule.id] = state;
    if (phase !== undefined) findings.push({ rule, phase, values: valuesOf(compiled, facts) });
  }
  return { states: after, findings };
}

/** An exception that nobody can judge is none: it would keep an alarm away on the strength of something missing. */
function verdictOf({ when, clear, unless }: CompiledRule, facts: Facts): Verdict {
  const holds = when.holds(facts);
  const cleared = clear === undefined ? negated(holds) : clear.holds(facts);
  return { raise: holds === true && unless?.holds(facts) === true ? false : holds, clear: cleared };
}

const negated = (holds: boolean | undefined): boolean | undefined => (holds === undefined ? undefined : !holds);

function valuesOf({ measurements }: CompiledRule, facts: Facts): Readonly<Record<string, number>> {
  const known = measurements.map((measurement) => [measurement, facts.value(measurement)] as const);
  return Object.fromEntries(known.filter((each): each is readonly [string, number] => each[1] !== undefined));
}

/** When the next rule changes if everything stays as it is; undefined when none does. */
export function contractDue({ rules }: CompiledContract, states: RuleStates): Millis | undefined {
  const due = rules.map(({ rule }) => dwellDue(states[rule.id] ?? AT_REST, rule)).filter((each) => each !== undefined);
  return due.length === 0 ? undefined : (Math.min(...due) as Millis);
}
