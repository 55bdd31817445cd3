import type { Communication, DetectedIssue, Observation, Resource } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { entryOf, idOf, uuidOf } from '../../gateway/fhir/identifiers.ts';
import { resourcesOf } from '../../gateway/fhir/resources.ts';
import { sampledDataOf } from '../../gateway/fhir/sampled-data.ts';
import { alarmStep, minute, recordOf, ROOM, START } from './doubles.ts';
import { faultsIn } from './gates.ts';

const observed = (record: Parameters<typeof resourcesOf>[0]): readonly Observation[] => {
  const made = resourcesOf(record) ?? [];
  expect(made.flatMap(faultsIn)).toEqual([]);
  return made as readonly Observation[];
};

const summary = (statistics: Record<string, object>, more: object = {}) => recordOf(1, { from: START, to: START + 55_000, measurements: statistics as never }, more);
const component = ({ component: all = [] }: Observation, code: string): unknown => {
  const found = all.find(({ code: { coding = [] } }) => coding.some((each) => each.code === code));
  return found?.valueQuantity?.value ?? found?.valuePeriod;
};

describe('a summary as Observations', () => {
  it('is the mean of several values, with number, lowest, highest, last and when', () => {
    const [rate] = observed(summary({ heart_rate: { unit: '/min', count: 3, doubtful: 1, lowest: 61, highest: 66, mean: 63.3333333333, last: 62 } })) as [Observation];
    expect(rate).toMatchObject({ valueQuantity: { value: 63.3, code: '/min' }, method: { coding: [{ code: 'average' }] }, effectiveDateTime: '2026-06-01T12:00:55.000Z' });
    expect(['minimum', 'maximum', 'last', 'count', 'total-count'].map((code) => component(rate, code))).toEqual([61, 66, 62, 3, 4]);
    expect(component(rate, 'period')).toEqual({ start: '2026-06-01T12:00:00.000Z', end: '2026-06-01T12:00:55.000Z' });
  });

  it('counts, too, where a gateway said fractions of a millisecond', () => {
    const [rate] = observed(recordOf(1, { from: START + 0.25, to: START + 1.266, measurements: { heart_rate: { unit: '/min', count: 2, doubtful: 0, lowest: 61, highest: 66, mean: 63.5, last: 62 } } })) as [Observation];
    expect(rate).toMatchObject({ valueQuantity: { value: 63.5 }, effectiveDateTime: '2026-06-01T12:00:00.001Z' });
  });

  it('is one value where there is one, as the device gave it', () => {
    const [temperature] = observed(recordOf(1, { from: START, to: START, measurements: { body_temperature: { unit: 'Cel', count: 1, doubtful: 0, lowest: 36.85, highest: 36.85, mean: 36.85, last: 36.85 } } })) as [Observation];
    expect(temperature).toMatchObject({ valueQuantity: { value: 36.85 }, effectiveDateTime: '2026-06-01T12:00:00.000Z' });
    expect([temperature.component, temperature.method]).toEqual([undefined, undefined]);
  });

  it('has no value, and never 0, where something spoke against all there were', () => {
    const [saturation] = observed(summary({ spo2: { unit: '%', count: 0, doubtful: 5 } })) as [Observation];
    expect(saturation).toMatchObject({ dataAbsentReason: { coding: [{ code: 'unknown' }] }, interpretation: [{ coding: [{ code: 'questionable' }] }] });
    expect([saturation.valueQuantity, component(saturation, 'total-count')]).toEqual([undefined, 5]);
  });

  it('has no value in a unit that is not that of its measurement', () => {
    const [rate] = observed(summary({ heart_rate: { unit: 'Hz', count: 1, doubtful: 0, lowest: 1, highest: 1, mean: 1, last: 1 } })) as [Observation];
    expect([rate.valueQuantity, rate.dataAbsentReason?.coding?.[0]?.code]).toEqual([undefined, 'unknown']);
  });

  it('has the pressures in one panel, with statistics of each when there are several', () => {
    const several = { unit: 'mm[Hg]', count: 2, doubtful: 0, lowest: 118, highest: 122, mean: 120, last: 122 };
    const [panel, ...others] = observed(summary({ systolic_pressure: several, diastolic_pressure: { ...several, lowest: 78, highest: 80, mean: 79, last: 80 }, mean_pressure: { unit: 'mm[Hg]', count: 0, doubtful: 1 } }));
    expect(others).toEqual([]);
    expect(['8480-6', '8462-4', 'systolic_pressure.maximum', 'diastolic_pressure.minimum', 'systolic_pressure.count'].map((code) => component(panel as Observation, code))).toEqual([120, 79, 122, 78, 2]);
    expect(panel?.component?.find(({ code }) => code.coding?.[0]?.code === '8478-0')?.dataAbsentReason).toBeDefined();
  });

  it('says of a panel which pressure is not there', () => {
    const [panel] = observed(minute(1, { systolic_pressure: [121, 'mm[Hg]'] }));
    expect(panel?.component?.[1]).toMatchObject({ code: { text: 'diastolic pressure' }, dataAbsentReason: { coding: [{ code: 'unknown' }] } });
  });

  it('is of a room where it is, and then no vital sign, whatever was measured', () => {
    const values = Object.fromEntries([...MEASUREMENTS].map(([name, { unit, plausible }]) => [name, [plausible[0], unit] as const]));
    const all = observed(minute(1, values, { subject: { kind: 'room', person: ROOM } }));
    expect(all).toHaveLength(MEASUREMENTS.size);
    expect(all.every(({ subject, meta }) => subject?.reference === `Location/${ROOM}` && meta === undefined)).toBe(true);
  });

  it('passes the gates for every measurement of the table', () => {
    const values = Object.fromEntries([...MEASUREMENTS].map(([name, { unit, plausible }]) => [name, [plausible[1], unit] as const]));
    expect(observed(minute(1, values))).toHaveLength(MEASUREMENTS.size - 2);
  });

  it('says in a code of its own what has none', () => {
    const [co2] = observed(minute(1, { co2: [640, '[ppm]'] }, { subject: { kind: 'room', person: ROOM } }));
    expect(co2?.code.coding).toEqual([{ system: 'urn:vitalgate:codes', code: 'co2' }]);
  });

  it('keeps a measurement that is not known here, its unit as text', () => {
    const [strange] = (resourcesOf(minute(1, { lactate: [1.2, 'mmol/L'] })) ?? []) as Observation[];
    expect(strange).toMatchObject({ valueQuantity: { value: 1.2, unit: 'mmol/L' }, code: { coding: [{ code: 'lactate' }] } });
    expect(strange?.valueQuantity?.system).toBeUndefined();
  });
});

