import { afterAll, describe, expect, it } from 'vitest';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { HospitalRecord, KnownSubject } from '../../gateway/records/record.ts';
import { needs } from '../debian-packages.ts';
import { GivingGateway, NORTH, START } from '../records/given.ts';
import { OpeningHospital } from '../records/opened.ts';
import { type Engine, POSTGRES_ENGINE, STORES } from './engines.ts';
import { stopDatabases } from './postgres-databases.ts';

const all = (hospital: OpeningHospital): Promise<readonly HospitalRecord[]> => hospital.records.after(0, 1000);
const entriesOf = (records: readonly HospitalRecord[]): number[] => records.map(({ entry }) => entry);
const of = async (hospital: OpeningHospital, person: string, filter = {}): Promise<number[]> => entriesOf(await Array.fromAsync(hospital.records.of({ kind: 'patient', person }, filter)));
const only = ([subject, ...more]: readonly KnownSubject[]): KnownSubject => {
  if (subject === undefined || more.length > 0) throw new Error(`expected one subject, found ${more.length + (subject === undefined ? 0 : 1)}`);
  return subject;
};

function recordsSuite({ open }: Engine): void {
  it('are numbered as they came, placed in their block and opened, also after the store was opened again', async () => {
    await using engine = await open();
    const gateway = new GivingGateway();
    await using before = new OpeningHospital(engine.store);
    const [summary, step] = [gateway.write('patient/anna', { time: START + 5, fields: { seconds: 60, late: 1 } }), gateway.write('patient/anna', { lane: 'alarm', kind: 'event', time: START + 6 })];
    await gateway.seal(before.blocks);
    await gateway.seal(before.blocks, 'alarm');
    await before.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [gateway.sealedPayload(step), gateway.sealedPayload(summary)] }));
    await before.settled();
    await before.projector.stop();
    const hospital = new OpeningHospital(await engine.reopen());
    const [first, second] = await all(hospital);
    expect(first).toMatchObject({ number: 1, chain: toHex(gateway.chain), lane: 'alarm', height: 1, entry: step, kind: 'event', time: START + 6, whole: true, payload: { says: `patient/anna ${step}`, value: step / 2 } });
    expect(second).toMatchObject({ number: 2, lane: 'record', entry: summary, payload: { seconds: 60, late: 1 } });
    expect(first?.blockHash).toBe(toHex((await hospital.blocks.head({ chain: gateway.chain, lane: 'alarm' }))?.hash ?? new Uint8Array()));
    expect(await hospital.records.record(toHex(gateway.chain), summary)).toEqual(second);
    expect([await hospital.records.newest(), entriesOf(await hospital.records.after(1, 1)), await hospital.records.after(2, 9)]).toEqual([2, [summary], []]);
    expect(await hospital.records.subjects()).toEqual([first?.subject]);
  });

  it('of a person come by time, from and to included, in either direction', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const times = [30, 10, 20, 20];
    const [third, first, second, alike] = times.map((time) => gateway.write('patient/anna', { time: START + time })) as [number, number, number, number];
    const other = gateway.write('room/7', { time: START + 15 });
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna'), await gateway.sealedKey('room/7')], payloads: [third, first, second, alike, other].map((entry) => gateway.sealedPayload(entry)) }));
    await hospital.settled();
    const subjects = await hospital.records.subjects();
    const anna = subjects.find(({ kind }) => kind === 'patient')?.person ?? '';
    expect(subjects.map(({ kind }) => kind).sort()).toEqual(['patient', 'room']);
    expect(await of(hospital, anna)).toEqual([first, second, alike, third]);
    expect(await of(hospital, anna, { newestFirst: true })).toEqual([third, alike, second, first]);
    expect(await of(hospital, anna, { from: UnixMillis(START + 20), to: UnixMillis(START + 20) })).toEqual([second, alike]);
    expect(await of(hospital, anna, { from: UnixMillis(START + 11) })).toEqual([second, alike, third]);
    expect(await of(hospital, anna, { to: UnixMillis(START + 19) })).toEqual([first]);
    expect(await of(hospital, 'f'.repeat(32))).toEqual([]);
  });

  it('are one where a payload comes again, and a new one where an excerpt became whole', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const [one, two] = [gateway.write('patient/anna'), gateway.write('patient/anna')];
    await gateway.seal(hospital.blocks);
    const keys = [await gateway.sealedKey('patient/anna')];
    await hospital.releases.put(gateway.release({ keys, payloads: [gateway.sealedPayload(one, { excerpt: new Map([['says', 'little']]) }), gateway.sealedPayload(two)] }));
    await hospital.settled();
    expect((await all(hospital)).map(({ number, whole, payload }) => [number, whole, payload['says']])).toEqual([[1, false, 'little'], [2, true, `patient/anna ${two}`]]);
    await hospital.releases.put(gateway.release({ keys, payloads: [gateway.sealedPayload(two), gateway.sealedPayload(one)] }));
    await hospital.settled();
    expect((await all(hospital)).map(({ number, entry, whole }) => [number, entry, whole])).toEqual([[2, two, true], [3, one, true]]);
  });

  it('are found under one person when pseudonyms turn out to be of one, in whatever order content keys come', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const entries = [1, 2, 3].map((epoch) => {
      gateway.enter(epoch);
      return gateway.write('patient/anna', { time: START + epoch });
    });
    await gateway.seal(hospital.blocks);
    const give = async (epoch: 1 | 2 | 3): Promise<void> => {
      await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna', epoch)], payloads: [gateway.sealedPayload(entries[epoch - 1] ?? 0)] }));
      await hospital.settled();
    };
    await give(3);
    const third = only(await hospital.records.subjects());
    await give(1);
    const first = (await hospital.records.subjects()).find(({ person }) => person !== third.person);
    expect([await of(hospital, third.person), await of(hospital, first?.person ?? '')]).toEqual([[entries[2]], [entries[0]]]);
    await give(2);
    expect(await hospital.records.subjects()).toEqual([third]);
    for (const pseudonym of (await hospital.store.person(third.person))?.pseudonyms ?? []) expect(await of(hospital, pseudonym)).toEqual(entries);
    expect([await of(hospital, third.person), await of(hospital, first?.person ?? '')]).toEqual([entries, entries]);
    expect(new Set((await all(hospital)).map(({ subject }) => subject.person))).toEqual(new Set([third.person]));
  });

  it('are in no answer any more when their key is erased, nor is who has none left', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const [hers, his] = [gateway.write('patient/anna'), gateway.write('patient/otto')];
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna'), await gateway.sealedKey('patient/otto')], payloads: [gateway.sealedPayload(hers), gateway.sealedPayload(his)] }));
    await hospital.settled();
    const [one] = await all(hospital);
    const anna = one?.subject as KnownSubject;
    await hospital.identities.map(anna.person, { system: 'urn:mrn', value: '17' });
    await hospital.projector.stop();
    await hospital.releases.put(gateway.release({ erased: [gateway.keyOf(hers)] }));
    expect([entriesOf(await all(hospital)), await of(hospital, anna.person), await hospital.records.record(toHex(gateway.chain), hers), (await hospital.records.subjects()).length]).toEqual([[his], [], undefined, 1]);
    const again = new OpeningHospital(await engine.reopen());
    await again.settled();
    await again.projector.stop();
    expect([await again.identities.identifierOf(anna), await again.identities.peopleWith('urn:mrn', '17'), await again.store.person(anna.person)]).toEqual([undefined, [], undefined]);
    expect((await again.records.subjects()).length).toBe(1);
  });

  it('that were there before arrivals were written down are found once', async () => {
    await using engine = await open();
    const hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const entries = Array.from({ length: 1200 }, (_, n) => gateway.write('patient/anna', { time: START + n }));
    await gateway.seal(hospital.blocks);
    const keys = [await gateway.sealedKey('patient/anna')];
    for (let at = 0; at < entries.length; at += 400) await hospital.releases.put(gateway.release({ ...(at === 0 && { keys }), payloads: entries.slice(at, at + 400).map((entry) => gateway.sealedPayload(entry)) }));
    // As a version without the index left them.
    const arrivals = await hospital.store.arrivals(10);
    await engine.store.write((await Array.fromAsync(engine.store.range({ gte: Buffer.from('q'), lt: Buffer.from('r') }))).map(([key]) => ({ key })), { sync: true });
    expect([arrivals.length, await hospital.store.countArrivals(10)]).toEqual([3, 0]);
    await hospital.settled();
    await hospital.projector.stop();
    expect(entriesOf(await hospital.records.after(0, 2000))).toEqual(entries);
    expect(await hospital.projector.status()).toMatchObject({ opened: 1200, bad: 0, behind: 0 });
  });

  it('are found under a content key that comes after them', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const entries = Array.from({ length: 3 }, () => gateway.write('patient/anna'));
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ payloads: entries.map((entry) => gateway.sealedPayload(entry)) }));
    await hospital.settled();
    expect(await hospital.projector.status()).toMatchObject({ opened: 0, bad: 1 });
    expect(hospital.log.lines.map(({ fields }) => fields['why'])).toEqual([`content key ${toHex(gateway.keyOf(1))} is not here`]);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')] }));
    await hospital.settled();
    expect(entriesOf(await all(hospital))).toEqual(entries);
    expect(await hospital.projector.status()).toMatchObject({ opened: 3, bad: 0, behind: 0 });
  });

  it('wait for their block, and come when it is there', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    await hospital.settled();
    const gateway = new GivingGateway();
    const early = gateway.write('patient/anna');
    const alarm = gateway.write('patient/anna', { lane: 'alarm', kind: 'event' });
    await gateway.seal(hospital.blocks, 'alarm');
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [gateway.sealedPayload(early), gateway.sealedPayload(alarm)] }));
    await hospital.settled();
    expect(entriesOf(await all(hospital))).toEqual([alarm]);
    expect(await hospital.projector.status()).toMatchObject({ opened: 1, waiting: 1, bad: 0, behind: 0 });
    const more = new Promise<void>((resolve) => hospital.records.onMore(resolve));
    await gateway.seal(hospital.blocks);
    await more;
    expect(entriesOf(await all(hospital))).toEqual([alarm, early]);
    await hospital.settled();
    expect(await hospital.store.countArrivals(10)).toBe(0);
  });

  it('are not made of what does not open or does not fit, which is counted and told once', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    await hospital.settled();
    const gateway = new GivingGateway();
    const [forged, good, nowhere] = [gateway.write('patient/anna'), gateway.write('patient/anna'), gateway.write('patient/anna', { lane: 'alarm' })];
    await gateway.seal(hospital.blocks);
    const keys = [await gateway.sealedKey('patient/anna'), { ...(await gateway.sealedKey('patient/anna')), id: new Uint8Array(8).fill(7) }];
    const payloads = [gateway.sealedPayload(forged, { salt: new Uint8Array(32) }), gateway.sealedPayload(good), { ...gateway.sealedPayload(good), entry: forged + 100 }];
    await hospital.releases.put(gateway.release({ keys, payloads }));
    await hospital.settled();
    await hospital.releases.put(gateway.release({ keys, payloads: [gateway.sealedPayload(forged, { salt: new Uint8Array(32) })] }));
    await hospital.settled();
    expect(entriesOf(await all(hospital))).toEqual([good]);
    expect(await hospital.projector.status()).toMatchObject({ opened: 1, waiting: 1, bad: 2, behind: 0 });
    expect(hospital.log.lines.map(({ fields }) => fields['why'])).toEqual([`content key ${'07'.repeat(8)} was not sealed for the key of this hospital`, `the payload of entry ${forged} does not fit the commitment of the entry`]);
    // It is seen to be of no entry as soon as both lanes have come so far.
    expect(nowhere).toBe(3);
    await hospital.releases.put(gateway.release({ payloads: [gateway.sealedPayload(forged)] }));
    await hospital.settled();
    expect([(await all(hospital)).length, (await hospital.projector.status()).bad]).toEqual([2, 1]);
  });

  it('are never whole where something that does not fit came in the place of a payload', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const entry = gateway.write('patient/anna');
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [gateway.sealedPayload(entry)] }));
    await hospital.settled();
    await hospital.projector.stop();
    await hospital.releases.put(gateway.release({ payloads: [gateway.sealedPayload(entry, { salt: new Uint8Array(32) })] }));
    expect(await all(hospital)).toEqual([]);
  });

  it('of one gateway are not given to somebody of another by calling them the same', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const [gateway, thief] = [new GivingGateway(), new GivingGateway('thief')];
    const [hers, forged] = [gateway.write('patient/anna'), thief.write('patient/anna')];
    for (const each of [gateway, thief]) {
      await each.seal(hospital.blocks);
      await hospital.releases.put(each.release({ keys: [await each.sealedKey('patient/anna')], payloads: [each.sealedPayload(each === gateway ? hers : forged)] }));
    }
    // Both have the same keys, and know anna by the same pseudonym.
    await hospital.settled();
    expect((await all(hospital)).map(({ chain }) => chain)).toEqual([toHex(gateway.chain)]);
    expect(hospital.log.lines.map(({ fields }) => fields['why'])).toEqual([expect.stringContaining('claims somebody of another gateway')]);
  });

  it('hold nothing of what was measured, nor who it was, in clear', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const entry = gateway.write('patient/anna', { payload: new Map([['heart_rate', 'measured-77']]) });
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna')], payloads: [gateway.sealedPayload(entry)] }));
    await hospital.settled();
    expect((await all(hospital))[0]?.payload).toEqual({ heart_rate: 'measured-77' });
    const bytes = Buffer.concat((await Array.fromAsync(engine.store.range({ gte: Buffer.of(0), lt: Buffer.of(0xff) }))).flat().map((each) => Buffer.from(each)));
    for (const personal of ['heart_rate', 'measured-77', 'anna']) expect([personal, bytes.includes(personal)]).toEqual([personal, false]);
    expect(NORTH.recipient.length).toBe(33);
  });
}

