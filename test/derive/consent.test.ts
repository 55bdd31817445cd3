import { describe, expect, it } from 'vitest';
import type { Grant } from '../../gateway/consent/grant.ts';
import { encodeRelease, hashOfRelease, type ReleaseRequest } from '../../gateway/consent/release.ts';
import { openStatement, signStatement } from '../../gateway/consent/statement.ts';
import { encodeOperatorAction, type Actor, type OperatorAction } from '../../gateway/decode/operator.ts';
import { consentsOf } from '../../gateway/consent/consents.ts';
import type { Checkpoint, DerivedState } from '../../gateway/derive/derive-store.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import type { Frame } from '../../gateway/reading.ts';
import { ANNA as ANNAS_KEY, denial, fingerprintOf, grant, hexOf, idNumber, keyNumber } from '../consent/statements.ts';
import { saidIn } from '../vault/known-keys.ts';
import { derive, EMPTY_STATE, fold, operator, START, tick } from './story.ts';

const CHO: Actor = { id: 'cho', role: 'clinician' };
const DAN: Actor = { id: 'dan', role: 'clinician' };
const DOCTOR = keyNumber(31);
const WEEK = Minutes(7 * 24 * 60);
const LONG = WEEK + Minutes(70);

const act = (action: OperatorAction, at = 0): Frame => ({ ...operator(encodeOperatorAction(action)), uptime: Millis(at), receivedAt: UnixMillis(START + at) });
const wait = (at: number): Frame => ({ ...tick(), uptime: Millis(at), receivedAt: UnixMillis(START + at) });
const enrol = act({ type: 'enrol_person', patient: 'anna', key: hexOf(ANNAS_KEY.publicKey), who: 'patient', name: 'Anna', by: CHO });
const state = (statement: Grant, patient = 'anna'): Frame => act({ type: 'statement', patient, statement: signStatement(statement, ANNAS_KEY) });
const glass = (at = 0, time = Minutes(60)): Frame => act({ type: 'break_glass', patient: 'anna', reason: 'found unconscious in the hall', time, by: CHO }, at);

type Said = Readonly<{ kind: string; fields: Readonly<Record<string, unknown>>; payload: Readonly<Record<string, unknown>> }>;
const entriesIn = (checkpoints: readonly Checkpoint[], ...kinds: readonly string[]): readonly Said[] => checkpoints.flatMap(({ entries }) => entries.flatMap((each): readonly Said[] => {
  const { kind, fields } = decodeEntry(each.bytes);
  return kinds.includes(kind) ? [{ kind, fields: Object.fromEntries(fields), payload: saidIn(each) }] : [];
}));
const quarantined = (checkpoints: readonly Checkpoint[]): readonly string[] => checkpoints.flatMap((each) => each.quarantined.flatMap(({ rejections }) => rejections.map(({ message }) => message)));
const after = (checkpoints: readonly Checkpoint[]): DerivedState => fold(checkpoints, EMPTY_STATE);
const raised = (checkpoints: readonly Checkpoint[]): readonly unknown[] => checkpoints.flatMap(({ steps }) => steps.flatMap(({ step }) => (step.about?.rule.startsWith('glass-') === true && ['raised', 'cleared'].includes(step.why) ? [`${step.why} ${step.about.rule}`] : [])));