describe('a waveform', () => {
  const waveform = (more: object = {}) => recordOf(1, { measurement: 'ppg', unit: '1', rateHz: 75, from: START, samples: [0.25, -0.5, 1, 0.125], ...more });

  it('is SampledData of R4: period and factor, whole numbers', () => {
    const [wave] = observed(waveform()) as [Observation];
    expect(wave.valueSampledData).toEqual({ origin: { value: 0, unit: '1', system: 'http://unitsofmeasure.org', code: '1' }, period: 13.3333333333, factor: 0.001, dimensions: 1, data: '250 -500 1000 125' });
    expect(wave.effectivePeriod).toEqual({ start: '2026-06-01T12:00:00.000Z', end: '2026-06-01T12:00:00.040Z' });
  });

  it('that is a test says so, and one without a rate has no value', () => {
    expect(observed(waveform({ doubt: 'not_real' }))[0]).toMatchObject({ meta: { security: [{ code: 'HTEST' }] }, interpretation: [{}] });
    expect(observed(waveform({ rateHz: 0 }))[0]).toMatchObject({ dataAbsentReason: { coding: [{ code: 'error' }] } });
  });

  it('comes back as it was', () => {
    const sample = fc.tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: 0, max: 6 })).map(([n, decimals]) => Number((n / 10 ** decimals).toFixed(decimals)));
    fc.assert(fc.property(fc.array(sample, { minLength: 1 }), (samples) => {
      const { data = '', factor = 1 } = sampledDataOf(samples, { value: 0, unit: '1' }, 50);
      data.split(' ').forEach((text, i) => expect(Number(text) * factor).toBeCloseTo(samples[i] as number, 9));
    }));
  });
});

