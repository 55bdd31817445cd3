import { describe, expect, it } from 'vitest';
import { baseOf } from '../../gateway/consent-filter.ts';
import { ConsentTelling } from '../../gateway/consent-telling.ts';
import { NO_CONSENTS, type Consents } from '../../gateway/consent/consents.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { readTold, type Told } from '../../gateway/consent/told.ts';
import { fingerprintBytes } from '../../gateway/ledger/es256k.ts';
import { Bytes, KiB } from '../../gateway/quantity.ts';
import type { BaseFidelity } from '../../gateway/releases.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredReleaseCursors } from '../../gateway/store/release-cursor-store.ts';
import { hpkePairFrom } from '../../gateway/vault/hpke.ts';
import { pseudonymOf } from '../../gateway/vault/pseudonym.ts';
import { openConsents, openContentKey, releaseKeyId } from '../../gateway/vault/release.ts';
import { denial, grant, idNumber, keyNumber, NOON } from '../consent/statements.ts';
import { countingBytes, memoryKeyring } from '../vault/known-keys.ts';

const NORTH = keyNumber(11);
const PAIR = hpkePairFrom(new Uint8Array(32).fill(1));
const CHAIN = new Uint8Array(16).fill(9);

class Scene {
  readonly keyring = memoryKeyring();
  readonly cursors = new StoredReleaseCursors(openMemoryStore());
  consents: Consents = NO_CONSENTS;
  homes: readonly { id: string; rooms: readonly { room: string }[] }[] = [];
  erased: string | undefined;
  readonly telling: ConsentTelling;

  constructor(payloads: BaseFidelity = 'summary') {
    this.telling = new ConsentTelling({
      hospital: { key: NORTH.publicKey }, chain: CHAIN, keyring: this.keyring, cursors: this.cursors, state: () => ({ consents: this.consents, releases: [] }), homes: () => this.homes,
      base: baseOf([{ key: NORTH.publicKey, payloads, purpose: 'TREAT' }, { key: keyNumber(12).publicKey, payloads: 'full', purpose: 'TREAT' }]), isErasing: ({ id }) => id === this.erased, now: () => NOON, random: countingBytes(),
    });
  }

  says(patient: string, ...grants: readonly Grant[]): void {
    this.consents = { patients: { ...this.consents.patients, [patient]: { version: String(grants.length).repeat(64), keys: [], spent: [], grants: grants.map((each) => ({ grant: { ...each, patient }, accepted: NOON })) } } };
  }

  /** What the hospital opens of a piece that it was told, or loses on the way. */
  async tell(size = KiB(64), lost = false): Promise<readonly Told[]> {
    if (!(await this.telling.hasConsentNews())) return [];
    const news = await this.telling.consentNews(size, PAIR.publicBytes);
    if (!lost) await this.cursors.saveTold(fingerprintBytes(NORTH.publicKey), news?.told ?? []);
    const { keys = [], consents = [] } = news?.parts ?? {};
    return await Promise.all(consents.map(async ({ sealed }, index) => {
      const key = keys[index] && (await openContentKey(PAIR, keys[index], { chain: CHAIN, recipient: NORTH.publicKey }));
      return readTold((key && openConsents(key.secret, sealed, CHAIN)) ?? new Uint8Array());
    }));
  }

  async knowsAll(): Promise<boolean> {
    return !(await this.telling.hasConsentNews());
  }

  nameOf(owner: string, epoch = this.keyring.epoch): string {
    return pseudonymOf(this.keyring, NORTH.publicKey, epoch, owner).toString('hex');
  }
}

