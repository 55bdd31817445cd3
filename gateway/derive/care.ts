import type { AlarmInput, Key } from '../alarm/condition.ts';
import { readLevels, type Level } from '../alarm/policy.ts';
import { readPolicy } from '../alarm/read-policy.ts';
import type { Step } from '../alarm/step.ts';
import { AlarmId, rank } from '../alarm/condition.ts';
import type { AlarmState } from '../alarm/alarm.ts';
import type { Contract } from '../context/contract.ts';
import type { Evidence, Priority } from '../context/finding.ts';
import { implausible } from '../context/plausibility.ts';
import { readContracts } from '../context/read-contracts.ts';
import type { WatchState } from '../context/watch.ts';
import { MEASUREMENTS } from '../decode/measurements.ts';
import type { OperatorAction } from '../decode/operator.ts';
import { DecodeError } from '../errors.ts';
import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import type { AcceptedFrame, DeviceId, Reading, Subject } from '../reading.ts';
import { AlarmBook, type TimedStep } from './alarm-book.ts';
import { isSignatureOf, readContractSignature } from './contract-signature.ts';
import type { Drafts } from './drafts.ts';
import type { Attributed } from './meaning.ts';
import { TOLD_OF, type OwnCondition } from './own-condition.ts';
import { hashOfContract, type ActivatedContract, type Orders, type WantedWaveform } from './orders.ts';
import { readPatients } from './read-orders.ts';
import { entryOfStep, toCbor } from './step-entry.ts';
import { WatchBook, type Moment, type SubjectFinding } from './watch-book.ts';

/** What people order about watching, and how they answer alarms. */
export type CareAction = Extract<OperatorAction, { type: 'contracts' | 'patients' | 'prescribe' | 'observe' | 'waveform' | 'alarms' | 'acknowledge' | 'snooze' | 'local' | 'escalate' | 'flow_alarm' | 'flow_clear' | 'note' | 'notified' }>;

/** A condition of a device, which concerns whoever it is bound to. */
export type DeviceCondition = Readonly<{ rule: string; priority: Priority; message: string; evidence: Evidence }>;

/** A frame as far as care goes: its instant, and the wall clock for entries. */
export type Occasion = Moment & Readonly<{ time: UnixMillis }>;

export type CareState = Readonly<{ orders: Orders; watches: ReadonlyMap<string, WatchState>; alarms: AlarmState }>;

/** The gateway goes on from a backup; over as soon as somebody has acknowledged that. */
export const RESTORED_RULE = 'restored';
/** Samples are many: nobody forgets that they asked. */
const LONGEST_WAVEFORM = Minutes(10);
const MOST_WAVEFORMS = 16;

/** Watches over people and rooms: findings become alarms, alarms become entries. */
export class Care {
  readonly #drafts: Drafts;
  readonly #watches: WatchBook;
  readonly #alarms: AlarmBook;
  #orders: Orders;
  #hashes: ReadonlyMap<string, Uint8Array>;
  #ordersChanged = false;
  #steps: TimedStep[] = [];

  constructor(drafts: Drafts, { orders, watches, alarms }: CareState) {
    this.#drafts = drafts;
    this.#orders = orders;
    this.#hashes = hashesOf(orders);
    this.#watches = new WatchBook(watches, orders);
    this.#alarms = new AlarmBook(alarms, orders.policy);
  }

  /** How many steps there are that {@link takeChanges} has not given out. */
  get newSteps(): number {
    return this.#steps.length;
  }

  /** How long after `now` something is due though nothing comes; undefined: never. */
  dueIn(now: Millis): Millis | undefined {
    const [look, alarm] = [this.#watches.nextLook(now), this.#alarms.dueIn(now)];
    const due = [look === undefined ? Infinity : Math.max(0, look - now), alarm ?? Infinity];
    const next = Math.min(...due);
    return next === Infinity ? undefined : Millis(next);
  }

  /** Time went on from `before`: what was due is done. */
  passTime(before: Millis, occasion: Occasion): void {
    this.#note(this.#alarms.passTime(occasion.now), occasion.time);
    this.#follow(this.#watches.look(before, occasion), occasion);
  }

  /** `age`: how long ago it was taken. */
  takeReading(accepted: Pick<AcceptedFrame, 'sequence'>, device: string, attributed: Attributed, age: Millis, occasion: Occasion): void {
    this.#follow(this.#watches.take(accepted, device, attributed, age, occasion), occasion);
    if (this.#orders.waveforms !== undefined) this.#draftWaveform(attributed, this.#orders.waveforms, occasion);
  }

  /** A summary would say four numbers of it; somebody wants to see it. */
  #draftWaveform({ reading, subject, measuredAt }: Attributed, wanted: readonly WantedWaveform[], { now, time }: Occasion): void {
    const { measurement, value, unit, rateHz = 0, doubt } = reading;
    if (typeof value === 'number' || subject.kind !== 'patient') return;
    if (!wanted.some((each) => each.patient === subject.id && each.measurement === measurement && now < each.until)) return;
    const payload = { measurement, unit, rateHz, from: measuredAt, samples: value, ...(doubt === undefined ? {} : { doubt }) };
    this.#drafts.add({ lane: 'record', kind: 'summary', time, subject, fields: { samples: value.length }, payload });
  }

  #follow(findings: readonly SubjectFinding[], occasion: Occasion): void {
    for (const { subject, finding: { key, phase, kind, priority, message, watched, evidence } } of findings) {
      if (phase === 'cleared') this.#input({ type: 'cleared', key: { subject, rule: key } }, occasion);
      else this.#input({ type: 'raised', condition: { subject, rule: key, kind, priority, message, ...(watched === undefined ? {} : { watched }), evidence } }, occasion);
    }
  }

