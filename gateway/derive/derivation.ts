import { EMPTY_CONTEXT, applyRules, readRules, type Finding, type SubjectContext, type ThresholdRule } from '../context/rules.ts';
import { decodeOperatorAction, type OperatorAction } from '../decode/operator.ts';
import type { Profile } from '../decode/profile.ts';
import { ProfileTable, readProfiles } from '../decode/profile-table.ts';
import { DecodeError } from '../errors.ts';
import { sha256 } from '../ledger/bytes.ts';
import { encode, type CborValue } from '../ledger/cbor.ts';
import { commitment, encodeEntry, type EntryKind, type FieldValue } from '../ledger/entry.ts';
import type { UnixMillis } from '../quantity.ts';
import { nameOf, type AcceptedFrame, type DeviceId, type Lane, type Reading, type Subject } from '../reading.ts';
import type { Checkpoint, DerivedEntry, DerivedState, Quarantined, Totals } from './derive-store.ts';
import { DuplicateWindows, identityOf, repeatable } from './duplicates.ts';
import { memoryName, understand, type Meaning } from './meaning.ts';
import type { SubjectSecrets } from './secrets.ts';
import { Window } from './window.ts';

type RunningTotals = { -readonly [K in keyof Totals]: Totals[K] };
type EntryDraft = Readonly<{
  lane: Lane;
  kind: EntryKind;
  time: UnixMillis;
  /** In clear in the block: nothing about a person. */
  fields: Readonly<Record<string, FieldValue>>;
  subject?: Subject;
  /** Beside the block, behind a commitment. CBOR, or what becomes a CBOR map. */
  payload?: Readonly<Record<string, CborValue>> | Uint8Array;
}>;

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
  readonly #bindings: Map<DeviceId, Subject>;
  readonly #contexts: Map<string, SubjectContext>;
  readonly #duplicates: DuplicateWindows;
  readonly #totals: RunningTotals;
  #rules: readonly ThresholdRule[];
  #contract: Uint8Array | undefined;
  #profiles: ProfileTable;
  readonly #memories: Map<string, unknown>;
  #entrySequence: number;

  // What the open window has changed so far.
  #window = new Window();
  #urgent = false;
  #entries: DerivedEntry[] = [];
  #quarantined: Quarantined[] = [];
  #changedBindings = new Map<DeviceId, Subject | undefined>();
  #changedContexts = new Map<string, SubjectContext>();
  #changedProfiles: readonly Profile[] | undefined;
  #changedMemories = new Map<string, unknown>();

  constructor(secrets: SubjectSecrets, state: DerivedState) {
    this.#secrets = secrets;
    this.#bindings = new Map(state.bindings);
    this.#contexts = new Map(state.contexts);
    this.#duplicates = new DuplicateWindows(state.seen);
    this.#totals = { ...state.totals };
    this.#rules = state.rules;
    this.#contract = state.contract;
    this.#profiles = new ProfileTable(state.profiles);
    this.#memories = new Map(state.memories);
    this.#entrySequence = state.entrySequence;
  }

  /** Whether frames wait for their window to close: then a `timer` frame is due in time. */
  get hasOpenWindow(): boolean {
    return !this.#window.isEmpty;
  }

  /** Takes the next frame. Returns a checkpoint when it closed a window; that MUST be committed before any later one. */
  step(accepted: AcceptedFrame): Checkpoint | undefined {
    const { frame } = accepted;
    this.#window.addFrame(accepted, this.#secrets.frameSalt(frame.device, accepted.sequence));
    if (frame.source === 'operator') this.#takeOperatorFrame(accepted);
    else if (frame.source !== 'timer') this.#takeDeviceFrame(accepted, frame.device as DeviceId);
    return frame.source === 'timer' || this.#urgent || this.#window.isFull ? this.#closeWindow() : undefined;
  }

  /** `connection`: who proved itself; the message may be about a device behind it. */
  #takeDeviceFrame(accepted: AcceptedFrame, connection: DeviceId): void {
    const { frame } = accepted;
    const meaning = understand(frame, { profiles: this.#profiles, bindings: this.#bindings, memories: this.#memories });
    const identity = identityOf(frame, meaning);
    if (repeatable(frame, meaning.message) && this.#duplicates.has(connection, identity)) {
      this.#window.counts.duplicates += 1;
      this.#totals.duplicates += 1;
      return;
    }
    this.#duplicates.add(connection, identity);
    if ('memory' in meaning && meaning.decoder !== undefined) this.#keepMemory(memoryName(connection, meaning.decoder.name), meaning.memory);
    if (meaning.rejected.length > 0) this.#quarantine(accepted, meaning.rejected, meaning);
    if (meaning.clockInDoubt) this.#totals.implausibleDeviceClocks += 1;
    const { device, subject } = meaning;
    if (device === undefined || subject === undefined) return;
    const name = nameOf(subject);
    for (const reading of meaning.readings) this.#takeReading(accepted, device, { name, subject }, reading);
  }

  #keepMemory(name: string, memory: unknown): void {
    this.#memories.set(name, memory);
    this.#changedMemories.set(name, memory);
  }

  #takeReading(accepted: AcceptedFrame, device: DeviceId, { name, subject }: Readonly<{ name: string; subject: Subject }>, reading: Reading): void {
    this.#window.addReading(name, subject, reading, accepted.frame.receivedAt);
    this.#totals.readings += 1;
    if (reading.doubt !== undefined) return;
    const before = this.#contexts.get(name) ?? EMPTY_CONTEXT;
    const { context, findings } = applyRules(before, reading, this.#rules);
    if (context === before) return;
    this.#contexts.set(name, context);
    this.#changedContexts.set(name, context);
    for (const finding of findings) this.#draftEvent(accepted, device, subject, reading, finding);
  }

  /** The chain says that, and how urgently, something about this pseudonym happened; what it was is in the payload. */
  #draftEvent(accepted: AcceptedFrame, device: DeviceId, subject: Subject, reading: Reading, finding: Finding): void {
    const { rule, phase, value, limit } = finding;
    this.#draft({
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

  #takeOperatorFrame(accepted: AcceptedFrame): void {
    this.#urgent = true;
    try {
      this.#apply(decodeOperatorAction(accepted.frame.payload), accepted.frame.receivedAt);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#quarantine(accepted, [error], {});
    }
  }

  #apply(action: OperatorAction, time: UnixMillis): void {
    if (action.type === 'rules') {
      this.#rules = readRules(action.rules);
      this.#contract = sha256(Buffer.from(JSON.stringify(action.rules), 'utf8'));
      this.#forgetRulesNoLongerThere();
      this.#draft({ lane: 'record', kind: 'contract', time, fields: { contract: this.#contract, rules: this.#rules.length } });
      return;
    }
    if (action.type === 'profiles') {
      this.#changedProfiles = readProfiles(action.profiles);
      this.#profiles = new ProfileTable(this.#changedProfiles);
      const pack = sha256(Buffer.from(JSON.stringify(action.profiles), 'utf8'));
      this.#draft({ lane: 'record', kind: 'device', time, fields: { action: 'profiles', pack, profiles: this.#changedProfiles.length } });
      return;
    }
    if (action.type === 'enrol' || action.type === 'revoke') return this.#takeCredential(action, time);
    this.#takeBinding(action, time);
  }

  #takeCredential(action: Extract<OperatorAction, { type: 'enrol' | 'revoke' }>, time: UnixMillis): void {
    const { type, device } = action;
    const fields = { action: type, ...(type === 'enrol' ? { credential: action.credential } : {}) };
    const fingerprint = type === 'enrol' && action.credential === 'certificate' ? action.fingerprint : null;
    this.#draft({ lane: 'record', kind: 'device', time, fields, payload: { device, fingerprint } });
    if (type === 'revoke' && this.#bindings.has(device)) this.#takeBinding({ type: 'unbind', device }, time);
  }

  #takeBinding(action: Extract<OperatorAction, { type: 'bind' | 'unbind' }>, time: UnixMillis): void {
    const subject = action.type === 'bind' ? action.subject : this.#bindings.get(action.device);
    if (action.type === 'bind') this.#bindings.set(action.device, action.subject);
    else this.#bindings.delete(action.device);
    this.#changedBindings.set(action.device, this.#bindings.get(action.device));
    this.#draft({
      lane: 'record',
      kind: 'binding',
      time,
      fields: { action: action.type },
      payload: { device: action.device, subject: subject === undefined ? null : nameOf(subject) },
      ...(subject === undefined ? {} : { subject }),
    });
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

  #quarantine(accepted: AcceptedFrame, rejected: readonly DecodeError[], { decoder, address }: Partial<Pick<Meaning, 'decoder' | 'address'>>): void {
    const quarantined = { ...this.#totals.quarantined };
    for (const { reason } of rejected) quarantined[reason] = (quarantined[reason] ?? 0) + 1;
    this.#totals.quarantined = quarantined;
    this.#window.counts.quarantined += 1;
    this.#quarantined.push({
      sequence: accepted.sequence,
      device: accepted.frame.device,
      rejections: rejected.map(({ reason, message }) => ({ reason, message })),
      ...(decoder === undefined ? {} : { decoder }),
      ...(address === undefined ? {} : { address }),
    });
  }

  #draft(draft: EntryDraft): number {
    const sequence = ++this.#entrySequence;
    const payload = draft.payload instanceof Uint8Array || draft.payload === undefined ? draft.payload : encode(new Map(Object.entries(draft.payload)), { floats: true });
    const secret = payload === undefined ? undefined : { salt: this.#secrets.entrySalt(draft.subject, sequence), payload };
    const bytes = encodeEntry({
      kind: draft.kind,
      sequence,
      time: draft.time,
      fields: new Map(Object.entries(draft.fields)),
      ...(draft.subject === undefined ? {} : { subject: this.#secrets.pseudonym(draft.subject) }),
      ...(secret === undefined ? {} : { commit: commitment(secret.salt, secret.payload) }),
    });
    this.#entries.push({ lane: draft.lane, sequence, bytes, ...(secret === undefined ? {} : { secret }) });
    return sequence;
  }

  #closeWindow(): Checkpoint | undefined {
    const window = this.#window;
    if (window.span === undefined) return undefined;
    const { first, last, time } = window.span;
    for (const summary of window.summaries) {
      this.#draft({ lane: 'record', kind: 'summary', time, subject: summary.subject, fields: { first, last }, payload: summary.payload() });
    }
    const entry = this.#draft({ lane: 'record', kind: 'evidence', time, fields: { first, last, root: window.root, ...window.counts } });
    const checkpoint: Checkpoint = {
      cursor: last,
      entrySequence: this.#entrySequence,
      rules: this.#rules,
      contract: this.#contract,
      profiles: this.#changedProfiles,
      memories: this.#changedMemories,
      totals: { ...this.#totals },
      entries: this.#entries,
      evidence: { first, last, entry },
      quarantined: this.#quarantined,
      bindings: this.#changedBindings,
      contexts: this.#changedContexts,
      ...this.#duplicates.close(last),
    };
    this.#startWindow();
    return checkpoint;
  }

  #startWindow(): void {
    this.#window = new Window();
    this.#urgent = false;
    this.#entries = [];
    this.#quarantined = [];
    this.#changedBindings = new Map();
    this.#changedContexts = new Map();
    this.#changedProfiles = undefined;
    this.#changedMemories = new Map();
  }
}
