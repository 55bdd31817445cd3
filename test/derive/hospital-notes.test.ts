import { describe, expect, it } from 'vitest';
import { signHospitalNote, type HospitalNote } from '../../gateway/consent/hospital-note.ts';
import { encodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import type { Frame, Subject } from '../../gateway/reading.ts';
import { fingerprintOf, keyNumber } from '../consent/statements.ts';
import { saidIn } from '../vault/known-keys.ts';
import { ANNA, derive, EMPTY_STATE, fold, operator, START, tick } from './story.ts';

const NORTH = keyNumber(11);
const HOUR = Minutes(60);
const act = (action: OperatorAction, at = 0): Frame => ({ ...operator(encodeOperatorAction(action)), uptime: Millis(at), receivedAt: UnixMillis(START + at) });
const wait = (at: number): Frame => ({ ...tick(), uptime: Millis(at), receivedAt: UnixMillis(START + at) });

const common = (number: number): Pick<HospitalNote, 'chain' | 'number' | 'time' | 'pseudonym' | 'by'> => ({ chain: 'c1'.repeat(16), number, time: START, pseudonym: 'ab'.repeat(16), by: { id: 'lee', role: 'clinician' } });
const shown = (number: number): HospitalNote => ({ ...common(number), what: 'shown', how: 'fhir read', purpose: 'TREAT', times: 1, consents: ['7'.repeat(64)] });
const glass = (number: number, what: 'broken' | 'ended' | 'reviewed', ends = HOUR): HospitalNote => ({ ...common(number), what, episode: 4, reason: 'found unconscious in the hall', ends: UnixMillis(START + ends), ...(what === 'reviewed' ? { verdict: 'justified', by: { id: 'dan', role: 'clinician' } } : {}) });
const noted = (note: HospitalNote, at = 0, subject: Subject | undefined = ANNA): Frame =>
  act({ type: 'hospital_note', hospital: 'north', key: fingerprintOf(NORTH), number: note.number, ...(subject === undefined ? {} : { subject, note: signHospitalNote(note, NORTH) }) }, at);
const aboutNobody = (number: number): Frame => act({ type: 'hospital_note', hospital: 'north', key: fingerprintOf(NORTH), number });

const said = (checkpoints: readonly Checkpoint[], kind: string): readonly Record<string, unknown>[] => checkpoints.flatMap(({ entries }) => entries.flatMap((each) => {
  const entry = decodeEntry(each.bytes);
  return entry.kind === kind ? [{ ...Object.fromEntries(entry.fields), ...saidIn(each) }] : [];
}));
const alarms = (checkpoints: readonly Checkpoint[]): readonly string[] => checkpoints.flatMap(({ steps }) => steps.flatMap(({ step }) => (step.about?.rule.startsWith('glass-') === true && ['raised', 'cleared'].includes(step.why) ? [`${step.why} ${step.about.rule}`] : [])));
const quarantined = (checkpoints: readonly Checkpoint[]): number => checkpoints.flatMap((each) => each.quarantined).length;

describe('what a hospital says was done there, derived', () => {
  it('is a disclosure of the patient, with the word that the hospital signed, each number once', () => {
    const checkpoints = derive([noted(shown(1)), noted(shown(1)), noted(shown(2)), noted(shown(1)), tick()]);
    const [first, ...more] = said(checkpoints, 'disclosure');
    expect(first).toEqual({
      subject: 'patient/anna', recipient: 'north/lee', role: 'clinician', what: 'fhir read', purpose: 'TREAT', times: 1, at: START, consents: ['7'.repeat(64)], note: Uint8Array.from(signHospitalNote(shown(1), NORTH)),
    });
    expect(more).toHaveLength(1);
    expect(fold(checkpoints, EMPTY_STATE).consent.heard).toEqual({ [fingerprintOf(NORTH)]: 2 });
    expect(quarantined(checkpoints)).toBe(0);
  });

  it('counts on over what is about nobody who is known here', () => {
    const checkpoints = derive([noted(shown(1)), aboutNobody(2), noted(shown(2)), noted(shown(3)), tick()]);
    expect(said(checkpoints, 'disclosure')).toHaveLength(2);
    expect(fold(checkpoints, EMPTY_STATE).consent.heard).toEqual({ [fingerprintOf(NORTH)]: 3 });
  });

  it('is an alarm while the glass is broken there, and when nobody has judged it', () => {
    const late = HOUR + Minutes(7 * 24 * 60) + Minutes(2);
    const broken = noted(glass(1, 'broken'));
    const checkpoints = derive([broken, broken, tick(), wait(HOUR + 1000), wait(HOUR + 2000), wait(late), wait(late + 1000), noted(glass(2, 'reviewed'), late + 2000), wait(late + 3000)]);
    expect(alarms(checkpoints)).toEqual(['raised glass-broken/north/4', 'cleared glass-broken/north/4', 'raised glass-review-overdue/north/4', 'cleared glass-review-overdue/north/4']);
    expect(said(checkpoints, 'consent')).toEqual([
      expect.objectContaining({ action: 'glass_broken', subject: 'patient/anna', hospital: 'north', by: 'north/lee', episode: 4, reason: 'found unconscious in the hall' }),
      expect.objectContaining({ action: 'glass_reviewed', by: 'north/dan', verdict: 'justified' }),
    ]);
  });

  it('is no alarm any more when it was ended there before its time', () => {
    expect(alarms(derive([noted(glass(1, 'broken')), tick(), noted(glass(2, 'ended', Millis(1)), 1000), wait(2000)]))).toEqual(['raised glass-broken/north/4', 'cleared glass-broken/north/4']);
  });

  it('is in quarantine when it is no note, and the next is heard', () => {
    const broken = act({ type: 'hospital_note', hospital: 'north', key: fingerprintOf(NORTH), number: 1, subject: ANNA, note: Uint8Array.of(1, 2) });
    const checkpoints = derive([broken, noted(shown(2)), noted(glass(3, 'broken'), 0, { kind: 'room', id: 'kitchen' }), tick()]);
    expect([quarantined(checkpoints), said(checkpoints, 'disclosure').length]).toEqual([2, 1]);
  });

  it('is forgotten with the patient', () => {
    const checkpoints = derive([noted(glass(1, 'broken')), tick(), act({ type: 'erase', subject: ANNA, by: { id: 'otto', role: 'administrator' } }), tick()]);
    expect(fold(checkpoints, EMPTY_STATE).consent).toMatchObject({ elsewhere: [], heard: { [fingerprintOf(NORTH)]: 1 } });
  });
});
