import { describe, expect, it } from 'vitest';
import { UnixMillis } from '../../gateway/quantity.ts';
import { HospitalDisclosures } from '../../gateway/records/disclosures.ts';
import type { Shown } from '../../gateway/records/note.ts';
import { openMemoryStore } from '../../gateway/store/memory-store.ts';
import { StoredNotes } from '../../gateway/store/note-store.ts';
import { FaultyStore } from '../contract/faulty-store.ts';
import { NOON } from '../consent/statements.ts';
import { CHAIN } from './memory-told.ts';

const ANNA = 'a'.repeat(32);
const shown = (id: string, differing: Partial<Shown> = {}): Shown => ({ what: 'shown', chain: CHAIN, subject: { kind: 'patient', person: ANNA }, pseudonym: ANNA, time: NOON, recipient: { id }, by: 'stream', purpose: 'TREAT', times: 1, consents: [], ...differing });
const QUARTER = 15 * 60_000;

function scene(): { disclosures: HospitalDisclosures; store: FaultyStore; pass: (ms: number) => void; written: () => Promise<readonly string[]> } {
  let now = NOON;
  const store = new FaultyStore(openMemoryStore());
  const log = new StoredNotes(store);
  const disclosures = new HospitalDisclosures({ log, now: () => now, onFault: () => undefined });
  return {
    disclosures, store, pass: (ms) => void (now = UnixMillis(now + ms)),
    written: async () => (await log.after(CHAIN, 0, 99)).map((note) => (note.what === 'shown' ? `${note.recipient.id} ${note.by} ${note.times}` : note.what)),
  };
}

describe('what a hospital writes down of what it showed', () => {
  it('is one note for the first look and one that counts those within a quarter of an hour', async () => {
    const { disclosures, pass, written } = scene();
    for (let look = 0; look < 3; look++) await disclosures.note([shown('lee'), shown('dan', { by: 'fhir read' })]);
    expect(await written()).toEqual(['lee stream 1', 'dan fhir read 1']);
    pass(QUARTER);
    await disclosures.note([shown('lee')]);
    expect((await written()).slice(2)).toEqual(['lee stream 2', 'lee stream 1']);
    await disclosures.flush(false);
    expect((await written()).slice(4)).toEqual(['dan fhir read 2']);
    await disclosures.note([shown('lee')]);
    await disclosures.stop();
    expect((await written()).slice(5)).toEqual(['lee stream 1']);
  });

  it('is another look for another purpose, version of consents, broken glass, subject or way', async () => {
    const { disclosures, written } = scene();
    const others: readonly Partial<Shown>[] = [{}, { purpose: 'BTG' }, { consents: ['7'.repeat(64)] }, { episode: 3 }, { subject: { kind: 'room', person: ANNA } }, { by: 'hl7' }, { recipient: { id: 'lee', role: 'clinician' } }];
    for (const each of others) await disclosures.note([shown('lee', each)]);
    expect(await written()).toHaveLength(others.length);
  });

  it('fails where the store does, and counts nothing that was not shown', async () => {
    const { disclosures, store, written } = scene();
    store.writeFaults.push('nothing written');
    await expect(disclosures.note([shown('lee')])).rejects.toMatchObject({ code: 'VG_STORE_WRITE' });
    await disclosures.note([shown('lee')]);
    await disclosures.stop();
    expect(await written()).toEqual(['lee stream 1']);
  });

  it('is a list of one person\'s for reports, between two instants', async () => {
    const { disclosures } = scene();
    await disclosures.note([shown('early', { time: UnixMillis(NOON - 1) }), shown('noon'), shown('late', { time: UnixMillis(NOON + 1) }), shown('other', { subject: { kind: 'patient', person: 'b'.repeat(32) } })]);
    const ids = async (period?: { from?: UnixMillis; to?: UnixMillis }): Promise<readonly string[]> => (await Array.fromAsync(disclosures.of(ANNA, period))).map(({ recipient }) => recipient.id);
    expect([await ids(), await ids({ from: NOON }), await ids({ from: NOON, to: NOON })]).toEqual([['early', 'noon', 'late'], ['noon', 'late'], ['noon']]);
  });
});
