import { describe, expect, it } from 'vitest';
import type { Release } from '../../gateway/consent/approvals.ts';
import type { KeptGrant } from '../../gateway/consent/consents.ts';
import { encodeTold, readTold, toldOf, type Told } from '../../gateway/consent/told.ts';
import { decode, encode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { HOSPITAL, OTHER_HOSPITAL } from './situations.ts';
import { denial, grant, hexOf, idNumber, keyNumber, NOON } from './statements.ts';

const NAMES = ['a'.repeat(32), 'b'.repeat(32)];
const VERSION = '7'.repeat(64);
const MUSTER = { name: 'Dr. Muster', key: hexOf(keyNumber(5).publicKey) };
const kept = (each: KeptGrant['grant'], part: Partial<KeptGrant> = {}): KeptGrant => ({ grant: each, accepted: UnixMillis(0), ...part });
const release = (differing: Partial<Release['request']> = {}, part: Partial<Release> = { approved: NOON }): Release => ({
  request: { id: idNumber(9), patient: 'anna', grant: idNumber(1), recipient: { hospital: HOSPITAL }, fidelity: 'events', purpose: 'TREAT', period: { from: UnixMillis(0), until: UnixMillis(NOON + 1) }, expires: UnixMillis(NOON + 1), ...differing },
  hash: 'a'.repeat(64), threshold: 1, approvals: [{ name: MUSTER.name, by: idNumber(7), at: NOON }], ...part,
});
const telling = (grants: readonly KeptGrant[], releases: readonly Release[] = [], at = NOON): Told => toldOf({ version: VERSION, keys: [], spent: [], grants }, releases, { hospital: HOSPITAL, names: NAMES, base: [{ to: { hospital: HOSPITAL }, purposes: ['TREAT'], what: ['spo2'], fidelity: 'events' }], at });
const idsIn = (told: Told): readonly string[] => (told.kind === 'patient' ? told.grants.map(({ grant: { id } }) => id) : []);

describe('what a hospital is told of somebody\'s consents', () => {
  it('comes back from its bytes as it was', () => {
    const all = [
      kept(grant({ approval: { threshold: 1, of: [MUSTER] }, sources: ['annas-clip'], labels: ['N'], measured: { from: UnixMillis(5) }, what: ['spo2'], until: UnixMillis(NOON + 5) })),
      kept(denial({ id: idNumber(2), to: { role: 'clinician' } }), { accepted: NOON, ended: { at: UnixMillis(NOON + 1), by: 'otto' } }),
    ];
    const told = telling(all, [release()]);
    expect(readTold(encodeTold(told))).toEqual(told);
    const room: Told = { kind: 'room', at: NOON, names: NAMES, base: told.base, residents: [NAMES[1] as string], others: false };
    expect(readTold(encodeTold(room))).toEqual(room);
  });

  it('names nobody: neither the patient, nor a device, nor whoever else is asked, nor whose key it was', () => {
    const told = telling([kept(grant({ approval: { threshold: 1, of: [MUSTER] }, sources: ['annas-clip'] }), { ended: { at: UnixMillis(NOON + 1), by: 'otto' } })], [release()]);
    const text = Buffer.from(encodeTold(told)).toString('latin1');
    for (const word of ['anna', 'Muster', 'otto']) expect([word, text.includes(word)]).toEqual([word, false]);
    for (const bytes of [MUSTER.key, grant().by, idNumber(7)]) expect(Buffer.from(encodeTold(told)).toString('hex')).not.toContain(bytes);
  });

  it('is what may mean this hospital or somebody there, and is not over', () => {
    const grants = [
      kept(grant({ id: idNumber(1) })), kept(grant({ id: idNumber(2), to: { hospital: HOSPITAL } })), kept(denial({ id: idNumber(3), to: { hospital: OTHER_HOSPITAL } })), kept(denial({ id: idNumber(4), to: { person: 'lee' } })),
      kept(grant({ id: idNumber(5), until: NOON })), kept(grant({ id: idNumber(6) }), { ended: { at: NOON, by: 'x' } }), kept(grant({ id: idNumber(7), from: UnixMillis(NOON + 99) })),
    ];
    expect(idsIn(telling(grants))).toEqual([1, 2, 4, 7].map(idNumber));
    const told = telling(grants, [release(), release({ recipient: { hospital: OTHER_HOSPITAL } }), release({ grant: idNumber(5) }), release({}, {})]);
    expect(told.kind === 'patient' && told.releases).toHaveLength(1);
  });

  it('is read in one way only', () => {
    const map = decode(encodeTold(telling([kept(grant())]))) as CborMap;
    const changed = (key: number, value: never): Uint8Array => encode(new Map([...map, [key, value]]));
    for (const [key, value] of [[1, 2], [3, []], [3, [new Uint8Array(15)]], [4, 7], [5, new Uint8Array(31)], [6, [7]], [7, [[new Uint8Array(2), 1]]], [10, 1]] as const) {
      expect(() => readTold(changed(key, value as never))).toThrow(/expected|unknown|follow/);
    }
    const base = (purpose: string): Uint8Array => changed(4, [new Map<number, unknown>([[1, new Map()], [2, [purpose]], [4, 'full']])] as never);
    expect(() => readTold(base('FUN'))).toThrow('expected a purpose');
    expect(readTold(base('TREAT'))).toMatchObject({ base: [{ purposes: ['TREAT'] }] });
  });
});