describe('what a hospital is told of consents', () => {
  it('is what holds for everybody who has a key, once, and again when it is something else', async () => {
    const scene = new Scene();
    expect(await scene.knowsAll()).toBe(true);
    scene.keyring.current('patient/anna');
    scene.says('anna', denial());
    expect(await scene.tell()).toMatchObject([{ kind: 'patient', at: NOON, names: [scene.nameOf('patient/anna'), scene.nameOf('patient/anna', 0)], version: '1'.repeat(64), grants: [{ grant: { permit: false } }], base: [{ fidelity: 'summary' }] }]);
    expect(await scene.knowsAll()).toBe(true);
    scene.says('anna', denial(), grant({ id: idNumber(2) }));
    expect(await scene.tell(KiB(64), true)).toMatchObject([{ version: '2'.repeat(64) }]);
    expect(await scene.tell()).toMatchObject([{ version: '2'.repeat(64) }]);
    expect(await scene.knowsAll()).toBe(true);
  });

  it('comes in pieces, of those who said nothing too', async () => {
    const scene = new Scene();
    for (const name of ['anna', 'bob', 'cho']) scene.keyring.current(`patient/${name}`);
    const told = [...await scene.tell(Bytes(1)), ...await scene.tell(Bytes(1)), ...await scene.tell(Bytes(1))];
    expect(told.map(({ names: [name] }) => name)).toEqual(['anna', 'bob', 'cho'].map((name) => scene.nameOf(`patient/${name}`)));
    expect([told[1]?.kind === 'patient' && told[1].grants, await scene.knowsAll()]).toEqual([[], true]);
  });

  it('is under the newest key, with the names of before', async () => {
    const scene = new Scene();
    scene.keyring.current('patient/anna');
    await scene.tell();
    scene.keyring.enter(3);
    scene.keyring.current('patient/anna');
    expect((await scene.tell())[0]?.names).toEqual([3, 2, 1, 0].map((epoch) => scene.nameOf('patient/anna', epoch)));
    expect(await scene.knowsAll()).toBe(true);
  });

  it('is nothing of whom the hospital gets nothing, unless it did before', async () => {
    const scene = new Scene('none');
    scene.keyring.current('patient/anna');
    expect(await scene.knowsAll()).toBe(true);
    scene.says('anna', grant({ to: { role: 'caregiver' } }));
    expect(await scene.knowsAll()).toBe(true);
    scene.says('anna', grant());
    expect(await scene.tell()).toMatchObject([{ version: '1'.repeat(64), base: [] }]);
    scene.says('anna');
    expect(await scene.tell()).toMatchObject([{ grants: [] }]);
  });

  it('is of a room who lives there, as far as they said anything or anything is known of them', async () => {
    const scene = new Scene();
    scene.keyring.current('room/kitchen');
    expect(await scene.tell()).toMatchObject([{ kind: 'room', residents: [], others: true }]);
    scene.homes = [{ id: 'anna', rooms: [{ room: 'kitchen' }] }, { id: 'bob', rooms: [{ room: 'kitchen' }, { room: 'cellar' }] }, { id: 'cho', rooms: [{ room: 'kitchen' }] }];
    scene.keyring.current('patient/anna');
    scene.says('cho', denial());
    const told = await scene.tell();
    expect(told.find(({ kind }) => kind === 'room')).toMatchObject({ residents: [scene.nameOf('patient/anna'), scene.nameOf('patient/cho')], others: true });
    expect(told.map(({ kind }) => kind).toSorted()).toEqual(['patient', 'room']);
  });

  it('is nothing more of somebody who is being erased', async () => {
    const scene = new Scene();
    for (const name of ['anna', 'bob']) scene.keyring.current(`patient/${name}`);
    scene.says('anna', denial());
    await scene.tell();
    scene.erased = 'anna';
    scene.consents = NO_CONSENTS;
    expect(await scene.knowsAll()).toBe(true);
    scene.says('bob', denial());
    expect((await scene.tell()).map(({ names: [name] }) => name)).toEqual([scene.nameOf('patient/bob')]);
  });

  it('goes on after an erasure, and from the beginning when nobody knows any more what was told', async () => {
    const scene = new Scene();
    const anna = scene.keyring.current('patient/anna');
    scene.keyring.current('patient/bob');
    await scene.tell();
    await scene.cursors.addErased(fingerprintBytes(NORTH.publicKey), [releaseKeyId(anna, NORTH.publicKey)]);
    scene.keyring.destroy(new Set([anna.id]));
    expect(await scene.knowsAll()).toBe(true);
    await scene.telling.tellAllAgain();
    expect((await scene.tell()).map(({ names: [name] }) => name)).toEqual([scene.nameOf('patient/bob')]);
  });
});
