import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyApproval, askRelease, forgetReleases, MOST_RELEASES, releaseFor, type Releases } from '../../gateway/consent/approvals.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { encodeRelease, hashOfRelease, type ReleaseRequest } from '../../gateway/consent/release.ts';
import type { Case } from '../../gateway/consent/scope.ts';
import { signStatement } from '../../gateway/consent/statement.ts';
import type { SigningKey } from '../../gateway/ledger/es256k.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { denial, fingerprintOf, grant, hexOf, idNumber, keyNumber, NOON } from './statements.ts';

const APPROVERS = [21, 22, 23].map(keyNumber);
const STRANGER = keyNumber(29);
const TO = { hospital: fingerprintOf(keyNumber(11)) };
const LATER = UnixMillis(NOON + 1000);
const GRANT = grant({ to: TO, what: ['vital_signs'], purposes: ['HRESCH'], until: UnixMillis(NOON + 5000), approval: { threshold: 2, of: APPROVERS.map((key, index) => ({ name: `approver ${index}`, key: hexOf(key.publicKey) })) } });

const requesting = (differing: Partial<ReleaseRequest> = {}): ReleaseRequest =>
  ({ id: idNumber(50), patient: 'anna', grant: GRANT.id, recipient: TO, what: ['spo2'], fidelity: 'summary', purpose: 'HRESCH/heart-2030', period: { from: NOON, until: UnixMillis(NOON + 4000) }, expires: LATER, ...differing });
const finding = (...grants: readonly Grant[]) => (patient: string, id: string): Grant | undefined => grants.find((each) => each.patient === patient && each.id === id);
const ask = (releases: Releases, request: ReleaseRequest, grants = finding(GRANT), at = NOON): ReturnType<typeof askRelease> => askRelease(releases, encodeRelease(request), grants, at);
const approval = (request: ReleaseRequest, key: SigningKey, differing: object = {}): Uint8Array =>
  signStatement({ kind: 'approval', request: hashOfRelease(request), expires: request.expires, by: fingerprintOf(key), ...differing }, key);
const approve = (releases: Releases, bytes: Uint8Array, at = NOON, rules = finding(GRANT)): ReturnType<typeof applyApproval> => applyApproval(releases, bytes, (patient, id) => rules(patient, id)?.approval, at);
const reasonOf = ({ outcome }: ReturnType<typeof askRelease>): string => (outcome.accepted ? 'accepted' : outcome.reason);

const ASKED = ask([], requesting()).releases;
const CASE: Case = { recipient: TO, purpose: 'HRESCH/heart-2030', item: 'spo2', label: 'N' };

describe('a request for release', () => {
  it('is taken as far as the grant goes and no further', () => {
    const cases: readonly [reason: string, request: ReleaseRequest, grants?: ReturnType<typeof finding>][] = [
      ['accepted', requesting()],
      ['accepted', requesting({ what: ['vital_signs'], fidelity: 'full', purpose: 'HRESCH' })],
      ['beyond_grant', requesting({ grant: idNumber(9) })],
      ['beyond_grant', requesting({ patient: 'bob' })],
      ['beyond_grant', requesting({ recipient: { hospital: fingerprintOf(keyNumber(12)) } })],
      ['beyond_grant', requesting({ recipient: { person: 'cho' } })],
      ['beyond_grant', requesting({ what: ['motion'] })],
      ['beyond_grant', requesting({ purpose: 'TREAT' })],
      ['beyond_grant', requesting({ period: { from: NOON, until: UnixMillis(NOON + 5001) } })],
      ['beyond_grant', requesting(), finding(grant({ to: TO, what: ['vital_signs'], purposes: ['HRESCH'] }))],
      ['beyond_grant', requesting(), finding(denial({ to: TO }))],
      ['beyond_grant', requesting({ fidelity: 'full' }), finding({ ...GRANT, fidelity: 'events' })],
      ['expired', requesting({ expires: NOON })],
      ['expired', requesting({ period: { from: UnixMillis(1), until: NOON } })],
    ];
    for (const [reason, request, grants] of cases) expect([request, reasonOf(ask([], request, grants))]).toEqual([request, reason]);
    expect(reasonOf(ask(ASKED, requesting()))).toBe('already_known');
    expect(reasonOf(askRelease([], Uint8Array.of(1, 2), finding(GRANT), NOON))).toBe('malformed');
  });

  it('makes room for another when it is over, and there are no more than may be', () => {
    let releases: Releases = [];
    for (let number = 0; number < MOST_RELEASES; number++) releases = ask(releases, requesting({ id: idNumber(1000 + number) })).releases;
    expect(releases).toHaveLength(MOST_RELEASES);
    expect(reasonOf(ask(releases, requesting()))).toBe('too_many');
    expect(ask(releases, requesting({ expires: UnixMillis(LATER + 1) }), finding(GRANT), LATER).releases).toHaveLength(1);
  });

  it('is forgotten with the patient', () => {
    expect(forgetReleases(ASKED, 'anna')).toEqual([]);
    expect(forgetReleases(ASKED, 'bob')).toEqual(ASKED);
  });
});

