import { compileContracts, type RuleSet } from '../context/contract-engine.ts';
import type { Finding } from '../context/finding.ts';
import { localHour, type LocalHour } from '../context/local-hour.ts';
import { dropRules, look, takeReading, UNWATCHED, watchDue, type Observed, type Person, type Watched, type WatchState } from '../context/watch.ts';
import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import { nameOf, type AcceptedFrame, type Subject } from '../reading.ts';
import type { Attributed } from './meaning.ts';
import type { Orders, PatientRecord } from './orders.ts';

/** Something found about somebody. */
export type SubjectFinding = Readonly<{ subject: Subject; finding: Finding }>;

/** An instant of derivation: steady, and of the wall clock where that can be believed. */
export type Moment = Readonly<{ now: Millis; wall: UnixMillis | undefined }>;

/** Every rule is asked this often though nothing comes, at whole multiples of it in steady time. */
const LOOK_EVERY = Minutes(1);
/** What moves in a room tells where its only inhabitant is. */
const TELLS_OF_PEOPLE: ReadonlySet<string> = new Set(['motion', 'door', 'usage']);

type Entry = { subject: Subject; state: WatchState; due: Millis | undefined };

/** Everybody who is watched, and by which rules. */
export class WatchBook {
  readonly #entries: Map<string, Entry>;
  #orders: Orders;
  #ruleSets = new Map<string, RuleSet>();
  #people = new Map<string, Person>();
  #patients = new Map<string, PatientRecord>();
  /** Who lives alone in a room, by the room's name. */
  #residents = new Map<string, Subject[]>();
  #changed = new Set<string>();
  /** No rule changes by itself before this. */
  #nextDue: Millis | undefined;

