import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bytes, MiB } from '../../gateway/quantity.ts';
import { leftOf, NOTHING_USED, used } from '../../gateway/uplink/budget.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

describe('the budget of a link', () => {
  it('counts days and months, and begins each anew', () => {
    let usage = used(NOTHING_USED, 10, '2026-11-29');
    usage = used(usage, 5, '2026-11-29');
    usage = used(usage, 7, '2026-11-30');
    expect(usage).toEqual({ day: '2026-11-30', dayBytes: 7, month: '2026-11', monthBytes: 22 });
    expect(used(usage, 1, '2026-12-01')).toEqual({ day: '2026-12-01', dayBytes: 1, month: '2026-12', monthBytes: 1 });
  });

  it('counts to the last day that was known while the clock cannot be believed', () => {
    const usage = used(used(NOTHING_USED, 10, '2026-11-29'), 5, undefined);
    expect(usage).toEqual({ day: '2026-11-29', dayBytes: 15, month: '2026-11', monthBytes: 15 });
  });

  it('keeps a part of day and month for alarms, and says how far alarms went over it', () => {
    const budget = { day: Bytes(100), month: Bytes(1000), reserved: 0.1 };
    const on = (dayBytes: number, monthBytes: number) => leftOf(budget, { day: 'd', dayBytes, month: 'm', monthBytes });
    expect(on(89, 89)).toEqual({ left: 11, forAll: true });
    expect(on(90, 90)).toEqual({ left: 10, forAll: false });
    expect(on(0, 900)).toEqual({ left: 100, forAll: false });
    expect(on(130, 130)).toEqual({ left: -30, forAll: false });
    expect(leftOf({ reserved: 0 }, { day: 'd', dayBytes: 1e15, month: 'm', monthBytes: 1e15 })).toEqual({ left: undefined, forAll: true });
  });

  it('a month is the sum of its days, in whatever portions they come', () => {
    const portions = fc.array(fc.tuple(fc.integer({ min: 1, max: 28 }), fc.integer({ min: 0, max: 1e9 })), { maxLength: 40 });
    fc.assert(fc.property(portions, (story) => {
      const inOrder = story.toSorted(([one], [other]) => one - other);
      let usage = NOTHING_USED;
      for (const [day, bytes] of inOrder) usage = used(usage, bytes, `2026-11-${String(day).padStart(2, '0')}`);
      const [last] = inOrder.at(-1) ?? [0];
      expect(usage.monthBytes).toBe(inOrder.reduce((sum, [, bytes]) => sum + bytes, 0));
      expect(usage.dayBytes).toBe(inOrder.filter(([day]) => day === last).reduce((sum, [, bytes]) => sum + bytes, 0));
      expect(leftOf({ day: MiB(1), reserved: 0 }, usage).forAll).toBe(usage.dayBytes < MiB(1));
    }), { numRuns: fuzzRuns(200) });
  });
});
