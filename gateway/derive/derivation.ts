import type { WatchState } from '../context/watch.ts';
import { decodeOperatorAction, readingName, type OperatorAction } from '../decode/operator.ts';
import type { Profile } from '../decode/profile.ts';
import { ProfileTable } from '../decode/profile-table.ts';
import { readProfiles } from '../decode/read-profiles.ts';
import { recognise } from '../decode/recognise.ts';
import { DecodeError } from '../errors.ts';
import { decodeFrame } from '../frame-codec.ts';
import { sha256 } from '../ledger/bytes.ts';
import { Millis, Seconds, type UnixMillis } from '../quantity.ts';
import { nameOf, type AcceptedFrame, type DeviceId, type Frame, type Subject } from '../reading.ts';
import { Care, RESTORED_RULE, type CareAction, type Occasion } from './care.ts';
import { bound, forgotten, subjectAt, unbound, type Bindings } from './bindings.ts';
import { ConsentBook } from './consent-book.ts';
import type { Checkpoint, DerivedState, Quarantined, Resync, Totals } from './derive-store.ts';
import { DeviceBook, type DeviceChange } from './device-book.ts';
import { aheadOf, type DeviceClock } from './device-clock.ts';
import { Drafts } from './drafts.ts';
import { DuplicateWindows, identityOf, repeatable } from './duplicates.ts';
import { memoryName, understand, type Attributed, type Meaning } from './meaning.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { Sightings } from './sightings.ts';
import { SteadyTime } from './steady-time.ts';
import { SuccessionBook } from './succession-book.ts';
import type { BegunChain } from './succession-state.ts';
import { SummaryBook } from './summary-book.ts';
import { Summary } from './summary.ts';
import { Window } from './window.ts';

export type DerivationOptions = Readonly<{
  /** How often a checkpoint brings all that is remembered of everybody. */
  rememberEvery: Millis;
  /** See Resumption. */
  committed: Readonly<{ cursor: number; entrySequence: number }>;
  /** Default: none, and nothing changes who speaks for it. */
  begun: BegunChain;
}>;

