/**
 * What every patient has permitted and denied, and whose keys may say so. Plain JSON, bounded, and a function of what was said in order.
 */

import { sha256, toHex } from '../ledger/bytes.ts';
import { messageOf } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import { isSubjectId } from '../reading.ts';
import { fromHex } from './fields.ts';
import type { Grant } from './grant.ts';
import { faultOfKey, isInUse, personKey, withoutKey, type KeyRefusal, type PersonKey } from './keys.ts';
import { isSignedBy, openStatement, type Revocation, type SignedStatement } from './statement.ts';

/** A grant that was accepted. */
export type KeptGrant = Readonly<{
  grant: Grant;
  accepted: UnixMillis;
  /** Since when it counts no more: it was revoked, or a guardian gave it who is none any more. By statement, key or operator. */
  ended?: Readonly<{ at: UnixMillis; by: string }>;
}>;

export type PatientConsents = Readonly<{
  /** {@link versionAfter} every accepted statement, hexadecimal. MUST NOT be public: it is the same in all entries of the person. */
  version: string;
  keys: readonly PersonKey[];
  /** In the order they were accepted. */
  grants: readonly KeptGrant[];
  /** Ids of denials that are kept no more, so that none comes back. */
  spent: readonly string[];
}>;

/** By patient id. JSON. */
export type Consents = Readonly<{ patients: Readonly<Record<string, PatientConsents>> }>;

export const NO_CONSENTS: Consents = { patients: {} };

/** Version of somebody who has said nothing. */
export const FIRST_VERSION = '0'.repeat(64);
const NOTHING_SAID: PatientConsents = { version: FIRST_VERSION, keys: [], grants: [], spent: [] };

/** Bounds: choices of this project. A patient with a hundred thousand words of consent is a program gone wrong. */
const MOST_PATIENTS = 4096;
export const MOST_GRANTS = 256;
const MOST_SPENT = 1024;

export type Refusal =
  | 'malformed'
  | 'unknown_patient'
  | 'unknown_key'
  | 'key_not_in_use'
  | 'bad_signature'
  | 'older_version'
  | 'already_known'
  | 'expired'
  | 'unknown_grant'
  | 'already_ended'
  | 'last_key'
  | 'not_a_consent'
  | 'too_many'
  | KeyRefusal;

export type Accepted = Readonly<{ accepted: true; patient: string; kind: 'grant' | 'revocation'; id: string; version: string; hash: string }>;
/** `why` is for people; `patient` is absent where nobody can say whom it is about. */
export type Refused = Readonly<{ accepted: false; reason: Refusal; why: string; patient?: string }>;
export type Applied = Readonly<{ state: Consents; outcome: Accepted | Refused }>;

/** SHA-256(version ‖ SHA-256 of the statement): a hash chain over what a patient said, in order. */
export const versionAfter = (version: string, hash: string): string => toHex(sha256(Buffer.concat([fromHex(version), fromHex(hash)])));

export const consentsOf = ({ patients }: Consents, patient: string): PatientConsents => (Object.hasOwn(patients, patient) ? (patients[patient] as PatientConsents) : NOTHING_SAID);

const withPatient = ({ patients }: Consents, patient: string, consents: PatientConsents): Consents => ({ patients: { ...patients, [patient]: consents } });

/** What is forgotten with a patient who is erased. */
export function forgetPatient({ patients }: Consents, patient: string): Consents {
  return { patients: Object.fromEntries(Object.entries(patients).filter(([id]) => id !== patient)) };
}

/** An operator's decision: this key speaks for the patient. Who may decide so is asked before. */
export function enrolKey(state: Consents, patient: string, enrolling: Parameters<typeof personKey>[0]): Consents | Refusal {
  if (!isSubjectId(patient)) return 'unknown_patient';
  const before = consentsOf(state, patient);
  if (before === NOTHING_SAID && Object.keys(state.patients).length >= MOST_PATIENTS) return 'too_many';
  return faultOfKey(before.keys, enrolling) ?? withPatient(state, patient, { ...before, keys: [...before.keys, personKey(enrolling)] });
}

/** An operator takes a key out of use. What a guardian permitted with it ends with it; what a patient said stays until it is revoked. */
export function revokeKey(state: Consents, patient: string, fingerprint: string, revoked: NonNullable<PersonKey['revoked']>): Consents | Refusal {
  const before = consentsOf(state, patient);
  const keys = withoutKey(before.keys, fingerprint, revoked);
  return typeof keys === 'string' ? keys : withPatient(state, patient, { ...before, keys, grants: endedWithKey(before, fingerprint, revoked) });
}

/** A permission of a guardian ends with the guardianship; a denial stays, so that nothing opens by itself. */
function endedWithKey({ keys, grants }: PatientConsents, fingerprint: string, { at, by }: NonNullable<KeptGrant['ended']>): readonly KeptGrant[] {
  if (keys.find((key) => key.fingerprint === fingerprint)?.who !== 'guardian') return grants;
  return grants.map((kept) => (kept.grant.permit && kept.grant.by === fingerprint && (kept.ended === undefined || at < kept.ended.at) ? { ...kept, ended: { at, by } } : kept));
}

