import { EMPTY_CONTEXT, applyRules, readRules, type Finding, type SubjectContext, type ThresholdRule } from '../context/rules.ts';
import { decodeOperatorAction, readingName, type OperatorAction } from '../decode/operator.ts';
import type { Profile } from '../decode/profile.ts';
import { ProfileTable } from '../decode/profile-table.ts';
import { readProfiles } from '../decode/read-profiles.ts';
import { recognise } from '../decode/recognise.ts';
import { DecodeError } from '../errors.ts';
import { decodeFrame } from '../frame-codec.ts';
import { sha256 } from '../ledger/bytes.ts';
import { Millis, type UnixMillis } from '../quantity.ts';
import { nameOf, type AcceptedFrame, type DeviceId, type Frame, type Reading, type Subject } from '../reading.ts';
import { bound, subjectAt, unbound, type Bindings } from './bindings.ts';
import type { Checkpoint, DerivedState, Quarantined, Resync, Totals } from './derive-store.ts';
import { DeviceBook, type SilenceChange } from './device-book.ts';
import { aheadOf, type DeviceClock } from './device-clock.ts';
import { Drafts } from './drafts.ts';
import { DuplicateWindows, identityOf, repeatable } from './duplicates.ts';
import { memoryName, understand, type Attributed, type Meaning } from './meaning.ts';
import type { SubjectSecrets } from './secrets.ts';
import { Sightings } from './sightings.ts';
import { SteadyTime } from './steady-time.ts';
import { Summary } from './summary.ts';
import { Window } from './window.ts';

type RunningTotals = { -readonly [K in keyof Totals]: Totals[K] };

/**
 * The deriving loop's head: turns journal frames, in order, into entries. A deterministic function of the journal: it
 * has no clock and no random source, so deriving the same frames again gives the same bytes, whatever the batches they
 * came in. That is what makes a crash harmless and a decision auditable.
 *
 * Frames are gathered in windows. A window closes on a `timer` frame, when it is full, and right after anything that
 * must not wait (an event, a person's action); then one evidence entry covers all of its frames.
 */
export class Derivation {
  readonly #secrets: SubjectSecrets;
  readonly #drafts: Drafts;
  readonly #steady: SteadyTime;
  readonly #bindings: Map<DeviceId, Bindings>;
  readonly #contexts: Map<string, SubjectContext>;
  readonly #duplicates: DuplicateWindows;
  readonly #book: DeviceBook;
  readonly #sightings: Sightings;
  readonly #clockOf = (device: DeviceId): DeviceClock | undefined => this.#book.clockOf(device);
  readonly #memories: Map<string, unknown>;
  readonly #totals: RunningTotals;
  #rules: readonly ThresholdRule[];
  #contract: Uint8Array | undefined;
  #profiles: ProfileTable;

  // What the open window has changed so far.
  #window = new Window();
  #urgent = false;
  #quarantined: Quarantined[] = [];
  #released: AcceptedFrame['sequence'][] = [];
  #changedBindings = new Map<DeviceId, Bindings>();
  #changedContexts = new Map<string, SubjectContext>();
  #changedProfiles: readonly Profile[] | undefined;
  #changedMemories = new Map<string, unknown>();
  #resyncs = new Map<string, Resync>();

  constructor(secrets: SubjectSecrets, state: DerivedState) {
    this.#secrets = secrets;
    this.#drafts = new Drafts(secrets, state.entrySequence);
    this.#steady = new SteadyTime(state.steady);
    this.#bindings = new Map(state.bindings);
    this.#contexts = new Map(state.contexts);
    this.#duplicates = new DuplicateWindows(state.seen);
    this.#book = new DeviceBook(state.devices);
    this.#sightings = new Sightings(state.sightings);
    this.#memories = new Map(state.memories);
    this.#totals = { ...state.totals };
    this.#rules = state.rules;
    this.#contract = state.contract;
    this.#profiles = new ProfileTable(state.profiles);
  }

  /** Whether frames wait for their window to close: then a `timer` frame is due in time. */
  get hasOpenWindow(): boolean {
    return !this.#window.isEmpty;
  }

