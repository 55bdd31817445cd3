import type { Bundle, Observation, Resource } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnixMillis } from '../../gateway/quantity.ts';
import { resourcesOf } from '../../gateway/fhir/resources.ts';
import type { HospitalRecord } from '../../gateway/records/record.ts';
import { alarmStep, minute, PERSON, recordOf, START } from './doubles.ts';
import { resourcesIn, TestNode } from './node.ts';

const OTHER = 'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0';
const MINUTE = 60_000;

/** Minutes, quarters of an hour, alarms, what a device had kept for days, and gateways whose clock was set back. */
const record = fc.record({
  minute: fc.integer({ min: 0, max: 20 }), length: fc.constantFrom(0, 40_000, 14 * MINUTE), late: fc.constantFrom(0, 0, 0, 3 * 86_400_000), back: fc.constantFrom(0, 0, 0, 3_600_000),
  names: fc.subarray(['heart_rate', 'spo2', 'steps'], { minLength: 1 }), other: fc.boolean(), alarm: fc.boolean(),
});
const UNITS: Readonly<Record<string, string>> = { heart_rate: '/min', spo2: '%', steps: '{steps}' };

const records = fc.array(record, { maxLength: 30 }).map((all) => all.map((each, i): HospitalRecord => {
  const number = i + 1;
  const to = START + each.minute * MINUTE;
  const common = { subject: { kind: 'patient' as const, person: each.other ? OTHER : PERSON }, time: UnixMillis(to + each.late - each.back) };
  if (each.alarm) return alarmStep(number, {}, common);
  const value = { count: 1, doubtful: 0, lowest: 50, highest: 50, mean: 50, last: 50 };
  return recordOf(number, { from: to - each.length, to, measurements: Object.fromEntries(each.names.map((name) => [name, { ...value, unit: UNITS[name] ?? '' }])) }, common);
}));

/** Filters and sorts everything there is. */
function naively(all: readonly HospitalRecord[], { person, code, from, sort }: Asked): readonly string[] {
  const found = all.flatMap((each) => (resourcesOf(each) ?? []).filter((resource): resource is Observation => resource.resourceType === 'Observation').map((resource) => ({ each, resource, at: startOf(resource), end: endOf(resource) })));
  const meant = found.filter(({ each, resource, at, end }) => (person === undefined || each.subject.person === person) && (code === undefined || resource.code.coding?.some((coding) => coding.code === code)) && (from === undefined || end > from || at === from));
  const key = ({ each, at }: (typeof meant)[number]): number => (sort.endsWith('_lastUpdated') ? each.number : at);
  const sign = sort.startsWith('-') ? -1 : 1;
  return meant.sort((a, b) => sign * (key(a) - key(b) || a.each.number - b.each.number || ((a.resource.id ?? '') < (b.resource.id ?? '') ? -1 : 1))).map(({ resource }) => resource.id ?? '');
}

const startOf = ({ effectiveDateTime, effectivePeriod }: Observation): number => Date.parse(effectivePeriod?.start ?? effectiveDateTime ?? '');
const endOf = ({ effectiveDateTime, effectivePeriod }: Observation): number => Date.parse(effectivePeriod?.end ?? effectiveDateTime ?? '');

const asked = fc.record({
  person: fc.constantFrom(undefined, PERSON, OTHER), code: fc.constantFrom(undefined, '8867-4', 'steps'), count: fc.integer({ min: 1, max: 7 }),
  from: fc.option(fc.integer({ min: 0, max: 20 }).map((n) => START + n * MINUTE), { nil: undefined }), sort: fc.constantFrom('date', '-date', '_lastUpdated', '-_lastUpdated'),
});
type Asked = { person: string | undefined; code: string | undefined; count: number; from: number | undefined; sort: string };

const pathFor = ({ person, code, count, from, sort }: Asked): string =>
  `/fhir/Observation?_count=${count}&_sort=${sort}${person === undefined ? '' : `&patient=${person}`}${code === undefined ? '' : `&code=${code}`}${from === undefined ? '' : `&date=ge${new Date(from).toISOString()}`}`;

const ids = (pages: readonly (readonly Resource[])[]): readonly string[] => pages.flat().map(({ id = '' }) => id);

describe('pages of a search', () => {
  it('are together what filtering and sorting everything finds, each as long as asked but the last', async () => {
    await fc.assert(fc.asyncProperty(records, asked, async (all, query) => {
      await using node = await TestNode.with(all);
      const pages = await node.all(pathFor(query));
      expect(ids(pages)).toEqual(naively(all, query));
      expect(pages.slice(0, -1).every(({ length }) => length === query.count)).toBe(true);
    }), { numRuns: 120 });
  });

  it('are full also where consent hides what lies between', async () => {
    await fc.assert(fc.asyncProperty(records, asked, fc.func(fc.boolean()), async (all, query, hidden) => {
      await using node = await TestNode.with(all);
      node.around.gate.permits = (each) => (hidden(each.number) ? undefined : each);
      const pages = await node.all(pathFor(query));
      expect(ids(pages)).toEqual(naively(all.filter(({ number }) => !hidden(number)), query));
      expect(pages.slice(0, -1).every(({ length }) => length === query.count)).toBe(true);
    }), { numRuns: 60 });
  });

  it('repeat and leave out nothing when more arrives meanwhile', async () => {
    const early = Array.from({ length: 20 }, (_each, i) => minute(i + 1, { heart_rate: [60, '/min'] }));
    await using node = await TestNode.with(early);
    const first = (await node.ask(`/fhir/Observation?patient=${PERSON}&_count=8`)).json<Bundle>();
    node.around.records.add(...Array.from({ length: 5 }, (_each, i) => minute(i + 21, { heart_rate: [61, '/min'] })));
    const next = first.link?.find(({ relation }) => relation === 'next')?.url;
    const rest = await node.all(next ?? '');
    expect([...ids([resourcesIn(first)]), ...ids(rest)]).toEqual(naively(early, { person: PERSON, code: undefined, count: 8, from: undefined, sort: '-date' }));
  });

  it('go on for whoever asked, for the same purpose and type, by a link that nobody can make or change', async () => {
    await using node = await TestNode.with(Array.from({ length: 4 }, (_each, i) => minute(i + 1, { heart_rate: [60, '/min'] })));
    const bundle = (await node.ask(`/fhir/Observation?patient=${PERSON}&_count=2`)).json<Bundle>();
    const next = new URL(bundle.link?.[1]?.url ?? '');
    expect(next.href).not.toContain(PERSON);
    const path = `${next.pathname}${next.search}`;
    expect(await node.refusal(path, { as: 'otto:clinician' })).toEqual([400, 'value']);
    expect(await node.refusal(path, { headers: { 'x-purpose-of-use': 'HRESCH' } })).toEqual([400, 'value']);
    expect(await node.refusal(path.replace('Observation', 'DetectedIssue'))).toEqual([400, 'value']);
    const text = next.searchParams.get('_cursor') ?? '';
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: text.length - 1 }), fc.constantFrom('A', 'b', '-', '='), async (at, letter) => {
      fc.pre(text[at] !== letter);
      expect(await node.refusal(`${next.pathname}?_cursor=${text.slice(0, at)}${letter}${text.slice(at + 1)}`)).toEqual([400, 'value']);
    }), { numRuns: 50 });
  });
});
