import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Summary } from '../../gateway/derive/summary.ts';
import { decode, type CborMap } from '../../gateway/ledger/cbor.ts';
import { decodeEntry } from '../../gateway/ledger/entry.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Reading } from '../../gateway/reading.ts';
import { ANNA, bind, deriveAndClose, message, pulse, START } from './story.ts';

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
    unit: '1', count: values.length, lowest: (ascending[0] as number) + 0, highest: (ascending.at(-1) as number) + 0,
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
        subject: 'patient/anna', from: START + (all[0]?.[1] as number), to: START + (all.at(-1)?.[1] as number),
        measurements: Object.fromEntries(names.map((name) => [name, naive(readings, name)])),
      });
    }));
  });

  it('is made for every subject that was measured in the window, in the order they first appeared', () => {
    const room = { kind: 'room', id: '7' } as const;
    const co2 = { measurement: 'co2', value: 800, unit: '[ppm]' };
    const checkpoints = deriveAndClose(
      bind('w'), bind('x'), bind('r', room), message('r', co2), message('w', pulse(60)), message('x', pulse(80)), message('r', co2),
    );
    const summaries = checkpoints.flatMap(({ entries }) => entries).filter(({ bytes }) => decodeEntry(bytes).kind === 'summary');
    const payloads = summaries.map(
      ({ secret }) => asObject(decode((secret as { payload: Uint8Array }).payload, { floats: true }) as CborMap)
    );
    expect(payloads).toMatchObject([
      { subject: 'room/7', measurements: { co2: { count: 2, mean: 800 } } },
      { subject: 'patient/anna', measurements: { heart_rate: { count: 2, lowest: 60, highest: 80, mean: 70, last: 80 } } },
    ]);
    for (const { bytes } of summaries) expect(decodeEntry(bytes).fields).toEqual(new Map([['first', 4], ['last', 8]]));
  });

  it('is not made of a window in which nobody was measured', () => {
    const kinds = deriveAndClose(message('stranger', pulse(60))).flatMap(
      ({ entries }) => entries.map(({ bytes }) => decodeEntry(bytes).kind)
    );
    expect(kinds).toEqual(['evidence']);
  });
});
