import { compileContracts, type RuleSet } from '../context/contract-engine.ts';
import type { Finding } from '../context/finding.ts';
import { localHour, type LocalHour } from '../context/local-hour.ts';
import { dropRules, look, takeReading, UNWATCHED, watchDue, type Observed, type Person, type Watched, type WatchState } from '../context/watch.ts';
import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import { nameOf, subjectNamed, type AcceptedFrame, type Subject } from '../reading.ts';
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

type Entry = {
  readonly name: string;
  readonly subject: Subject;
  state: WatchState;
  due: Millis | undefined;
  /** As of the orders in force; undefined: not looked up yet. */
  rules: RuleSet | undefined;
  person: Person | undefined;
  /** Since it was given out. */
  changed: boolean;
  /** Other rules are in force since it was looked at. */
  ordered: boolean;
};

type Question = (state: WatchState, rules: RuleSet, person: Person) => Watched;

/** Where others live, too, rooms say nothing of one of them. */
export function personOf({ rooms, alone }: Pick<PatientRecord, 'rooms' | 'alone'> = { rooms: [], alone: false }, spo2Scale: 1 | 2 = 1): Person {
  return { kind: 'patient', spo2Scale, rooms: Object.fromEntries(alone ? rooms.map(({ room, kind }) => [room, kind]) : []) };
}

/** Everybody who is watched, and by which rules. */
export class WatchBook {
  /** By kind and id: a name put together for every value would cost as much as a rule. */
  readonly #entries: Readonly<Record<Subject['kind'], Map<string, Entry>>> = { patient: new Map(), room: new Map() };
  /** All of them in the order of {@link #byName}, while nobody is new. */
  #sorted: readonly Entry[] | undefined;
  #orders: Orders;
  #forgotten = new Set<string>();
  #ruleSets = new Map<string, RuleSet>();
  #people = new Map<string, Person>();
  #patients = new Map<string, PatientRecord>();
  /** Who lives alone in a room, by the room's name. */
  #residents = new Map<string, Subject[]>();
  /** No rule changes by itself before this. */
  #nextDue: Millis | undefined;

  constructor(states: ReadonlyMap<string, WatchState>, orders: Orders) {
    // Orders may have come since they were looked at last; asking more than is needed changes nothing.
    for (const [name, state] of states) this.#add(subjectNamed(name), state).ordered = true;
    this.#orders = orders;
    this.#readOrders();
    for (const entry of this.#byName()) this.#plan(entry, this.#rulesOf(entry));
  }

  /** Others are in force. Returns which raised rules are gone with their packs, by subject. */
  order(orders: Orders): readonly Readonly<{ subject: Subject; keys: readonly string[] }>[] {
    this.#orders = orders;
    this.#readOrders();
    this.#nextDue = undefined;
    return this.#byName().flatMap((entry) => {
      entry.rules = entry.person = undefined;
      entry.ordered = true;
      const rules = this.#rulesOf(entry);
      const { state, withdrawn } = dropRules(entry.state, rules);
      if (state !== entry.state) keep(entry, state);
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
    return personOf(this.#patients.get(`patient/${id}`), spo2Scale);
  }

  #personIn(entry: Entry): Person {
    return (entry.person ??= this.#people.get(entry.name) ?? { kind: entry.subject.kind, spo2Scale: 1, rooms: {} });
  }

  #rulesOf(entry: Entry): RuleSet {
    return (entry.rules ??= this.#rulesFor(entry.name));
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
    const found = this.#ask(subject, (state, rules, person) => takeReading(state, rules, person, observed, instant));
    if (subject.kind === 'patient' || !TELLS_OF_PEOPLE.has(reading.measurement)) return found;
    const residents = this.#residents.get(nameOf(subject)) ?? [];
    const inRoom: Observed = { ...observed, room: subject.id };
    return [...found, ...residents.flatMap((patient) => this.#ask(patient, (state, rules, person) => takeReading(state, rules, person, inRoom, instant)))];
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
    const found: SubjectFinding[] = [];
    for (const entry of this.#byName()) {
      if (everybody || (entry.due !== undefined && entry.due <= now)) {
        const anew = entry.ordered;
        entry.ordered = false;
        found.push(...this.#askAbout(entry, (state, rules, person) => look(state, rules, person, instant, anew)));
      }
      else this.#nextDue = earlier(this.#nextDue, entry.due);
    }
    return found;
  }

  #ask(subject: Subject, question: Question): readonly SubjectFinding[] {
    return this.#askAbout(this.#entries[subject.kind].get(subject.id) ?? this.#add(subject, UNWATCHED), question);
  }

  #askAbout(entry: Entry, question: Question): readonly SubjectFinding[] {
    const rules = this.#rulesOf(entry);
    const { state, findings } = question(entry.state, rules, this.#personIn(entry));
    if (state !== entry.state) keep(entry, state);
    this.#plan(entry, rules);
    return findings.length === 0 ? NOTHING_FOUND : findings.map((finding) => ({ subject: entry.subject, finding }));
  }

  #add({ kind, id }: Subject, state: WatchState): Entry {
    const subject: Subject = { kind, id };
    const entry: Entry = { name: nameOf(subject), subject, state, due: undefined, rules: undefined, person: undefined, changed: false, ordered: false };
    this.#entries[kind].set(id, entry);
    this.#sorted = undefined;
    return entry;
  }

  #plan(entry: Entry, rules: RuleSet): void {
    entry.due = watchDue(entry.state, rules);
    this.#nextDue = earlier(this.#nextDue, entry.due);
  }

  /** An order that does not depend on who was heard first since the last start. */
  #byName(): readonly Entry[] {
    return (this.#sorted ??= [...this.#entries.patient.values(), ...this.#entries.room.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  /** When {@link look} is due at the latest; undefined: nobody is watched by anything. */
  nextLook(now: Millis): Millis | undefined {
    if (this.#byName().length === 0 || this.#orders.contracts.length === 0) return undefined;
    return earlier(this.#nextDue, Millis((Math.floor(now / LOOK_EVERY) + 1) * LOOK_EVERY));
  }

  /** Forgets what is remembered of a subject. */
  forget(subject: Subject): void {
    const entry = this.#entries[subject.kind].get(subject.id);
    if (entry === undefined) return;
    this.#entries[subject.kind].delete(subject.id);
    this.#sorted = undefined;
    this.#forgotten.add(entry.name);
  }

  /** What is remembered of somebody, by their name. */
  stateOf(name: string): WatchState | undefined {
    const { kind, id } = subjectNamed(name);
    return this.#entries[kind].get(id)?.state;
  }

  /** The states that changed since the last call; undefined for those that were forgotten. */
  takeChanges(): ReadonlyMap<string, WatchState | undefined> {
    const changed = this.#byName().filter((entry) => entry.changed);
    for (const entry of changed) entry.changed = false;
    const gone = [...this.#forgotten].toSorted().map((name) => [name, undefined] as const);
    this.#forgotten = new Set();
    return new Map([...gone, ...changed.map(({ name, state }) => [name, state] as const)]);
  }
}

const NOTHING_FOUND: readonly SubjectFinding[] = [];

function keep(entry: Entry, state: WatchState): void {
  entry.state = state;
  entry.changed = true;
}

function earlier(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}
