import { DecodeError } from '../errors.ts';
import { Millis, UnixMillis } from '../quantity.ts';
import { Sequence, isDeviceId, isSubjectId, type DeviceId, type Reading, type Subject } from '../reading.ts';

/** What can be wrong with the gateway itself. Words of the chain: one may be added, never renamed. */
const OWN_CONDITIONS = ['unreached', 'no_room', 'flows_stopped', 'flows_safe_mode'] as const;
type OwnConditionName = (typeof OWN_CONDITIONS)[number];

/**
 * What a person or the configuration decided, as it enters the journal: the payload of an `operator` frame, JSON in
 * UTF-8. Derivation depends on nothing that is not in a frame, so these are frames too. `ask`: what a flow calls what it asked (flows/asks.ts);
 * the same action under the same name again is a repetition, and does nothing.
 */
export type OperatorAction =
  /** `from` (included) and `until` (excluded) on the gateway's wall clock; absent: from now, for ever. */
  | Readonly<{ type: 'bind'; device: DeviceId; subject: Subject; from?: UnixMillis; until?: UnixMillis }>
  | Readonly<{ type: 'unbind'; device: DeviceId }>
  /** Decodes a frame of the journal again, whose readings named in `taken` (see {@link readingName}) were taken before. */
  | Readonly<{ type: 'retry'; sequence: Sequence; frame: Uint8Array; taken: readonly string[] }>
  /** The device proves itself by this from now on; `fingerprint` is the SHA-256 of its certificate, hexadecimal. */
  | Readonly<{ type: 'enrol'; device: DeviceId; credential: 'password' }>
  | Readonly<{ type: 'enrol'; device: DeviceId; credential: 'certificate'; fingerprint: string }>
  /** The device proves itself by nothing any more, and is nobody's. */
  | Readonly<{ type: 'revoke'; device: DeviceId }>
  | Readonly<{ type: 'profiles'; profiles: readonly unknown[] }>
  /** These contracts (context/contract.ts) and no others are in force from now on; signatures as derive/contract-signature.ts has them. */
  | Readonly<{ type: 'contracts'; packs: readonly unknown[]; by: readonly Actor[]; signatures?: readonly unknown[] }>
  /** What is known of the homes of patients, of all of them (derive/orders.ts). */
  | Readonly<{ type: 'patients'; patients: readonly unknown[] }>
  /** SpO2 scale of NEWS2: 2 only by a clinician. */
  | Readonly<{ type: 'prescribe'; patient: string; spo2Scale: 1 | 2; by: Actor }>
  /** What a person saw or measured by hand, by measurement in the units of measurements.ts. */
  | Readonly<{ type: 'observe'; patient: string; values: Readonly<Record<string, number>>; by: Actor; ask?: string }>
  /** Every sample of this measurement of the patient is wanted for so long, beside the summaries. */
  | Readonly<{ type: 'waveform'; patient: string; measurement: string; time: Millis; by: Actor }>
  /** Who is told of alarms and how soon (alarm/policy.ts). */
  | Readonly<{ type: 'alarms'; policy: unknown }>
  | Readonly<{ type: 'acknowledge'; alarm: number; revision: number; by: Actor }>
  | Readonly<{ type: 'snooze'; alarm: number; revision: number; time: Millis; by: Actor }>
  /** Other people are told of an alarm (alarm/policy.ts: levels), the first at once. */
  | Readonly<{ type: 'escalate'; alarm: number; revision: number; levels: readonly unknown[]; by: Actor }>
  /** Somebody's flow says that something is wrong, or no longer (flows/asks.ts). Its rule is "flow:<name>". "subject" null: nobody in particular. */
  | Readonly<{ type: 'flow_alarm'; subject: Subject | null; name: string; priority: 'high' | 'medium' | 'low'; kind: 'physiological' | 'technical'; message: string; levels?: readonly unknown[]; by: Actor; ask?: string }>
  | Readonly<{ type: 'flow_clear'; subject: Subject | null; name: string; by: Actor; ask?: string }>
  /** A remark for the record of somebody, in the words of whoever wrote it. */
  | Readonly<{ type: 'note'; subject: Subject; text: string; by: Actor; ask?: string }>
  /** What became of an attempt to tell somebody of an alarm. `subject`: whom the alarm is about. */
  | Readonly<{ type: 'notified'; subject: Subject | null; alarm: number; step: number; person: string; channel: string; outcome: 'handed_over' | 'failed' | 'skipped'; detail?: string; by: Actor; ask?: string }>
  /** From now on what is said of subjects lies under keys of this epoch (vault/). */
  | Readonly<{ type: 'epoch'; epoch: number }>
  /** Forgets a subject; with `through`, only what was said in epochs up to that one. */
  | Readonly<{ type: 'erase'; subject: Subject; through?: number; by: Actor }>
  /** Somebody was shown what is known of a subject, so many times (disclosures.ts). */
  | Readonly<{ type: 'disclose'; subject: Subject; what: string; purpose: string; times: number; by: Actor; /** Versions of the consents it rests on (consent/consents.ts), hexadecimal, and a break-glass episode. */ consents?: readonly string[]; episode?: number }>
  /**
   * A hospital says what was done there with somebody's data (consent/hospital-note.ts), in its order: `key` is the fingerprint of its key, `hospital` our name for it.
   * Without `subject` and `note` it is about nobody who is known here.
   */
  | Readonly<{ type: 'hospital_note'; hospital: string; key: string; number: number; subject?: Subject; note?: Uint8Array }>
  /** This key speaks for a patient (consent/keys.ts), or no longer. "key": compressed point, "fingerprint": its name, both hexadecimal. */
  | Readonly<{ type: 'enrol_person'; patient: string; key: string; who: 'patient' | 'guardian'; name: string; until?: UnixMillis; by: Actor }>
  | Readonly<{ type: 'revoke_person'; patient: string; fingerprint: string; reason: string; by: Actor }>
  /** What somebody signed about consent (consent/statement.ts), or is asked to approve (consent/release.ts). `patient`: whom it is about. */
  | Readonly<{ type: 'statement'; patient: string; statement: Uint8Array }>
  | Readonly<{ type: 'ask_release'; patient: string; request: Uint8Array; by: Actor }>
  /** Everything of one patient is seen for a while (consent/break-glass.ts). */
  | Readonly<{ type: 'break_glass'; patient: string; reason: string; time?: Millis; by: Actor }>
  | Readonly<{ type: 'end_glass'; patient: string; episode: number; by: Actor }>
  | Readonly<{ type: 'review_glass'; patient: string; episode: number; verdict: 'justified' | 'unjustified'; remark: string; by: Actor }>
  /** This gateway goes on from a backup taken then; frames from `first` to `last` were lost, if there are any (restoration.ts). */
  | Readonly<{ type: 'restored'; taken: UnixMillis; first?: Sequence; last?: Sequence }>
  /** Goes from the disk (disk/disk-keeper.ts): `first` to `last` number frames, or entries of the chain, whichever `what` says. */
  | Readonly<{ type: 'dropped'; what: 'payloads' | 'frames' | 'unreceipted_payloads' | 'blocks'; why: 'age' | 'disk'; first: number; last: number; count: number }>
  /** Something is wrong with the gateway itself, or no longer (own-conditions.ts). */
  | Readonly<{ type: 'condition'; condition: OwnConditionName; holds: boolean }>
  /** Sets numbers aside for the entries of a replacement (derive/succession-book.ts), or says that none is to come. */
  | Readonly<{ type: 'await_replacement' | 'forgo_replacement' }>
  /** Changes who may speak for the chain; `change` as ledger/change.ts encodes it, signed. */
  | Readonly<{ type: 'change'; change: Uint8Array }>
  /** Local clocks are so many minutes ahead of UTC from now on, and it is an hour that shall be quiet or none. */
  | Readonly<{ type: 'local'; offset: number; quiet: boolean }>;

