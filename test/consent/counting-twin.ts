/** A naive evaluator of consent that counts cases, and stories for it. */

import fc from 'fast-check';
import type { KeptGrant } from '../../gateway/consent/consents.ts';
import { itemsOf } from '../../gateway/consent/data-classes.ts';
import type { Grant } from '../../gateway/consent/grant.ts';
import type { Recipient } from '../../gateway/consent/recipient.ts';
import { lesserFidelity, type Fidelity } from '../../gateway/consent/vocabulary.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { HOSPITAL, OTHER_HOSPITAL } from './situations.ts';
import { denial, grant, NOON } from './statements.ts';

/** What may stand in the cases of the twin: few words of each kind, and two at least where one could be the whole. */
const ITEMS_HERE = ['spo2', 'heart_rate', 'motion', 'steps'];
const PURPOSES_HERE = ['TREAT', 'HRESCH', 'HRESCH/a', 'HRESCH/b'];
const LABELS_HERE = ['N', 'R'];
const SOURCES_HERE = ['clip', 'band'];
const TIMES_HERE = [5, 15, 25].map(UnixMillis);
const RECIPIENTS_HERE: readonly Recipient[] = [undefined, HOSPITAL, OTHER_HOSPITAL].flatMap((hospital) => [undefined, 'clinician' as const].flatMap((role) =>
  [undefined, 'cho'].map((person) => ({ ...(hospital && { hospital }), ...(role && { role }), ...(person && { person }) }))));
export type Known = Readonly<{ recipient: Recipient; purpose: string; item: string; label: string; source: string; at: UnixMillis }>;
export const ALL_CASES: readonly Known[] = RECIPIENTS_HERE.flatMap((recipient) => PURPOSES_HERE.flatMap((purpose) => ITEMS_HERE.flatMap((item) => LABELS_HERE.flatMap((label) =>
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
export function byCounting(grants: readonly KeptGrant[], known: Known, { source, at }: Readonly<{ source: boolean; at: boolean }>, now: UnixMillis): Fidelity | undefined {
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
export const keptAbout = (known: Known): fc.Arbitrary<KeptGrant> => fc.record({ grant: grantAbout(known), accepted: fc.constantFrom(UnixMillis(0), NOON, NOON, UnixMillis(NOON + 1)), over: fc.constantFrom(undefined, undefined, undefined, NOON, UnixMillis(NOON + 1)) })
  .map(({ over, ...kept }) => ({ ...kept, ...(over === undefined ? {} : { ended: { at: over, by: 'x' } }) }));
const anyCase = fc.constantFrom(...ALL_CASES.filter(({ recipient }) => recipient.hospital !== undefined || recipient.person !== undefined));
export const anyStory = anyCase.chain((known) => fc.record({ known: fc.constant(known), kept: fc.array(keptAbout(known), { minLength: 1, maxLength: 4 }), more: grantAbout(known), source: fc.boolean(), at: fc.boolean() }));
