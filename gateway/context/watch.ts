import { MEASUREMENTS } from '../decode/measurements.ts';
import type { Millis } from '../quantity.ts';
import type { Reading, Sequence } from '../reading.ts';
import { judge, NO_CHANNELS, trustPasses, type TrustChange, type TrustState } from './channel-trust.ts';
import { Deriving, followFact, followSaturation, NOTHING_FOLLOWED, passTime, type ClinicalState, type Person } from './clinical.ts';
import { askRules, rulesDue, type CompiledRule, type RuleChange, type RuleSet, type RuleStates } from './contract-engine.ts';
import { wordingOf } from './contract.ts';
import type { Facts } from './facts.ts';
import type { Evidence, Finding, KnownValue } from './finding.ts';
import type { LocalHour } from './local-hour.ts';
import { factsOf, NOBODY_KNOWN, takeValue, withoutValues, type Place, type SubjectState } from './subject-state.ts';
import { DERIVED } from './vocabulary.ts';

export type { Person } from './clinical.ts';
export { ROOM_KINDS, type RoomKind } from './vocabulary.ts';

/** What is remembered of one patient or room, and where every rule stands. Plain JSON. */
export type WatchState = Readonly<{ known: SubjectState; clinical: ClinicalState; trust: TrustState; rules: RuleStates }>;
export const UNWATCHED: WatchState = { known: NOBODY_KNOWN, clinical: NOTHING_FOLLOWED, trust: NO_CHANNELS, rules: {} };

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

/**
 * Takes in a reading and asks the rules that name what it changes. One that bears a doubt, or that its channel cannot be believed
 * (channel-trust.ts), decides nothing. Pure.
 */
export function takeReading(state: WatchState, rules: RuleSet, person: Person, observed: Observed, instant: Instant): Watched {
  const { reading: { measurement, value, doubt }, device, frame, local } = observed;
  if (typeof value !== 'number') return { state, findings: [] };
  if (doubt !== undefined) return { state: withDoubtful(state, rules, value, observed), findings: [] };
  const { state: trust, fact, at, changed, withdrawn, changes } = judge(state.trust, { measurement, device, value, at: observed.at, now: instant.now });
  // What is said of a room's sensor is said of the room, and not again of who lives there.
  const technical = observed.room === undefined ? changes.map((change) => technicalOf(change, person, frame)) : [];
  if (!fact) {
    const doubtful = withDoubtful({ ...state, trust }, rules, value, observed);
    const left = withdrawn.length === 0 ? doubtful : { ...doubtful, known: withoutValues(doubtful.known, withdrawn) };
    return { state: left, findings: technical };
  }
  const known = takeValue(state.known, { measurement, value, frame }, { at, local }, rules.needs, placeOf(observed, person, changed));
  const clinical = followFact(state.clinical, { measurement, value, changed, when: { at, local } }, { parts: rules.needs.parts, person, before: state.known, known });
  const after: WatchState = { known, clinical, trust, rules: state.rules };
  const naming = rules.naming.get(measurement);
  if (naming === undefined) return { state: after, findings: technical };
  const asked = ask(naming, after, person, instant, frame);
  return technical.length === 0 ? asked : { state: asked.state, findings: [...technical, ...asked.findings] };
}

/** A night of oximetry wants to know of the time in which nobody knows. */
function withDoubtful(state: WatchState, { needs: { parts } }: RuleSet, value: number, { reading: { measurement }, at, local }: Observed): WatchState {
  if (measurement !== 'spo2') return state;
  const clinical = followSaturation(state.clinical, { value, when: { at, local } }, { parts, known: state.known }, true);
  return clinical === state.clinical ? state : { ...state, clinical };
}

/** The door of a hall is the one that leads out: homes have one there, and doors between rooms rarely have a sensor. */
function placeOf({ room }: Observed, { rooms }: Person, changed: boolean): Place | undefined {
  return room === undefined ? undefined : { room, outer: rooms[room] === 'hall', changed };
}

