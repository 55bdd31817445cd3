/** Gives what this hospital has to another system's FHIR server: everything once, in order, and nothing that consent does not permit. */

import { Doorbell } from '../doorbell.ts';
import { messageOf } from '../errors.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import type { OutputGate, OutputRecipient } from '../records/output-gate.ts';
import type { Leases } from '../records/lease.ts';
import type { HospitalRecord } from '../records/record.ts';
import type { OutputCursors, RecordLog } from '../records/record-log.ts';
import type { AuditTrail } from './audit-trail.ts';
import { inTransactions, MOST_ENTRIES, type RecordResources, transactionOf } from './bundle.ts';
import { Turns } from '../turns.ts';
import { compose, type Sources } from './compose.ts';
import { type FhirServer, PASSING, type TransactionAnswer } from './fhir-server.ts';
import type { Clinical } from './resources.ts';
import { tellable, type SetAside, type SetAsides } from './set-aside.ts';

export type PushLog = Readonly<{ info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void }>;

export type PushOptions = Sources & Readonly<{
  /** Of the other system: in the cursor's name, in logs, and as the recipient. */
  name: string;
  /** ActReason code, or HRESCH/study. */
  purpose: string;
  /** Types of resources that go there; what they refer to goes along. Default: all. */
  what?: readonly (Clinical['resourceType'] | 'Provenance')[];
  /** Minutes, quarters of an hour, which say over what minutes have said, or both. Default: both. */
  summaries?: 'minute' | 'quarter' | 'all';
  server: Pick<FhirServer, 'transact'>;
  records: RecordLog;
  cursors: OutputCursors;
  /** One process sends at a time: servers have made two of what two writers created at the same moment. `holder`: this one's name. */
  leases: Leases;
  holder: string;
  gate: OutputGate;
  trail: AuditTrail;
  asides: SetAsides;
  log: PushLog;
  now: () => UnixMillis;
  /** Resolves after the delay, or at once when the signal is aborted. MUST NOT reject. */
  sleep: (delay: Millis, signal: AbortSignal) => Promise<void>;
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** Longest wait between two tries. Default 5 min. */
  longestWait?: Millis;
}>;

/** How it goes, for commands and a status page. `through`, `newest`: numbers of records. */
export type PushStatus = Readonly<{ name: string; through: number; newest: number; failures: number; setAside: number; /** What went wrong last, while it does. */ trouble?: string }>;

/** As {@link PushStatus}, of what is known without asking a store. `behind`: null before it has looked. */
export type PushGlance = Readonly<{ name: string; state: 'working' | 'waiting' | 'failing'; behind: number | null; lastSuccess: UnixMillis | null; lastError: string | null }>;

/** Records looked at together. */
const AT_ONCE = 100;
/** Conflicts in a row after which one record is tried by itself: it may be in conflict for good. */
const MOST_CONFLICTS = 5;
/** How long what consent permitted is sent without asking again. */
const FRESH = Seconds(60);
/** Longer than a transaction may take: who holds it renews it before each. */
const LEASE = Seconds(180);

export class FhirPush {
  readonly #options: PushOptions;
  readonly #recipient: OutputRecipient;
  readonly #bell = new Doorbell();
  readonly #turns = new Turns();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  #trouble: string | undefined;
  #through = 0;
  #newest: number | undefined;
  #lastSuccess: UnixMillis | null = null;
  #needsPerson = false;
  /** Up to this record, what goes there is in the trail. */
  #noted = 0;
  /** Resources that were set aside since the last try of what had been. */
  #refusedNow = new Set<string>();
  /** How often a transaction that begins with that record met a conflict. */
  #conflicts = { record: 0, count: 0 };

  constructor(options: PushOptions) {
    this.#options = options;
    this.#recipient = { id: options.name, purpose: options.purpose, by: 'fhir push' };
  }

  start(): void {
    const leave = this.#options.records.onMore(() => this.#bell.ring());
    this.#running = this.#run().finally(leave);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#bell.ring();
    await this.#running;
    await this.#options.leases.release(`fhir ${this.#options.name}`, this.#options.holder);
  }

  get name(): string {
    return this.#options.name;
  }