function outputsSuite({ open }: Engine): void {
  it('is kept for each', async () => {
    await using engine = await open();
    const { outputs } = new OpeningHospital(engine.store);
    expect(await outputs.load('fhir')).toBe(0);
    await outputs.save('fhir', 2 ** 40);
    await outputs.save('hl7', 3);
    const again = new OpeningHospital(await engine.reopen());
    expect([await again.outputs.load('fhir'), await again.outputs.load('hl7'), await again.outputs.load('f')]).toEqual([2 ** 40, 3, 0]);
  });
}

function leasesSuite({ open }: Engine): void {
  it('are held by one at a time, until they expire or are given back', async () => {
    await using engine = await open();
    let now = START;
    const { leases } = new OpeningHospital(engine.store, { now: () => now });
    const hold = (holder: string): Promise<boolean> => leases.hold('work', holder, Millis(100));
    expect([await hold('one'), await hold('two'), await hold('one')]).toEqual([true, false, true]);
    now = UnixMillis(START + 100);
    expect([await hold('two'), await hold('one')]).toEqual([true, false]);
    await leases.release('work', 'one');
    expect(await hold('one')).toBe(false);
    await leases.release('work', 'two');
    expect([await hold('one'), await leases.hold('other work', 'two', Millis(100))]).toEqual([true, true]);
    expect((await Promise.all(['a', 'b', 'c', 'd'].map((holder) => leases.hold('new', holder, Millis(100))))).filter(Boolean)).toHaveLength(1);
  });
}

