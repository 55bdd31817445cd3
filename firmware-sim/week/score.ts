/** Holds alarms against what really happened: hits, misses and false alarms of each rule, and how soon each event was told. Pure. */

import type { EventKind, ScriptedEvent } from './script.ts';

/** One alarm as it was raised. */
export type RaisedAlarm = Readonly<{
  /** Simulated seconds since the first local midnight. */
  at: number;
  /** `patient/edith`, `room/edith-bathroom`; empty: nobody. */
  subject: string;
  rule: string;
  kind: 'physiological' | 'technical';
  priority: string;
}>;

/**
 * Which rules answer an event: those that ought to, so that their silence is a miss, and those that may as well, so that they are
 * no false alarm. A name with `*` at its end stands for all that begin like it, with `*` in front for all that end like it.
 */
export type Answer = Readonly<{ ought: readonly string[]; may: readonly string[]; /** Hours after the end of the event in which an alarm may still be about it. */ after: number }>;
export type Answers = Readonly<Record<EventKind, Answer>>;

export type RuleScore = Readonly<{
  rule: string;
  kind: RaisedAlarm['kind'];
  /** Events it answered, and alarms beyond the first about the same event. */
  hits: number;
  repeats: number;
  /** Events it ought to have answered in time and did not. */
  misses: number;
  /** Alarms about nothing. */
  falseAlarms: number;
}>;

export type EventScore = Readonly<{
  event: ScriptedEvent;
  /** The first alarm about it; absent: nobody was told. */
  told?: RaisedAlarm;
  /** Seconds from its beginning. */
  after?: number;
  inTime: boolean;
}>;

export type Score = Readonly<{
  rules: readonly RuleScore[];
  events: readonly EventScore[];
  /** Alarms that match no event. */
  falseAlarms: readonly RaisedAlarm[];
  patientDays: number;
  emergencies: number;
  emergenciesCaught: number;
}>;

export type ScoreOptions = Readonly<{
  alarms: readonly RaisedAlarm[];
  script: readonly ScriptedEvent[];
  answers: Answers;
  /** Every rule in force, each of which has a line; besides those that spoke. */
  rules: readonly Pick<RaisedAlarm, 'rule' | 'kind'>[];
  /** Whether a rule is asked for somebody at all: only then it can miss what happens to them. */
  isGiven: (rule: string, patient: string) => boolean;
  /** Seconds; alarms before and after count for nothing. */
  from: number;
  until: number;
  people: number;
}>;

function matches(pattern: string, rule: string): boolean {
  if (pattern.startsWith('*')) return rule.endsWith(pattern.slice(1));
  return pattern.endsWith('*') ? rule.startsWith(pattern.slice(0, -1)) : pattern === rule;
}
const names = (patterns: readonly string[], rule: string): boolean => patterns.some((pattern) => matches(pattern, rule));

/** Whether an alarm can be about an event. */
function isAbout({ at, subject, rule }: RaisedAlarm, { kind, subjects, from, until }: ScriptedEvent, answers: Answers): boolean {
  const { ought, may, after } = answers[kind];
  return at >= from && at < until + after * 3600 && subjects.includes(subject) && (names(ought, rule) || names(may, rule));
}

/** The rule without the device it speaks of: `no-data spo2 greta-ring` counts with all `no-data spo2`. */
export const familyOf = ({ rule, kind }: Pick<RaisedAlarm, 'rule' | 'kind'>): string => (kind === 'technical' && !rule.includes('/') ? rule.split(' ').slice(0, Math.max(1, rule.split(' ').length - 1)).join(' ') : rule);

export function score(options: ScoreOptions): Score {
  const { alarms, script, answers, from, until, people } = options;
  const scored = alarms.filter(({ at }) => at >= from && at < until).toSorted((a, b) => a.at - b.at);
  const matched = scored.map((alarm) => ({ alarm, events: script.filter((event) => isAbout(alarm, event, answers)) }));
  const events = script.map((event) => eventScore(event, matched.filter(({ events: about }) => about.includes(event)).map(({ alarm }) => alarm)));
  const emergencies = events.filter(({ event }) => event.need === 'emergency');
  return {
    rules: ruleScores(matched, options),
    events,
    falseAlarms: matched.filter((each) => each.events.length === 0).map(({ alarm }) => alarm),
    patientDays: (people * (until - from)) / 86_400,
    emergencies: emergencies.length,
    emergenciesCaught: emergencies.filter(({ inTime }) => inTime).length,
  };
}