  async status(): Promise<PushStatus> {
    const { name, records, cursors } = this.#options;
    const [through, newest, asides] = await Promise.all([cursors.load(`fhir ${name}`), records.newest(), this.refused()]);
    return { name, through, newest, failures: this.#failures, setAside: asides.length, ...(this.#trouble !== undefined && { trouble: this.#trouble }) };
  }

  get glance(): PushGlance {
    const behind = this.#newest === undefined ? null : Math.max(0, this.#newest - this.#through);
    return { name: this.name, state: this.#trouble === undefined ? 'working' : this.#needsPerson ? 'failing' : 'waiting', behind, lastSuccess: this.#lastSuccess, lastError: this.#trouble ?? null };
  }

  /** What the server refuses for good. */
  async refused(): Promise<readonly SetAside[]> {
    return await this.#options.asides.list(this.#options.name);
  }

  /** Tries what was set aside once more, after what is sent now. Resolves with how many there were and are then. */
  async retry(): Promise<Readonly<{ before: number; after: number }>> {
    return await this.#turns.take('send', async () => {
      const { asides, records } = this.#options;
      const before = await this.refused();
      const byRecord = Map.groupBy(before, ({ chain, entry }) => `${chain} ${entry}`);
      for (const each of byRecord.values()) {
        const [{ chain, entry } = { chain: '', entry: 0 }] = each;
        const record = await records.record(chain, entry);
        this.#refusedNow = new Set();
        // What was erased meanwhile is not there any more, and not to be sent.
        const isDone = record === undefined || (await this.#deliverAll(await this.#composed([record])));
        if (!isDone) break;
        await asides.remove(each.filter((aside) => !this.#refusedNow.has(aside.resource ?? '')));
      }
      return { before: before.length, after: (await this.refused()).length };
    });
  }

  async #deliverAll(composed: readonly RecordResources[]): Promise<boolean> {
    for (const run of inTransactions(composed, MOST_ENTRIES)) if (!(await this.#deliver(run))) return false;
    return true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (!(await this.#mayGo()) || !(await this.step())) await this.#bell.wait(Seconds(60));
      } catch (thrown) {
        // A store that fails: nothing was left out, the cursor stands where it stood.
        await this.#waitAfter(messageOf(thrown));
      }
    }
  }

  async #mayGo(): Promise<boolean> {
    const { leases, name, holder } = this.#options;
    return await leases.hold(`fhir ${name}`, holder, LEASE);
  }

  /** Gives the next records, and resolves with whether there were any. The cursor moves on when they are there, or set aside. */
  async step(): Promise<boolean> {
    return await this.#turns.take('send', () => this.#step());
  }

  async #step(): Promise<boolean> {
    const { records, cursors, name } = this.#options;
    const output = `fhir ${name}`;
    [this.#through, this.#newest] = await Promise.all([cursors.load(output), records.newest()]);
    const found = await records.after(this.#through, AT_ONCE);
    const last = found.at(-1);
    if (last === undefined) return false;
    for (const run of inTransactions(await this.#composed(found), MOST_ENTRIES)) {
      if (!(await this.#deliver(run))) return true;
      await this.#pass(output, run.at(-1)?.record.number ?? 0);
    }
    await this.#pass(output, last.number);
    return true;
  }

  async #pass(output: string, number: number): Promise<void> {
    if (number <= this.#through) return;
    await this.#options.cursors.save(output, number);
    this.#through = number;
  }

  /** What consent leaves, as resources. */
  async #composed(found: readonly HospitalRecord[]): Promise<readonly RecordResources[]> {
    const { gate, trail, what, now } = this.#options;
    const shown = await gate.show(this.#recipient, found.filter((record) => isWanted(record, this.#options)));
    const composed: RecordResources[] = [];
    for (const record of shown) {
      const said = await compose(record, this.#options, ({ resourceType }) => what === undefined || what.includes(resourceType));
      if (said === undefined) await this.#setAside([this.#asideOf(record, undefined, 0, 'the payload is of no known form')]);
      else if (said.made.length > 0) composed.push(what === undefined || what.includes('Provenance') ? said : withoutProvenance(said));
    }
    // What has to be sent again is the same: it was written down before it was tried the first time.
    const counted = Map.groupBy(composed.filter(({ record: { number } }) => number > this.#noted), ({ record: { subject } }) => `${subject.kind} ${subject.person}`);
    await trail.note([...counted.values()].flatMap((each) => {
      const subject = each[0]?.record.subject;
      return subject === undefined ? [] : [{ time: now(), by: this.#recipient, subject, asked: 'transaction', count: each.reduce((sum, { made }) => sum + made.length, 0) }];
    }));
    this.#noted = Math.max(this.#noted, composed.at(-1)?.record.number ?? 0);
    return composed;
  }

  /**
   * Until it is there or set aside. False when it should be asked for anew: what is composed is shown to somebody, and what consent says of it
   * may be another thing a minute later.
   */
  async #deliver(run: readonly RecordResources[]): Promise<boolean> {
    const { server } = this.#options;
    const bundle = transactionOf(run);
    const [first] = run;
    for (let waited = 0; waited < FRESH && !this.#stopped && (await this.#mayGo()); ) {
      const answer = await server.transact(bundle, this.#stopping.signal);
      const conflicts = this.#conflicts.record === first?.record.number ? this.#conflicts.count : 0;
      const verdict = verdictOn(answer, conflicts);
      if (verdict === 'taken') {
        this.#failures = 0;
        this.#trouble = undefined;
        this.#lastSuccess = this.#options.now();
        return true;
      }
      if (verdict === 'divide') return await this.#divide(run, answer);
      if (isConflict(answer)) this.#conflicts = { record: first?.record.number ?? 0, count: conflicts + 1 };
      waited += await this.#waitAfter(troubleIn(answer), answer.is === 'later' ? answer.retryAfter : undefined, answer.is === 'unwelcome');
    }
    return false;
  }

  /** One of them is what the server does not take: the halves are sent by themselves, and then the resources of one record. */
  async #divide(run: readonly RecordResources[], answer: TransactionAnswer): Promise<boolean> {
    if (run.length > 1) {
      const middle = run.length >> 1;
      return (await this.#deliver(run.slice(0, middle))) && (await this.#deliver(run.slice(middle)));
    }
    const [only] = run;
    if (only === undefined) return true;
    const leaves = [...only.made, ...(only.provenance === undefined ? [] : [only.provenance])];
    if (leaves.length <= 1) {
      const [leaf] = leaves;
      await this.#setAside([this.#asideOf(only.record, leaf === undefined ? undefined : `${leaf.resourceType}/${leaf.id ?? ''}`, 'status' in answer ? answer.status : 200, outcomeIn(answer))]);
      return true;
    }
    for (const part of singlyOf(only)) if (!(await this.#deliver([part]))) return false;
    return true;
  }

  #asideOf({ chain, entry, number }: HospitalRecord, resource: string | undefined, status: number, outcome: string): SetAside {
    return { output: this.#options.name, time: this.#options.now(), chain, entry, record: number, ...(resource !== undefined && { resource }), status, outcome: tellable(outcome) };
  }

  async #setAside(asides: readonly SetAside[]): Promise<void> {
    const { asides: kept, log, name } = this.#options;
    await kept.put(asides);
    for (const { record, resource, status, outcome } of asides) {
      this.#refusedNow.add(resource ?? '');
      log.error({ output: name, record, resource: resource?.split('/')[0], status, outcome }, 'a FHIR server refuses a resource for good; it is set aside');
    }
  }

  async #waitAfter(trouble: string, asked?: Millis, byPerson = false): Promise<Millis> {
    const { log, name, sleep, random, longestWait = Seconds(300) } = this.#options;
    if (this.#stopped) return Millis(0);
    const ceiling = byPerson ? longestWait : Math.min(longestWait, Seconds(1) * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    if (this.#trouble !== trouble) log.warn({ output: name, trouble }, byPerson ? 'a FHIR server does not let us in, or is not at this address; sending waits' : 'a FHIR server takes nothing at the moment; sending goes on later');
    this.#trouble = trouble;
    this.#needsPerson = byPerson;
    const wait = Millis(Math.max(asked ?? 0, Math.round(100 + (byPerson ? 0.5 + random() / 2 : random()) * ceiling)));
    await sleep(wait, this.#stopping.signal);
    return wait;
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }
}

/** In seconds, by records/record.ts. */
const QUARTER = 900;

/** Nobody is shown what is not sent. */
function isWanted({ kind, payload }: HospitalRecord, { what, summaries = 'all' }: PushOptions): boolean {
  if (kind !== 'summary') return true;
  if (what !== undefined && !what.includes('Observation')) return false;
  // A waveform, and what was understood late, is no summary of a time.
  return summaries === 'all' || payload['seconds'] === undefined || (payload['seconds'] === QUARTER) === (summaries === 'quarter');
}

const withoutProvenance = ({ provenance: _, ...rest }: RecordResources): RecordResources => rest;

const isTaken = ({ status }: Readonly<{ status: number }>): boolean => status >= 200 && status < 300;
const isPassing = ({ status }: Readonly<{ status: number }>): boolean => status >= 500 || PASSING.includes(status);

/** Some servers answer 200 and tell of every entry how it fared, as for a batch: what is there already is there, so that the same may be sent again. */
function verdictOn(answer: TransactionAnswer, conflicts: number): 'taken' | 'divide' | 'wait' {
  const patience = isConflict(answer) && conflicts >= MOST_CONFLICTS ? 'divide' : 'wait';
  if (answer.is === 'refused') return 'divide';
  if (answer.is !== 'done') return patience;
  if (answer.entries.every(isTaken)) return 'taken';
  return answer.entries.some((entry) => !isTaken(entry) && !isPassing(entry)) ? 'divide' : patience;
}

function isConflict(answer: TransactionAnswer): boolean {
  if (answer.is === 'done') return answer.entries.some(({ status }) => status === 409 || status === 412);
  return answer.is === 'later' && (answer.status === 409 || answer.status === 412);
}

function troubleIn(answer: TransactionAnswer): string {
  return answer.is === 'later' || answer.is === 'unwelcome' ? answer.message : 'entries of a transaction were not taken';
}

function outcomeIn(answer: TransactionAnswer): string {
  if (answer.is === 'refused') return answer.outcome;
  if (answer.is === 'done') return answer.entries.filter((entry) => !isTaken(entry)).map(({ status, outcome }) => `${status} ${outcome}`).join('\n').slice(0, 4000);
  return answer.message;
}

/** Each by itself, with whom and what it is about; the others of the same record it names by their identifiers. */
function singlyOf({ record, about, made, provenance, beside = made }: RecordResources): readonly RecordResources[] {
  return [...made.map((resource) => ({ record, about, made: [resource], beside })), ...(provenance === undefined ? [] : [{ record, about, made: [], provenance, beside }])];
}
