import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bound, subjectAt, unbound, type Bindings } from '../../gateway/derive/bindings.ts';
import { Millis, UnixMillis } from '../../gateway/quantity.ts';
import type { Subject } from '../../gateway/reading.ts';

const ANNA: Subject = { kind: 'patient', id: 'anna' };
const OTTO: Subject = { kind: 'patient', id: 'otto' };
const WALL = 1_790_000_000_000;
const decided = (at: number): { at: Millis; wall: UnixMillis } => ({ at: Millis(at), wall: UnixMillis(WALL + at) });
const whose = (bindings: Bindings, at: number): string | undefined => subjectAt(bindings, Millis(at))?.id;

describe('a binding', () => {
  it('holds from when it was made, and for what was on its way', () => {
    const bindings = bound([], { subject: ANNA }, decided(1_000_000));
    expect([-Infinity, 0, 939_999, 940_000, 1_000_000, 9e15].map((at) => whose(bindings, at))).toEqual([undefined, undefined, undefined, 'anna', 'anna', 'anna']);
  });

  it('leaves what was measured before to whom it belonged', () => {
    const bindings = bound(bound([], { subject: ANNA }, decided(0)), { subject: OTTO }, decided(1_000_000));
    expect([999_999, 1_000_000].map((at) => whose(bindings, at))).toEqual(['anna', 'otto']);
  });

  it('holds from when to when somebody said, on the wall clock', () => {
    const bindings = bound([], { subject: ANNA, from: UnixMillis(WALL + 50_000), until: UnixMillis(WALL + 60_000) }, decided(0));
    expect([49_999, 50_000, 59_999, 60_000].map((at) => whose(bindings, at))).toEqual([undefined, 'anna', 'anna', undefined]);
  });

  it('corrects the past without touching the rest', () => {
    const anna = bound([], { subject: ANNA }, decided(0));
    const bindings = bound(anna, { subject: OTTO, from: UnixMillis(WALL + 10_000), until: UnixMillis(WALL + 20_000) }, decided(500_000));
    expect([9999, 10_000, 19_999, 20_000].map((at) => whose(bindings, at))).toEqual(['anna', 'otto', 'otto', 'anna']);
  });

  it('that is taken away still holds for what was measured before', () => {
    const bindings = unbound(bound([], { subject: ANNA }, decided(0)), Millis(100_000));
    expect([99_999, 100_000].map((at) => whose(bindings, at))).toEqual(['anna', undefined]);
    expect(whose(bound(bindings, { subject: OTTO }, decided(100_500)), 100_100)).toBeUndefined();
  });

  it('never gives one instant to somebody else than the last decision about it, and keeps a bounded history', () => {
    const step = fc.record({ passed: fc.nat(200_000), subject: fc.constantFrom(ANNA, OTTO, undefined) });
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.nat(1_000_000), (steps, probe) => {
      let [bindings, now]: [Bindings, number] = [[], 0];
      let expected: Subject | undefined;
      for (const { passed, subject } of steps) {
        now += passed;
        bindings = subject === undefined ? unbound(bindings, Millis(now)) : bound(bindings, { subject }, decided(now));
        expected = subject;
        expect(subjectAt(bindings, Millis(now + probe))).toEqual(expected);
        expect(bindings.length).toBeLessThanOrEqual(32);
      }
    }));
  });
});
