import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../gateway/context/condition.ts';
import { localHour } from '../../gateway/context/local-hour.ts';
import { factsOf, needsOf, NOBODY_KNOWN, takeValue, type SubjectState } from '../../gateway/context/subject-state.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';

const NEEDS = needsOf(['mean("heart_rate", "5min") > 100', 'usual("heart_rate") > 0 && slope("heart_rate", "5min") > 0'].map(compileCondition));
const NOON = Date.UTC(2026, 10, 23, 12);
type Told = readonly [minute: number, measurement: string, value: number, room?: string];

/** Tells values one after the other; the state survives being written down each time. */
function after(told: readonly Told[], needs = NEEDS): SubjectState {
  return told.reduce((state: SubjectState, [minute, measurement, value, room]) => {
    const when = { at: Minutes(minute), local: localHour(UnixMillis(NOON + Minutes(minute)), 0) };
    return JSON.parse(JSON.stringify(takeValue(state, { measurement, value, frame: Sequence(1 + Math.floor(minute)) }, when, needs, room === undefined ? undefined : { room, outer: false, changed: true }))) as SubjectState;
  }, NOBODY_KNOWN);
}
const factsAt = (state: SubjectState, minute: number): ReturnType<typeof factsOf> =>
  factsOf(state, { at: Minutes(minute), local: localHour(UnixMillis(NOON + Minutes(minute)), 0) });

describe('what is known of a person', () => {
  it('is the newest value while it is fresh, and nothing when it is stale or was never told', () => {
    const state = after([[0, 'heart_rate', 70], [1, 'heart_rate', 80], [1, 'body_weight', 75]]);
    expect([1, 6, 6.1].map((minute) => factsAt(state, minute).value('heart_rate'))).toEqual([80, 80, undefined]);
    expect([1400, 1442].map((minute) => factsAt(state, minute).value('body_weight'))).toEqual([75, undefined]);
    expect(factsAt(state, 2).value('spo2')).toBeUndefined();
    expect([factsAt(state, 31).minutesSince('heart_rate'), factsAt(state, 31).minutesSince('spo2')]).toEqual([30, undefined]);
  });

  it('is not an older value that came later', () => {
    expect(factsAt(after([[5, 'spo2', 97], [1, 'spo2', 80]]), 5).value('spo2')).toBe(97);
  });

  it('looks back on windows some condition asks for, and keeps no others', () => {
    const state = after([[0, 'heart_rate', 90], [1, 'heart_rate', 110], [1, 'spo2', 97]]);
    expect(Object.keys(state.windows)).toEqual(['heart_rate 300000']);
    expect(factsAt(state, 1).mean('heart_rate', Minutes(5))).toBe(100);
    expect(factsAt(state, 1).mean('spo2', Minutes(5))).toBeUndefined();
    expect(factsAt(state, 30).highest('heart_rate', Minutes(5))).toBeUndefined();
  });

  it('is what is usual at this hour once a week of days has told it', () => {
    const week = Array.from({ length: 8 }, (_, day) => Array.from({ length: 15 }, (__, minute): Told => [day * 1440 + minute, 'heart_rate', 60 + day % 2])).flat();
    const state = after([...week, [9 * 1440, 'heart_rate', 90]]);
    expect(factsAt(state, 9 * 1440).usual('heart_rate')).toBeCloseTo(60.5, 5);
    expect(factsAt(state, 9 * 1440).deviation('heart_rate')).toBeGreaterThan(20);
    expect(factsAt(after(week.slice(0, 60)), 4 * 1440).usual('heart_rate')).toBeUndefined();
    expect(factsOf(state, { at: Minutes(9 * 1440) }).usual('heart_rate')).toBeUndefined();
  });

  it('is where they are and what they do, by motion, bed and steps', () => {
    const state = after([[0, 'motion', 1, 'kitchen'], [1, 'motion', 0, 'kitchen'], [1, 'steps', 100], [30, 'steps', 100]]);
    expect(factsAt(state, 30)).toMatchObject({ room: 'kitchen' });
    expect(factsAt(after([[0, 'steps', 0], [10, 'steps', 0], [12, 'steps', 0]]), 14).activity).toBe('rest');
    expect(factsAt(NOBODY_KNOWN, 0)).toMatchObject({ activity: 'unknown', room: undefined, hour: 12 });
    expect(factsOf(NOBODY_KNOWN, { at: Minutes(0) }).hour).toBeUndefined();
  });

  it('is asked at the time clocks show there, be the zone off by half an hour', () => {
    const local = localHour(UnixMillis(Date.UTC(2026, 10, 23, 12, 45)), 330);
    expect(factsOf(NOBODY_KNOWN, { at: Minutes(0), local }).hour).toBe(18.25);
  });

  it('stays bounded, whatever is told and for however long', () => {
    const measurement = fc.constantFrom('heart_rate', 'spo2', 'steps', 'motion', 'usage', 'door');
    const told = fc.array(fc.tuple(fc.integer({ min: -10, max: 300 }), measurement, fc.nat(200), fc.constantFrom('bath', 'hall', undefined)), { maxLength: 200 });
    fc.assert(fc.property(told, (all) => {
      let minute = 0;
      let state = NOBODY_KNOWN;
      for (const [passed, name, value, room] of all) {
        minute = Math.max(0, minute + passed);
        state = takeValue(state, { measurement: name, value, frame: Sequence(1) }, { at: Minutes(minute), local: localHour(UnixMillis(NOON + Minutes(minute)), 0) }, NEEDS, room === undefined ? undefined : { room, outer: false, changed: true });
        const facts = factsOf(state, { at: Millis(Minutes(minute)) });
        for (const each of [facts.value(name), facts.mean('heart_rate', Minutes(5)), facts.slope('heart_rate', Minutes(5))]) expect(each === undefined || Number.isFinite(each)).toBe(true);
      }
      expect(JSON.stringify(state).length).toBeLessThan(30_000);
    }), { numRuns: 50 });
  });
});
