import type { Millis } from '../quantity.ts';
import { compileCondition, type Condition } from './condition.ts';
import type { Contract, ContractRule } from './contract.ts';
import { AT_REST, dwell, dwellDue, type DwellState, type Verdict } from './dwell.ts';
import type { Facts } from './facts.ts';
import type { Phase } from './finding.ts';
import { needsOf, type Needs } from './subject-state.ts';
import { DERIVED } from './vocabulary.ts';

/** A contract in force. `hash`: SHA-256 of it, hexadecimal. */
export type ActiveContract = Readonly<{ contract: Contract; hash: string }>;

export type CompiledRule = Readonly<{
  /** `<pack>/<rule>`: no other rule in force has it. */
  key: string;
  rule: ContractRule;
  /** Hash of its contract. */
  contract: string;
  when: Condition;
  clear: Condition | undefined;
  unless: Condition | undefined;
  /** That it names anywhere, in alphabetical order. */
  measurements: readonly string[];
  /** Those of them whose values change it at once. */
  prompt: readonly string[];
  /** Names of vocabulary.ts, as well. */
  derived: readonly string[];
  /** Whether nothing but a new value raises it. */
  timeless: boolean;
}>;

/** Rules that are ready to be asked, and what has to be remembered for them. */
export type RuleSet = Readonly<{
  rules: readonly CompiledRule[];
  /** Those that name a measurement, or something that changes with it: they are asked when a value of it comes. */
  naming: ReadonlyMap<string, readonly CompiledRule[]>;
  byKey: ReadonlyMap<string, CompiledRule>;
  needs: Needs;
}>;

/** Where the rules stand for one patient or room, by key; a rule that is at rest is absent. JSON. */
export type RuleStates = Readonly<Record<string, DwellState>>;

/** What happened to one rule. */
export type RuleChange = Readonly<{
  compiled: CompiledRule;
  phase: Phase;
  /** How long what decided it had held. */
  held: Millis;
  /** The frame with which that began; undefined when no frame did. */
  from: number | undefined;
}>;

/** Throws ConditionProblem for a contract that was not checked before (contract.ts). */
export function compileContracts(active: readonly ActiveContract[]): RuleSet {
  const rules = active.flatMap(({ contract, hash }) => contract.rules.map((rule) => compileRule(`${contract.pack}/${rule.id}`, rule, hash)));
  const asking = rules.map((each) => [each, new Set([...each.prompt, ...each.derived.flatMap((name) => DERIVED.get(name)?.changesWith ?? [])])] as const);
  const measurements = new Set(asking.flatMap(([, on]) => [...on]));
  return {
    rules,
    naming: new Map([...measurements].map((name) => [name, asking.filter(([, on]) => on.has(name)).map(([each]) => each)])),
    byKey: new Map(rules.map((each) => [each.key, each])),
    needs: needsOf(rules.flatMap(({ when, clear, unless }) => [when, clear, unless].filter((each) => each !== undefined))),
  };
}

function compileRule(key: string, rule: ContractRule, contract: string): CompiledRule {
  const compiled = (text: string | undefined): Condition | undefined => (text === undefined ? undefined : compileCondition(text));
  const [when, clear, unless] = [compileCondition(rule.when), compiled(rule.clear), compiled(rule.unless)];
  const named = (names: (condition: Condition) => readonly string[]): readonly string[] =>
    [...new Set([when, clear, unless].flatMap((each) => (each === undefined ? [] : names(each))))].toSorted();
  return { key, rule, contract, when, clear, unless, measurements: named((each) => each.measurements), prompt: named((each) => each.prompt), derived: named((each) => each.derived), timeless: when.timeless && unless === undefined };
}

/**
 * Moves `rules` on to what is known `now` (steady). Pure: the same states and facts give the same changes, in the order of the
 * rules, and `states` itself when nothing changed. `frame`: what has just come, if anything has; undefined when time passed: then rules that only a
 * new value raises are not asked where they are at rest; null when everything is to be asked, for rules are new.
 */
export function askRules(rules: readonly CompiledRule[], states: RuleStates, facts: Facts, now: Millis, frame?: number | null): Readonly<{ states: RuleStates; changes: readonly RuleChange[] }> {
  let after = states;
  const changes: RuleChange[] = [];
  for (const compiled of rules) {
    const { key, rule } = compiled;
    const known = states[key];
    if (known === undefined && frame === undefined && compiled.timeless) continue;
    const before = known ?? AT_REST;
    // Nothing holds and nothing has: what most rules say of most values.
    const asked = rule.fresh === undefined ? facts : facts.within(rule.fresh);
    if (!before.raised && before.since === undefined && !raises(compiled, asked)) continue;
    const { state, phase } = dwell(before, verdictOf(compiled, asked, before.raised), now, rule, frame ?? undefined);
    if (state !== before) after = withState(after, key, state);
    if (phase !== undefined) changes.push({ compiled, phase, held: (now - (before.since ?? now)) as Millis, from: before.from ?? frame ?? undefined });
  }
  return { states: after, changes };
}

function withState(states: RuleStates, key: string, state: DwellState): RuleStates {
  if (state.raised || state.since !== undefined || state.raisedAt !== undefined) return { ...states, [key]: state };
  const { [key]: _, ...others } = states;
  return others;
}

const raises = ({ when, unless }: CompiledRule, facts: Facts): boolean => when.holds(facts) === true && unless?.holds(facts) !== true;

/**
 * What is known of the only question that matters where the rule stands. An exception that nobody can judge is none: it would keep
 * an alarm away on the strength of something missing.
 */
function verdictOf({ when, clear, unless }: CompiledRule, facts: Facts, raised: boolean): Verdict {
  if (raised && clear !== undefined) return { raise: undefined, clear: clear.holds(facts) };
  const holds = when.holds(facts);
  if (raised) return { raise: undefined, clear: holds === undefined ? undefined : !holds };
  return { raise: holds === true && unless?.holds(facts) === true ? false : holds, clear: undefined };
}

/** When the next rule changes if everything stays as it is; undefined when none does. */
export function rulesDue({ byKey }: RuleSet, states: RuleStates): Millis | undefined {
  let next: Millis | undefined;
  for (const key of Object.keys(states)) {
    const [rule, state] = [byKey.get(key)?.rule, states[key]];
    const due = rule === undefined || state === undefined ? undefined : dwellDue(state, rule);
    if (due !== undefined && (next === undefined || due < next)) next = due;
  }
  return next;
}
