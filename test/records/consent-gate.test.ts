import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Release } from '../../gateway/consent/approvals.ts';
import type { Consents, KeptGrant } from '../../gateway/consent/consents.ts';
import { decide, type BaseRule, type Decision } from '../../gateway/consent/decide.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { encodeTold, readTold, toldOf, type Told, type ToldRoom } from '../../gateway/consent/told.ts';
import type { Fidelity } from '../../gateway/consent/vocabulary.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { OutputRecipient } from '../../gateway/records/output-gate.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { ALL_CASES, byCounting, keptAbout, type Known } from '../consent/counting-twin.ts';
import { HOSPITAL, OTHER_HOSPITAL, SITUATIONS } from '../consent/situations.ts';
import { denial, grant, hexOf, idNumber, keyNumber, NOON } from '../consent/statements.ts';
import { CHAIN, Gate } from './memory-told.ts';

const [ANNA, OTTO, KITCHEN, STRANGER, ANNA_BEFORE] = ['a', 'b', 'c', 'd', 'e'].map((digit) => digit.repeat(32)) as [string, string, string, string, string];
const VERSION = '7'.repeat(64);
const BASE: readonly BaseRule[] = [{ to: { hospital: HOSPITAL }, purposes: ['TREAT'], fidelity: 'summary' }];
const LEE: OutputRecipient = { id: 'lee', role: 'clinician', purpose: 'TREAT', by: 'fhir read' };

const recordOf = (part: Partial<HospitalRecord>): HospitalRecord => ({
  number: 1, arrived: NOON, chain: CHAIN, lane: 'record', height: 1, blockHash: '0'.repeat(64), entry: 1, kind: 'summary', time: NOON, subject: { kind: 'patient', person: ANNA }, whole: true, payload: {}, ...part,
});
const waveform = (item: string, part: Partial<HospitalRecord> = {}): HospitalRecord => recordOf({ payload: { measurement: item, samples: [1, 2] }, ...part });
const summary = (items: readonly string[], part: Partial<HospitalRecord> = {}): HospitalRecord => recordOf({ payload: { from: NOON, to: NOON, measurements: Object.fromEntries(items.map((item) => [item, { unit: '1', count: 3 }])) }, ...part });
const alarm = (item: string, part: Partial<HospitalRecord> = {}): HospitalRecord =>
  recordOf({ kind: 'event', lane: 'alarm', payload: { alarm: 1, why: 'raised', from: 'none', to: 'active', kind: 'physiological', priority: 'high', rule: 'starter/low', message: 'SpO2 80 %', evidence: { values: [{ measurement: item, value: 80 }] } }, ...part });
const BARE = { alarm: 1, why: 'raised', from: 'none', to: 'active', kind: 'physiological', priority: 'high' };

const kept = (...grants: readonly Grant[]): readonly KeptGrant[] => grants.map((each) => ({ grant: each, accepted: UnixMillis(0) }));
const told = (grants: readonly KeptGrant[], { names = [ANNA], releases = [], base = [], at = NOON }: Partial<Pick<Told, 'names' | 'base' | 'at'> & { releases: readonly Release[] }> = {}): Told =>
  toldOf({ version: VERSION, keys: [], spent: [], grants }, releases, { hospital: HOSPITAL, names, base, at });
const saying = (grants: readonly KeptGrant[]): Consents => ({ patients: { anna: { version: VERSION, keys: [], spent: [], grants } } });

describe('a hospital, in the situations of IHE PCF', () => {
  it.each(SITUATIONS)('%s', async (_what, grants, cases) => {
    for (const [request, expected, circumstances] of cases) {
      const { recipient = { person: 'cho', role: 'clinician' }, purpose = 'TREAT', what: [item = ''] = ['spo2'], label = 'N', source, measuredAt } = request;
      // It knows neither labels nor devices, and is itself the hospital of all who ask there.
      const isElsewhere = recipient.hospital === OTHER_HOSPITAL || (recipient.hospital === undefined && grants.some(({ to }) => to.hospital !== undefined));
      if (label !== 'N' || source !== undefined || isElsewhere) continue;
      const episodes = (circumstances?.glass ?? []).map((each) => ({ ...each, patient: each.patient === 'anna' ? ANNA : OTTO }));
      const gate = new Gate([told(kept(...grants))], { now: NOON, episodes });
      const { person, role } = recipient;
      const shown = await gate.show({ id: person ?? 'fhir', ...(role === undefined ? {} : { role }), purpose, by: 'fhir read' }, [waveform(item, { time: measuredAt ?? NOON })]);
      expect([request, shown.length > 0 ? 'permit' : 'deny']).toEqual([request, expected]);
    }
  });
});