/** Takes what a patient or a guardian signed. Never throws for bytes: a refusal says why. */
export function applyStatement(state: Consents, bytes: Uint8Array, now: UnixMillis): Applied {
  const opened = opening(bytes);
  if ('accepted' in opened) return { state, outcome: opened };
  const { statement } = opened;
  if (statement.kind === 'approval') return { state, outcome: refused('not_a_consent', 'this is an approval, neither a grant nor a revocation') };
  const { patient } = statement;
  if (!Object.hasOwn(state.patients, patient)) return { state, outcome: refused('unknown_patient', 'no key is enrolled that speaks for this patient', patient) };
  const before = consentsOf(state, patient);
  const after = faultOfSigner(before, opened, now) ?? (statement.kind === 'grant' ? withGrant(before, statement, now) : withRevocation(before, statement, now));
  if ('accepted' in after) return { state, outcome: { ...after, patient } };
  const version = versionAfter(before.version, opened.hash);
  return { state: withPatient(state, patient, { ...after, version }), outcome: { accepted: true, patient, kind: statement.kind, id: statement.id, version, hash: opened.hash } };
}

const refused = (reason: Refusal, why: string, patient?: string): Refused => ({ accepted: false, reason, why, ...(patient === undefined ? {} : { patient }) });

function opening(bytes: Uint8Array): SignedStatement | Refused {
  try {
    return openStatement(bytes);
  } catch (error) {
    return refused('malformed', messageOf(error));
  }
}

function faultOfSigner({ keys }: PatientConsents, opened: SignedStatement, now: UnixMillis): Refused | undefined {
  const key = keys.find(({ fingerprint }) => fingerprint === opened.statement.by);
  if (key === undefined) return refused('unknown_key', `key ${opened.statement.by} does not speak for this patient`);
  // The signature first: somebody who cannot sign is told nothing of when a key is in use.
  if (!isSignedBy(opened, key.key)) return refused('bad_signature', `the signature is not by key ${key.fingerprint}`);
  return isInUse(key, now) ? undefined : refused('key_not_in_use', `key ${key.fingerprint} was revoked, or its time is not now`);
}

/**
 * A permission must be written for the newest version: it cannot be kept back and brought out later, nor brought twice. A denial may be written
 * for any: nobody whose refusal crossed another statement on the way is told to sign again first. Its id keeps it from coming back.
 */
function withGrant(before: PatientConsents, grant: Grant, now: UnixMillis): PatientConsents | Refused {
  const { grants, spent, version, keys } = before;
  if (spent.includes(grant.id) || grants.some((kept) => kept.grant.id === grant.id)) return refused('already_known', `statement ${grant.id} was accepted before`);
  if (grant.permit && grant.after !== version) return refused('older_version', 'the patient has said something since it was written: it must be written anew for the version now');
  if (grant.until !== undefined && grant.until <= now) return refused('expired', 'its time is over');
  const room = grants.length < MOST_GRANTS ? before : withoutOldest(before, now);
  if (room === undefined) return refused('too_many', `there are ${MOST_GRANTS} grants in force already: revoke those nobody needs`);
  const until = grant.permit ? keys.find(({ fingerprint, who }) => fingerprint === grant.by && who === 'guardian')?.period.until : undefined;
  const ended = until === undefined ? {} : { ended: { at: until, by: 'guardianship' } };
  return { ...room, grants: [...room.grants, { grant, accepted: now, ...ended }] };
}

/** Lets go the first grant that counts no more; undefined when there is none, or no room to remember its id. */
function withoutOldest(before: PatientConsents, now: UnixMillis): PatientConsents | undefined {
  const over = before.grants.find(({ grant, ended }) => (ended !== undefined && ended.at <= now) || (grant.until !== undefined && grant.until <= now));
  if (over === undefined || (!over.grant.permit && before.spent.length >= MOST_SPENT)) return undefined;
  return { ...before, grants: before.grants.filter((each) => each !== over), spent: over.grant.permit ? before.spent : [...before.spent, over.grant.id] };
}

/** Cannot come twice: what it ends is ended. */
function withRevocation(before: PatientConsents, { what, which, by, reason }: Revocation, now: UnixMillis): PatientConsents | Refused {
  return what === 'grant' ? withoutGrant(before, which, { at: now, by }) : withoutOwnKey(before, which, { at: now, by, reason: reason ?? 'no reason was given' });
}

function withoutGrant(before: PatientConsents, id: string, ended: NonNullable<KeptGrant['ended']>): PatientConsents | Refused {
  const found = before.grants.find(({ grant }) => grant.id === id);
  if (found === undefined) return refused('unknown_grant', `there is no grant ${id} of this patient`);
  if (found.ended !== undefined && found.ended.at <= ended.at) return refused('already_ended', `grant ${id} counts no more already`);
  return { ...before, grants: before.grants.map((each) => (each === found ? { ...each, ended } : each)) };
}

/** Any key of the patient may take out another: whoever lost one must not have to find an operator. The last is an operator's to take. */
function withoutOwnKey(before: PatientConsents, fingerprint: string, revoked: NonNullable<PersonKey['revoked']>): PatientConsents | Refused {
  if (fingerprint === revoked.by) return refused('last_key', 'a key cannot take itself out of use: another key of the patient can, or an operator');
  const target = before.keys.find((key) => key.fingerprint === fingerprint);
  const signer = before.keys.find((key) => key.fingerprint === revoked.by);
  if (target?.who === 'patient' && signer?.who === 'guardian') return refused('key_not_in_use', 'a guardian cannot take a patient\u2019s own key out of use: an operator can');
  const keys = withoutKey(before.keys, fingerprint, revoked);
  if (typeof keys === 'string') return refused(keys, `key ${fingerprint}: ${keys === 'already_revoked' ? 'is out of use already' : 'is no key of this patient'}`);
  return { ...before, keys, grants: endedWithKey(before, fingerprint, revoked) };
}