/** Of whom an action tells; undefined when it tells of nobody, or of several. */
export function subjectIn(action: OperatorAction): Subject | undefined {
  switch (action.type) {
    case 'bind': case 'erase': case 'disclose': case 'note': case 'hospital_note': return action.subject;
    case 'flow_alarm': case 'flow_clear': case 'notified': return action.subject ?? undefined;
    case 'prescribe': case 'observe': case 'waveform': case 'enrol_person': case 'revoke_person': case 'break_glass': case 'end_glass': case 'review_glass': case 'statement': case 'ask_release': return { kind: 'patient', id: action.patient };
    default: return undefined;
  }
}

/** Who did something, as whoever let them in has checked it. */
export type Actor = Readonly<{ id: string; role: string }>;

/** Whoever may open the data folder. */
export const COMMAND_LINE: Actor = { id: 'command line', role: 'administrator' };

/** What tells the readings of one frame apart. */
export const readingName = ({ measurement, deviceTime }: Reading): string => `${measurement} ${deviceTime ?? ''}`;

type Fields = Readonly<Record<string, unknown>>;

/** Minutes: no zone is further from UTC than 14 hours. */
const MOST_OFFSET = 14 * 60;
const MOST_VALUES = 32;
const LONGEST_NAME = 256;

export function encodeOperatorAction(action: OperatorAction): Uint8Array {
  return Buffer.from(JSON.stringify(plainOf(action)), 'utf8');
}