describe('a step of an alarm', () => {
  const [saturation, issue, told] = (resourcesOf(alarmStep(1)) ?? []) as [Observation, DetectedIssue, Communication];

  it('is a DetectedIssue with the condition, and the values it rests on as Observations', () => {
    expect([saturation, issue, told].flatMap((each: Resource) => faultsIn(each))).toEqual([]);
    expect(saturation).toMatchObject({ valueQuantity: { value: 84 }, referenceRange: [{ text: 'compared with 85 %' }], effectiveDateTime: '2026-06-01T12:01:00.000Z' });
    expect(issue).toMatchObject({ severity: 'high', evidence: [{ code: [{ text: 'spo2 <= 85' }] }, { detail: [{ reference: `Observation/${saturation.id}` }] }], code: { coding: [{ code: 'physiological-alarm' }, { code: 'step-raised' }] } });
    expect(issue.identifier?.[1]).toEqual({ system: 'urn:vitalgate:alarm', value: '00112233445566778899aabbccddeeff.7' });
  });

  it('does not say that minutes of silence are a heart rate', () => {
    expect(resourcesOf(alarmStep(1))).toHaveLength(3);
  });

  it('says how urgently whom was told', () => {
    expect(told).toMatchObject({ status: 'completed', priority: 'stat', payload: [{ contentString: 'SpO2 84 % is 85 % or less' }, { contentString: 'level 1 of 2' }], note: [{ text: 'Do not rely on it alone.' }] });
  });

  it('that somebody answered has them and what they did', () => {
    const [answered] = (resourcesOf(alarmStep(2, { why: 'acknowledged', from: 'active', to: 'acknowledged', by: { id: 'nora', role: 'nurse' }, told: undefined as never }, { kind: 'acknowledgement' })) ?? []) as [DetectedIssue];
    expect(answered).toMatchObject({ resourceType: 'DetectedIssue', mitigation: [{ action: { coding: [{ code: 'acknowledged' }] }, author: { identifier: { value: 'nora' } } }] });
    expect(faultsIn(answered)).toEqual([]);
  });

  it('whose answer was refused says so, and mitigates nothing', () => {
    const [refused, communication] = (resourcesOf(alarmStep(2, { why: 'refused', refusal: 'outdated', by: { id: 'nora', role: 'nurse' }, told: undefined as never }, { kind: 'acknowledgement' })) ?? []) as [DetectedIssue, Communication];
    expect(refused.mitigation).toBeUndefined();
    expect(communication).toMatchObject({ status: 'not-done', statusReason: { coding: [{ code: 'refused-outdated' }] }, sender: { identifier: { value: 'nora' } } });
    expect(faultsIn(communication)).toEqual([]);
  });

  it('is final when it is over, technical where it is, of a room where it is, bare where consent leaves no more', () => {
    const over = resourcesOf(alarmStep(3, { why: 'cleared', from: 'acknowledged', to: 'cleared', kind: 'technical', told: undefined as never }, { subject: { kind: 'room', person: ROOM } })) ?? [];
    expect(over).toMatchObject([{ status: 'final', code: { coding: [{ code: 'technical-alarm' }, {}] }, implicated: [{ reference: `Location/${ROOM}` }] }]);
    const bare = resourcesOf(recordOf(1, { alarm: 7, why: 'raised', from: 'none', to: 'active', kind: 'physiological', priority: 'low' }, { kind: 'event', whole: false })) ?? [];
    expect(bare).toMatchObject([{ severity: 'low', code: { text: 'alarm' }, meta: { security: [{ code: 'REDACTED' }] } }]);
    expect([...over, ...bare].flatMap(faultsIn)).toEqual([]);
  });

  it('has scores with their code', () => {
    const [score] = (resourcesOf(alarmStep(1, { evidence: { condition: 'news2 >= 7', values: [{ measurement: 'news2', value: 8, unit: '1', limit: 7 }], frames: [] } })) ?? []) as [Observation];
    expect(score).toMatchObject({ category: [{ coding: [{ code: 'survey' }] }], code: { coding: [{ system: 'http://snomed.info/sct', code: '1104051000000101' }, { code: 'news2' }] }, valueQuantity: { value: 8, code: '1' } });
  });
});

describe('a payload of no known form', () => {
  it.each<[string, object]>([
    ['a summary that ends before it begins', { from: 2, to: 1, measurements: {} }],
    ['values that are text', { from: 1, to: 2, measurements: { spo2: { unit: '%', count: 1, doubtful: 0, lowest: '1', highest: 1, mean: 1, last: 1 } } }],
    ['a number for no value', { from: 1, to: 2, measurements: { spo2: { unit: '%', count: 1, doubtful: 0 } } }],
    ['a name that is none', { from: 1, to: 2, measurements: { '../x': { unit: '%', count: 0, doubtful: 1 } } }],
    ['a time no calendar has', { from: 1, to: 1e300, measurements: {} }],
    ['samples that are none', { measurement: 'ppg', unit: '1', rateHz: 1, from: 1, samples: 'x' }],
  ])('makes nothing of %s', (_what, payload) => {
    expect(resourcesOf(recordOf(1, payload as never))).toBeUndefined();
  });

  it('is never an exception', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom('summary' as const, 'event' as const), (payload, kind) => {
      resourcesOf(recordOf(1, payload as never, { kind }));
    }));
  });
});

describe('ids', () => {
  it('lead back to their entry, and no other text does', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.string(), (entry, part) => {
      const id = idOf({ chain: 'ab'.repeat(16), entry }, part);
      expect(id).toMatch(/^[A-Za-z0-9.-]{1,64}$/);
      expect(entryOf(id)).toEqual({ chain: 'ab'.repeat(16), entry });
    }));
    for (const text of ['', 'x', `${'ab'.repeat(16)}-0-00000000`, `${'AB'.repeat(16)}-1-00000000`, `${'ab'.repeat(16)}-9999999999999999-00000000`, `${'ab'.repeat(16)}-1-00000000\n`]) expect(entryOf(text)).toBeUndefined();
  });

  it('of the same identifier are the same UUID of version 5', () => {
    expect(uuidOf({ system: 'a', value: 'b' })).toBe(uuidOf({ system: 'a', value: 'b' }));
    expect(uuidOf({ system: 'a', value: 'b' })).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
