import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Release } from '../../gateway/consent/approvals.ts';
import type { Episode } from '../../gateway/consent/break-glass.ts';
import { FIRST_VERSION, type Consents, type KeptGrant } from '../../gateway/consent/consents.ts';
import { ITEMS, itemsOf } from '../../gateway/consent/data-classes.ts';
import { decide, type AccessRequest, type BaseRule, type Circumstances, type Decision } from '../../gateway/consent/decide.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import type { Recipient } from '../../gateway/consent/recipient.ts';
import { lesserFidelity, type Fidelity } from '../../gateway/consent/vocabulary.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { ANNA, denial, fingerprintOf, grant, idNumber, keyNumber, NOON } from './statements.ts';

const HOSPITAL = fingerprintOf(keyNumber(11));
const OTHER_HOSPITAL = fingerprintOf(keyNumber(12));
const CHO = { person: 'cho', role: 'clinician' } as const;
const BEN = { person: 'ben', role: 'caregiver' } as const;

const saying = (...grants: readonly (Grant | KeptGrant)[]): Consents => ({
  patients: { anna: { version: FIRST_VERSION, keys: [], spent: [], grants: grants.map((each) => ('grant' in each ? each : { grant: each, accepted: UnixMillis(0) })) } },
});
const asking = (differing: Partial<AccessRequest> = {}): AccessRequest => ({ patient: 'anna', recipient: CHO, purpose: 'TREAT', what: ['spo2'], ...differing });
const deciding = (grants: readonly Grant[], differing: Partial<AccessRequest> = {}, circumstances: Circumstances = {}): Decision => decide(saying(...grants), asking(differing), NOON, circumstances);
const broken = (by: Episode['by'], patient = 'anna'): Circumstances => ({
  glass: [{ number: 7, patient, by, reason: 'unconscious', opened: UnixMillis(NOON - 1), ends: UnixMillis(NOON + 1000), due: UnixMillis(NOON + 9000) }],
});