/** Whoever can ask at the hospital: a system, or somebody with a role. */
const ASKED_HERE = ALL_CASES.filter(({ recipient: { hospital, role, person }, label }) => hospital === HOSPITAL && (role === undefined) === (person === undefined) && label === 'N');
const story = fc.constantFrom(...ASKED_HERE).chain((known) => fc.record({ known: fc.constant(known), grants: fc.array(keptAbout(known).filter(({ grant: { from, until = Infinity } }) => from < until), { minLength: 1, maxLength: 4 }), behind: fc.constantFrom(0, 1000) }));
const asking = ({ recipient: { role, person }, purpose }: Known): OutputRecipient => ({ id: person ?? 'fhir', ...(role === undefined ? {} : { role }), purpose, by: 'hl7' });
const shows = (granted: Fidelity | undefined, needed: readonly Fidelity[]): boolean => granted !== undefined && needed.includes(granted);

describe('a hospital that was told everything', () => {
  it('shows what an evaluator that counts cases says, also by a clock that is behind', async () => {
    await fc.assert(fc.asyncProperty(story, async ({ known, grants, behind }) => {
      const gate = new Gate([told(grants)], { now: UnixMillis(NOON - behind) });
      const shown = await gate.show(asking(known), [waveform(known.item, { time: known.at }), summary([known.item], { time: known.at })]);
      const level = byCounting(grants, known, { source: false, at: true }, NOON);
      expect(shown.length).toBe(Number(shows(level, ['full'])) + Number(shows(level, ['full', 'summary'])));
    }), { numRuns: 1000 });
  });

  it('decides as the gateway does', async () => {
    const later = fc.constantFrom(NOON, UnixMillis(NOON + 1), UnixMillis(NOON + 2));
    await fc.assert(fc.asyncProperty(story, later, fc.constantFrom(BASE, []), async ({ known, grants }, now, base) => {
      const gate = new Gate([told(grants, { base })], { now });
      const { recipient, purpose, item, at } = known;
      const { what }: Decision = decide(saying(grants), { patient: 'anna', recipient, purpose, measuredAt: at }, now, { base, hospitals: [HOSPITAL] });
      const records = [waveform(item, { time: at }), summary(['glucose', item], { time: at }), alarm(item, { time: at })];
      const found = await gate.show(asking(known), records);
      const measurements = ['glucose', item].filter((each) => shows(what[each], ['full', 'summary']));
      const expected = [
        ...(shows(what[item], ['full']) ? [true] : []), ...(measurements.length > 0 ? [measurements.length === 2] : []), ...(what['physiological_alarm'] === undefined ? [] : [what[item] !== undefined]),
      ];
      expect(found.map(({ whole }) => whole)).toEqual(expected);
      expect(await gate.mayKnow(asking(known), { kind: 'patient', person: ANNA }) || found.length === 0).toBe(true);
    }), { numRuns: 500 });
  });

  it('does so when a permission waits for others', async () => {
    const waiting = grant({ approval: { threshold: 1, of: [{ name: 'Dr. Muster', key: hexOf(keyNumber(5).publicKey) }] } });
    const release: Release = {
      request: { id: idNumber(9), patient: 'anna', grant: waiting.id, recipient: { hospital: HOSPITAL }, fidelity: 'summary', purpose: 'TREAT', period: { from: UnixMillis(0), until: UnixMillis(NOON + 1) }, expires: UnixMillis(NOON + 1) },
      hash: 'a'.repeat(64), threshold: 1, approvals: [{ name: 'Dr. Muster', by: idNumber(5), at: NOON }], approved: NOON,
    };
    const seen = async (releases: readonly Release[], now = NOON): Promise<number> => (await new Gate([told(kept(waiting), { releases })], { now }).show(LEE, [waveform('spo2'), summary(['spo2'])])).length;
    const { approved: _, ...asked } = release;
    expect([await seen([]), await seen([asked]), await seen([release]), await seen([release], UnixMillis(NOON + 1))]).toEqual([0, 0, 1, 0]);
  });
});

