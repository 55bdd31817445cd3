import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyStatement, consentsOf, enrolKey, FIRST_VERSION, forgetPatient, MOST_GRANTS, NO_CONSENTS, revokeKey, versionAfter, type Applied, type Consents } from '../../gateway/consent/consents.ts';
import { MOST_KEYS, type PersonKey } from '../../gateway/consent/keys.ts';
import { openStatement, signStatement, type Revocation, type Statement } from '../../gateway/consent/statement.ts';
import type { SigningKey } from '../../gateway/ledger/es256k.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { ANNA, denial, fingerprintOf, grant, hexOf, idNumber, keyNumber, NOON } from './statements.ts';

const LATER = UnixMillis(NOON + 1000);
const SECOND = keyNumber(2);
const GUARDIAN = keyNumber(3);
const STRANGER = keyNumber(4);
const ALWAYS = { from: UnixMillis(0) };

const enrolled = (state: Consents, key: SigningKey, who: PersonKey['who'] = 'patient', period: PersonKey['period'] = ALWAYS, patient = 'anna'): Consents => {
  const after = enrolKey(state, patient, { key: hexOf(key.publicKey), who, name: who, period });
  if (typeof after === 'string') throw new Error(after);
  return after;
};
const WITH_ANNA = enrolled(NO_CONSENTS, ANNA);
const GUARDED = enrolled(WITH_ANNA, GUARDIAN, 'guardian', { from: UnixMillis(0), until: LATER });

const apply = (state: Consents, statement: Statement, key = ANNA, at = NOON): Applied => applyStatement(state, signStatement(statement, key), at);
const reasonOf = ({ outcome }: Applied): string => (outcome.accepted ? 'accepted' : outcome.reason);
const versionOf = (state: Consents): string => consentsOf(state, 'anna').version;
const revocation = (which: string, differing: Partial<Revocation> = {}): Revocation => ({ kind: 'revocation', id: idNumber(77), patient: 'anna', by: fingerprintOf(ANNA), what: 'grant', which, ...differing });

describe('a statement of a patient', () => {
  it('is kept, and moves the version on by a hash anybody can repeat', () => {
    const { state, outcome } = apply(WITH_ANNA, grant());
    const { hash } = openStatement(signStatement(grant(), ANNA));
    expect(outcome).toEqual({ accepted: true, patient: 'anna', kind: 'grant', id: idNumber(1), version: versionAfter(FIRST_VERSION, hash), hash });
    expect(consentsOf(state, 'anna').grants).toEqual([{ grant: grant(), accepted: NOON }]);
  });

  it('is refused with the reason, and then changes nothing', () => {
    const cases: readonly [reason: string, state: Consents, statement: Statement, key?: SigningKey, at?: UnixMillis][] = [
      ['unknown_patient', WITH_ANNA, grant({ patient: 'bob' })],
      ['unknown_key', WITH_ANNA, grant({ by: fingerprintOf(STRANGER) }), STRANGER],
      ['bad_signature', WITH_ANNA, grant(), STRANGER],
      ['key_not_in_use', GUARDED, grant({ by: fingerprintOf(GUARDIAN) }), GUARDIAN, LATER],
      ['older_version', apply(WITH_ANNA, grant()).state, grant({ id: idNumber(2) })],
      ['already_known', apply(WITH_ANNA, denial()).state, denial()],
      ['expired', WITH_ANNA, grant({ until: NOON })],
      ['unknown_grant', WITH_ANNA, revocation(idNumber(5))],
      ['not_a_consent', WITH_ANNA, { kind: 'approval', request: '5'.repeat(64), expires: NOON, by: fingerprintOf(ANNA) }],
    ];
    for (const [reason, state, statement, key, at] of cases) {
      const applied = apply(state, statement, key, at);
      expect(reasonOf(applied)).toBe(reason);
      expect(applied.state).toBe(state);
    }
    expect(reasonOf(applyStatement(WITH_ANNA, Uint8Array.of(1, 2, 3), NOON))).toBe('malformed');
  });

  it('is not taken twice, whatever came between: a permission by its version, a denial by its id', () => {
    const first = apply(WITH_ANNA, grant());
    expect(reasonOf(apply(first.state, grant()))).toBe('already_known');
    const ended = apply(first.state, revocation(idNumber(1)));
    expect(reasonOf(ended)).toBe('accepted');
    expect(reasonOf(apply(ended.state, revocation(idNumber(1))))).toBe('already_ended');
    expect(reasonOf(apply(ended.state, grant()))).toBe('already_known');
  });

  it('that denies is taken whatever version it was written for', () => {
    const { state } = apply(WITH_ANNA, grant());
    expect(reasonOf(apply(state, denial({ id: idNumber(9), after: 'a'.repeat(64) })))).toBe('accepted');
  });

  it('of another patient is another matter, though the same key speaks for both', () => {
    const both = enrolled(WITH_ANNA, ANNA, 'guardian', { from: UnixMillis(0), until: LATER }, 'ben');
    const { state } = apply(both, grant({ patient: 'ben' }));
    expect(consentsOf(state, 'ben').grants).toHaveLength(1);
    expect(consentsOf(state, 'anna').grants).toHaveLength(0);
  });

  it('stays bounded: what is over makes room, what is in force does not', () => {
    let state = WITH_ANNA;
    for (let n = 0; n < MOST_GRANTS; n++) ({ state } = apply(state, denial({ id: idNumber(n), until: n === 0 ? LATER : UnixMillis(LATER + 1000) })));
    expect(reasonOf(apply(state, denial({ id: idNumber(5000) })))).toBe('too_many');
    const later = apply(state, denial({ id: idNumber(5000) }), ANNA, LATER);
    expect(reasonOf(later)).toBe('accepted');
    expect(consentsOf(later.state, 'anna').grants).toHaveLength(MOST_GRANTS);
    expect(reasonOf(apply(later.state, denial({ id: idNumber(0) }), ANNA, NOON))).toBe('already_known');
  });

  it('gives the same state from the same statements, whatever JSON it went through meanwhile', () => {
    const said = fc.array(fc.constantFrom<Statement>(grant(), denial({ id: idNumber(2) }), denial({ id: idNumber(3), what: ['spo2'] }), revocation(idNumber(1)), revocation(idNumber(3))), { maxLength: 8 });
    fc.assert(fc.property(said, (statements) => {
      const straight = statements.reduce((state, each) => apply(state, each).state, WITH_ANNA);
      const kept = statements.reduce((state, each) => JSON.parse(JSON.stringify(apply(state, each).state)) as Consents, WITH_ANNA);
      expect(kept).toEqual(straight);
    }), { numRuns: 30 });
  });
});