/** JSON has no bytes. */
function plainOf(action: OperatorAction): object {
  switch (action.type) {
    case 'retry': return { ...action, frame: Buffer.from(action.frame).toString('base64') };
    case 'statement': return { ...action, statement: Buffer.from(action.statement).toString('base64') };
    case 'ask_release': return { ...action, request: Buffer.from(action.request).toString('base64') };
    case 'hospital_note': return { ...action, ...(action.note === undefined ? {} : { note: Buffer.from(action.note).toString('base64') }) };
    case 'change': return { ...action, change: Buffer.from(action.change).toString('base64') };
    default: return action;
  }
}

/** Throws {@link DecodeError} for an action this version does not know. */
export function decodeOperatorAction(payload: Uint8Array): OperatorAction {
  const action = parse(payload);
  switch (action['type']) {
    case 'bind':
      return { type: 'bind', device: deviceOf(action), subject: subjectOf(action['subject']), ...instantIn(action, 'from'), ...instantIn(action, 'until') };
    case 'unbind':
      return { type: 'unbind', device: deviceOf(action) };
    case 'retry':
      return { type: 'retry', sequence: sequenceIn(action), frame: bytesIn(action, 'frame'), taken: takenIn(action) };
    case 'enrol':
      return { type: 'enrol', device: deviceOf(action), ...credentialOf(action) };
    case 'revoke':
      return { type: 'revoke', device: deviceOf(action) };
    case 'profiles':
      return { type: 'profiles', profiles: listIn(action, 'profiles') };
    case 'contracts':
      return { type: 'contracts', packs: listIn(action, 'packs'), by: listIn(action, 'by').map(actorOf), ...(action['signatures'] === undefined ? {} : { signatures: listIn(action, 'signatures') }) };
    case 'patients':
      return { type: 'patients', patients: listIn(action, 'patients') };
    case 'prescribe':
      return { type: 'prescribe', patient: patientOf(action), spo2Scale: scaleOf(action), by: actorOf(action['by']) };
    case 'observe':
      return { type: 'observe', patient: patientOf(action), values: valuesIn(action), by: actorOf(action['by']), ...askIn(action) };
    case 'waveform':
      return { type: 'waveform', patient: patientOf(action), measurement: textIn(action, 'measurement'), time: Millis(wholeIn(action, 'time', 1)), by: actorOf(action['by']) };
    case 'alarms':
      return { type: 'alarms', policy: action['policy'] };
    case 'acknowledge':
      return { type: 'acknowledge', ...answeredIn(action) };
    case 'snooze':
      return { type: 'snooze', ...answeredIn(action), time: Millis(wholeIn(action, 'time', 1)) };
    case 'escalate':
      return { type: 'escalate', ...answeredIn(action), levels: listIn(action, 'levels') };
    case 'flow_alarm':
      return {
        type: 'flow_alarm', ...flowAlarmIn(action), priority: oneOf(action, 'priority', ['high', 'medium', 'low']), kind: oneOf(action, 'kind', ['physiological', 'technical']), message: saidIn(action, 'message'),
        ...(action['levels'] === undefined ? {} : { levels: listIn(action, 'levels') }), by: actorOf(action['by']), ...askIn(action),
      };
    case 'flow_clear':
      return { type: 'flow_clear', ...flowAlarmIn(action), by: actorOf(action['by']), ...askIn(action) };
    case 'note':
      return { type: 'note', subject: subjectOf(action['subject']), text: saidIn(action, 'text'), by: actorOf(action['by']), ...askIn(action) };
    case 'notified':
      return {
        type: 'notified', subject: subjectOrNull(action), alarm: wholeIn(action, 'alarm', 1), step: wholeIn(action, 'step', 1), person: saidIn(action, 'person'), channel: saidIn(action, 'channel'),
        outcome: oneOf(action, 'outcome', ['handed_over', 'failed', 'skipped']), ...(action['detail'] === undefined ? {} : { detail: saidIn(action, 'detail') }), by: actorOf(action['by']), ...askIn(action),
      };
    case 'local':
      if (typeof action['quiet'] !== 'boolean') throw new DecodeError('wrong_shape', '"quiet" must be true or false');
      return { type: 'local', offset: offsetIn(action), quiet: action['quiet'] };
    case 'disclose':
      return { type: 'disclose', subject: subjectOf(action['subject']), what: textIn(action, 'what'), purpose: textIn(action, 'purpose'), times: wholeIn(action, 'times', 1), by: actorOf(action['by']), ...basisIn(action) };
    case 'hospital_note':
      return { type: 'hospital_note', hospital: textIn(action, 'hospital'), key: fingerprintIn(action), number: wholeIn(action, 'number', 1), ...(action['note'] === undefined ? {} : { subject: subjectOf(action['subject']), note: bytesIn(action, 'note') }) };
    case 'enrol_person':
      return { type: 'enrol_person', patient: patientOf(action), key: textIn(action, 'key'), who: oneOf(action, 'who', ['patient', 'guardian']), name: textIn(action, 'name'), ...instantIn(action, 'until'), by: actorOf(action['by']) };
    case 'revoke_person':
      return { type: 'revoke_person', patient: patientOf(action), fingerprint: textIn(action, 'fingerprint'), reason: textIn(action, 'reason'), by: actorOf(action['by']) };
    case 'statement':
      return { type: 'statement', patient: patientOf(action), statement: bytesIn(action, 'statement') };
    case 'ask_release':
      return { type: 'ask_release', patient: patientOf(action), request: bytesIn(action, 'request'), by: actorOf(action['by']) };
    case 'break_glass':
      return { type: 'break_glass', patient: patientOf(action), reason: textIn(action, 'reason'), ...(action['time'] === undefined ? {} : { time: Millis(wholeIn(action, 'time', 1)) }), by: actorOf(action['by']) };
    case 'end_glass':
      return { type: 'end_glass', patient: patientOf(action), episode: wholeIn(action, 'episode', 1), by: actorOf(action['by']) };
    case 'review_glass':
      return { type: 'review_glass', patient: patientOf(action), episode: wholeIn(action, 'episode', 1), verdict: oneOf(action, 'verdict', ['justified', 'unjustified']), remark: textIn(action, 'remark'), by: actorOf(action['by']) };
    case 'restored':
      return { type: 'restored', taken: UnixMillis(wholeIn(action, 'taken', 0)), ...numberIn(action, 'first'), ...numberIn(action, 'last') };
    case 'dropped':
      return { type: 'dropped', what: oneOf(action, 'what', ['payloads', 'frames', 'unreceipted_payloads', 'blocks']), why: oneOf(action, 'why', ['age', 'disk']), first: wholeIn(action, 'first', 1), last: wholeIn(action, 'last', 1), count: wholeIn(action, 'count', 1) };
    case 'condition':
      if (typeof action['holds'] !== 'boolean') throw new DecodeError('wrong_shape', '"holds" must be true or false');
      return { type: 'condition', condition: oneOf(action, 'condition', OWN_CONDITIONS), holds: action['holds'] };
    case 'await_replacement':
    case 'forgo_replacement':
      return { type: action['type'] };
    case 'change':
      return { type: 'change', change: bytesIn(action, 'change') };
    case 'epoch':
      return { type: 'epoch', epoch: wholeIn(action, 'epoch', 1) };
    case 'erase':
      return { type: 'erase', subject: subjectOf(action['subject']), ...(action['through'] === undefined ? {} : { through: wholeIn(action, 'through', 1) }), by: actorOf(action['by']) };
    default:
      throw new DecodeError('wrong_shape', `unknown operator action ${JSON.stringify(action['type'])}`);
  }
}

