import { afterAll, describe, expect, it } from 'vitest';
import type { Episode } from '../../gateway/consent/break-glass.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { GlassStep, Note, Shown } from '../../gateway/records/note.ts';
import { StoredNotes } from '../../gateway/store/note-store.ts';
import { needs } from '../debian-packages.ts';
import { type Engine, POSTGRES_ENGINE, STORES } from './engines.ts';
import { FaultyStore } from './faulty-store.ts';
import { stopDatabases } from './postgres-databases.ts';

const [CHAIN, OTHER_CHAIN] = ['11', 'ff'].map((each) => each.repeat(16)) as [string, string];
const [ANNA, OTTO] = ['a', 'b'].map((digit) => digit.repeat(32)) as [string, string];
const NOON = UnixMillis(1_893_499_200_000);
const shown = (chain: string, person: string, id: string): Shown => ({ what: 'shown', chain, subject: { kind: 'patient', person }, pseudonym: person, time: NOON, recipient: { id, role: 'clinician' }, by: 'fhir read', purpose: 'TREAT', times: 1, consents: ['7'.repeat(64)] });
const episode = (number: number, patient = ANNA): Episode => ({ number, patient, by: { id: 'lee', role: 'clinician' }, reason: 'found unconscious', opened: NOON, ends: UnixMillis(NOON + 1), due: UnixMillis(NOON + 2) });
const step = (number: number, patient = ANNA): GlassStep => ({ what: 'broken', chain: CHAIN, subject: { kind: 'patient', person: patient }, pseudonym: patient, time: NOON, episode: number, by: { id: 'lee', role: 'clinician' }, reason: 'found unconscious', ends: UnixMillis(NOON + 1) });
const who = (notes: readonly Note[]): readonly string[] => notes.map((note) => (note.what === 'shown' ? note.recipient.id : `${note.by.id} ${note.what} ${note.episode}`));

function notesSuite({ open }: Engine): void {
  it('are numbered, those of a chain in their order, also after it was opened again', async () => {
    await using engine = await open();
    const notes = new StoredNotes(engine.store);
    expect([await notes.newest(CHAIN), await notes.after(CHAIN, 0, 9)]).toEqual([0, []]);
    await notes.append([shown(CHAIN, ANNA, 'a1'), shown(OTHER_CHAIN, OTTO, 'o1'), shown(CHAIN, ANNA, 'a2')]);
    await Promise.all([notes.append([shown(CHAIN, OTTO, 'a3')]), notes.append([shown(CHAIN, ANNA, 'a4')])]);
    const again = new StoredNotes(await engine.reopen());
    await again.append([shown(CHAIN, ANNA, 'a5')]);
    expect([await again.newest(CHAIN), await again.newest(OTHER_CHAIN)]).toEqual([NOON + 6, NOON + 2]);
    expect((await again.after(CHAIN, NOON + 1, 3)).map(({ number }) => number)).toEqual([NOON + 3, NOON + 4, NOON + 5]);
    expect(who(await again.after(CHAIN, 0, 9))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
    expect(await again.after(OTHER_CHAIN, 0, 9)).toEqual([{ ...shown(OTHER_CHAIN, OTTO, 'o1'), number: NOON + 2 }]);
    expect(who(await Array.fromAsync(again.of(ANNA)))).toEqual(['a1', 'a2', 'a4', 'a5']);
  });

  it('are numbered by several processes together: none is lost, none comes before one that is there', async () => {
    await using engine = await open();
    const [one, two] = [new StoredNotes(engine.store), new StoredNotes(engine.store)];
    await Promise.all(Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? one : two).append([shown(CHAIN, ANNA, String(index)), shown(CHAIN, ANNA, String(index))])));
    expect((await one.after(CHAIN, 0, 99)).map(({ number }) => number)).toEqual(Array.from({ length: 16 }, (_, index) => NOON + index + 1));
    expect(new Set(who(await two.after(CHAIN, 0, 99))).size).toBe(8);
  });

  it('go on above what gateways have, where the store was lost', async () => {
    await using lost = await open();
    await new StoredNotes(lost.store).append([shown(CHAIN, ANNA, 'before'), shown(CHAIN, ANNA, 'before')]);
    const heard = await new StoredNotes(lost.store).newest(CHAIN);
    await using fresh = await open();
    await new StoredNotes(fresh.store).append([{ ...shown(CHAIN, ANNA, 'after'), time: UnixMillis(NOON + 1000) }]);
    expect(who(await new StoredNotes(fresh.store).after(CHAIN, heard, 9))).toEqual(['after']);
  });

  it('are all or none, and a number that failed is given to the next', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const notes = new StoredNotes(faulty);
    faulty.writeFaults.push('nothing written');
    await expect(notes.append([shown(CHAIN, ANNA, 'x'), shown(CHAIN, ANNA, 'y')])).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await notes.append([shown(CHAIN, ANNA, 'z')]);
    expect((await notes.after(CHAIN, 0, 9)).map((note) => [note.number, ...who([note])])).toEqual([[NOON + 1, 'z']]);
  });

  it('of a broken glass are kept together with the episode, or neither', async () => {
    await using engine = await open();
    const faulty = new FaultyStore(engine.store);
    const notes = new StoredNotes(faulty);
    expect(await notes.put(0, episode(1), step(1), [])).toBe(true);
    faulty.writeFaults.push('nothing written');
    await expect(notes.put(NOON + 1, episode(2), step(2), [1])).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    expect([await notes.episodes(), who(await notes.after(CHAIN, 0, 9))]).toEqual([{ episodes: [episode(1)], moment: NOON + 1 }, ['lee broken 1']]);
    expect(await notes.put(NOON + 1, episode(10), step(10), [1])).toBe(true);
    // Somebody was quicker.
    expect(await notes.put(NOON + 1, episode(11), step(11), [10])).toBe(false);
    const again = new StoredNotes(await engine.reopen());
    expect([await again.episodes(), who(await again.after(CHAIN, 0, 9))]).toEqual([{ episodes: [episode(10)], moment: NOON + 2 }, ['lee broken 1', 'lee broken 10']]);
  });

  it('say nothing any more of why, when somebody is erased, and their episodes are gone', async () => {
    await using engine = await open();
    const notes = new StoredNotes(engine.store);
    await notes.put(0, episode(1), step(1), []);
    await notes.put(NOON + 1, episode(2, OTTO), step(2, OTTO), []);
    await notes.append([{ ...shown(CHAIN, ANNA, 'lee'), episode: 1, reason: 'found unconscious' }]);
    await notes.forget([ANNA, 'c'.repeat(32)]);
    expect((await notes.episodes()).episodes.map(({ number }) => number)).toEqual([2]);
    expect((await notes.after(CHAIN, 0, 9)).map(({ number, reason }) => [number, reason])).toEqual([[NOON + 1, ''], [NOON + 2, 'found unconscious'], [NOON + 3, '']]);
  });
}

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.each(STORES)('notes of a hospital, $name', (engine) => {
  notesSuite(engine);
});
describe.skipIf(needed.missing)(`notes of a hospital over PostgreSQL${needed.note}`, () => {
  notesSuite(POSTGRES_ENGINE);
});
