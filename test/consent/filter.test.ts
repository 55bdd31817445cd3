import { describe, expect, it } from 'vitest';
import { baseOf, rulingFor, whoLivesIn } from '../../gateway/consent-filter.ts';
import { decide } from '../../gateway/consent/decide.ts';
import type { Consents } from '../../gateway/consent/consents.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { decode, type CborMap, type CborValue } from '../../gateway/ledger/cbor.ts';
import type { Entry } from '../../gateway/ledger/entry.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import type { Subject } from '../../gateway/reading.ts';
import type { BaseFidelity, Ruling } from '../../gateway/releases.ts';
import { denial, fingerprintOf, grant, idNumber, keyNumber, NOON } from './statements.ts';

const NORTH = keyNumber(11);
const ANNA: Subject = { kind: 'patient', id: 'anna' };
const KITCHEN: Subject = { kind: 'room', id: 'kitchen' };
const VERSIONS: Readonly<Record<string, string>> = { anna: 'a'.repeat(64), bob: 'b'.repeat(64) };

type Payload = Readonly<Record<string, CborValue>>;
const entry = (kind: Entry['kind'], fields: Readonly<Record<string, number>> = {}): Entry => ({ kind, sequence: 1, time: NOON, fields: new Map(Object.entries(fields)) });
const mapOf = (value: Payload): CborMap => new Map(Object.entries(value));
const ALARM: Payload = { alarm: 1, why: 'raised', from: 'none', to: 'active', kind: 'physiological', priority: 'high', rule: 'starter/low-oxygen', message: 'SpO2 80 %', evidence: mapOf({ values: [mapOf({ measurement: 'spo2', value: 80 })] }) };
const SUMMARY: Payload = { seconds: 60, measurements: mapOf({ spo2: 97, heart_rate: 70 }) };

/** What north may have of something, when these were said by people of the house. */
function ruling(said: Readonly<Record<string, readonly Grant[]>>, [what, payload]: readonly [Entry, Payload], { payloads = 'summary', purpose = 'TREAT', subject = ANNA }: Readonly<{ payloads?: BaseFidelity; purpose?: string; subject?: Subject }> = {}): Ruling {
  const consents: Consents = { patients: Object.fromEntries(Object.entries(said).map(([id, grants]) => [id, { version: VERSIONS[id] ?? '', keys: [], spent: [], grants: grants.map((each) => ({ grant: each, accepted: NOON })) }])) };
  const base = baseOf([{ key: NORTH.publicKey, payloads, purpose }]);
  return rulingFor({
    hospital: { key: NORTH.publicKey }, purpose, base: payloads,
    desk: { decide: (request) => decide(consents, request, NOON, { base, hospitals: [fingerprintOf(NORTH)] }) },
    livingIn: (room) => whoLivesIn([{ id: 'anna', rooms: [{ room: 'kitchen' }] }, { id: 'bob', rooms: [{ room: 'kitchen' }, { room: 'cellar' }] }], room),
  }, { subject, entry: what, payload: mapOf(payload) });
}

const alarm = [entry('event'), ALARM] as const;
const summary = [entry('summary'), SUMMARY] as const;
const waveform = [entry('summary', { samples: 500 }), { measurement: 'ppg' }] as const;
const excerptIn = ({ allowed }: Ruling): unknown => (typeof allowed === 'string' ? allowed : Object.fromEntries(decode(allowed.excerpt, { floats: true }) as CborMap));

describe('what a hospital gets of a payload', () => {
  it('is as the configuration says where nobody said anything', () => {
    const table: readonly [BaseFidelity, ...unknown[]][] = [['none', 'nothing', 'nothing', 'nothing'], ['events', 'whole', 'nothing', 'nothing'], ['summary', 'whole', 'whole', 'nothing'], ['full', 'whole', 'whole', 'whole']];
    for (const [payloads, ...expected] of table) expect([payloads, ...[alarm, summary, waveform].map((each) => ruling({}, each, { payloads }).allowed)]).toEqual([payloads, ...expected]);
    for (const kind of ['consent', 'approval', 'disclosure', 'evidence', 'erasure'] as const) expect([kind, ruling({}, [entry(kind), {}], { payloads: 'full' }).allowed]).toEqual([kind, 'nothing']);
  });

  it('rests on the version of the consents it was decided by, and says what for', () => {
    expect(ruling({ anna: [] }, alarm)).toEqual({ allowed: 'whole', purpose: 'TREAT', consents: [VERSIONS['anna']] });
    expect(ruling({ anna: [], bob: [] }, summary, { subject: KITCHEN, purpose: 'HRESCH/x' })).toEqual({ allowed: 'whole', purpose: 'HRESCH/x', consents: [VERSIONS['anna'], VERSIONS['bob']] });
  });

  it('is less, or more, where the patient said so', () => {
    expect(ruling({ anna: [denial({ to: { hospital: fingerprintOf(NORTH) } })] }, alarm).allowed).toBe('nothing');
    expect(ruling({ anna: [grant({ to: { hospital: fingerprintOf(NORTH) } })] }, waveform, { payloads: 'none' }).allowed).toBe('whole');
    expect(ruling({ anna: [grant({ to: { hospital: fingerprintOf(NORTH) } })] }, waveform, { payloads: 'none', purpose: 'HRESCH' }).allowed).toBe('nothing');
    expect(ruling({ anna: [grant({ fidelity: 'events' })] }, summary).allowed).toBe('nothing');
  });

  it('is of an alarm about what is denied only that there is one', () => {
    const found = excerptIn(ruling({ anna: [denial({ what: ['spo2'] })] }, alarm));
    expect(found).toEqual({ alarm: 1, why: 'raised', from: 'none', to: 'active', kind: 'physiological', priority: 'high' });
    expect(ruling({ anna: [denial({ what: ['physiological_alarm'] })] }, alarm).allowed).toBe('nothing');
    expect(excerptIn(ruling({ anna: [denial({ what: ['reason'] })] }, [entry('event'), { ...ALARM, rule: 'glass-broken/1', kind: 'technical', evidence: mapOf({ values: [] }) }]))).not.toHaveProperty('message');
    expect(ruling({ anna: [denial({ what: ['alarm_answer'] })] }, [entry('acknowledgement'), ALARM]).allowed).toBe('nothing');
  });

  it('is of a summary what is permitted of it', () => {
    const cut = ruling({ anna: [denial({ what: ['spo2'] })] }, summary);
    expect(excerptIn(cut)).toEqual({ seconds: 60, measurements: mapOf({ heart_rate: 70 }) });
    expect(ruling({ anna: [denial({ what: ['vital_signs'] })] }, summary).allowed).toBe('nothing');
    expect(toHex((cut.allowed as { excerpt: Uint8Array }).excerpt)).not.toContain(Buffer.from('spo2').toString('hex'));
  });

  it('is of a room what everybody who lives there permits, and of one that is nobody\'s as the configuration says', () => {
    const bob = { bob: [denial({ id: idNumber(2), patient: 'bob' })] };
    expect(ruling(bob, summary, { subject: KITCHEN }).allowed).toBe('nothing');
    expect(ruling({ anna: [denial()] }, summary, { subject: { kind: 'room', id: 'cellar' } }).allowed).toBe('whole');
    expect(ruling(bob, summary, { subject: { kind: 'room', id: 'hall' } })).toEqual({ allowed: 'whole', purpose: 'TREAT', consents: [] });
  });
});
