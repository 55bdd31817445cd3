import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Summary, type SummaryState } from '../../gateway/derive/summary.ts';
import { decode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { Frame, Reading } from '../../gateway/reading.ts';
import { ANNA, bind, derive, deriverFrom, message, pulse, runOf, START, tick } from './story.ts';
import { saidIn } from '../vault/known-keys.ts';

const value = fc.double({ min: -1000, max: 1000, noNaN: true });
const reading: fc.Arbitrary<Reading> = fc.record({
  measurement: fc.constantFrom('heart_rate', 'spo2', 'ppg'), value: fc.oneof(
    value, fc.array(value, { minLength: 1, maxLength: 5 }),
  ), unit: fc.constant('1'),
});

/** A map of maps as objects, easier to compare. */
const asObject = (map: CborMap): object =>
  Object.fromEntries([...map].map(([key, each]) => [key, each instanceof Map ? asObject(each as CborMap) : each]));

/** The same statistics from all values at once. */
function naive(readings: readonly Reading[], name: string): object {
  const values = readings.filter(({ measurement }) => measurement === name).flatMap((each) => each.value);
  const ascending = values.toSorted((a, b) => a - b);
  return {
    unit: '1', count: values.length, doubtful: 0, lowest: (ascending[0] as number) + 0, highest: (ascending.at(-1) as number) + 0,
    mean: values.reduce((sum, each) => sum + each, 0) / values.length + 0, last: (values.at(-1) as number) + 0,
  };
}

describe('a summary', () => {
  it('says of every measurement what its naive twin says of all values', () => {
    fc.assert(fc.property(fc.array(fc.tuple(reading, fc.nat(10_000)), { minLength: 1, maxLength: 20 }), (all) => {
      const summary = new Summary(ANNA);
      for (const [each, at] of all) summary.add(each, UnixMillis(START + at));
      const readings = all.map(([each]) => each);
      const names = [...new Set(readings.map(({ measurement }) => measurement))];
      expect(asObject(decode(summary.payload(), { floats: true }) as CborMap)).toEqual({
        from: START + Math.min(...all.map(([, at]) => at)), to: START + Math.max(...all.map(([, at]) => at)),
        measurements: Object.fromEntries(names.map((name) => [name, naive(readings, name)])),
      });
    }));
  });

  it('counts what something speaks against, and says nothing else of it', () => {
    const summary = new Summary(ANNA);
    summary.add({ measurement: 'spo2', value: 60, unit: '%', doubt: 'movement' }, START);
    summary.add({ measurement: 'spo2', value: [61, 62], unit: '%', doubt: 'poor_signal' }, START);
    const spo2 = (): unknown => (asObject(decode(summary.payload(), { floats: true }) as CborMap) as { measurements: object }).measurements;
    expect(spo2()).toEqual({ spo2: { unit: '%', count: 0, doubtful: 3 } });
    summary.add({ measurement: 'spo2', value: 97, unit: '%' }, START);
    expect(spo2()).toEqual({ spo2: { unit: '%', count: 1, doubtful: 3, lowest: 97, highest: 97, mean: 97, last: 97 } });
  });

  it('of parts put together is that of the whole, also when it was written down between', () => {
    fc.assert(fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), fc.nat(20), (all, cut) => {
      const summaryOf = (readings: readonly Reading[]): Summary => {
        const summary = new Summary(ANNA);
        for (const each of readings) summary.add(each, START);
        return new Summary(ANNA, JSON.parse(JSON.stringify(summary.state ?? null)) as SummaryState | undefined ?? undefined);
      };
      const whole = summaryOf(all);
      const parts = summaryOf(all.slice(0, cut));
      parts.merge(summaryOf(all.slice(cut)));
      const counts = (summary: Summary): unknown => Object.entries(summary.state?.measurements ?? {}).map(([name, { count, lowest, highest, last }]) => [name, count, lowest + 0, highest + 0, last + 0]);
      expect(counts(parts)).toEqual(counts(whole));
    }));
  });
});

describe('the summaries of a day', () => {
  const room = { kind: 'room', id: '7' } as const;
  const co2 = { measurement: 'co2', value: 800, unit: '[ppm]' };
  const at = (seconds: number, frame: Frame): Frame => ({ ...frame, receivedAt: UnixMillis(START + seconds * 1000), uptime: Millis(seconds * 1000) });
  const summariesOf = (...frames: readonly Frame[]): unknown[] =>
    derive(frames).flatMap(({ entries }) => entries).filter(({ bytes }) => decodeEntry(bytes).kind === 'summary').map((entry) => {
      const { subject, measurements } = asObject(new Map(Object.entries(saidIn(entry))) as CborMap) as { subject: string; measurements: object };
      return [Object.fromEntries(decodeEntry(entry.bytes).fields), subject, measurements];
    });

  it('are made per minute and per quarter of an hour of everybody who was measured in it, by name', () => {
    const frames = [
      bind('w'), bind('x'), bind('r', room), at(1, message('r', co2)), at(2, message('w', pulse(60))), at(58, message('x', pulse(80))), at(61, message('w', pulse(90))),
      at(130, tick()), at(900, tick()),
    ];
    const rate = (more: object): object => ({ heart_rate: expect.objectContaining(more) as object });
    expect(summariesOf(...frames)).toEqual([
      [{ seconds: 60 }, 'patient/anna', rate({ count: 2, lowest: 60, highest: 80, mean: 70, last: 80 })], [{ seconds: 60 }, 'room/7', { co2: expect.objectContaining({ count: 1 }) as object }],
      [{ seconds: 60 }, 'patient/anna', rate({ count: 1, mean: 90 })],
      [{ seconds: 900 }, 'patient/anna', rate({ count: 3, lowest: 60, highest: 90 })], [{ seconds: 900 }, 'room/7', { co2: expect.objectContaining({ count: 1 }) as object }],
    ]);
  });

  it('keep what a device had in its memory apart, and out of the quarter of an hour', () => {
    const frames = [bind('w'), at(1, message('w', pulse(70, { time: START + 1000 }))), at(1800, message('w', pulse(71, { time: START + 600_000 }))), at(1900, tick()), at(2800, tick())];
    expect(summariesOf(...frames).map((each) => (each as unknown[])[0])).toEqual([{ seconds: 60 }, { seconds: 900 }, { seconds: 60, late: 1 }]);
  });

  it('say when it was in whole milliseconds, also where a message took fractions of one', () => {
    const frames = [bind('w'), at(1, message('w', pulse(70, { time: START + 1000 }))), at(2.0004, message('w', pulse(71, { time: START + 2000 }))), at(61, tick())];
    const [entry] = derive(frames.map((frame) => ({ ...frame, receivedAt: UnixMillis(Math.floor(frame.receivedAt)) }))).flatMap(({ entries }) => entries).filter(({ bytes }) => decodeEntry(bytes).kind === 'summary');
    expect(saidIn(entry as NonNullable<typeof entry>)).toMatchObject({ from: START + 1000, to: START + 2000 });
  });

  it('are not made of nobody', () => {
    expect(summariesOf(at(0, message('stranger', pulse(60))), at(7200, tick()))).toEqual([]);
  });

  it('ask for a timer frame when one ends', () => {
    const deriver = deriverFrom();
    expect(deriver.deriveNow(runOf([bind('w'), at(10, message('w', pulse(60)))])).dueIn).toBe(50_000);
    expect(deriver.deriveNow(runOf([at(60, tick())], 3)).dueIn).toBe(840_000);
    expect(deriver.deriveNow(runOf([at(900, tick())], 4)).dueIn).toBeUndefined();
  });
});
