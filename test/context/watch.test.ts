import { describe, expect, it } from 'vitest';
import { compileContracts } from '../../gateway/context/contract-engine.ts';
import type { ContractRule } from '../../gateway/context/contract.ts';
import { dropRules, look, takeReading, UNWATCHED, watchDue, type Observed, type Person, type WatchState } from '../../gateway/context/watch.ts';
import { Millis, Seconds } from '../../gateway/quantity.ts';
import { Sequence, type Reading } from '../../gateway/reading.ts';

const ANNA: Person = { kind: 'patient', spo2Scale: 1, rooms: { bed: 'bedroom' } };
const rule = (more: Partial<ContractRule>): ContractRule => ({
  id: 'low-oxygen', when: 'spo2 < 92', clear: 'spo2 >= 94', for: Seconds(40), clearFor: Millis(0), atMostEvery: Millis(0), priority: 'high', kind: 'physiological',
  message: 'SpO2 {spo2} % < 92 % for {for}, {activity}, {room}', source: 'test', ...more,
});
const setOf = (...rules: readonly ContractRule[]): ReturnType<typeof compileContracts> => compileContracts([{ contract: { pack: 'home', version: 1, rules }, hash: 'aa' }]);
const seen = (second: number, measurement: string, value: number, more: Partial<Reading> & Readonly<{ room?: string }> = {}): Observed => {
  const { room, ...rest } = more;
  return {
    reading: { measurement, value, unit: '1', ...rest }, device: 'w', frame: Sequence(second), at: Seconds(second), local: undefined,
    ...(room === undefined ? {} : { room }),
  };
};
const now = (second: number): { now: Millis; local: undefined } => ({ now: Seconds(second), local: undefined });

describe('watching somebody', () => {
  it('finds with the values, the limit, the frames and the contract that decided, in words for people', () => {
    const rules = setOf(rule({}));
    let state: WatchState = takeReading(UNWATCHED, rules, ANNA, seen(1, 'motion', 1, { room: 'bed' }), now(1)).state;
    for (const second of [2, 30]) state = takeReading(state, rules, ANNA, seen(second, 'spo2', 88), now(second)).state;
    expect(watchDue(state, rules)).toBe(42_000);
    const { findings, state: raised } = look(state, rules, ANNA, now(42));
    expect(findings).toEqual([{
      key: 'home/low-oxygen', phase: 'raised', kind: 'physiological', priority: 'high', message: 'SpO2 88 % < 92 % for 40 s, unknown, bed', contract: 'aa',
      evidence: { condition: 'spo2 < 92', values: [{ measurement: 'spo2', value: 88, unit: '%', limit: 92 }], frames: [2, 30] },
    }]);
    const cleared = takeReading(raised, rules, ANNA, seen(60, 'spo2', 94.04), now(60)).findings;
    expect(cleared).toMatchObject([{ phase: 'cleared', evidence: { condition: 'spo2 >= 94', values: [{ value: 94.04, limit: 94 }], frames: [60] } }]);
  });

  it('lets nothing that bears a doubt decide or be remembered', () => {
    const rules = setOf(rule({ for: Millis(0) }));
    expect(takeReading(UNWATCHED, rules, ANNA, seen(1, 'spo2', 80, { doubt: 'movement' }), now(1))).toEqual({ state: UNWATCHED, findings: [] });
  });

  it('says of a technical rule about a patient that somebody is not seen because of it, and not of a room', () => {
    const rules = setOf(rule({ id: 'empty', when: 'battery < 10', clear: 'battery > 20', for: Millis(0), kind: 'technical', message: 'battery' }));
    const found = (person: Person): unknown => takeReading(UNWATCHED, rules, person, seen(1, 'battery', 5), now(1)).findings[0]?.watched;
    expect([found(ANNA), found({ ...ANNA, kind: 'room' })]).toEqual([true, undefined]);
  });

  it('names the raised rules that are gone with their pack, and keeps the others as they stand', () => {
    const both = setOf(rule({ for: Millis(0) }), rule({ id: 'other', when: 'spo2 < 80', for: Millis(0) }));
    const { state } = takeReading(UNWATCHED, both, ANNA, seen(1, 'spo2', 70), now(1));
    const { state: left, withdrawn } = dropRules(state, setOf(rule({})));
    expect(withdrawn).toEqual(['home/other']);
    expect(Object.keys(left.rules)).toEqual(['home/low-oxygen']);
    expect(dropRules(left, setOf(rule({}))).state).toBe(left);
  });
});