/** The situations of IHE Privacy Consent on FHIR (PCF 1.1, volume 1 §53.1 and its examples), told in this project's words. */
describe('the situations of IHE PCF', () => {
  type Situation = readonly [what: string, grants: readonly Grant[], cases: readonly (readonly [Partial<AccessRequest>, 'permit' | 'deny', Circumstances?])[]];
  const usual = ['TREAT', 'HPAYMT', 'HOPERAT'] as const;
  const CLINICIANS = { role: 'clinician' } as const;
  const situations: readonly Situation[] = [
    ['nothing was said, and the deployment has no base: denied', [], [[{}, 'deny'], [{ purpose: 'BTG' }, 'deny']]],
    ['basic, permit: everything for treatment, payment and operations', [grant({ purposes: [...usual] })], [
      ...usual.map((purpose) => [{ purpose }, 'permit'] as const), [{ purpose: 'HRESCH' }, 'deny'], [{ purpose: 'ETREAT' }, 'deny'],
    ]],
    ['basic, deny: nothing at all to anybody', [denial()], [[{}, 'deny'], [{ purpose: 'HRESCH' }, 'deny'], [{ recipient: { hospital: HOSPITAL } }, 'deny']]],
    ['basic, deny all except that somebody of an authorised group breaks the glass', [denial(), grant({ id: idNumber(2), to: CLINICIANS, purposes: ['BTG'] })], [
      [{}, 'deny'], [{ purpose: 'BTG' }, 'deny'], [{ purpose: 'BTG' }, 'permit', broken({ id: 'cho', role: 'clinician' })], [{ purpose: 'TREAT' }, 'deny', broken({ id: 'cho', role: 'clinician' })],
      [{ purpose: 'BTG' }, 'deny', broken({ id: 'dan', role: 'clinician' })], [{ purpose: 'BTG' }, 'deny', broken({ id: 'cho', role: 'clinician' }, 'bob')],
    ]],
    ['basic, with an end: after it, denied', [grant({ until: NOON })], [[{}, 'deny']]],
    ['basic, from some day on: before it, denied', [grant({ from: UnixMillis(NOON + 1) })], [[{}, 'deny']]],
    ['intermediate, by date: only what was measured that year', [grant({ measured: { from: UnixMillis(NOON - 1000), until: NOON } })], [
      [{ measuredAt: UnixMillis(NOON - 500) }, 'permit'], [{ measuredAt: NOON }, 'deny'], [{}, 'deny'],
    ]],
    ['intermediate, by author: not what that device says', [grant(), denial({ id: idNumber(2), sources: ['clip'] })], [
      [{ source: 'band' }, 'permit'], [{ source: 'clip' }, 'deny'], [{}, 'deny'],
    ]],
    ['intermediate, by kind: only vital signs', [grant({ what: ['vital_signs'] })], [[{}, 'permit'], [{ what: ['motion'] }, 'deny']]],
    ['intermediate, by recipient: everybody but one', [grant(), denial({ id: idNumber(2), to: { person: 'ben' } })], [[{}, 'permit'], [{ recipient: BEN }, 'deny']]],
    ['intermediate, by hospital: one and no other', [grant({ to: { hospital: HOSPITAL } })], [[{ recipient: { hospital: HOSPITAL } }, 'permit'], [{ recipient: { hospital: OTHER_HOSPITAL } }, 'deny'], [{}, 'deny']]],
    ['intermediate, by purpose: a study and no other', [grant({ purposes: ['HRESCH/heart-2030'] })], [[{ purpose: 'HRESCH/heart-2030' }, 'permit'], [{ purpose: 'HRESCH/other' }, 'deny'], [{ purpose: 'HRESCH' }, 'deny']]],
    ['advanced, by label: the normal for treatment, payment and operations, the restricted only when the glass is broken', [
      grant({ purposes: [...usual].sort(), labels: ['N'] }), grant({ id: idNumber(2), purposes: ['BTG'], labels: ['N', 'R'] }),
    ], [
      ...usual.map((purpose) => [{ purpose }, 'permit'] as const), ...usual.map((purpose) => [{ purpose, label: 'R' }, 'deny'] as const),
      [{ purpose: 'BTG', label: 'R' }, 'deny'], [{ purpose: 'BTG', label: 'R' }, 'permit', broken({ id: 'cho', role: 'clinician' })], [{ label: 'R' }, 'deny', broken({ id: 'cho', role: 'clinician' })],
    ]],
    ['advanced, by label: all but what is about mental health and abuse', [grant(), denial({ id: idNumber(2), labels: ['PSY', 'SDV'] })], [
      [{}, 'permit'], [{ label: 'R' }, 'permit'], [{ label: 'PSY' }, 'deny'], [{ label: 'SDV' }, 'deny'],
    ]],
  ];

  it.each(situations)('%s', (_what, grants, cases) => {
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

/** What may stand in the cases of the twin below: few words of each kind, and two at least where one could be the whole. */
const ITEMS_HERE = ['spo2', 'heart_rate', 'motion', 'steps'];
const PURPOSES_HERE = ['TREAT', 'HRESCH', 'HRESCH/a', 'HRESCH/b'];
const LABELS_HERE = ['N', 'R'];
const SOURCES_HERE = ['clip', 'band'];
const TIMES_HERE = [5, 15, 25].map(UnixMillis);
const RECIPIENTS_HERE: readonly Recipient[] = [undefined, HOSPITAL, OTHER_HOSPITAL].flatMap((hospital) => [undefined, 'clinician' as const].flatMap((role) =>
  [undefined, 'cho'].map((person) => ({ ...(hospital && { hospital }), ...(role && { role }), ...(person && { person }) }))));
type Known = Readonly<{ recipient: Recipient; purpose: string; item: string; label: string; source: string; at: UnixMillis }>;
const ALL_CASES: readonly Known[] = RECIPIENTS_HERE.flatMap((recipient) => PURPOSES_HERE.flatMap((purpose) => ITEMS_HERE.flatMap((item) => LABELS_HERE.flatMap((label) =>
  SOURCES_HERE.flatMap((source) => TIMES_HERE.map((at) => ({ recipient, purpose, item, label, source, at })))))));

/** A grant with one word of each kind, and the cases it is about as a list: no ranks, no rules. */
type Single = Readonly<{ from: Grant; item: string | undefined; purpose: string | undefined; label: string | undefined; source: string | undefined }>;
const orNone = (words: readonly string[] | undefined): readonly (string | undefined)[] => words ?? [undefined];
const singlesOf = (each: Grant): readonly Single[] => orNone(each.what).flatMap((item) => orNone(each.purposes).flatMap((purpose) => orNone(each.labels).flatMap((label) => orNone(each.sources).map((source) => ({ from: each, item, purpose, label, source })))));
const meansPurpose = (word: string | undefined, purpose: string): boolean => word === undefined || word === purpose || (word === 'HRESCH' && purpose.startsWith('HRESCH/'));
const holds = ({ from, item, purpose, label, source }: Single, known: Known): boolean =>
  (item === undefined || itemsOf(item).includes(known.item)) && meansPurpose(purpose, known.purpose) && (label === undefined || label === known.label) && (source === undefined || source === known.source) &&
  (from.measured === undefined || (from.measured.from <= known.at && known.at < (from.measured.until ?? Infinity))) &&
  Object.entries(from.to).every(([part, name]) => known.recipient[part as keyof Recipient] === name);
const casesOf = (single: Single): ReadonlySet<number> => new Set(ALL_CASES.flatMap((known, index) => (holds(single, known) ? [index] : [])));
const isProperPart = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean => a.size < b.size && [...a].every((each) => b.has(each));

/** What the law says, by counting cases. A source or a time nobody knows may be what a denial means, and is not what a permission means. */
function byCounting(grants: readonly KeptGrant[], known: Known, { source, at }: Readonly<{ source: boolean; at: boolean }>, now: UnixMillis): Fidelity | undefined {
  const inForce = grants.filter(({ grant: each, accepted, ended }) => accepted <= now && each.from <= now && now < (each.until ?? Infinity) && now < (ended?.at ?? Infinity)).map((kept) => kept.grant);
  const possible = ALL_CASES.filter((each) => each.recipient === known.recipient && each.purpose === known.purpose && each.item === known.item && each.label === known.label && (!source || each.source === known.source) && (!at || each.at === known.at));
  const covering = inForce.flatMap(singlesOf).filter((single) => {
    const [needsSource, needsTime] = [single.source !== undefined && !source, single.from.measured !== undefined && !at];
    if ((needsSource || needsTime) && single.from.permit) return false;
    return possible.some((each) => holds({ ...single, ...(needsSource ? { source: undefined } : {}), from: needsTime ? withoutTime(single.from) : single.from }, each));
  }).map((single) => ({ single, cases: casesOf(single) }));
  const left = covering.filter(({ cases }) => !covering.some((other) => isProperPart(other.cases, cases)));
  if (left.length === 0 || left.some(({ single }) => !single.from.permit)) return undefined;
  return left.map(({ single }) => single.from.fidelity as Fidelity).reduce(lesserFidelity);
}

function withoutTime({ measured: _, ...rest }: Grant): Grant {
  return rest;
}

/** Only what is different in the cases above is different here. */
const PERIODS = [{ from: 0, until: 10 }, { from: 0, until: 20 }, { from: 10, until: 20 }, { from: 10 }].map(({ from, until }) => ({ from: UnixMillis(from), ...(until === undefined ? {} : { until: UnixMillis(until) }) }));
const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 2 });
/** A list with one of these in it, most of the time: grants that are about nothing at hand decide nothing. */
const listWith = (fitting: readonly string[], all: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.tuple(fc.oneof({ arbitrary: fc.constantFrom(...fitting), weight: 8 }, { arbitrary: fc.constantFrom(...all), weight: 1 }), fc.subarray([...all], { maxLength: 1 })).map(([one, more]) => [...new Set([one, ...more])].sort());
const classHere = (item: string): string => (item === 'spo2' || item === 'heart_rate' ? 'vital_signs' : 'activity_location');
/** A recipient who means this one: some of its parts. */
const meaning = (recipient: Recipient): fc.Arbitrary<Recipient> => fc.subarray(Object.entries(recipient)).map((parts) => Object.fromEntries(parts) as Recipient);

const grantAbout = ({ recipient, purpose, item, label, source, at }: Known): fc.Arbitrary<Grant> => fc.record({
  permit: fc.oneof({ arbitrary: fc.constant(true), weight: 2 }, { arbitrary: fc.constant(false), weight: 1 }),
  to: fc.oneof({ arbitrary: meaning(recipient), weight: 8 }, { arbitrary: fc.constantFrom(...RECIPIENTS_HERE), weight: 1 }),
  what: sometimes(listWith([item, classHere(item)], [...ITEMS_HERE, 'vital_signs', 'activity_location'])),
  fidelity: fc.constantFrom<Fidelity>('full', 'summary', 'events'),
  purposes: sometimes(listWith(purpose.startsWith('HRESCH/') ? [purpose, 'HRESCH'] : [purpose], PURPOSES_HERE)),
  labels: sometimes(listWith([label], LABELS_HERE)), sources: sometimes(listWith([source], SOURCES_HERE)),
  measured: sometimes(fc.constantFrom(...PERIODS.filter(({ from, until }) => from <= at && at < (until ?? Infinity)), ...PERIODS)),
  from: fc.constantFrom(UnixMillis(0), UnixMillis(0), UnixMillis(0), UnixMillis(NOON + 1)), until: fc.constantFrom(undefined, undefined, UnixMillis(NOON + 1), NOON),
}).map(({ permit, purposes, fidelity, ...rest }) => {
  const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Partial<Grant>;
  return permit ? grant({ ...said, fidelity, purposes: purposes ?? [purpose] }) : denial({ ...said, ...(purposes === undefined ? {} : { purposes }) });
});
const keptAbout = (known: Known): fc.Arbitrary<KeptGrant> => fc.record({ grant: grantAbout(known), accepted: fc.constantFrom(UnixMillis(0), NOON, NOON, UnixMillis(NOON + 1)), over: fc.constantFrom(undefined, undefined, undefined, NOON, UnixMillis(NOON + 1)) })
  .map(({ over, ...kept }) => ({ ...kept, ...(over === undefined ? {} : { ended: { at: over, by: 'x' } }) }));
const anyCase = fc.constantFrom(...ALL_CASES.filter(({ recipient }) => recipient.hospital !== undefined || recipient.person !== undefined));
const anyStory = anyCase.chain((known) => fc.record({ known: fc.constant(known), kept: fc.array(keptAbout(known), { minLength: 1, maxLength: 4 }), more: grantAbout(known), source: fc.boolean(), at: fc.boolean() }));

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
