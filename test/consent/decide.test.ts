import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Release } from '../../gateway/consent/approvals.ts';
import { FIRST_VERSION, type Consents, type KeptGrant } from '../../gateway/consent/consents.ts';
import { ITEMS } from '../../gateway/consent/data-classes.ts';
import { decide, type AccessRequest, type BaseRule, type Circumstances, type Decision } from '../../gateway/consent/decide.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { anyStory, byCounting } from './counting-twin.ts';
import { BEN, CHO, HOSPITAL, OTHER_HOSPITAL, SITUATIONS } from './situations.ts';
import { ANNA, denial, fingerprintOf, grant, idNumber, keyNumber, NOON } from './statements.ts';

const saying = (...grants: readonly (Grant | KeptGrant)[]): Consents => ({
  patients: { anna: { version: FIRST_VERSION, keys: [], spent: [], grants: grants.map((each) => ('grant' in each ? each : { grant: each, accepted: UnixMillis(0) })) } },
});
const asking = (differing: Partial<AccessRequest> = {}): AccessRequest => ({ patient: 'anna', recipient: CHO, purpose: 'TREAT', what: ['spo2'], ...differing });
const deciding = (grants: readonly Grant[], differing: Partial<AccessRequest> = {}, circumstances: Circumstances = {}): Decision => decide(saying(...grants), asking(differing), NOON, circumstances);

describe('the situations of IHE PCF', () => {
  it.each(SITUATIONS)('%s', (_what, grants, cases) => {
    for (const [request, expected, circumstances] of cases) expect([request, deciding(grants, request, circumstances).decision]).toEqual([request, expected]);
  });
});

describe('a decision', () => {
  it('is a denial for whatever nobody knows', () => {
    const strange: readonly Partial<AccessRequest>[] = [
      { purpose: 'FUN' }, { purpose: '__proto__' }, { label: 'X' }, { what: ['soul'] }, { what: [] }, { what: ['constructor'] }, { recipient: {} }, { recipient: { role: 'clinician' } },
      { recipient: { person: 'cho', role: 'king' as never } }, { patient: 'bob' }, { patient: '__proto__' },
    ];
    for (const request of strange) expect([request, deciding([grant()], request).decision]).toEqual([request, 'deny']);
    expect(deciding([grant()], { recipient: { hospital: OTHER_HOSPITAL } }, { hospitals: [HOSPITAL] })).toMatchObject({ decision: 'deny', why: [expect.stringContaining('is unknown')] });
  });

  it('is for the more specific, and a denial wins where neither is', () => {
    const spo2 = { id: idNumber(2), what: ['spo2'] };
    expect(deciding([denial(), grant(spo2)])).toMatchObject({ decision: 'permit', what: { spo2: 'full' } });
    expect(deciding([grant(), denial(spo2)]).decision).toBe('deny');
    // One says more of the recipient, one of the data.
    expect(deciding([grant({ to: { person: 'cho' } }), denial(spo2)]).decision).toBe('deny');
    expect(deciding([grant({ to: { person: 'cho' }, what: ['spo2'] }), denial(spo2)]).decision).toBe('permit');
  });

  it('shows the least of what is permitted alike, item by item, and names what it withholds and why', () => {
    const found = deciding([grant({ what: ['vital_signs'] }), grant({ id: idNumber(2), what: ['vital_signs'], fidelity: 'events' }), denial({ id: idNumber(3), what: ['glucose'] })], { what: ['glucose', 'spo2', 'steps'] });
    expect(found).toMatchObject({ decision: 'permit', fidelity: 'events', what: { spo2: 'events' }, withheld: ['glucose', 'steps'], version: FIRST_VERSION, grants: [idNumber(3), idNumber(2)] });
    expect(found.why).toEqual([expect.stringContaining('denied by grant 00000000 (glucose'), expect.stringContaining('permitted by'), expect.stringContaining('nothing was granted that covers steps')]);
  });

  it('rests on the base of the deployment only where the patient said nothing', () => {
    const base: readonly BaseRule[] = [{ to: { role: 'clinician' }, purposes: ['TREAT'], fidelity: 'summary' }];
    expect(deciding([], {}, { base })).toMatchObject({ decision: 'permit', fidelity: 'summary', grants: [] });
    expect(deciding([], { recipient: BEN }, { base }).decision).toBe('deny');
    expect(deciding([denial({ what: ['spo2'] })], { what: ['spo2', 'glucose'] }, { base })).toMatchObject({ what: { glucose: 'summary' }, withheld: ['spo2'] });
    expect(deciding([], { purpose: 'BTG' }, { base: [{ to: {}, purposes: ['BTG'], fidelity: 'full' }] }).decision).toBe('deny');
  });

  it('waits for others where a permission says so, and says for whom', () => {
    const approval = { threshold: 1, of: [{ name: 'Dr. Muster', key: Buffer.from(keyNumber(5).publicKey).toString('hex') }] };
    const waiting = grant({ approval, purposes: ['HRESCH/heart-2030'] });
    const request = { recipient: { hospital: HOSPITAL }, purpose: 'HRESCH/heart-2030' };
    expect(deciding([waiting], request)).toMatchObject({ decision: 'deny', needs: [{ grant: waiting.id, approval }] });
    const release = (differing: Partial<Release['request']> = {}, approved = NOON): Release => ({
      request: { id: idNumber(9), patient: 'anna', grant: waiting.id, recipient: { hospital: HOSPITAL }, fidelity: 'events', purpose: 'HRESCH/heart-2030', period: { from: UnixMillis(0), until: UnixMillis(NOON + 1) }, expires: UnixMillis(NOON + 1), ...differing },
      hash: 'a'.repeat(64), threshold: 1, approvals: [], approved,
    });
    expect(deciding([waiting], request, { releases: [release()] })).toMatchObject({ decision: 'permit', fidelity: 'events' });
    const others: readonly Release[] = [release({ grant: idNumber(8) }), release({ recipient: { hospital: OTHER_HOSPITAL } }), release({ purpose: 'HRESCH' }), release({ period: { from: UnixMillis(0), until: NOON } }), release({ what: ['glucose'] }), release({}, UnixMillis(NOON + 1))];
    for (const each of others) expect(deciding([waiting], request, { releases: [each] }).decision).toBe('deny');
  });
});