  /** How long after the last frame a `timer` frame is due at the latest, so that a silence is noticed; undefined: never. */
  get dueIn(): Millis | undefined {
    const { nextLook } = this.#book;
    return nextLook === undefined ? undefined : Millis(Math.max(0, nextLook - this.#steady.now));
  }

  /** Takes the next frame. Returns a checkpoint when it closed a window; that MUST be committed before any later one. */
  step(accepted: AcceptedFrame): Checkpoint | undefined {
    const { frame } = accepted;
    const { now, restarted } = this.#steady.follow(frame);
    if (restarted) this.#book.resume(now);
    this.#window.addFrame(accepted, this.#secrets.frameSalt(frame.device, accepted.sequence));
    if (frame.source === 'operator') this.#takeOperatorFrame(accepted);
    else if (frame.source !== 'timer') this.#takeDeviceFrame(accepted, frame.device as DeviceId);
    return frame.source === 'timer' || this.#urgent || this.#window.isFull ? this.#closeWindow() : undefined;
  }

  #understand(frame: Frame, now: Millis): Meaning {
    return understand(frame, { profiles: this.#profiles, bindings: this.#bindings, memories: this.#memories, clockOf: this.#clockOf, now });
  }

  /** `connection`: who proved itself; the message may be about a device behind it. */
  #takeDeviceFrame(accepted: AcceptedFrame, connection: DeviceId): void {
    const { frame } = accepted;
    const meaning = this.#understand(frame, this.#steady.now);
    const identity = identityOf(frame, meaning);
    if (repeatable(frame, meaning.message) && this.#duplicates.has(connection, identity)) {
      this.#window.counts.duplicates += 1;
      this.#totals.duplicates += 1;
      return;
    }
    this.#duplicates.add(connection, identity);
    if (meaning.memory !== undefined && meaning.decoder !== undefined) this.#keepMemory(memoryName(connection, meaning.decoder.name), meaning.memory);
    if (meaning.notices.includes('resync')) this.#noteResync(accepted, connection, meaning);
    if (meaning.rejected.length > 0) this.#quarantine(accepted, meaning.rejected, meaning);
    if (meaning.clockInDoubt) this.#totals.implausibleDeviceClocks += 1;
    this.#noteDevice(accepted, connection, meaning);
    for (const attributed of meaning.readings) this.#takeReading(accepted, meaning, attributed);
  }

  #keepMemory(name: string, memory: unknown): void {
    this.#memories.set(name, memory);
    this.#changedMemories.set(name, memory);
  }

  /** What the message says of its device rather than of a person or a room. */
  #noteDevice(accepted: AcceptedFrame, connection: DeviceId, meaning: Meaning): void {
    const { frame } = accepted;
    this.#noteStranger(accepted, connection, meaning);
    // What nobody could read is the connection's own.
    const device = meaning.device ?? (meaning.address === undefined ? connection : undefined);
    if (device === undefined) return;
    const { clock, notices, expectations, message, readings } = meaning;
    const now = this.#steady.now;
    this.#book.hear(device, {
      receivedAt: frame.receivedAt,
      now,
      sequence: accepted.sequence,
      connection,
      readings: meaning.rejected.length === 0 ? (message?.readings ?? []) : readings.map(({ reading }) => reading),
      quarantined: meaning.rejected.length > 0,
      notices,
      expectations,
      class: meaning.class,
      clock,
      ahead: clock === undefined ? undefined : aheadOf(clock, frame.receivedAt, now),
    }, (silence) => this.#draftSilence(silence, frame.receivedAt));
  }

  /** Remembers who speaks and reaches nobody, and forgets who does reach somebody now. */
  #noteStranger({ sequence, frame: { topic, payload, receivedAt } }: AcceptedFrame, connection: DeviceId, { address, announced, rejected, decoder, filter, message }: Meaning): void {
    const sight = { connection, topic, sequence, at: receivedAt, address };
    if (announced !== undefined) {
      if (announced.length === 0) this.#sightings.forget(sight);
      else this.#sightings.see({ ...sight, why: 'announced', announced }, () => undefined);
      return;
    }
    const why = rejected.map(({ reason }) => reason).find((reason) => reason === 'unapproved_device' || reason === 'unbound_device' || reason === 'unknown_topic');
    if (why === undefined) return this.#sightings.forget(sight);
    this.#sightings.see({ ...sight, why }, () => {
      if (filter === undefined || decoder === undefined) return recognise(connection, topic.slice(`devices/${connection}/`.length), payload, receivedAt);
      const measurements = [...new Set(message?.readings.map(({ measurement }) => measurement))];
      return measurements.length === 0 ? undefined : { family: decoder.name, filter: filter.replace('devices/+/', `devices/${connection}/`), measurements };
    });
  }

  #noteResync({ sequence, frame: { source, topic } }: AcceptedFrame, connection: DeviceId, { address = '' }: Meaning): void {
    this.#resyncs.set(topic, { sequence, source, connection, topic, address });
  }

  #takeReading(accepted: AcceptedFrame, { device }: Meaning, { reading, subject, measuredAt }: Attributed): void {
    const name = nameOf(subject);
    this.#window.addReading(name, subject, reading, measuredAt);
    this.#totals.readings += 1;
    if (reading.doubt !== undefined) return;
    const before = this.#contexts.get(name) ?? EMPTY_CONTEXT;
    const { context, findings } = applyRules(before, reading, this.#rules);
    if (context === before) return;
    this.#contexts.set(name, context);
    this.#changedContexts.set(name, context);
    for (const finding of findings) this.#draftEvent(accepted, device as DeviceId, subject, reading, finding);
  }

  /** The chain says that, and how urgently, something about this pseudonym happened; what it was is in the payload. */
  #draftEvent(accepted: AcceptedFrame, device: DeviceId, subject: Subject, reading: Reading, finding: Finding): void {
    const { rule, phase, value, limit } = finding;
    this.#drafts.add({
      lane: 'alarm',
      kind: 'event',
      time: accepted.frame.receivedAt,
      subject,
      fields: { phase, priority: rule.priority, ...(this.#contract === undefined ? {} : { contract: this.#contract }) },
      payload: {
        subject: nameOf(subject),
        rule: rule.id,
        phase,
        priority: rule.priority,
        wording: rule.wording,
        measurement: reading.measurement,
        value,
        limit,
        unit: reading.unit,
        device,
        deviceTime: reading.deviceTime ?? null,
        frames: [accepted.sequence],
      },
    });
    this.#totals.events += 1;
    this.#urgent = true;
  }

  /** Values that should come and do not, or come again: a technical condition (IEC 60601-1-8), never one of the patient. */
  #draftSilence({ device, measurement, phase, silentFor, allowed }: SilenceChange, time: UnixMillis): void {
    const subject = subjectAt(this.#bindings.get(device), this.#steady.now);
    if (subject === undefined) return;
    const minutes = (duration: Millis): number => Math.round(duration / 6000) / 10;
    this.#drafts.add({
      lane: 'alarm',
      kind: 'event',
      time,
      subject,
      fields: { phase, priority: 'low' },
      payload: {
        subject: nameOf(subject),
        rule: 'no-data',
        phase,
        priority: 'low',
        wording: 'no values come',
        measurement,
        value: minutes(silentFor),
        limit: minutes(allowed),
        unit: 'min',
        device,
        deviceTime: null,
        frames: [],
      },
    });
    this.#totals.events += 1;
    this.#urgent = true;
  }

  #takeOperatorFrame(accepted: AcceptedFrame): void {
    const wasUrgent = this.#urgent;
    this.#urgent = true;
    try {
      const action = decodeOperatorAction(accepted.frame.payload);
      // They come by the thousand, and whoever ordered them closes the window.
      if (action.type === 'retry') this.#urgent = wasUrgent;
      this.#apply(action, accepted);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#quarantine(accepted, [error], {});
    }
  }

  #apply(action: OperatorAction, accepted: AcceptedFrame): void {
    const time = accepted.frame.receivedAt;
    switch (action.type) {
      case 'rules':
        return this.#applyRules(action.rules, time);
      case 'profiles':
        return this.#applyProfiles(action.profiles, time);
      case 'retry':
        return this.#retry(action, accepted.frame);
      case 'bind':
        this.#setBindings(action.device, bound(this.#bindings.get(action.device) ?? [], action, { at: this.#steady.now, wall: time }));
        return this.#draftBinding(action, action.subject, time);
      case 'unbind':
        return this.#unbind(action, time);
      case 'enrol':
      case 'revoke':
        return this.#takeCredential(action, time);
    }
  }

  #applyRules(rules: readonly unknown[], time: UnixMillis): void {
    this.#rules = readRules(rules);
    this.#contract = sha256(Buffer.from(JSON.stringify(rules), 'utf8'));
    this.#forgetRulesNoLongerThere();
    this.#drafts.add({ lane: 'record', kind: 'contract', time, fields: { contract: this.#contract, rules: this.#rules.length } });
  }

  #applyProfiles(profiles: readonly unknown[], time: UnixMillis): void {
    this.#changedProfiles = readProfiles(profiles);
    this.#profiles = new ProfileTable(this.#changedProfiles);
    const pack = sha256(Buffer.from(JSON.stringify(profiles), 'utf8'));
    this.#drafts.add({ lane: 'record', kind: 'device', time, fields: { action: 'profiles', pack, profiles: this.#changedProfiles.length } });
  }

  #setBindings(device: DeviceId, bindings: Bindings): void {
    this.#bindings.set(device, bindings);
    this.#changedBindings.set(device, bindings);
  }

  #takeCredential(action: Extract<OperatorAction, { type: 'enrol' | 'revoke' }>, time: UnixMillis): void {
    const { type, device } = action;
    const fields = { action: type, ...(type === 'enrol' ? { credential: action.credential } : {}) };
    const fingerprint = type === 'enrol' && action.credential === 'certificate' ? action.fingerprint : null;
    this.#drafts.add({ lane: 'record', kind: 'device', time, fields, payload: { device, fingerprint } });
    if (type === 'revoke' && subjectAt(this.#bindings.get(device), this.#steady.now) !== undefined) this.#unbind({ type: 'unbind', device }, time);
  }

  #unbind(action: Extract<OperatorAction, { type: 'unbind' }>, time: UnixMillis): void {
    const before = this.#bindings.get(action.device) ?? [];
    this.#setBindings(action.device, unbound(before, this.#steady.now));
    this.#draftBinding(action, subjectAt(before, this.#steady.now), time);
  }

  #draftBinding(action: Extract<OperatorAction, { type: 'bind' | 'unbind' }>, subject: Subject | undefined, time: UnixMillis): void {
    const { from, until } = action.type === 'bind' ? action : {};
    this.#drafts.add({
      lane: 'record',
      kind: 'binding',
      time,
      fields: { action: action.type },
      payload: {
        device: action.device,
        subject: subject === undefined ? null : nameOf(subject),
        ...(from === undefined ? {} : { from }),
        ...(until === undefined ? {} : { until }),
      },
      ...(subject === undefined ? {} : { subject }),
    });
  }

  /**
   * Decodes a frame from quarantine with what is known today. Its readings belong to whoever had the device then; they are from
   * before, so that no alarm rests on them, and they get a summary of their own.
   */
  #retry({ sequence, frame: bytes, taken }: Extract<OperatorAction, { type: 'retry' }>, { receivedAt, clockTrust }: Frame): void {
    const frame = frameOf(bytes);
    const comparable = frame.clockTrust !== 'implausible' && clockTrust !== 'implausible';
    const then = Millis(this.#steady.now - (comparable ? receivedAt - frame.receivedAt : 0));
    const meaning = this.#understand(frame, then);
    const readings = withoutTaken(meaning.readings, taken);
    this.#summarise(readings, sequence, receivedAt);
    this.#totals.readings += readings.length;
    this.#totals.recovered += readings.length;
    this.#window.counts.readings += readings.length;
    if (meaning.rejected.length === 0) this.#released.push(sequence);
    else this.#quarantined.push(quarantinedOf({ sequence, frame }, meaning.rejected, { ...meaning, taken: [...taken, ...readings.map(({ reading }) => readingName(reading))] }));
  }

  #summarise(readings: readonly Attributed[], sequence: AcceptedFrame['sequence'], time: UnixMillis): void {
    const summaries = new Map<string, Summary>();
    for (const { reading, subject, measuredAt } of readings) {
      const name = nameOf(subject);
      const summary = summaries.get(name) ?? new Summary(subject);
      summaries.set(name, summary);
      summary.add(reading, measuredAt);
    }
    for (const summary of summaries.values()) {
      this.#drafts.add({ lane: 'record', kind: 'summary', time, subject: summary.subject, fields: { first: sequence, last: sequence }, payload: summary.payload() });
    }
  }

  /** A rule that left the pack cannot be cleared by a reading any more. */
  #forgetRulesNoLongerThere(): void {
    const known = new Set(this.#rules.map(({ id }) => id));
    for (const [name, context] of this.#contexts) {
      const raised = context.raised.filter((id) => known.has(id));
      if (raised.length === context.raised.length) continue;
      this.#contexts.set(name, { raised });
      this.#changedContexts.set(name, { raised });
    }
  }

  #quarantine(accepted: AcceptedFrame, rejected: readonly DecodeError[], meaning: Partial<Pick<Meaning, 'decoder' | 'address' | 'readings'>>): void {
    const quarantined = { ...this.#totals.quarantined };
    for (const { reason } of rejected) quarantined[reason] = (quarantined[reason] ?? 0) + 1;
    this.#totals.quarantined = quarantined;
    this.#window.counts.quarantined += 1;
    this.#quarantined.push(quarantinedOf(accepted, rejected, { ...meaning, taken: meaning.readings?.map(({ reading }) => readingName(reading)) ?? [] }));
  }

  #closeWindow(): Checkpoint | undefined {
    const window = this.#window;
    if (window.span === undefined) return undefined;
    const { first, last, time } = window.span;
    const isBound = (device: DeviceId): boolean => subjectAt(this.#bindings.get(device), this.#steady.now) !== undefined;
    for (const silence of this.#book.silences(this.#steady.now, isBound)) this.#draftSilence(silence, time);
    for (const summary of window.summaries) {
      this.#drafts.add({ lane: 'record', kind: 'summary', time, subject: summary.subject, fields: { first, last }, payload: summary.payload() });
    }
    const entry = this.#drafts.add({ lane: 'record', kind: 'evidence', time, fields: { first, last, root: window.root, ...window.counts } });
    const checkpoint: Checkpoint = {
      cursor: last,
      entrySequence: this.#drafts.sequence,
      rules: this.#rules,
      contract: this.#contract,
      profiles: this.#changedProfiles,
      memories: this.#changedMemories,
      totals: { ...this.#totals },
      steady: this.#steady.state,
      entries: this.#drafts.take(),
      evidence: { first, last, entry },
      quarantined: this.#quarantined,
      released: this.#released,
      bindings: this.#changedBindings,
      contexts: this.#changedContexts,
      devices: this.#book.takeChanges(),
      sightings: this.#sightings.takeChanges(),
      resyncs: [...this.#resyncs.values()],
      ...this.#duplicates.close(last),
    };
    this.#startWindow();
    return checkpoint;
  }

  #startWindow(): void {
    this.#window = new Window();
    this.#urgent = false;
    this.#quarantined = [];
    this.#released = [];
    this.#changedBindings = new Map();
    this.#changedContexts = new Map();
    this.#changedProfiles = undefined;
    this.#changedMemories = new Map();
    this.#resyncs = new Map();
  }
}

/** Throws {@link DecodeError} for bytes that are no frame. */
function frameOf(bytes: Uint8Array): Frame {
  try {
    return decodeFrame(Buffer.from(bytes));
  } catch (cause) {
    throw new DecodeError('wrong_shape', '"frame" must be a frame of the journal', { cause });
  }
}

function quarantinedOf(
  { sequence, frame }: Pick<AcceptedFrame, 'sequence' | 'frame'>,
  rejected: readonly DecodeError[],
  { decoder, address, taken }: Partial<Pick<Meaning, 'decoder' | 'address'>> & Readonly<{ taken: readonly string[] }>,
): Quarantined {
  return {
    sequence,
    device: frame.device,
    rejections: rejected.map(({ reason, message }) => ({ reason, message })),
    ...(decoder === undefined ? {} : { decoder: { name: decoder.name, version: decoder.version } }),
    ...(address === undefined ? {} : { address }),
    ...(taken.length === 0 ? {} : { taken }),
  };
}

/** Of several readings with one name, as many as were not taken. */
function withoutTaken(readings: readonly Attributed[], taken: readonly string[]): readonly Attributed[] {
  const left = [...taken];
  const isNew = ({ reading }: Attributed): boolean => {
    const at = left.indexOf(readingName(reading));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  };
  return readings.filter(isNew).map((each): Attributed => ({ ...each, reading: { ...each.reading, doubt: each.reading.doubt ?? 'stored' } }));
}