/**
 * Asks every rule that time can change: what was known becomes stale, clocks move on, and a dwell is over though nothing comes. `anew`: and
 * all others, for rules are new. Pure.
 */
export function look(state: WatchState, rules: RuleSet, person: Person, instant: Instant, anew = false): Watched {
  const { now, local } = instant;
  const { state: trust, changes } = trustPasses(state.trust, now);
  const clinical = passTime(state.clinical, { at: now, local }, { parts: rules.needs.parts, person, known: state.known });
  const same = trust === state.trust && clinical === state.clinical;
  const asked = ask(rules.rules, same ? state : { ...state, trust, clinical }, person, instant, anew ? null : undefined);
  return { state: asked.state, findings: [...changes.map((change) => technicalOf(change, person)), ...asked.findings] };
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

function ask(rules: readonly CompiledRule[], state: WatchState, person: Person, { now, local }: Instant, frame?: Sequence | null): Watched {
  const when = { at: now, local };
  const facts = factsOf(state.known, when, new Deriving(state.clinical, state.known, person, when));
  const { states, changes } = askRules(rules, state.rules, facts, now, frame);
  const after = states === state.rules ? state : { ...state, rules: states };
  return { state: after, findings: changes.map((change) => findingOf(change, state.known, facts, person)) };
}

function findingOf(change: RuleChange, known: SubjectState, facts: Facts, person: Person): Finding {
  const { compiled: { key, rule, contract }, phase, held } = change;
  const message = wordingOf(rule, (place) => fill(place, facts, held));
  return { key, phase, kind: rule.kind, priority: rule.priority, message, ...watchedBy(rule.kind, person), contract, evidence: evidenceOf(change, known, facts) };
}

/** Who cannot be seen for a technical reason. */
const watchedBy = (kind: Finding['kind'], person: Person): Pick<Finding, 'watched'> => (kind === 'technical' && person.kind === 'patient' ? { watched: true } : {});

function technicalOf({ key, phase, message, condition, values }: TrustChange, person: Person, frame?: Sequence): Finding {
  const frames = frame === undefined ? [] : [frame];
  return { key, phase, kind: 'technical', priority: 'low', message, ...watchedBy('technical', person), evidence: { condition, values, frames } };
}

function evidenceOf({ compiled: { when, clear, measurements, derived }, phase, from }: RuleChange, known: SubjectState, facts: Facts): Evidence {
  const decided = phase === 'cleared' && clear !== undefined ? clear : when;
  const limitOf = (name: string): Pick<KnownValue, 'limit'> => {
    const limit = decided.limits.get(name);
    return limit === undefined ? {} : { limit };
  };
  const workedOut = derived.flatMap((name): KnownValue[] => {
    const value = facts.derived(name);
    return value === undefined || typeof value === 'string' ? [] : [{ measurement: name, value: Number(value), unit: DERIVED.get(name)?.unit ?? '1', ...limitOf(name) }];
  });
  const shown = [...new Set([...measurements, ...derived.flatMap((name) => DERIVED.get(name)?.shows ?? [])])];
  const measured = shown.flatMap((measurement): KnownValue[] => {
    const value = facts.value(measurement);
    return value === undefined ? [] : [{ measurement, value, unit: MEASUREMENTS.get(measurement)?.unit ?? '1', ...limitOf(measurement) }];
  });
  const brought = measured.map(({ measurement }) => known.latest[measurement]?.frame);
  const frames = [...new Set([from, ...brought].filter((each) => each !== undefined))].sort((a, b) => a - b);
  return { condition: decided.text, values: [...workedOut, ...measured], frames };
}

function fill(place: string, facts: Facts, held: Millis): string | undefined {
  if (place === 'for') return lasting(held);
  if (place === 'activity') return facts.activity === 'unknown' ? 'activity not known' : facts.activity;
  if (place === 'room') return facts.room ?? 'room not known';
  const value = DERIVED.has(place) ? facts.derived(place) : facts.value(place);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value?.replaceAll('_', ' ');
}

/** "40 s", "5 min", "2 h 10 min". */
function lasting(held: Millis): string {
  const seconds = Math.round(held / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
