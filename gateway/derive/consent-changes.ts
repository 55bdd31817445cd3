/**
 * What an action does to what patients have permitted: a function of state, action and time, so that a command is told beforehand what
 * derivation will say afterwards.
 */

import { applyApproval, askRelease, forgetReleases } from '../consent/approvals.ts';
import { endGlass, forgetEpisodes, GLASS_WORDS, openGlass, reviewGlass } from '../consent/break-glass.ts';
import { applyStatement, consentsOf, enrolKey, forgetPatient, revokeKey } from '../consent/consents.ts';
import type { Grant } from '../consent/grant.ts';
import { openStatement } from '../consent/statement.ts';
import type { OperatorAction } from '../decode/operator.ts';
import { messageOf } from '../errors.ts';
import type { CborValue } from '../ledger/cbor.ts';
import type { EntryKind } from '../ledger/entry.ts';
import type { UnixMillis } from '../quantity.ts';
import type { ConsentState } from './consent-state.ts';

export type ConsentAction = Extract<OperatorAction, { type: 'enrol_person' | 'revoke_person' | 'statement' | 'ask_release' | 'break_glass' | 'end_glass' | 'review_glass' }>;

/** What the chain says of it: `word` in clear, `said` sealed under the patient's key. */
export type ConsentRecord = Readonly<{ kind: EntryKind; patient: string; word: string; said: Readonly<Record<string, CborValue>> }>;

export type ConsentChange = Readonly<{ state: ConsentState; record: ConsentRecord }>;
export type ConsentRefused = Readonly<{ refused: string; why: string }>;

/** Who may say whose key speaks for a patient: as people/access.ts has them. */
const MAY_ENROL: readonly string[] = ['clinician', 'administrator'];

const refused = (reason: string, why = reason.replaceAll('_', ' ')): ConsentRefused => ({ refused: reason, why });

export function changeConsent(state: ConsentState, action: ConsentAction, now: UnixMillis): ConsentChange | ConsentRefused {
  const changed = change(state, action, now);
  // The frame lies under the key of whoever the action says it is about, and goes with them.
  return 'refused' in changed || changed.record.patient === action.patient ? changed : refused('other_patient', 'it is about somebody else than it says');
}

function change(state: ConsentState, action: ConsentAction, now: UnixMillis): ConsentChange | ConsentRefused {
  switch (action.type) {
    case 'enrol_person': case 'revoke_person': return changeKeys(state, action, now);
    case 'statement': return takeStatement(state, action.statement, now);
    case 'ask_release': return ask(state, action, now);
    default: return changeGlass(state, action, now);
  }
}

function changeKeys(state: ConsentState, action: Extract<ConsentAction, { type: 'enrol_person' | 'revoke_person' }>, now: UnixMillis): ConsentChange | ConsentRefused {
  const { patient, by } = action;
  if (!MAY_ENROL.includes(by.role)) return refused('role_may_not', `a ${by.role} may not say who speaks for a patient`);
  const isNew = action.type === 'enrol_person';
  const consents = isNew
    ? enrolKey(state.consents, patient, { key: action.key, who: action.who, name: action.name, period: { from: now, ...(action.until === undefined ? {} : { until: action.until }) } })
    : revokeKey(state.consents, patient, action.fingerprint, { at: now, by: by.id, reason: action.reason });
  if (typeof consents === 'string') return refused(consents);
  const said = isNew ? { key: action.key, who: action.who, name: action.name, ...(action.until === undefined ? {} : { until: action.until }) } : { fingerprint: action.fingerprint, reason: action.reason };
  return { state: { ...state, consents }, record: { kind: 'consent', patient, word: isNew ? 'key' : 'key_revoked', said: { ...said, by: by.id, role: by.role } } };
}

/** A grant, a revocation or an approval: which it is says the statement itself. */
function takeStatement(state: ConsentState, statement: Uint8Array, now: UnixMillis): ConsentChange | ConsentRefused {
  try {
    if (openStatement(statement).statement.kind === 'approval') return approve(state, statement, now);
  } catch (error) {
    return refused('malformed', messageOf(error));
  }
  const { state: consents, outcome } = applyStatement(state.consents, statement, now);
  if (!outcome.accepted) return refused(outcome.reason, outcome.why);
  const { patient, kind, id, version } = outcome;
  return { state: { ...state, consents }, record: { kind: 'consent', patient, word: kind, said: { id, version, statement } } };
}

const grantIn = ({ consents }: ConsentState, now: UnixMillis) => (patient: string, id: string): Grant | undefined =>
  consentsOf(consents, patient).grants.find(({ grant, ended }) => grant.id === id && (ended === undefined || now < ended.at) && grant.from <= now && (grant.until === undefined || now < grant.until))?.grant;

function ask(state: ConsentState, { request, by }: Extract<ConsentAction, { type: 'ask_release' }>, now: UnixMillis): ConsentChange | ConsentRefused {
  const { releases, outcome } = askRelease(state.releases, request, grantIn(state, now), now);
  if (!outcome.accepted) return refused(outcome.reason, outcome.why);
  const { request: { patient }, hash } = outcome.release;
  return { state: { ...state, releases }, record: { kind: 'approval', patient, word: 'asked', said: { hash, request, by: by.id, role: by.role } } };
}

function approve(state: ConsentState, statement: Uint8Array, now: UnixMillis): ConsentChange | ConsentRefused {
  const { releases, outcome } = applyApproval(state.releases, statement, (patient, id) => grantIn(state, now)(patient, id)?.approval, now);
  if (!outcome.accepted) return refused(outcome.reason, outcome.why);
  const { request: { patient }, hash, approvals, approved } = outcome.release;
  const { name = '' } = approvals.at(-1) ?? {};
  return { state: { ...state, releases }, record: { kind: 'approval', patient, word: approved === undefined ? 'approved' : 'released', said: { hash, statement, name } } };
}

function changeGlass(state: ConsentState, action: Extract<ConsentAction, { type: 'break_glass' | 'end_glass' | 'review_glass' }>, now: UnixMillis): ConsentChange | ConsentRefused {
  const { by } = action;
  const number = action.type === 'break_glass' ? state.episodes + 1 : action.episode;
  const result = action.type === 'break_glass'
    ? openGlass(state.glass, { number, patient: action.patient, by, reason: action.reason, ...(action.time === undefined ? {} : { time: action.time }) }, now)
    : action.type === 'end_glass' ? endGlass(state.glass, number, by, now) : reviewGlass(state.glass, { number, by, verdict: action.verdict, remark: action.remark }, now);
  if (typeof result === 'string') return refused(result, GLASS_WORDS[result]);
  const { glass, episode } = result;
  const word = { break_glass: 'glass_broken', end_glass: 'glass_ended', review_glass: 'glass_reviewed' }[action.type];
  const more = action.type === 'review_glass' ? { verdict: action.verdict, remark: action.remark } : { reason: episode.reason, ends: episode.ends };
  return {
    state: { ...state, glass, episodes: Math.max(state.episodes, number) },
    record: { kind: 'consent', patient: episode.patient, word, said: { episode: number, by: by.id, role: by.role, ...more } },
  };
}

/** What is forgotten with a patient who is erased. */
export const withoutPatient = ({ consents, releases, glass, elsewhere, ...rest }: ConsentState, patient: string): ConsentState => ({
  ...rest, consents: forgetPatient(consents, patient), releases: forgetReleases(releases, patient), glass: forgetEpisodes(glass, patient),
  ...(elsewhere === undefined ? {} : { elsewhere: elsewhere.filter((each) => each.patient !== patient) }),
});