function eventScore(event: ScriptedEvent, [told]: readonly RaisedAlarm[]): EventScore {
  if (told === undefined) return { event, inTime: false };
  const after = told.at - event.from;
  return { event, told, after, inTime: after <= event.seenWithin };
}

type Matched = Readonly<{ alarm: RaisedAlarm; events: readonly ScriptedEvent[] }>;

function ruleScores(matched: readonly Matched[], options: ScoreOptions): readonly RuleScore[] {
  const kinds = new Map([...options.rules, ...matched.map(({ alarm }) => ({ rule: familyOf(alarm), kind: alarm.kind }))].map(({ rule, kind }) => [rule, kind]));
  return [...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([rule, kind]) => ruleScore(rule, kind, matched.filter(({ alarm }) => familyOf(alarm) === rule), options));
}

function ruleScore(rule: string, kind: RaisedAlarm['kind'], own: readonly Matched[], { script, answers, isGiven }: ScoreOptions): RuleScore {
  const about = own.filter(({ events }) => events.length > 0);
  const answered = new Set(about.flatMap(({ events }) => events));
  const inTime = new Set(about.flatMap(({ alarm, events }) => events.filter((event) => alarm.at - event.from <= event.seenWithin)));
  const ought = script.filter((event) => names(answers[event.kind].ought, rule) && isGiven(rule, event.patient));
  const isRepeat = ({ events }: Matched, index: number): boolean => events.every((event) => about.slice(0, index).some((earlier) => earlier.events.includes(event)));
  return {
    rule, kind,
    hits: answered.size,
    repeats: about.filter(isRepeat).length,
    misses: ought.filter((event) => !inTime.has(event)).length,
    falseAlarms: own.length - about.length,
  };
}

const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd());
};

const perDay = (count: number, patientDays: number): string => (count / patientDays).toFixed(3);

/** A line for each rule. */
export function ruleLines({ rules, patientDays }: Pick<Score, 'rules' | 'patientDays'>): readonly string[] {
  const head = ['rule', 'hits', 'repeats', 'misses', 'false', 'false/patient-day'];
  return table([head, ...rules.map(({ rule, hits, repeats, misses, falseAlarms }) => [rule, ...[hits, repeats, misses, falseAlarms].map(String), perDay(falseAlarms, patientDays)])]);
}

/** "12 min", "3.4 h". */
const lasting = (seconds: number): string => (seconds < 5400 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`);
const when = (seconds: number, from: number): string => {
  const minutes = Math.floor((seconds % 86_400) / 60);
  return `day ${Math.floor((seconds - from) / 86_400) + 1} ${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
};

/** A line for each event, in order; `from` is the beginning of the scored days. */
export function eventLines({ events }: Pick<Score, 'events'>, from: number): readonly string[] {
  const head = ['event', 'who', 'begins', 'needs', 'within', 'told after', 'verdict', 'by'];
  return table([head, ...events.map(({ event, told, after, inTime }) => [
    event.kind, event.patient, when(event.from, from), event.need, lasting(event.seenWithin), after === undefined ? '-' : lasting(after), verdictOf(event, told, inTime), told?.rule ?? '',
  ])]);
}

function verdictOf({ need }: ScriptedEvent, told: RaisedAlarm | undefined, inTime: boolean): string {
  if (inTime) return 'in time';
  if (told !== undefined) return 'LATE';
  return need === 'none' ? 'not told' : 'MISSED';
}

export type Totals = Readonly<{ nonActionable: number; physiological: number; technical: number; caught: number; emergencies: number }>;

/** False alarms per patient-day, and emergencies told in time. */
export function totalsOf({ falseAlarms, patientDays, emergencies, emergenciesCaught }: Pick<Score, 'falseAlarms' | 'patientDays' | 'emergencies' | 'emergenciesCaught'>): Totals {
  const of = (kind: RaisedAlarm['kind']): number => falseAlarms.filter((each) => each.kind === kind).length / patientDays;
  return { nonActionable: falseAlarms.length / patientDays, physiological: of('physiological'), technical: of('technical'), caught: emergenciesCaught, emergencies };
}
