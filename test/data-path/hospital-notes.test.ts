import { describe, expect, it } from 'vitest';
import { signHospitalNote, verifyNotesAsked, type HospitalNote } from '../../gateway/consent/hospital-note.ts';
import { decodeOperatorAction, type OperatorAction } from '../../gateway/decode/operator.ts';
import { NO_CONSENT_STATE, type ConsentState } from '../../gateway/derive/consent-state.ts';
import { HospitalNotes } from '../../gateway/hospital-notes.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { pseudonymOf } from '../../gateway/vault/pseudonym.ts';
import { fingerprintOf, keyNumber, NOON } from '../consent/statements.ts';
import { memoryKeyring } from '../vault/known-keys.ts';

const [NORTH, SOUTH, GATEWAY] = [keyNumber(11), keyNumber(12), keyNumber(13)];
const CHAIN = new Uint8Array(16).fill(9);

class Scene {
  readonly keyring = memoryKeyring();
  readonly journal: OperatorAction[] = [];
  consent: ConsentState = NO_CONSENT_STATE;
  erased: string | undefined;
  readonly notes: HospitalNotes;

  constructor() {
    this.keyring.current('patient/anna');
    this.keyring.current('room/kitchen');
    const derived = (): ConsentState => this.consent;
    this.notes = new HospitalNotes({
      hospital: { name: 'north', key: NORTH.publicKey }, chain: CHAIN, keyring: this.keyring, signingKey: () => GATEWAY, isErasing: ({ id }) => id === this.erased,
      pipeline: {
        derived: {
          get consent() {
            return derived();
          },
        },
        carryOut: (actions) => {
          this.journal.push(...actions.map(decodeOperatorAction));
          const last = this.journal.at(-1);
          if (last?.type === 'hospital_note') this.consent = { ...this.consent, heard: { [last.key]: last.number } };
          return Promise.resolve();
        },
      },
    });
  }

  note(number: number, owner: string, epoch = 1, more: Partial<HospitalNote> = {}): HospitalNote {
    const pseudonym = pseudonymOf(this.keyring, NORTH.publicKey, epoch, owner).toString('hex');
    return { chain: toHex(CHAIN), number, time: NOON, pseudonym, by: { id: 'lee' }, what: 'shown', how: 'hl7', purpose: 'TREAT', times: 1, consents: [], ...more } as HospitalNote;
  }

  async take(...notes: readonly HospitalNote[]): Promise<readonly unknown[]> {
    const before = this.journal.length;
    await this.notes.take(notes.map((note) => signHospitalNote(note, NORTH)));
    return this.journal.slice(before).map((action) => (action.type === 'hospital_note' ? [action.number, action.subject?.id] : action));
  }
}

describe('notes of a hospital, at the gateway', () => {
  it('are written down about whom they are, by the pseudonym of any epoch, and asked for behind the last', async () => {
    const scene = new Scene();
    scene.keyring.enter(4);
    expect(await scene.take(scene.note(2, 'patient/anna'), scene.note(3, 'patient/anna', 4), scene.note(7, 'room/kitchen', 0), scene.note(8, 'patient/nobody'))).toEqual([[2, 'anna'], [3, 'anna'], [7, 'kitchen'], [8, undefined]]);
    expect(verifyNotesAsked(scene.notes.ask(), GATEWAY.publicKey)).toMatchObject({ after: 8 });
    expect(await scene.take(scene.note(3, 'patient/anna'), scene.note(8, 'patient/anna'), scene.note(9, 'patient/anna'))).toEqual([[9, 'anna']]);
    expect(scene.journal[0]).toMatchObject({ hospital: 'north', key: fingerprintOf(NORTH) });
  });

  it('are about nobody where somebody is being erased, or the glass of a room was broken', async () => {
    const scene = new Scene();
    scene.erased = 'anna';
    const broken = { what: 'broken', episode: 1, reason: 'found unconscious', ends: UnixMillis(NOON + 1) } as const;
    expect(await scene.take(scene.note(1, 'patient/anna'), scene.note(2, 'room/kitchen', 1, broken), scene.note(3, 'room/kitchen'))).toEqual([[1, undefined], [2, undefined], [3, 'kitchen']]);
  });

  it('are refused as a whole when one is not the hospital\'s word, or about another chain', async () => {
    const scene = new Scene();
    const good = signHospitalNote(scene.note(1, 'patient/anna'), NORTH);
    const bad: readonly (readonly [Uint8Array, string])[] = [
      [signHospitalNote(scene.note(2, 'patient/anna'), SOUTH), 'not signed by the key'], [signHospitalNote({ ...scene.note(2, 'patient/anna'), chain: '11'.repeat(16) }, NORTH), 'about chain'], [Uint8Array.of(1, 2), 'cannot be read'],
    ];
    for (const [each, message] of bad) await expect(scene.notes.take([good, each])).rejects.toMatchObject({ code: 'VG_PEER_MALFORMED', message: expect.stringContaining(message) as string });
    expect(scene.journal).toEqual([]);
  });
});
