import { describe, expect, it } from 'vitest';
import { readHospitalNote, signHospitalNote, signNotesAsked, verifyHospitalNote, verifyNotesAsked, type HospitalNote } from '../../gateway/consent/hospital-note.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { keyNumber, NOON } from './statements.ts';

const [NORTH, SOUTH] = [keyNumber(11), keyNumber(12)];
const common = { chain: 'c1'.repeat(16), number: 3, time: NOON, pseudonym: 'ab'.repeat(16), by: { id: 'lee', role: 'clinician' } };
const NOTES: readonly HospitalNote[] = [
  { ...common, what: 'shown', how: 'fhir read', purpose: 'TREAT', times: 2, consents: ['7'.repeat(64)] },
  { ...common, by: { id: 'engine' }, what: 'shown', how: 'hl7', purpose: 'BTG', times: 1, consents: [], episode: 4, reason: 'found unconscious' },
  { ...common, what: 'broken', episode: 4, reason: 'found unconscious', ends: UnixMillis(NOON + 1) },
  { ...common, what: 'ended', episode: 4, reason: 'found unconscious', ends: NOON },
  { ...common, what: 'reviewed', episode: 4, reason: 'nobody else could be reached', ends: NOON, verdict: 'unjustified' },
];

describe('a note of a hospital', () => {
  it.each(NOTES)('$what by $by.id comes back as it was, for whoever has the key of the hospital', (note) => {
    const signed = signHospitalNote(note, NORTH);
    expect([readHospitalNote(signed), verifyHospitalNote(signed, NORTH.publicKey), verifyHospitalNote(signed, SOUTH.publicKey)]).toEqual([note, note, undefined]);
    const changed = Uint8Array.from(signed);
    changed[signed.length - 1] = (changed.at(-1) as number) ^ 1;
    expect(verifyHospitalNote(changed, NORTH.publicKey)).toBeUndefined();
  });

  it('is none where anything is missing, strange or too long', () => {
    const [shown, , broken] = NOTES;
    for (const bad of [{ ...shown, number: 0 }, { ...shown, chain: 'c1' }, { ...shown, what: 'seen' }, { ...shown, consents: ['77'] }, { ...shown, times: 0 }, { ...broken, verdict: 'maybe' }]) expect(() => signHospitalNote(bad as HospitalNote, NORTH)).toThrow(/expected/);
    expect(() => readHospitalNote(signHospitalNote({ ...common, what: 'broken', episode: 4, reason: 'x'.repeat(20_000), ends: NOON }, NORTH))).toThrow('at most');
    expect(() => readHospitalNote(Uint8Array.of(1, 2, 3))).toThrow(/./);
  });

  it('is asked for by the gateway of the chain', () => {
    const asked = { chain: new Uint8Array(16).fill(3), recipient: NORTH.publicKey, after: 7 };
    const signed = signNotesAsked(asked, SOUTH);
    const found = verifyNotesAsked(signed, SOUTH.publicKey);
    expect([[...found?.chain ?? []], [...found?.recipient ?? []], found?.after]).toEqual([[...asked.chain], [...asked.recipient], 7]);
    expect(verifyNotesAsked(signed, NORTH.publicKey)).toBeUndefined();
    expect(() => verifyNotesAsked(signHospitalNote(NOTES[0] as HospitalNote, SOUTH), SOUTH.publicKey)).toThrow(/expected|unknown/);
  });
});