describe('decisions and a naive evaluator that counts cases', () => {
  it('agree', () => {
    fc.assert(fc.property(anyStory, ({ known, kept, source, at }) => {
      const { recipient, purpose, item, label } = known;
      const found = decide(saying(...kept), { patient: 'anna', recipient, purpose, what: [item], label, ...(source ? { source: known.source } : {}), ...(at ? { measuredAt: known.at } : {}) }, NOON);
      expect(found.what[item]).toBe(byCounting(kept, known, { source, at }, NOON));
    }), { numRuns: 2000 });
  });

  it('never show more because somebody denied more', () => {
    fc.assert(fc.property(anyStory, ({ known: { recipient, purpose, label }, kept, more }) => {
      const further: KeptGrant = { grant: denial({ ...more, id: idNumber(99) }), accepted: UnixMillis(0) };
      const request: AccessRequest = { patient: 'anna', recipient, purpose, label };
      const [before, after] = [decide(saying(...kept), request, NOON), decide(saying(...kept, further), request, NOON)];
      for (const item of ITEMS) if (before.what[item] === undefined) expect([item, after.what[item]]).toEqual([item, undefined]);
    }));
  });

  it('do not depend on the order in which things were said', () => {
    fc.assert(fc.property(anyStory, ({ known: { recipient, purpose, label }, kept }) => {
      const request: AccessRequest = { patient: 'anna', recipient, purpose, label };
      expect(decide(saying(...kept.toReversed()), request, NOON).what).toEqual(decide(saying(...kept), request, NOON).what);
    }));
  });
});

it('is made for a whole page of data in one go, for a patient with as many grants as there may be', () => {
  const many = Array.from({ length: 256 }, (_, index) => grant({ id: idNumber(index), by: fingerprintOf(ANNA), what: [ITEMS[index % ITEMS.length] as string] }));
  expect(Object.keys(decide(saying(...many), { patient: 'anna', recipient: CHO, purpose: 'TREAT' }, NOON).what)).toEqual(ITEMS);
});