describe('the keys of a patient', () => {
  it('can take each other out of use, and never themselves', () => {
    const two = enrolled(WITH_ANNA, SECOND);
    const byKey = (which: SigningKey, by: SigningKey): Revocation => revocation(fingerprintOf(which), { what: 'key', by: fingerprintOf(by) });
    expect(reasonOf(apply(two, byKey(SECOND, SECOND), SECOND))).toBe('last_key');
    const { state } = apply(two, byKey(ANNA, SECOND), SECOND);
    expect(versionOf(state)).not.toBe(FIRST_VERSION);
    expect(reasonOf(apply(state, denial(), ANNA, LATER))).toBe('key_not_in_use');
    expect(reasonOf(apply(state, byKey(ANNA, SECOND), SECOND))).toBe('already_revoked');
  });

  it('are not a guardian\u2019s to take', () => {
    const by = revocation(fingerprintOf(ANNA), { what: 'key', by: fingerprintOf(GUARDIAN) });
    expect(reasonOf(apply(GUARDED, by, GUARDIAN))).toBe('key_not_in_use');
  });

  it('of a guardian end, and what was permitted with them ends with them; what was denied stays', () => {
    const by = fingerprintOf(GUARDIAN);
    const first = apply(GUARDED, grant({ by }), GUARDIAN).state;
    const second = apply(first, denial({ by, id: idNumber(2) }), GUARDIAN).state;
    expect(consentsOf(second, 'anna').grants.map(({ ended }) => ended)).toEqual([{ at: LATER, by: 'guardianship' }, undefined]);
    const revoked = revokeKey(second, 'anna', by, { at: NOON, by: 'op', reason: 'court order' });
    expect(typeof revoked === 'string' ? revoked : consentsOf(revoked, 'anna').grants.map(({ ended }) => ended)).toEqual([{ at: NOON, by: 'op' }, undefined]);
  });

  it('are refused when they are no keys, have no name, are known, or a guardian\u2019s have no end', () => {
    const key = hexOf(SECOND.publicKey);
    const enrol = (differing: object): unknown => enrolKey(WITH_ANNA, 'anna', { key, who: 'patient', name: 'Anna', period: ALWAYS, ...differing });
    expect(enrol({ key: `02${'0'.repeat(63)}5` })).toBe('bad_key');
    expect(enrol({ key: key.toUpperCase() })).toBe('bad_key');
    expect(enrol({ name: 'a\nb' })).toBe('bad_name');
    expect(enrol({ key: hexOf(ANNA.publicKey) })).toBe('already_enrolled');
    expect(enrol({ who: 'guardian' })).toBe('bad_period');
    expect(enrolKey(WITH_ANNA, 'a/b', { key, who: 'patient', name: 'Anna', period: ALWAYS })).toBe('unknown_patient');
    const full = Array.from({ length: MOST_KEYS - 1 }, (_, n) => keyNumber(n + 20)).reduce((state, each) => enrolled(state, each), WITH_ANNA);
    expect(enrolKey(full, 'anna', { key, who: 'patient', name: 'Anna', period: ALWAYS })).toBe('too_many');
  });

  it('need a reason to be revoked by an operator, and must be known', () => {
    const by = { at: NOON, by: 'op', reason: '' };
    expect(revokeKey(WITH_ANNA, 'anna', fingerprintOf(ANNA), by)).toBe('bad_reason');
    expect(revokeKey(WITH_ANNA, 'anna', fingerprintOf(SECOND), { ...by, reason: 'lost' })).toBe('unknown_key');
  });

  it('and everything else is forgotten with an erased patient', () => {
    expect(forgetPatient(apply(WITH_ANNA, grant()).state, 'anna')).toEqual(NO_CONSENTS);
  });
});