  /** Something is wrong with a device of `subject`, or with the gateway itself: a technical condition, never one of the patient. */
  raise(subject: Subject | null, { rule, priority, message, evidence }: DeviceCondition, occasion: Occasion): void {
    this.#input({ type: 'raised', condition: { subject, rule, kind: 'technical', priority, message, ...(subject?.kind === 'patient' ? { watched: true } : {}), evidence } }, occasion);
  }

  /** Something is wrong with the gateway itself, or no longer. Said again, it changes nothing. */
  followOwn(condition: OwnCondition, holds: boolean, occasion: Occasion): void {
    const key = { subject: null, rule: condition };
    const isRaised = this.#alarms.persisting(key) !== undefined;
    if (holds && !isRaised) this.raise(null, { rule: condition, ...TOLD_OF[condition], evidence: { condition: '', values: [], frames: [] } }, occasion);
    if (!holds && isRaised) this.clear(key, occasion);
  }

  clear(key: Key, occasion: Occasion): void {
    this.#input({ type: 'cleared', key }, occasion);
  }

  /** The device is no longer `subject`'s: whatever was wrong with it is nothing to them. */
  forgetDevice(subject: Subject, device: DeviceId, occasion: Occasion): void {
    for (const rule of this.#alarms.aboutDevice(subject, device)) this.#input({ type: 'cleared', key: { subject, rule }, withdrawn: true }, occasion);
  }

  #input(input: AlarmInput, { now, time }: Occasion): void {
    this.#note(this.#alarms.take(input, now), time);
  }