describe('approvals of it', () => {
  const [one, two, three] = APPROVERS as [SigningKey, SigningKey, SigningKey];

  it('release it when there are as many as the grant says, and not before', () => {
    const first = approve(ASKED, approval(requesting(), one));
    expect(releaseFor(first.releases, GRANT.id, CASE, NOON)).toBeUndefined();
    const second = approve(first.releases, approval(requesting(), two));
    expect(second.outcome).toMatchObject({ accepted: true, release: { approved: NOON, approvals: [{ name: 'approver 0' }, { name: 'approver 1' }] } });
    expect(releaseFor(second.releases, GRANT.id, CASE, NOON)).toBe('summary');
    expect(approve(second.releases, approval(requesting(), three)).outcome).toMatchObject({ accepted: true, release: { approved: NOON } });
  });

  it('are for that request, in time, by those who are named, and count once', () => {
    const first = approve(ASKED, approval(requesting(), one)).releases;
    const cases: readonly [reason: string, bytes: Uint8Array, releases?: Releases, at?: UnixMillis, rules?: ReturnType<typeof finding>][] = [
      ['already_approved', approval(requesting(), one), first],
      ['unknown_request', approval(requesting({ id: idNumber(51) }), two)],
      ['other_expiry', approval(requesting(), two, { expires: UnixMillis(LATER + 1) })],
      ['expired', approval(requesting(), two), first, LATER],
      ['unknown_key', approval(requesting(), STRANGER)],
      ['unknown_key', approval(requesting(), two), first, NOON, finding()],
      ['bad_signature', signStatement({ kind: 'approval', request: hashOfRelease(requesting()), expires: LATER, by: fingerprintOf(two) }, STRANGER)],
      ['not_an_approval', signStatement(grant(), one)],
      ['malformed', Uint8Array.of(1)],
    ];
    for (const [reason, bytes, releases = ASKED, at, rules] of cases) {
      const { outcome, releases: after } = approve(releases, bytes, at, rules);
      expect(outcome.accepted ? 'accepted' : outcome.reason).toBe(reason);
      expect(after).toBe(releases);
    }
  });

  it('cover what was asked and nothing beside it', () => {
    const released = [one, two].reduce((releases, key) => approve(releases, approval(requesting(), key)).releases, ASKED);
    const others: readonly [Partial<Case>, UnixMillis?][] = [[{ item: 'glucose' }], [{ purpose: 'HRESCH' }], [{ recipient: { person: 'cho' } }], [{}, UnixMillis(NOON + 4000)], [{}, UnixMillis(NOON - 1)]];
    for (const [differing, at = NOON] of others) expect([differing, releaseFor(released, GRANT.id, { ...CASE, ...differing }, at)]).toEqual([differing, undefined]);
    expect(releaseFor(released, idNumber(9), CASE, NOON)).toBeUndefined();
  });

  it('come in any order, as often as they like: what counts is how many different keys that are named came in time', () => {
    const all = [one, two, three, STRANGER];
    fc.assert(fc.property(fc.array(fc.record({ by: fc.nat(all.length - 1), late: fc.boolean(), other: fc.boolean() }), { maxLength: 10 }), (story) => {
      const after = story.toSorted((a, b) => Number(a.late) - Number(b.late)).reduce((releases, { by, late, other }) =>
        approve(releases, approval(requesting(other ? { id: idNumber(51) } : {}), all[by] as SigningKey), late ? LATER : NOON).releases, ASKED);
      const counting = new Set(story.filter(({ by, late, other }) => by < 3 && !late && !other).map(({ by }) => by));
      expect(after[0]?.approvals).toHaveLength(counting.size);
      expect(releaseFor(after, GRANT.id, CASE, UnixMillis(NOON + 1)) !== undefined).toBe(counting.size >= 2);
    }));
  });
});