const askIn = (action: Fields): { ask?: string } => (action['ask'] === undefined ? {} : { ask: saidIn(action, 'ask') });

function basisIn(action: Fields): { consents?: readonly string[]; episode?: number } {
  const { consents, episode } = action;
  if (consents !== undefined && !(Array.isArray(consents) && consents.every((each) => typeof each === 'string' && /^[0-9a-f]{64}$/.test(each)))) {
    throw new DecodeError('wrong_shape', '"consents" must be versions of 64 hexadecimal digits');
  }
  return { ...(consents === undefined ? {} : { consents: consents as string[] }), ...(episode === undefined ? {} : { episode: wholeIn(action, 'episode', 1) }) };
}

function parse(payload: Uint8Array): Fields {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch (cause) {
    throw new DecodeError('invalid_json', 'an operator action must be JSON', { cause });
  }
  throw new DecodeError('wrong_shape', 'an operator action must be an object');
}

function listIn(action: Fields, name: string): readonly unknown[] {
  const list = action[name];
  if (!Array.isArray(list)) throw new DecodeError('wrong_shape', `"${name}" must be an array`);
  return list;
}

function textIn(action: Fields, name: string): string {
  const text = action[name];
  if (typeof text !== 'string') throw new DecodeError('wrong_shape', `"${name}" must be text`);
  return text;
}