  #note(steps: readonly Step[], time: UnixMillis): void {
    for (const step of steps) {
      const pack = step.about?.rule.split('/', 1)[0];
      this.#drafts.add(entryOfStep(step, time, pack === undefined ? undefined : this.#hashes.get(pack)));
      this.#steps.push({ step, time });
    }
  }

  /** Throws {@link DecodeError} for an action that this version cannot carry out; then nothing has changed. */
  carryOut(action: CareAction, accepted: AcceptedFrame, occasion: Occasion): readonly Attributed[] {
    switch (action.type) {
      case 'contracts':
        this.#activate(readContracts(action.packs), action.by, signersIn(action.signatures ?? []), occasion);
        return [];
      case 'patients': {
        const patients = readPatients(action.patients);
        this.#order({ ...this.#orders, patients }, occasion);
        this.#draftOrder({ action: 'patients', patients: patients.length }, { patients }, occasion.time);
        return [];
      }
      case 'prescribe':
        this.#prescribe(action, occasion);
        return [];
      case 'waveform':
        this.#wantWaveform(action, occasion);
        return [];
      case 'alarms': {
        const policy = readPolicy(action.policy);
        this.#order({ ...this.#orders, policy }, occasion);
        this.#alarms.follow(policy);
        this.#draftOrder({ action: 'alarms' }, { policy: JSON.stringify(policy) }, occasion.time);
        return [];
      }
      case 'local':
        this.#order({ ...this.#orders, offset: action.offset }, occasion);
        this.#drafts.add({ lane: 'record', kind: 'clock', time: occasion.time, fields: { offset: action.offset, quiet: action.quiet ? 1 : 0 } });
        this.#input({ type: 'quiet', quiet: action.quiet }, occasion);
        return [];
      case 'acknowledge':
        this.#input({ type: 'acknowledge', alarm: AlarmId(action.alarm), revision: action.revision, by: action.by }, occasion);
        this.#endAnswered(occasion);
        return [];
      case 'snooze':
        this.#input({ type: 'snooze', alarm: AlarmId(action.alarm), revision: action.revision, time: action.time, by: action.by }, occasion);
        return [];
      case 'escalate':
        this.#input({ type: 'escalate', alarm: AlarmId(action.alarm), revision: action.revision, levels: levelsOf(action.levels), by: action.by }, occasion);
        return [];
      case 'flow_alarm':
        this.#raiseForFlow(action, occasion);
        return [];
      case 'flow_clear':
        this.clear({ subject: action.subject, rule: ruleOfFlow(action.name) }, occasion);
        return [];
      case 'note':
        this.#draftOrder({ action: 'note' }, { text: action.text, by: action.by }, occasion.time, action.subject);
        return [];
      case 'notified': {
        const { subject, alarm, step, person, channel, outcome, detail, by } = action;
        this.#draftOrder({ action: 'notified', alarm, step, outcome }, { person, channel, ...(detail === undefined ? {} : { detail }), by }, occasion.time, subject ?? undefined);
        return [];
      }
      case 'observe':
        return this.#observe(action, accepted, occasion);
    }
  }

  /** A flow that says the same of what persists says nothing new: it may have been started again. */
  #raiseForFlow({ subject, name, kind, priority, message, levels, by }: Extract<CareAction, { type: 'flow_alarm' }>, occasion: Occasion): void {
    const chain = levels === undefined ? {} : { levels: levelsOf(levels) };
    const key = { subject, rule: ruleOfFlow(name) };
    const known = this.#alarms.persisting(key);
    if (known !== undefined && known.message === message && rank(known.priority) >= rank(priority)) return;
    const evidence: Evidence = { condition: `said by ${by.id}`, values: [], frames: [] };
    this.#input({ type: 'raised', condition: { ...key, kind, priority, message, evidence, ...chain } }, occasion);
  }

  /** What nothing but a person's attention makes better is over with that. */
  #endAnswered(occasion: Occasion): void {
    const key = { subject: null, rule: RESTORED_RULE };
    if (this.#alarms.persisting(key)?.phase === 'acknowledged') this.#input({ type: 'cleared', key }, occasion);
  }

  #activate(contracts: readonly Contract[], by: ActivatedContract['by'], signers: ReadonlyMap<string, readonly string[]>, occasion: Occasion): void {
    const before = new Map(this.#orders.contracts.map((each) => [each.hash, each]));
    const after = contracts.map((contract): ActivatedContract => {
      const hash = hashOfContract(contract);
      const signed = signers.get(hash) ?? [];
      const known = before.get(hash);
      return known !== undefined && signed.every((key) => known.signers.includes(key)) ? known : { contract, hash, by, signers: signed };
    });
    const { time } = occasion;
    for (const each of after.filter((contract) => before.get(contract.hash) !== contract)) this.#draftContract('activate', each, by, time);
    const kept = new Set(after.map(({ hash }) => hash));
    for (const each of this.#orders.contracts.filter(({ hash }) => !kept.has(hash))) this.#draftContract('withdraw', { ...each, signers: [] }, by, time);
    this.#order({ ...this.#orders, contracts: after }, occasion);
    this.#hashes = hashesOf(this.#orders);
  }

  #draftContract(action: 'activate' | 'withdraw', { contract: { pack, version, rules }, hash, signers }: ActivatedContract, by: ActivatedContract['by'], time: UnixMillis): void {
    const fields = { action, contract: Buffer.from(hash, 'hex'), rules: rules.length, signers: signers.map((key) => Buffer.from(key, 'hex')) };
    this.#drafts.add({ lane: 'record', kind: 'contract', time, fields, payload: { pack, version, by: toCbor(by) } });
  }

  #prescribe({ patient, spo2Scale, by }: Extract<CareAction, { type: 'prescribe' }>, occasion: Occasion): void {
    if (by.role !== 'clinician') throw new DecodeError('wrong_shape', 'only a clinician decides on the SpO2 scale');
    this.#order({ ...this.#orders, prescriptions: { ...this.#orders.prescriptions, [patient]: { spo2Scale, by } } }, occasion);
    this.#draftOrder({ action: 'prescribe' }, { spo2Scale, by }, occasion.time, { kind: 'patient', id: patient });
  }

  #wantWaveform({ patient, measurement, time, by }: Extract<CareAction, { type: 'waveform' }>, occasion: Occasion): void {
    if (!MEASUREMENTS.has(measurement)) throw new DecodeError('unknown_measurement', `unknown measurement "${measurement}"`);
    if (time > LONGEST_WAVEFORM) throw new DecodeError('wrong_shape', `a waveform for ${time} ms; at most ${LONGEST_WAVEFORM}`);
    const others = (this.#orders.waveforms ?? []).filter((each) => occasion.now < each.until && (each.patient !== patient || each.measurement !== measurement));
    if (others.length >= MOST_WAVEFORMS) throw new DecodeError('wrong_shape', `more than ${MOST_WAVEFORMS} waveforms at a time`);
    this.#order({ ...this.#orders, waveforms: [...others, { patient, measurement, until: Millis(occasion.now + time) }] }, occasion);
    this.#draftOrder({ action: 'waveform' }, { measurement, time, by }, occasion.time, { kind: 'patient', id: patient });
  }

  /** What a person saw is a reading like any other, taken now. */
  #observe({ patient, values, by }: Extract<CareAction, { type: 'observe' }>, accepted: AcceptedFrame, { time }: Occasion): readonly Attributed[] {
    const subject: Subject = { kind: 'patient', id: patient };
    const readings = Object.entries(values).map(([measurement, value]): Reading => ({ measurement, value, unit: MEASUREMENTS.get(measurement)?.unit ?? '1' }));
    for (const reading of readings) {
      const objection = implausible(reading);
      if (objection !== undefined) throw objection;
    }
    this.#draftOrder({ action: 'observe', first: accepted.sequence }, { values, by }, time, subject);
    return readings.map((reading): Attributed => ({ reading, subject, measuredAt: time }));
  }

  #draftOrder(fields: Readonly<Record<string, string | number>>, said: object, time: UnixMillis, subject?: Subject): void {
    const payload = Object.fromEntries(toCbor(said) as ReadonlyMap<string, never>);
    this.#drafts.add({ lane: 'record', kind: 'order', time, fields, payload, ...(subject === undefined ? {} : { subject }) });
  }

  #order(orders: Orders, occasion: Occasion): void {
    this.#orders = orders;
    this.#ordersChanged = true;
    for (const { subject, keys } of this.#watches.order(orders)) {
      for (const rule of keys) this.#input({ type: 'cleared', key: { subject, rule }, withdrawn: true }, occasion);
    }
  }

  /** What changed since the last call, without what is remembered of everybody: see {@link takeWatches}. */
  takeChanges(): Readonly<{ orders: Orders | undefined; alarms: AlarmState | undefined; steps: readonly TimedStep[] }> {
    const changes = { orders: this.#ordersChanged ? this.#orders : undefined, alarms: this.#alarms.takeChange(), steps: this.#steps };
    this.#ordersChanged = false;
    this.#steps = [];
    return changes;
  }

  /** Forgets a subject: what is raised is withdrawn, and nothing is remembered. */
  erase(subject: Subject, occasion: Occasion): void {
    for (const rule of this.#alarms.about(subject)) this.#input({ type: 'cleared', key: { subject, rule }, withdrawn: true }, occasion);
    this.#alarms.forget(subject);
    this.#watches.forget(subject);
    if (subject.kind !== 'patient') return;
    const { [subject.id]: _, ...prescriptions } = this.#orders.prescriptions;
    const patients = this.#orders.patients.filter(({ id }) => id !== subject.id);
    const waveforms = (this.#orders.waveforms ?? []).filter(({ patient }) => patient !== subject.id);
    this.#order({ ...this.#orders, patients, prescriptions, ...(this.#orders.waveforms === undefined ? {} : { waveforms }) }, occasion);
  }

  watchOf(name: string): WatchState | undefined {
    return this.#watches.stateOf(name);
  }

  takeWatches(): ReadonlyMap<string, WatchState | undefined> {
    return this.#watches.takeChanges();
  }
}

/** What flows raise has rules of its own, which no pack can have, so that no flow clears what a pack raised. */
const ruleOfFlow = (name: string): string => `flow:${name}`;

function levelsOf(value: readonly unknown[]): readonly Level[] {
  const levels = readLevels(value);
  if (levels === undefined) throw new DecodeError('wrong_shape', '"levels" must be people to be told one after the other');
  return levels;
}

/** The keys under each contract, by its hash. Throws {@link DecodeError} for a signature that is none. */
function signersIn(values: readonly unknown[]): ReadonlyMap<string, readonly string[]> {
  const signers = new Map<string, readonly string[]>();
  for (const value of values) {
    const signature = readContractSignature(value);
    if (signature === undefined || !isSignatureOf(signature)) throw new DecodeError('wrong_shape', 'a signature under a contract is not good');
    const { contract, key } = signature;
    signers.set(contract, [...new Set([...(signers.get(contract) ?? []), key])].toSorted());
  }
  return signers;
}

const hashesOf = ({ contracts }: Orders): ReadonlyMap<string, Uint8Array> => new Map(contracts.map(({ contract, hash }) => [contract.pack, Buffer.from(hash, 'hex')]));