  constructor(states: ReadonlyMap<string, WatchState>, orders: Orders) {
    this.#entries = new Map([...states].map(([name, state]) => [name, { subject: subjectOf(name), state, due: undefined }]));
    this.#orders = orders;
    this.#readOrders();
    for (const [name, entry] of this.#entries) this.#plan(entry, this.#rulesFor(name));
  }

  /** Others are in force. Returns which raised rules are gone with their packs, by subject. */
  order(orders: Orders): readonly Readonly<{ subject: Subject; keys: readonly string[] }>[] {
    this.#orders = orders;
    this.#readOrders();
    this.#nextDue = undefined;
    return this.#byName().flatMap(([name, entry]) => {
      const rules = this.#rulesFor(name);
      const { state, withdrawn } = dropRules(entry.state, rules);
      if (state !== entry.state) this.#keep(name, entry, state);
      this.#plan(entry, rules);
      return withdrawn.length === 0 ? [] : [{ subject: entry.subject, keys: withdrawn }];
    });
  }

  #readOrders(): void {
    const { patients, prescriptions } = this.#orders;
    this.#ruleSets = new Map();
    this.#people = new Map();
    this.#patients = new Map(patients.map((record) => [`patient/${record.id}`, record]));
    this.#residents = new Map();
    for (const { id, rooms, alone } of patients) {
      for (const { room } of alone ? rooms : []) this.#residents.set(`room/${room}`, [...(this.#residents.get(`room/${room}`) ?? []), { kind: 'patient', id }]);
    }
    for (const { id } of patients) this.#people.set(`patient/${id}`, this.#personOf(id, prescriptions[id]?.spo2Scale));
    for (const [id, { spo2Scale }] of Object.entries(prescriptions)) this.#people.set(`patient/${id}`, this.#personOf(id, spo2Scale));
  }

  #personOf(id: string, spo2Scale: 1 | 2 = 1): Person {
    const { rooms, alone } = this.#patients.get(`patient/${id}`) ?? { rooms: [], alone: false };
    return { kind: 'patient', spo2Scale, rooms: Object.fromEntries(alone ? rooms.map(({ room, kind }) => [room, kind]) : []) };
  }

  #person(name: string, { kind }: Subject): Person {
    let person = this.#people.get(name);
    if (person === undefined) {
      person = { kind, spo2Scale: 1, rooms: {} };
      this.#people.set(name, person);
    }
    return person;
  }

  #rulesFor(name: string): RuleSet {
    const packs = this.#patients.get(name)?.packs;
    const key = packs === undefined ? '' : packs.toSorted().join('\n');
    let rules = this.#ruleSets.get(key);
    if (rules === undefined) {
      rules = compileContracts(this.#orders.contracts.filter(({ contract }) => packs?.includes(contract.pack) !== false));
      this.#ruleSets.set(key, rules);
    }
    return rules;
  }

  #localAt(wall: UnixMillis | undefined): LocalHour | undefined {
    return wall === undefined || this.#orders.offset === undefined ? undefined : localHour(wall, this.#orders.offset);
  }

  /** Takes in a reading of a subject, and of those who live in the room that it is about. `age`: how long ago it was taken. */
  take({ sequence }: Pick<AcceptedFrame, 'sequence'>, device: string, { reading, subject, measuredAt }: Attributed, age: Millis, { now, wall }: Moment): readonly SubjectFinding[] {
    const local = wall === undefined ? undefined : this.#localAt(measuredAt);
    const observed: Observed = { reading, device, frame: sequence, at: Millis(now - age), local };
    const instant = { now, local: this.#localAt(wall) };
    const found = this.#ask(nameOf(subject), subject, (state, rules, person) => takeReading(state, rules, person, observed, instant));
    if (subject.kind === 'patient' || !TELLS_OF_PEOPLE.has(reading.measurement)) return found;
    const residents = this.#residents.get(nameOf(subject)) ?? [];
    const inRoom: Observed = { ...observed, room: subject.id };
    return [...found, ...residents.flatMap((patient) => this.#ask(nameOf(patient), patient, (state, rules, person) => takeReading(state, rules, person, inRoom, instant)))];
  }

  /**
   * Asks whatever is due: dwells that are over, and every rule at each whole minute that passed since `before`. However long
   * nobody asked, once.
   */
  look(before: Millis, { now, wall }: Moment): readonly SubjectFinding[] {
    const everybody = Math.floor(now / LOOK_EVERY) > Math.floor(before / LOOK_EVERY);
    if (!everybody && (this.#nextDue === undefined || now < this.#nextDue)) return [];
    this.#nextDue = undefined;
    const instant = { now, local: this.#localAt(wall) };
    return this.#byName().flatMap(([name, entry]) => {
      if (everybody || (entry.due !== undefined && entry.due <= now)) return this.#ask(name, entry.subject, (state, rules, person) => look(state, rules, person, instant));
      this.#nextDue = earlier(this.#nextDue, entry.due);
      return [];
    });
  }

  #ask(name: string, subject: Subject, question: (state: WatchState, rules: RuleSet, person: Person) => Watched): readonly SubjectFinding[] {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { subject, state: UNWATCHED, due: undefined };
      this.#entries.set(name, entry);
    }
    const rules = this.#rulesFor(name);
    const { state, findings } = question(entry.state, rules, this.#person(name, subject));
    if (state !== entry.state) this.#keep(name, entry, state);
    this.#plan(entry, rules);
    return findings.map((finding) => ({ subject, finding }));
  }

  #keep(name: string, entry: Entry, state: WatchState): void {
    entry.state = state;
    this.#changed.add(name);
  }

  #plan(entry: Entry, rules: RuleSet): void {
    entry.due = watchDue(entry.state, rules);
    this.#nextDue = earlier(this.#nextDue, entry.due);
  }

  /** An order that does not depend on who was heard first since the last start. */
  #byName(): [string, Entry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** When {@link look} is due at the latest; undefined: nobody is watched by anything. */
  nextLook(now: Millis): Millis | undefined {
    if (this.#entries.size === 0 || this.#orders.contracts.length === 0) return undefined;
    return earlier(this.#nextDue, Millis((Math.floor(now / LOOK_EVERY) + 1) * LOOK_EVERY));
  }

  /** What is remembered of somebody, by their name. */
  stateOf(name: string): WatchState | undefined {
    return this.#entries.get(name)?.state;
  }

  /** The states that changed since the last call. */
  takeChanges(): ReadonlyMap<string, WatchState> {
    const changed = new Map([...this.#changed].sort().map((name) => [name, (this.#entries.get(name) as Entry).state]));
    this.#changed = new Set();
    return changed;
  }
}

function subjectOf(name: string): Subject {
  const slash = name.indexOf('/');
  return { kind: name.slice(0, slash) as Subject['kind'], id: name.slice(slash + 1) };
}

function earlier(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