function identitiesSuite({ open }: Engine): void {
  it('belong to the person behind a pseudonym, also when it is heard of later, and to the person it turns out to be', async () => {
    await using engine = await open();
    await using hospital = new OpeningHospital(engine.store);
    const gateway = new GivingGateway();
    const first = gateway.write('patient/anna');
    gateway.enter(2);
    const second = gateway.write('patient/anna');
    await gateway.seal(hospital.blocks);
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna', 1)], payloads: [gateway.sealedPayload(first)] }));
    await hospital.settled();
    const anna = only(await hospital.records.subjects());
    expect(await hospital.identities.identifierOf(anna)).toBeUndefined();
    await hospital.identities.map(anna.person, { system: 'urn:mrn', value: '17', name: 'Anna M.' });
    await hospital.releases.put(gateway.release({ keys: [await gateway.sealedKey('patient/anna', 2)], payloads: [gateway.sealedPayload(second)] }));
    await hospital.settled();
    expect(await hospital.identities.identifierOf(anna)).toEqual({ system: 'urn:mrn', value: '17', name: 'Anna M.' });
    expect(await hospital.identities.peopleWith('urn:mrn', '17')).toEqual([anna]);
    expect([await hospital.identities.peopleWith('urn:mrn', '1'), await hospital.identities.peopleWith('urn:other', '17')]).toEqual([[], []]);
    const later = (await hospital.store.person(anna.person))?.pseudonyms.at(-1) ?? '';
    await hospital.identities.map(later, { system: 'urn:mrn', value: '18' });
    expect([await hospital.identities.identifierOf(anna), await hospital.identities.peopleWith('urn:mrn', '17')]).toEqual([{ system: 'urn:mrn', value: '18' }, []]);
    expect([await hospital.identities.unmap(anna.person), await hospital.identities.identifierOf(anna), await hospital.identities.unmap(anna.person)]).toEqual([true, undefined, false]);
    const unheard = 'ab'.repeat(16);
    await hospital.identities.map(unheard, { system: 'urn:mrn', value: '19' });
    expect(await hospital.identities.peopleWith('urn:mrn', '19')).toEqual([]);
  });
}

const needed = needs('postgresql');
afterAll(stopDatabases);

describe.each(STORES)('records of what was released, $name', (engine) => {
  recordsSuite(engine);
});
describe.each(STORES)('how far outputs have come, $name', (engine) => {
  outputsSuite(engine);
});
describe.each(STORES)('leases, $name', (engine) => {
  leasesSuite(engine);
});
describe.each(STORES)('identities, $name', (engine) => {
  identitiesSuite(engine);
});

describe.skipIf(needed.missing)(`records over PostgreSQL${needed.note}`, () => {
  recordsSuite(POSTGRES_ENGINE);
  outputsSuite(POSTGRES_ENGINE);
  leasesSuite(POSTGRES_ENGINE);
  identitiesSuite(POSTGRES_ENGINE);
});
