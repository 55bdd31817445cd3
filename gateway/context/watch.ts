import { MEASUREMENTS } from '../decode/measurements.ts';
import type { Millis } from '../quantity.ts';
import type { Reading, Sequence } from '../reading.ts';
import type { Facts } from './condition.ts';
import { askRules, rulesDue, type CompiledRule, type RuleChange, type RuleSet, type RuleStates } from './contract-engine.ts';
import { wordingOf } from './contract.ts';
import type { Evidence, Finding, KnownValue } from './finding.ts';
import type { LocalHour } from './local-hour.ts';
import { factsOf, NOBODY_KNOWN, takeValue, type SubjectState } from './subject-state.ts';

/** What rooms are there for. Words of rule packs: one may be added, never renamed. */
export const ROOM_KINDS = ['bedroom', 'bathroom', 'kitchen', 'living_room', 'hall', 'other'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

/** What people said about a patient; of a room there is nothing to say. */
export type Person = Readonly<{
  kind: 'patient' | 'room';
  /** SpO2 scale of NEWS2. 2 only where a clinician decided so. */
  spo2Scale: 1 | 2;
  /** By room id: the rooms in which nobody else lives. */
  rooms: Readonly<Record<string, RoomKind>>;
}>;

/** What is remembered of one patient or room, and where every rule stands. Plain JSON. */
export type WatchState = Readonly<{ known: SubjectState; rules: RuleStates }>;
export const UNWATCHED: WatchState = { known: NOBODY_KNOWN, rules: {} };

/** A reading, who measured it and when (steady time; local clocks are absent while nobody knows what they show). */
export type Observed = Readonly<{
  reading: Reading;
  device: string;
  frame: Sequence;
  at: Millis;
  local: LocalHour | undefined;
  /** Whose sensor it is, when it is a room's and the person lives there. */
  room?: string;
}>;

/** Now, as `Observed` says when. */
export type Instant = Readonly<{ now: Millis; local: LocalHour | undefined }>;

export type Watched = Readonly<{ state: WatchState; findings: readonly Finding[] }>;

/** Takes in a reading and asks the rules that name its measurement. One that bears a doubt decides nothing. Pure. */
export function takeReading(state: WatchState, rules: RuleSet, person: Person, { reading, frame, at, local, room }: Observed, instant: Instant): Watched {
  if (reading.doubt !== undefined) return { state, findings: [] };
  const known = takeValue(state.known, { measurement: reading.measurement, value: reading.value, frame }, { at, local }, rules.needs, room);
  const naming = rules.naming.get(reading.measurement);
  return naming === undefined ? { state: { ...state, known }, findings: [] } : ask(naming, { ...state, known }, person, instant, frame);
}

/** Asks every rule: what was known becomes stale, clocks move on, and a dwell is over though nothing comes. Pure. */
export function look(state: WatchState, { rules }: RuleSet, person: Person, instant: Instant): Watched {
  return ask(rules, state, person, instant);
}

/** When {@link look} has to be asked again at the latest because a rule would change; undefined: nothing waits. */
export const watchDue = (state: WatchState, rules: RuleSet): Millis | undefined => rulesDue(rules, state.rules);

/** After other rules came in force: the state without those that are gone, and the keys of those among them that were raised. */
export function dropRules(state: WatchState, { byKey }: RuleSet): Readonly<{ state: WatchState; withdrawn: readonly string[] }> {
  const gone = Object.keys(state.rules).filter((key) => !byKey.has(key));
  if (gone.length === 0) return { state, withdrawn: [] };
  const kept = Object.fromEntries(Object.entries(state.rules).filter(([key]) => byKey.has(key)));
  return { state: { ...state, rules: kept }, withdrawn: gone.filter((key) => state.rules[key]?.raised === true).toSorted() };
}

function ask(rules: readonly CompiledRule[], state: WatchState, person: Person, { now, local }: Instant, frame?: Sequence): Watched {
  const facts = factsOf(state.known, { at: now, local });
  const { states, changes } = askRules(rules, state.rules, facts, now, frame);
  const after = states === state.rules ? state : { ...state, rules: states };
  return { state: after, findings: changes.map((change) => findingOf(change, state.known, facts, person)) };
}

function findingOf(change: RuleChange, known: SubjectState, facts: Facts, person: Person): Finding {
  const { compiled: { key, rule, contract }, phase, held } = change;
  const message = wordingOf(rule, (place) => fill(place, facts, held));
  const watched = rule.kind === 'technical' && person.kind === 'patient';
  return { key, phase, kind: rule.kind, priority: rule.priority, message, ...(watched ? { watched } : {}), contract, evidence: evidenceOf(change, known, facts) };
}

function evidenceOf({ compiled: { when, clear, measurements }, phase, from }: RuleChange, known: SubjectState, facts: Facts): Evidence {
  const decided = phase === 'cleared' && clear !== undefined ? clear : when;
  const values = measurements.flatMap((measurement): KnownValue[] => {
    const value = facts.value(measurement);
    const limit = decided.limits.get(measurement);
    return value === undefined ? [] : [{ measurement, value, unit: MEASUREMENTS.get(measurement)?.unit ?? '1', ...(limit === undefined ? {} : { limit }) }];
  });
  const brought = values.map(({ measurement }) => known.latest[measurement]?.frame);
  const frames = [...new Set([from, ...brought].filter((each) => each !== undefined))].sort((a, b) => a - b);
  return { condition: decided.text, values, frames };
}

function fill(place: string, facts: Facts, held: Millis): string | undefined {
  if (place === 'for') return lasting(held);
  if (place === 'activity') return facts.activity;
  if (place === 'room') return facts.room;
  const value = facts.value(place);
  return value === undefined ? undefined : String(Math.round(value * 10) / 10);
}

/** "40 s", "5 min", "2 h 10 min". */
function lasting(held: Millis): string {
  const seconds = Math.round(held / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
