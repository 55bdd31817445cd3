/** What hospitals say of people there, as the chain has it: a function of state, note and time. */

import { REVIEW_WITHIN, type Episode } from '../consent/break-glass.ts';
import { readHospitalNote, type GlassThere, type HospitalNote, type ShownThere } from '../consent/hospital-note.ts';
import type { OperatorAction } from '../decode/operator.ts';
import { DecodeError, messageOf } from '../errors.ts';
import { CborError, type CborValue } from '../ledger/cbor.ts';
import { UnixMillis } from '../quantity.ts';
import type { ConsentState, EpisodeElsewhere } from './consent-state.ts';
import type { EntryDraft } from './drafts.ts';

export type HospitalNoteAction = Extract<OperatorAction, { type: 'hospital_note' }>;

export type Noted = Readonly<{ state: ConsentState; /** Absent for a note about nobody. */ draft?: Pick<EntryDraft, 'kind' | 'subject' | 'fields' | 'payload'> }>;

/** Of all hospitals together. A choice of this project. */
const MOST_ELSEWHERE = 512;

/** Undefined for one that was taken before. Throws {@link DecodeError} for what is no note, or not the one it says. */
export function noteFromHospital(state: ConsentState, { hospital, key, number, subject, note: signed }: HospitalNoteAction, now: UnixMillis): Noted | undefined {
  if (number <= (state.heard?.[key] ?? 0)) return undefined;
  const heard = { ...state, heard: { ...state.heard, [key]: number } };
  if (signed === undefined || subject === undefined) return { state: heard };
  const note = reading(signed);
  if (note.number !== number) throw new DecodeError('wrong_shape', `note ${note.number} of a hospital came as note ${number}`);
  const by = { id: `${hospital}/${note.by.id}`, role: note.by.role ?? 'system' };
  if (note.what === 'shown') return { state: heard, draft: { kind: 'disclosure', subject, fields: {}, payload: { recipient: by.id, role: by.role, ...disclosed(note), note: signed } } };
  if (subject.kind !== 'patient') throw new DecodeError('wrong_shape', 'nobody breaks the glass of a room');
  const payload = { hospital, episode: note.episode, by: by.id, role: by.role, at: note.time, ...said(note), note: signed };
  return {
    state: { ...heard, elsewhere: stepped(state.elsewhere ?? [], note, { hospital, key, patient: subject.id, by, now }) },
    draft: { kind: 'consent', subject, fields: { action: `glass_${note.what}` }, payload },
  };
}

function reading(signed: Uint8Array): HospitalNote {
  try {
    return readHospitalNote(signed);
  } catch (cause) {
    if (cause instanceof CborError) throw new DecodeError('wrong_shape', `a note of a hospital: ${messageOf(cause)}`, { cause });
    throw cause;
  }
}

const disclosed = ({ how, purpose, times, consents, episode, reason, time }: ShownThere): Readonly<Record<string, CborValue>> =>
  ({ what: how, purpose, times, at: time, ...(consents.length === 0 ? {} : { consents }), ...(episode === undefined ? {} : { episode }), ...(reason === undefined ? {} : { reason }) });

const said = ({ what, reason, ends, verdict }: GlassThere): Readonly<Record<string, CborValue>> => (what === 'reviewed' ? { verdict: verdict ?? '', remark: reason } : { reason, ends });

type Step = Readonly<{ hospital: string; key: string; patient: string; by: Episode['by']; now: UnixMillis }>;

function stepped(elsewhere: readonly EpisodeElsewhere[], note: GlassThere, { hospital, key, patient, by, now }: Step): readonly EpisodeElsewhere[] {
  const isIt = (each: EpisodeElsewhere): boolean => each.key === key && each.number === note.episode;
  const due = UnixMillis(note.ends + REVIEW_WITHIN);
  if (note.what === 'broken') {
    const others = elsewhere.filter((each) => !isIt(each));
    return [...(others.length < MOST_ELSEWHERE ? others : withoutOne(others)), { hospital, key, number: note.episode, patient, by, reason: note.reason, opened: note.time, ends: note.ends, due }];
  }
  return elsewhere.map((each) => {
    if (!isIt(each)) return each;
    if (note.what === 'ended') return { ...each, ends: note.ends, endedBy: by, due };
    return { ...each, review: { at: now, by, verdict: note.verdict ?? 'unjustified', remark: note.reason } };
  });
}

/** One that was judged goes first. */
function withoutOne(elsewhere: readonly EpisodeElsewhere[]): readonly EpisodeElsewhere[] {
  const gone = elsewhere.find(({ review }) => review !== undefined) ?? elsewhere[0];
  return elsewhere.filter((each) => each !== gone);
}