describe('what a patient says, derived', () => {
  it('is an entry that holds the statement itself, sealed, and says in clear only of what kind it is', () => {
    const statement = signStatement(denial(), ANNAS_KEY);
    const checkpoints = derive([enrol, state(denial()), tick()]);
    const [key, said] = entriesIn(checkpoints, 'consent');
    expect([key?.fields, key?.payload]).toEqual([{ action: 'key' }, { subject: 'patient/anna', key: hexOf(ANNAS_KEY.publicKey), who: 'patient', name: 'Anna', by: 'cho', role: 'clinician' }]);
    expect(said?.fields).toEqual({ action: 'grant' });
    const { version } = consentsOf(after(checkpoints).consent.consents, 'anna');
    expect(said?.payload).toMatchObject({ id: idNumber(1), version });
    expect(openStatement(said?.payload['statement'] as Uint8Array).hash).toBe(openStatement(statement).hash);
  });

  it('is refused for whoever may not, and then nothing has changed', () => {
    const refused = derive([state(denial()), act({ type: 'enrol_person', patient: 'anna', key: hexOf(ANNAS_KEY.publicKey), who: 'patient', name: 'Anna', by: { id: 'ben', role: 'caregiver' } }), enrol, state(denial(), 'bob'), state(grant({ after: '1'.repeat(64) })), act({ type: 'statement', patient: 'anna', statement: Uint8Array.of(1) }), tick()]);
    expect(quarantined(refused)).toEqual([
      expect.stringContaining('unknown_patient'), expect.stringContaining('role_may_not'), expect.stringContaining('other_patient'), expect.stringContaining('older_version'), expect.stringContaining('malformed'),
    ]);
    expect(entriesIn(refused, 'consent')).toHaveLength(1);
    expect(consentsOf(after(refused).consent.consents, 'anna').grants).toEqual([]);
  });

  it('asks others where it says so, each step an entry', () => {
    const approved = grant({ to: { person: 'cho' }, approval: { threshold: 1, of: [{ name: 'the doctor', key: hexOf(DOCTOR.publicKey) }] } });
    const request: ReleaseRequest = { id: idNumber(4), patient: 'anna', grant: approved.id, recipient: { person: 'cho' }, fidelity: 'full', purpose: 'TREAT', period: { from: START, until: UnixMillis(START + 9000) }, expires: UnixMillis(START + 5000) };
    const asks = act({ type: 'ask_release', patient: 'anna', request: encodeRelease(request), by: CHO });
    const agrees = act({ type: 'statement', patient: 'anna', statement: signStatement({ kind: 'approval', request: hashOfRelease(request), expires: request.expires, by: fingerprintOf(DOCTOR) }, DOCTOR) });
    const checkpoints = derive([enrol, state(approved), asks, agrees, agrees, tick()]);
    expect(entriesIn(checkpoints, 'approval').map(({ fields, payload }) => [fields, payload['hash']])).toEqual([[{ action: 'asked' }, hashOfRelease(request)], [{ action: 'released' }, hashOfRelease(request)]]);
    expect(quarantined(checkpoints)).toEqual([expect.stringContaining('already_approved')]);
    expect(after(checkpoints).consent.releases[0]?.approved).toBe(START);
  });

  it('is forgotten with the patient, and of others is not', () => {
    const both = [enrol, act({ type: 'enrol_person', patient: 'bob', key: hexOf(ANNAS_KEY.publicKey), who: 'patient', name: 'Bob', by: CHO }), state(denial()), glass(), act({ type: 'erase', subject: { kind: 'patient', id: 'anna' }, by: CHO }), tick()];
    const { consent } = after(derive(both));
    expect([Object.keys(consent.consents.patients), consent.glass, JSON.stringify(consent).includes('anna')]).toEqual([['bob'], [], false]);
  });
});

describe('a broken glass, derived', () => {
  it('is told at once, and again when nobody has judged it in time', () => {
    const story = [glass(), wait(Minutes(59)), wait(Minutes(61)), wait(Minutes(61) + WEEK)];
    expect(raised(derive(story.slice(0, 1)))).toEqual(['raised glass-broken/1']);
    expect(raised(derive([...story.slice(0, 3), wait(Minutes(61))]))).toEqual(['raised glass-broken/1', 'cleared glass-broken/1']);
    expect(raised(derive([...story, wait(LONG)]))).toEqual(['raised glass-broken/1', 'cleared glass-broken/1', 'raised glass-review-overdue/1']);
    const judged = act({ type: 'review_glass', patient: 'anna', episode: 1, verdict: 'justified', remark: 'nobody else was there', by: DAN }, Minutes(62) + WEEK);
    expect(raised(derive([...story, judged, wait(LONG)])).at(-1)).toBe('cleared glass-review-overdue/1');
  });

  it('says in the chain who, why, until when and how it was judged', () => {
    const judged = act({ type: 'review_glass', patient: 'anna', episode: 1, verdict: 'unjustified', remark: 'she was only asleep', by: DAN }, Minutes(2));
    const checkpoints = derive([glass(), act({ type: 'end_glass', patient: 'anna', episode: 1, by: CHO }, Minutes(1)), judged, wait(Minutes(3))]);
    expect(entriesIn(checkpoints, 'consent').map(({ fields, payload }) => [fields['action'], payload])).toMatchObject([
      ['glass_broken', { episode: 1, by: 'cho', role: 'clinician', reason: 'found unconscious in the hall', ends: START + Minutes(60) }],
      ['glass_ended', { episode: 1, by: 'cho', ends: START + Minutes(1) }],
      ['glass_reviewed', { episode: 1, by: 'dan', verdict: 'unjustified', remark: 'she was only asleep' }],
    ]);
  });

  it('goes on over a restart at any point: who was told is told once', () => {
    const story = [enrol, glass(), wait(Minutes(30)), wait(Minutes(61)), glass(Minutes(62), Minutes(1)), wait(Minutes(64)), wait(Minutes(65) + WEEK), wait(LONG)];
    const whole = raised(derive(story));
    for (let cut = 1; cut < story.length; cut++) {
      const before = derive(story.slice(0, cut));
      const left = after(before);
      expect([cut, [...raised(before), ...raised(derive(story.slice(left.cursor), left))]]).toEqual([cut, whole]);
    }
    expect(whole.filter((each) => each === 'raised glass-broken/2')).toHaveLength(1);
  });
});