function oneOf<Word extends string>(action: Fields, name: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === action[name]);
  if (word === undefined) throw new DecodeError('wrong_shape', `"${name}" must be ${words.join(' or ')}`);
  return word;
}

function wholeIn(action: Fields, name: string, least: number): number {
  const value = action[name];
  if (!Number.isSafeInteger(value) || (value as number) < least) throw new DecodeError('wrong_shape', `"${name}" must be a whole number from ${least}`);
  return value as number;
}

/** What a flow calls its alarm is the end of a rule's name, of the form of a device id. */
function flowAlarmIn(action: Fields): { subject: Subject | null; name: string } {
  const name = textIn(action, 'name');
  if (!isDeviceId(name)) throw new DecodeError('wrong_shape', '"name" must be 1 to 64 of a-z A-Z 0-9 . _ -');
  return { subject: subjectOrNull(action), name };
}

const subjectOrNull = ({ subject }: Fields): Subject | null => (subject === null ? null : subjectOf(subject));

const LONGEST_SAID = 2000;

function saidIn(action: Fields, name: string): string {
  const text = canonical(textIn(action, name));
  if (text === '' || text.length > LONGEST_SAID) throw new DecodeError('wrong_shape', `"${name}" must have 1 to ${LONGEST_SAID} characters`);
  return text;
}

const answeredIn = (action: Fields): { alarm: number; revision: number; by: Actor } =>
  ({ alarm: wholeIn(action, 'alarm', 1), revision: wholeIn(action, 'revision', 1), by: actorOf(action['by']) });

function offsetIn(action: Fields): number {
  const offset = wholeIn(action, 'offset', -MOST_OFFSET);
  if (offset > MOST_OFFSET) throw new DecodeError('wrong_shape', `"offset" must be at most ${MOST_OFFSET} minutes`);
  return offset;
}

function scaleOf({ spo2Scale }: Fields): 1 | 2 {
  if (spo2Scale === 1 || spo2Scale === 2) return spo2Scale;
  throw new DecodeError('wrong_shape', '"spo2Scale" must be 1 or 2');
}