describe('what leaves a hospital', () => {
  const notSpo2 = told(kept(denial({ what: ['spo2'] })), { base: BASE });

  it('is nothing about somebody of whom no gateway said anything', async () => {
    const gate = new Gate([notSpo2], { now: NOON });
    const record = summary(['heart_rate'], { subject: { kind: 'patient', person: STRANGER } });
    expect([await gate.show(LEE, [record]), await gate.mayKnow(LEE, record.subject), gate.noted]).toEqual([[], false, []]);
    expect(await gate.show(LEE, [{ ...record, subject: { kind: 'room', person: ANNA } }])).toEqual([]);
  });

  it('is an excerpt where a part is withheld: of a summary, of an alarm; and no waveform without all of it', async () => {
    const gate = new Gate([notSpo2], { now: NOON });
    const found = await gate.show(LEE, [summary(['spo2', 'heart_rate']), alarm('spo2'), alarm('heart_rate'), waveform('heart_rate'), summary(['spo2'])]);
    expect(found.map(({ whole, payload }) => [whole, payload])).toEqual([
      [false, { from: NOON, to: NOON, measurements: { heart_rate: { unit: '1', count: 3 } } }], [false, BARE], [true, alarm('heart_rate').payload],
    ]);
    expect(JSON.stringify(found.slice(0, 2))).not.toContain('80 %');
  });

  it('is under any name the gateway has for somebody', async () => {
    const gate = new Gate([told(kept(), { base: BASE, names: [ANNA, ANNA_BEFORE] })], { now: NOON });
    expect(await gate.show(LEE, [summary(['spo2'], { subject: { kind: 'patient', person: ANNA_BEFORE } })])).toHaveLength(1);
  });

  it('is for the purpose that was given, and for nobody with a role there is not', async () => {
    const gate = new Gate([told(kept(), { base: BASE })], { now: NOON });
    for (const recipient of [{ ...LEE, purpose: 'HRESCH' }, { ...LEE, purpose: 'FUN' }, { ...LEE, role: 'king' }, { ...LEE, purpose: 'BTG' }]) expect(await gate.show(recipient, [summary(['spo2'])])).toEqual([]);
  });

  it('of a room is what everybody who lives there permits, as the base says where nobody said anything', async () => {
    const kitchen = (residents: readonly string[], others: boolean): ToldRoom => ({ kind: 'room', at: NOON, names: [KITCHEN], base: BASE, residents, others });
    const record = summary(['motion', 'room_temperature'], { subject: { kind: 'room', person: KITCHEN } });
    const seen = async (room: ToldRoom, ...people: readonly Told[]): Promise<unknown> => (await new Gate([room, ...people], { now: NOON }).show(LEE, [record]))[0]?.payload['measurements'];
    const all = { motion: { unit: '1', count: 3 }, room_temperature: { unit: '1', count: 3 } };
    const annas = told(kept(denial({ what: ['motion'] })), { base: BASE });
    const ottos = (...said: readonly Grant[]): Told => told(kept(...said), { names: [OTTO], base: BASE });
    expect(await seen(kitchen([], true))).toEqual(all);
    expect(() => readTold(encodeTold(kitchen([], false)))).toThrow('expected true where nobody lives');
    expect(await seen(kitchen([OTTO], false), ottos())).toEqual(all);
    expect(await seen(kitchen([ANNA, OTTO], false), annas, ottos())).toEqual({ room_temperature: all.room_temperature });
    expect(await seen(kitchen([ANNA, OTTO], false), annas, ottos(denial()))).toBeUndefined();
    // Otto has been erased, or is not known yet.
    expect(await seen(kitchen([ANNA, OTTO], true), annas)).toBeUndefined();
  });

  it('was written down before, once for each subject: who, what for, by which version, and by which broken glass', async () => {
    const episode = { number: 4, patient: ANNA_BEFORE, by: { id: 'lee', role: 'clinician' }, reason: 'found unconscious', opened: NOON, ends: UnixMillis(NOON + 9), due: UnixMillis(NOON + 99) };
    const people = [told(kept(denial({ purposes: ['TREAT'] })), { names: [ANNA, ANNA_BEFORE] }), told(kept(), { names: [OTTO], base: BASE })];
    const records = [waveform('ppg'), alarm('spo2'), summary(['spo2'], { subject: { kind: 'patient', person: OTTO } })];
    const gate = new Gate(people, { now: NOON, episodes: [episode] });
    expect(await gate.show({ ...LEE, purpose: 'BTG' }, records)).toEqual(records.slice(0, 2));
    expect(gate.noted).toEqual([[{
      what: 'shown', chain: CHAIN, subject: { kind: 'patient', person: ANNA }, pseudonym: ANNA, time: NOON, recipient: { id: 'lee', role: 'clinician' }, by: 'fhir read', purpose: 'BTG', times: 1, consents: [VERSION], episode: 4, reason: 'found unconscious',
    }]]);
    expect(await gate.show({ ...LEE, id: 'dan', purpose: 'BTG' }, records)).toEqual([]);
    expect(await new Gate(people, { now: UnixMillis(NOON + 9), episodes: [episode] }).show({ ...LEE, purpose: 'BTG' }, records)).toEqual([]);
  });

  it('is nothing when it cannot be written down', async () => {
    await expect(new Gate([told(kept(), { base: BASE })], { now: NOON, fails: true }).show(LEE, [summary(['spo2'])])).rejects.toThrow('the disk says no');
  });

  it('may be known of by whoever may see any of it, whenever it was measured', async () => {
    const then = { from: UnixMillis(NOON - 1000), until: UnixMillis(NOON - 500) };
    const knows = async (...grants: readonly Grant[]): Promise<boolean> => await new Gate([told(kept(...grants))], { now: NOON }).mayKnow(LEE, { kind: 'patient', person: ANNA });
    expect([await knows(), await knows(grant({ measured: then })), await knows(grant({ measured: then }), denial({ id: idNumber(2), measured: then, purposes: ['TREAT'] })), await knows(grant({ what: ['motion'], fidelity: 'events' }))]).toEqual([false, true, false, true]);
  });
});
