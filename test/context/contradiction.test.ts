import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contradicts, EMPTY_PAIR, followPair, type PairLimit, type PairState } from '../../gateway/context/contradiction.ts';
import { Minutes, Seconds } from '../../gateway/quantity.ts';

const LIMIT: PairLimit = { apart: 20, lasting: Minutes(2), fresh: Seconds(30) };

type Told = readonly [second: number, which: 'first' | 'second', value: number];
const follow = (told: readonly Told[]): PairState =>
  told.reduce((state, [second, which, value]) => followPair(state, which, value, Seconds(second), LIMIT), EMPTY_PAIR);
const at = (told: readonly Told[], second: number): boolean => contradicts(follow(told), Seconds(second), LIMIT);

/** Both every 10 s for `seconds` from `from` on. */
const both = (first: number, second: number, from: number, seconds: number): Told[] =>
  Array.from({ length: seconds / 10 + 1 }, (_, index): Told[] => [[from + index * 10, 'first', first], [from + index * 10, 'second', second]]).flat();

describe('two channels', () => {
  const table: readonly [name: string, told: readonly Told[], now: number, contradicts: boolean][] = [
    ['that agree do not contradict each other', both(80, 81, 0, 600), 600, false],
    ['exactly as far apart as allowed do not', both(80, 60, 0, 600), 600, false],
    ['further apart for two minutes do', both(80, 59, 0, 120), 120, true],
    ['either way', both(59, 80, 0, 120), 120, true],
    ['not before', both(80, 59, 0, 110), 119, false],
    ['not once they agree again', [...both(80, 59, 0, 120), ...both(80, 79, 130, 0)], 130, false],
    ['of which one has never spoken do not', both(80, 59, 0, 300).filter(([, which]) => which === 'first'), 300, false],
    ['do not while one of them is silent', both(80, 59, 0, 120), 151, false],
    ['begin anew after one was silent', [...both(80, 59, 0, 110), ...both(80, 59, 150, 110)], 260, false],
    ['and contradict each other two minutes later', [...both(80, 59, 0, 110), ...both(80, 59, 150, 120)], 270, true],
    ['begin anew after they agreed', [...both(80, 59, 0, 100), ...both(80, 80, 110, 0), ...both(80, 59, 120, 110)], 230, false],
  ];
  for (const [name, told, now, expected] of table) {
    it(`${name}: ${expected ? 'contradiction' : 'none'}`, () => {
      expect(at(told, now)).toBe(expected);
    });
  }

  it('are judged as a twin does that looks at every second, also after being written down at any point', () => {
    const seldom = { weight: 1, arbitrary: fc.constantFrom(0, 25, 40) };
    const streams = fc.array(fc.tuple(fc.oneof({ weight: 20, arbitrary: fc.constantFrom(4, 5, 7) }, seldom),
      fc.constantFrom<'first' | 'second'>('first', 'second'), fc.oneof({ weight: 30, arbitrary: fc.constant(82) }, { weight: 1, arbitrary: fc.constant(60) })),
    { minLength: 20, maxLength: 80 });
    let found = 0;
    fc.assert(fc.property(streams, fc.nat(40), (steps, later) => {
      let now = 0;
      const told = steps.map(([after, which, value]): Told => [now += after, which, which === 'first' ? value - 30 : value]);
      const last = (which: string, second: number, including: boolean): Told | undefined =>
        told.findLast(([when, each]) => each === which && (including ? when <= second : when < second));
      /** Whether both are fresh at the second, and apart, by what is known then (or just before then). */
      const apart = (second: number, including: boolean): boolean => {
        const [first, other] = [last('first', second, including), last('second', second, including)];
        return first !== undefined && other !== undefined && second - first[0] <= 30 && second - other[0] <= 30 && Math.abs(first[2] - other[2]) > 20;
      };
      const end = now + later;
      let expected = true;
      for (let second = end - 120; second <= end; second++) expected &&= apart(second, true) && (second === end - 120 || apart(second, false));
      let restarted = EMPTY_PAIR;
      for (const [second, which, value] of told) {
        restarted = followPair(JSON.parse(JSON.stringify(restarted)) as PairState, which, value, Seconds(second), LIMIT);
      }
      expect(restarted).toEqual(follow(told));
      // Values of one second that agree only in between are seen by the stream alone, which then starts again.
      if (contradicts(restarted, Seconds(end), LIMIT)) expect(expected).toBe(true);
      const together = told.some(([second], index) => told[index + 1]?.[0] === second);
      if (!together) expect(contradicts(restarted, Seconds(end), LIMIT)).toBe(expected);
      found += expected ? 1 : 0;
    }), { numRuns: 400 });
    expect(found).toBeGreaterThan(5);
  });
});