function valuesIn({ values }: Fields): Readonly<Record<string, number>> {
  const entries = Object.entries((typeof values === 'object' && values !== null ? values : {}) as Fields);
  if (entries.length === 0 || entries.length > MOST_VALUES || !entries.every(([, value]) => Number.isFinite(value))) {
    throw new DecodeError('wrong_shape', `"values" must be 1 to ${MOST_VALUES} numbers by measurement`);
  }
  return Object.fromEntries(entries) as Record<string, number>;
}

function actorOf(value: unknown): Actor {
  const { id, role } = (typeof value === 'object' && value !== null ? value : {}) as Fields;
  if (typeof id !== 'string' || typeof role !== 'string' || id === '' || id.length > LONGEST_NAME || role.length > LONGEST_NAME) {
    throw new DecodeError('wrong_shape', `who it was must be {"id":…,"role":…}, at most ${LONGEST_NAME} characters each`);
  }
  return { id: canonical(id), role: canonical(role) };
}

/** Text as the ledger encodes it: well-formed, Unicode normalisation form C, no byte order mark in front. */
const canonical = (text: string): string => text.toWellFormed().replace(/^\uFEFF+/, '').normalize('NFC');

function patientOf({ patient }: Fields): string {
  return subjectOf({ kind: 'patient', id: patient }).id;
}

function instantIn<Name extends 'from' | 'until'>(action: Fields, name: Name): Partial<Record<Name, UnixMillis>> {
  const instant = action[name];
  if (instant === undefined) return {};
  if (!Number.isSafeInteger(instant)) throw new DecodeError('wrong_shape', `"${name}" must be an instant in whole milliseconds`);
  return { [name]: instant } as Record<Name, UnixMillis>;
}

function numberIn<Name extends 'first' | 'last'>(action: Fields, name: Name): Partial<Record<Name, Sequence>> {
  return action[name] === undefined ? {} : ({ [name]: Sequence(wholeIn(action, name, 1)) } as Record<Name, Sequence>);
}

function sequenceIn({ sequence }: Fields): Sequence {
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 1) throw new DecodeError('wrong_shape', '"sequence" must be a whole number from 1');
  return Sequence(sequence as number);
}

function bytesIn(action: Fields, name: string): Uint8Array {
  const text = action[name];
  if (typeof text !== 'string') throw new DecodeError('wrong_shape', `"${name}" must be bytes in base64`);
  return Buffer.from(text, 'base64');
}

function fingerprintIn(action: Fields): string {
  const key = textIn(action, 'key');
  if (!/^[0-9a-f]{32}$/.test(key)) throw new DecodeError('wrong_shape', '"key" must be a fingerprint of 32 hexadecimal digits');
  return key;
}

function takenIn({ taken }: Fields): readonly string[] {
  if (!Array.isArray(taken) || !taken.every((each) => typeof each === 'string')) throw new DecodeError('wrong_shape', '"taken" must be an array of texts');
  return taken;
}

function deviceOf(action: Fields): DeviceId {
  const { device } = action;
  if (typeof device !== 'string' || !isDeviceId(device)) throw new DecodeError('wrong_shape', '"device" must be a device id');
  return device;
}

function credentialOf({ credential, fingerprint }: Fields): { credential: 'password' } | { credential: 'certificate'; fingerprint: string } {
  if (credential === 'password' && fingerprint === undefined) return { credential };
  if (credential === 'certificate' && typeof fingerprint === 'string' && /^[0-9a-f]{64}$/.test(fingerprint)) return { credential, fingerprint };
  throw new DecodeError('wrong_shape', '"credential" must be "password", or "certificate" with "fingerprint" of 64 hexadecimal digits');
}

function subjectOf(value: unknown): Subject {
  const { kind, id } = (value ?? {}) as Fields;
  // One name, however its accents were typed (Unicode normalisation form C): the ledger knows no other.
  const name = typeof id === 'string' ? id.normalize('NFC') : '';
  if ((kind !== 'patient' && kind !== 'room') || !isSubjectId(name)) {
    throw new DecodeError('wrong_shape', '"subject" must be {"kind":"patient" or "room","id":…}');
  }
  return { kind, id: name };
}
