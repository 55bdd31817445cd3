import { describe, expect, it } from 'vitest';
import { toldOf } from '../../gateway/consent/told.ts';
import { Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { HospitalGlass } from '../../gateway/records/hospital-glass.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredNotes } from '../../gateway/store/note-store.ts';
import { HOSPITAL } from '../consent/situations.ts';
import { NOON } from '../consent/statements.ts';
import { CHAIN } from './memory-told.ts';

const [ANNA, ANNA_NOW, STRANGER] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
const LEE = { id: 'lee', role: 'clinician' };
const DAN = { id: 'dan', role: 'clinician' };
const REASON = 'found unconscious in the hall';

/** Two processes of one hospital. */
function scene(): { one: HospitalGlass; two: HospitalGlass; notes: StoredNotes; pass: (ms: number) => void } {
  let now = NOON;
  const store = openMemoryStore();
  const anna = { ...toldOf({ version: '7'.repeat(64), keys: [], spent: [], grants: [] }, [], { hospital: HOSPITAL, names: [ANNA_NOW, ANNA], base: [], at: NOON }), chain: CHAIN };
  const glass = (): HospitalGlass => new HospitalGlass({ episodes: new StoredNotes(store), told: { of: (name) => Promise.resolve(anna.names.includes(name) ? anna : undefined) }, now: () => now });
  return { one: glass(), two: glass(), notes: new StoredNotes(store), pass: (ms) => void (now = UnixMillis(now + ms)) };
}

describe('the glass, broken at a hospital', () => {
  it('is an episode with a note for the patient\'s gateway, under the name that one knows', async () => {
    const { one, notes, pass } = scene();
    expect(await one.open(ANNA, REASON, Minutes(60), LEE)).toMatchObject({ number: 1, patient: ANNA, status: 'open', ends: NOON + Minutes(60) });
    pass(1000);
    expect(await one.end(1, LEE)).toMatchObject({ status: 'ended', endedBy: LEE });
    expect(await one.review(1, 'unjustified', 'she was asleep, and said so', DAN)).toMatchObject({ status: 'reviewed' });
    expect(await notes.after(CHAIN, 0, 9)).toEqual([
      { number: NOON + 1, what: 'broken', chain: CHAIN, subject: { kind: 'patient', person: ANNA }, pseudonym: ANNA_NOW, time: NOON, episode: 1, by: LEE, reason: REASON, ends: NOON + Minutes(60) },
      expect.objectContaining({ number: NOON + 1001, what: 'ended', by: LEE, ends: NOON + 1000 }),
      expect.objectContaining({ number: NOON + 1002, what: 'reviewed', by: DAN, reason: 'she was asleep, and said so', verdict: 'unjustified' }),
    ]);
    expect(await one.episodes()).toMatchObject([{ number: 1, status: 'reviewed' }]);
  });

  it('is refused with the reason, and then nothing is written down', async () => {
    const { one, notes } = scene();
    expect(await one.open(ANNA, 'xxxxxxxxxxxx', undefined, LEE)).toMatchObject({ refused: 'bad_reason' });
    expect(await one.open(ANNA, REASON, undefined, { id: 'vic', role: 'viewer' })).toMatchObject({ refused: 'role_may_not' });
    expect(await one.open(STRANGER, REASON, undefined, LEE)).toMatchObject({ refused: 'unknown_person' });
    expect(await one.end(4, LEE)).toMatchObject({ refused: 'unknown_episode' });
    expect([await notes.newest(CHAIN), await one.episodes()]).toEqual([0, []]);
  });

  it('is broken once by one person, and under different numbers by two, though two processes do it at once', async () => {
    const { one, two, notes } = scene();
    const opened = await Promise.all([one.open(ANNA, REASON, undefined, LEE), two.open(ANNA, REASON, undefined, LEE), two.open(ANNA, REASON, undefined, DAN), one.open(ANNA, REASON, undefined, { id: 'eve', role: 'clinician' })]);
    expect(opened.filter((each) => 'refused' in each)).toMatchObject([{ refused: 'already_open' }]);
    const episodes = await one.episodes();
    expect([episodes.map(({ number }) => number), episodes.map(({ by: { id } }) => id).toSorted()]).toEqual([[1, 2, 3], ['dan', 'eve', 'lee']]);
    expect((await notes.after(CHAIN, 0, 9)).map(({ number }) => number)).toEqual([1, 2, 3].map((each) => NOON + each));
  });
});