/** What is remembered of somebody is tens of kilobytes; a restart derives again what came since it was written. */
const REMEMBER_EVERY = Seconds(60);
/** However fast they come, a restart has no more than this to derive again: a few seconds. */
const MOST_FRAMES_AGAIN = 65_536;

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
  readonly #keys: SubjectKeys;
  readonly #drafts: Drafts;
  readonly #steady: SteadyTime;
  readonly #bindings: Map<DeviceId, Bindings>;
  readonly #care: Care;
  readonly #consent: ConsentBook;
  readonly #summaries: SummaryBook;
  readonly #succession: SuccessionBook;
  readonly #duplicates: DuplicateWindows;
  readonly #book: DeviceBook;
  readonly #sightings: Sightings;
  readonly #clockOf = (device: DeviceId): DeviceClock | undefined => this.#book.clockOf(device);
  readonly #memories: Map<string, unknown>;
  readonly #totals: RunningTotals;
  #profiles: ProfileTable;
  readonly #resume: Omit<DerivationOptions, 'begun'>;
  /** Told of every reading that is taken, for whoever looks on. MUST change nothing. */
  onReading: ((sequence: AcceptedFrame['sequence'], device: DeviceId | '', attributed: Attributed) => void) | undefined;

  /** Steady time of the last checkpoint with all that is remembered of everybody, and the frames since. */
  #rememberedAt: Millis;
  #framesSince = 0;

  // What the open window has changed so far.
  #window = new Window();
  #urgent = false;
  #quarantined: Quarantined[] = [];
  #released: AcceptedFrame['sequence'][] = [];
  #changedBindings = new Map<DeviceId, Bindings>();
  #changedProfiles: readonly Profile[] | undefined;
  #changedMemories = new Map<string, unknown>();
  #resyncs = new Map<string, Resync>();

  constructor(keys: SubjectKeys, state: DerivedState, options: Partial<DerivationOptions> = {}) {
    const { begun, ...resume } = options;
    this.#keys = keys;
    keys.enter(state.epoch);
    this.#drafts = new Drafts(keys, state.entrySequence);
    this.#steady = new SteadyTime(state.steady);
    this.#bindings = new Map(state.bindings);
    this.#care = new Care(this.#drafts, state);
    this.#consent = new ConsentBook(this.#drafts, this.#care, state.consent);
    this.#summaries = new SummaryBook(this.#drafts, state.summaries);
    this.#succession = new SuccessionBook(this.#drafts, begun, state.succession);
    this.#duplicates = new DuplicateWindows(state.seen);
    this.#book = new DeviceBook(state.devices);
    this.#sightings = new Sightings(state.sightings);
    this.#memories = new Map(state.memories);
    this.#totals = { ...state.totals };
    this.#profiles = new ProfileTable(state.profiles);
    this.#rememberedAt = this.#steady.now;
    this.#resume = { rememberEvery: REMEMBER_EVERY, committed: { cursor: state.cursor, entrySequence: state.entrySequence }, ...resume };
  }

  /** Whether frames wait for their window to close: then a `timer` frame is due in time. */
  get hasOpenWindow(): boolean {
    return !this.#window.isEmpty;
  }

  /** How long after the last frame a `timer` frame is due at the latest, so that a silence is noticed; undefined: never. */
  get dueIn(): Millis | undefined {
    const { nextLook } = this.#book;
    const { now } = this.#steady;
    const due = Math.min(nextLook === undefined ? Infinity : Math.max(0, nextLook - now), this.#care.dueIn(now) ?? Infinity, this.#summaries.dueIn(now) ?? Infinity, this.#consent.dueIn(this.#steady.wall) ?? Infinity);
    return due === Infinity ? undefined : Millis(due);
  }

  /** What is remembered of a patient or a room, by name, as of the last frame. */
  watchOf(name: string): WatchState | undefined {
    return this.#care.watchOf(name);
  }

  /** Takes the next frame. Returns a checkpoint when it closed a window; that MUST be committed before any later one. */
  step(accepted: AcceptedFrame): Checkpoint | undefined {
    const { frame } = accepted;
    const before = this.#steady.now;
    const { now, restarted } = this.#steady.follow(frame);
    if (restarted) this.#book.resume(now);
    this.#framesSince += 1;
    const occasion = occasionOf(frame, now);
    this.#care.passTime(before, occasion);
    this.#consent.passTime(occasion);
    this.#summaries.passTime(before, now, occasion.time);
    this.#window.addFrame(accepted);
    if (frame.source === 'operator') this.#takeOperatorFrame(accepted, occasion);
    else if (frame.source !== 'timer') this.#takeDeviceFrame(accepted, frame.device as DeviceId, occasion);
    return frame.source === 'timer' || this.#urgent || this.#care.newSteps > 0 || this.#window.isFull ? this.#closeWindow(occasion) : undefined;
  }

  #understand(frame: Frame, now: Millis): Meaning {
    return understand(frame, { profiles: this.#profiles, bindings: this.#bindings, memories: this.#memories, clockOf: this.#clockOf, now });
  }

  /** `connection`: who proved itself; the message may be about a device behind it. */
  #takeDeviceFrame(accepted: AcceptedFrame, connection: DeviceId, occasion: Occasion): void {
    const { frame } = accepted;
    const meaning = this.#understand(frame, occasion.now);
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
    this.#noteDevice(accepted, connection, meaning, occasion);
    for (const attributed of meaning.readings) this.#takeReading(accepted, meaning.device as DeviceId, attributed, occasion);
  }

  #keepMemory(name: string, memory: unknown): void {
    this.#memories.set(name, memory);
    this.#changedMemories.set(name, memory);
  }

  /** What the message says of its device rather than of a person or a room. */
  #noteDevice(accepted: AcceptedFrame, connection: DeviceId, meaning: Meaning, occasion: Occasion): void {
    const { frame } = accepted;
    this.#noteStranger(accepted, connection, meaning);
    // What nobody could read is the connection's own.
    const device = meaning.device ?? (meaning.address === undefined ? connection : undefined);
    if (device === undefined) return;
    const { clock, notices, expectations, message, readings } = meaning;
    const { now } = occasion;
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
    }, (change) => this.#tellOfDevice(change, occasion));
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

  #takeReading(accepted: AcceptedFrame, device: DeviceId | '', attributed: Attributed, occasion: Occasion): void {
    this.#window.counts.readings += 1;
    this.#totals.readings += 1;
    this.#summaries.add(attributed);
    this.onReading?.(accepted.sequence, device, attributed);
    this.#care.takeReading(accepted, device, attributed, Millis(accepted.frame.receivedAt - attributed.measuredAt), occasion);
  }

  /** What is wrong with a device is told to those who look after whoever it is bound to. */
  #tellOfDevice({ device, phase, condition }: DeviceChange, occasion: Occasion): void {
    const subject = subjectAt(this.#bindings.get(device), occasion.now);
    if (subject === undefined) return;
    if (phase === 'raised') this.#care.raise(subject, condition, occasion);
    else this.#care.clear({ subject, rule: condition.rule }, occasion);
  }

  #takeOperatorFrame(accepted: AcceptedFrame, occasion: Occasion): void {
    const wasUrgent = this.#urgent;
    this.#urgent = true;
    try {
      const action = decodeOperatorAction(accepted.frame.payload);
      // They come by the thousand, and whoever ordered them closes the window.
      if (action.type === 'retry' || action.type === 'disclose') this.#urgent = wasUrgent;
      this.#apply(action, accepted, occasion);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#quarantine(accepted, [error], {});
    }
  }

  #apply(action: OperatorAction, accepted: AcceptedFrame, occasion: Occasion): void {
    const { time } = occasion;
    switch (action.type) {
      case 'profiles':
        return this.#applyProfiles(action.profiles, time);
      case 'retry':
        return this.#retry(action, accepted.frame);
      case 'bind':
        this.#setBindings(action.device, bound(this.#bindings.get(action.device) ?? [], action, { at: this.#steady.now, wall: time }), occasion);
        return this.#draftBinding(action, action.subject, time);
      case 'unbind':
        return this.#unbind(action, occasion);
      case 'enrol':
      case 'revoke':
        return this.#takeCredential(action, occasion);
      case 'epoch':
        return this.#enterEpoch(action.epoch, time);
      case 'erase':
        return this.#erase(action, occasion);
      case 'disclose':
        return this.#disclose(action, time);
      case 'hospital_note':
        return this.#consent.takeNote(action, occasion);
      case 'dropped':
        return this.#noteDropped(action, time);
      case 'restored':
        return this.#noteRestoration(action, occasion);
      case 'condition':
        return this.#care.followOwn(action.condition, action.holds, occasion);
      case 'enrol_person':
      case 'revoke_person':
      case 'statement':
      case 'ask_release':
      case 'break_glass':
      case 'end_glass':
      case 'review_glass':
        return this.#consent.carryOut(action, occasion);
      case 'await_replacement':
      case 'forgo_replacement':
      case 'change':
        return this.#changeSuccession(action, time);
      default:
        return this.#takeCareAction(action, accepted, occasion);
    }
  }

  #takeCareAction(action: CareAction, accepted: AcceptedFrame, occasion: Occasion): void {
    if ('ask' in action && this.#wasAsked(action.by.id, accepted.frame)) return;
    for (const attributed of this.#care.carryOut(action, accepted, occasion)) this.#takeReading(accepted, '', attributed, occasion);
  }

  /** Whether a flow asked the very same before; flows are told again what was on its way when they, or this gateway, ended. */
  #wasAsked(person: string, frame: Frame): boolean {
    // No device is called so.
    const asker = `~${person}` as DeviceId;
    const identity = identityOf(frame, { message: undefined });
    if (this.#duplicates.has(asker, identity)) return true;
    this.#duplicates.add(asker, identity);
    return false;
  }

  #enterEpoch(epoch: number, time: UnixMillis): void {
    if (epoch <= this.#keys.epoch) return;
    this.#keys.enter(epoch);
    this.#drafts.add({ lane: 'record', kind: 'order', time, fields: { action: 'epoch', epoch } });
  }

  /**
   * Forgets a subject, and says which keys are to be destroyed: whoever asked for it destroys them once this is committed. The state is
   * written whole with it, for what came before cannot be derived again.
   */
  #erase({ subject, through, by }: Extract<OperatorAction, { type: 'erase' }>, occasion: Occasion): void {
    if (through !== undefined && through >= this.#keys.epoch) throw new DecodeError('wrong_shape', `epoch ${this.#keys.epoch} goes on; "through" must be before it`);
    if (through === undefined) this.#forget(subject, occasion);
    const keys = this.#keys.forget(nameOf(subject), through).map((id) => Buffer.from(id, 'hex'));
    this.#drafts.add({ lane: 'record', kind: 'erasure', time: occasion.time, fields: { keys, ...(through === undefined ? {} : { through }) }, payload: { by: by.id, role: by.role } });
    this.#framesSince = MOST_FRAMES_AGAIN;
  }

  #disclose({ subject, what, purpose, times, by, consents, episode }: Extract<OperatorAction, { type: 'disclose' }>, time: UnixMillis): void {
    const basis = { ...(consents === undefined ? {} : { consents }), ...(episode === undefined ? {} : { episode }) };
    this.#drafts.add({ lane: 'record', kind: 'disclosure', time, subject, fields: {}, payload: { recipient: by.id, role: by.role, what, purpose, times, ...basis } });
  }

  #noteDropped({ what, why, first, last, count }: Extract<OperatorAction, { type: 'dropped' }>, time: UnixMillis): void {
    this.#drafts.add({ lane: 'record', kind: 'gap', time, fields: { reason: why, what, first, last, count } });
  }

  /** What happened between the backup and the loss stands in the chain, and nobody here remembers it: people have to look. */
  #noteRestoration({ taken, first, last }: Extract<OperatorAction, { type: 'restored' }>, occasion: Occasion): void {
    this.#drafts.add({ lane: 'record', kind: 'gap', time: occasion.time, fields: { reason: 'restored', taken, ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }) } });
    const message = `the gateway was restored from a backup of ${new Date(taken).toISOString()}: bindings, consents and answers since then have to be given again`;
    this.#care.raise(null, { rule: RESTORED_RULE, priority: 'medium', message, evidence: { condition: '', values: [], frames: [] } }, occasion);
  }

  /** The state is written whole with it: what may be sealed after a restart stands in it. */
  #changeSuccession(action: Extract<OperatorAction, { type: 'await_replacement' | 'forgo_replacement' | 'change' }>, time: UnixMillis): void {
    if (action.type === 'change') this.#succession.apply(action.change, time);
    else if (action.type === 'await_replacement') this.#succession.reserve();
    else this.#succession.release();
    this.#framesSince = MOST_FRAMES_AGAIN;
  }

  #forget(subject: Subject, occasion: Occasion): void {
    for (const [device, bindings] of this.#bindings) {
      const after = forgotten(bindings, subject);
      if (after.length !== bindings.length) this.#setBindings(device, after, occasion);
    }
    this.#care.erase(subject, occasion);
    this.#consent.forget(subject);
    this.#summaries.forget(nameOf(subject));
  }

  #applyProfiles(profiles: readonly unknown[], time: UnixMillis): void {
    this.#changedProfiles = readProfiles(profiles);
    this.#profiles = new ProfileTable(this.#changedProfiles);
    const pack = sha256(Buffer.from(JSON.stringify(profiles), 'utf8'));
    this.#drafts.add({ lane: 'record', kind: 'device', time, fields: { action: 'profiles', pack, profiles: this.#changedProfiles.length } });
  }

  #setBindings(device: DeviceId, bindings: Bindings, occasion: Occasion): void {
    const [before, after] = [subjectAt(this.#bindings.get(device), occasion.now), subjectAt(bindings, occasion.now)];
    this.#bindings.set(device, bindings);
    this.#changedBindings.set(device, bindings);
    if (before === undefined || (after !== undefined && nameOf(before) === nameOf(after))) return;
    this.#care.forgetDevice(before, device, occasion);
    this.#book.forgetTold(device);
  }

  #takeCredential(action: Extract<OperatorAction, { type: 'enrol' | 'revoke' }>, occasion: Occasion): void {
    const { type, device } = action;
    const { time } = occasion;
    const fields = { action: type, ...(type === 'enrol' ? { credential: action.credential } : {}) };
    const fingerprint = type === 'enrol' && action.credential === 'certificate' ? action.fingerprint : null;
    this.#drafts.add({ lane: 'record', kind: 'device', time, fields, payload: { device, fingerprint } });
    if (type === 'revoke' && subjectAt(this.#bindings.get(device), this.#steady.now) !== undefined) this.#unbind({ type: 'unbind', device }, occasion);
  }

  #unbind(action: Extract<OperatorAction, { type: 'unbind' }>, occasion: Occasion): void {
    const before = this.#bindings.get(action.device) ?? [];
    this.#setBindings(action.device, unbound(before, occasion.now), occasion);
    this.#draftBinding(action, subjectAt(before, occasion.now), occasion.time);
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

  #quarantine(accepted: AcceptedFrame, rejected: readonly DecodeError[], meaning: Partial<Pick<Meaning, 'decoder' | 'address' | 'readings'>>): void {
    const quarantined = { ...this.#totals.quarantined };
    for (const { reason } of rejected) quarantined[reason] = (quarantined[reason] ?? 0) + 1;
    this.#totals.quarantined = quarantined;
    this.#window.counts.quarantined += 1;
    this.#quarantined.push(quarantinedOf(accepted, rejected, { ...meaning, taken: meaning.readings?.map(({ reading }) => readingName(reading)) ?? [] }));
  }

  #closeWindow(occasion: Occasion): Checkpoint | undefined {
    const window = this.#window;
    if (window.span === undefined) return undefined;
    const { first, last, time } = window.span;
    const isBound = (device: DeviceId): boolean => subjectAt(this.#bindings.get(device), this.#steady.now) !== undefined;
    for (const silence of this.#book.silences(this.#steady.now, isBound)) this.#tellOfDevice(silence, occasion);
    const changes = this.#care.takeChanges();
    this.#totals.events += changes.steps.length;
    const entry = this.#drafts.add({ lane: 'record', kind: 'evidence', time, fields: { first, last, root: window.root, ...window.counts } });
    if (last === this.#resume.committed.cursor) this.#drafts.continueAfter(this.#resume.committed.entrySequence);
    const checkpoint: Checkpoint = {
      cursor: last,
      entrySequence: this.#drafts.sequence,
      epoch: this.#keys.epoch,
      succession: this.#succession.state,
      keys: this.#keys.takeMade(),
      profiles: this.#changedProfiles,
      memories: this.#changedMemories,
      totals: { ...this.#totals },
      steady: this.#steady.state,
      entries: this.#drafts.take(),
      evidence: { first, last, entry },
      quarantined: this.#quarantined,
      released: this.#released,
      bindings: this.#changedBindings,
      ...this.#takeRemembered(),
      devices: this.#book.takeChanges(),
      sightings: this.#sightings.takeChanges(),
      resyncs: [...this.#resyncs.values()],
      ...changes,
      consent: this.#consent.takeChange(),
      ...this.#duplicates.close(last),
    };
    this.#startWindow();
    return checkpoint;
  }

  #takeRemembered(): Pick<Checkpoint, 'remembered'> {
    const { now } = this.#steady;
    if (now - this.#rememberedAt < this.#resume.rememberEvery && this.#framesSince < MOST_FRAMES_AGAIN) return { remembered: undefined };
    this.#rememberedAt = now;
    this.#framesSince = 0;
    return { remembered: { watches: this.#care.takeWatches(), summaries: this.#summaries.takeChanges() } };
  }

  #startWindow(): void {
    this.#window = new Window();
    this.#urgent = false;
    this.#quarantined = [];
    this.#released = [];
    this.#changedBindings = new Map();
    this.#changedProfiles = undefined;
    this.#changedMemories = new Map();
    this.#resyncs = new Map();
  }
}

const occasionOf = ({ receivedAt, clockTrust }: Frame, now: Millis): Occasion => ({ now, time: receivedAt, wall: clockTrust === 'implausible' ? undefined : receivedAt });

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
