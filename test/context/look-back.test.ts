import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookBack, lookBackTrend, lookOn, NOTHING_YET, type LookBackState } from '../../gateway/context/look-back.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

const WINDOW = Minutes(5);
const STRETCH = WINDOW / 30;
const after = (values: readonly (readonly [at: number, value: number])[]): LookBackState =>
  values.reduce((state: LookBackState, [at, value]) => JSON.parse(JSON.stringify(lookOn(state, Millis(at), value, WINDOW))) as LookBackState, NOTHING_YET);

describe('looking back on a window', () => {
  it('gives mean, lowest and highest of what is inside, and nothing when nothing is', () => {
    const state = after([[0, 100], [Minutes(4), 90], [Minutes(6), 95]]);
    expect(lookBack(state, Minutes(6), WINDOW)).toEqual({ count: 2, mean: 92.5, lowest: 90, highest: 95 });
    expect(lookBack(state, Minutes(60), WINDOW)).toBeUndefined();
    expect(lookBack(NOTHING_YET, Minutes(0), WINDOW)).toBeUndefined();
  });

  it('gives what comes late its place', () => {
    expect(lookBack(after([[Minutes(4), 90], [Minutes(1), 80], [Minutes(1), 70]]), Minutes(4), WINDOW)).toMatchObject({ count: 3, lowest: 70 });
    expect(lookBack(after([[Minutes(40), 90], [Minutes(1), 80]]), Minutes(40), WINDOW)).toMatchObject({ count: 1 });
  });

  it('gives a slope once a third of the window has values', () => {
    const rising = Array.from({ length: 30 }, (_, i) => [Seconds(10 * i), i * 0.5] as const);
    expect(lookBackTrend(after(rising), Seconds(290), WINDOW)?.perHour).toBeCloseTo(180, 6);
    expect(lookBackTrend(after(rising.slice(0, 9)), Seconds(80), WINDOW)).toBeUndefined();
  });

  it('agrees with a naive look at all values, to one stretch, and keeps few more than 31 of them', () => {
    const value = fc.tuple(fc.integer({ min: -400_000, max: 400_000 }), fc.integer({ min: 0, max: 100 }));
    fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), (steps) => {
      let [newest, state]: [number, LookBackState] = [1_000_000, NOTHING_YET];
      const all: [stretch: number, value: number][] = [];
      for (const [passed, told] of steps) {
        const at = Math.max(0, newest + passed);
        state = lookOn(state, Millis(at), told, WINDOW);
        all.push([Math.floor(at / STRETCH), told]);
        newest = all.length === 1 ? at : Math.max(newest, at);
        expect(state.lists.flat().length).toBeLessThanOrEqual((31 + 7) * 5);
      }
      const inside = all.filter(([stretch]) => stretch >= Math.floor(newest / STRETCH) - 30).map(([, told]) => told);
      const found = lookBack(state, Millis(newest), WINDOW);
      expect([found?.count, found?.lowest, found?.highest]).toEqual([inside.length, Math.min(...inside), Math.max(...inside)]);
      expect(found?.mean).toBeCloseTo(inside.reduce((a, b) => a + b, 0) / inside.length, 9);
    }));
  });
});
