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
      key: 'home/low-oxygen', phase: 'raised', kind: 'physiological', priority: 'high', message: 'SpO2 88 % < 92 % for 40 s, activity not known, bed', contract: 'aa',
      evidence: { condition: 'spo2 < 92', values: [{ measurement: 'spo2', value: 88, unit: '%', limit: 92 }], frames: [2, 30] },
    }]);
    const cleared = takeReading(raised, rules, ANNA, seen(60, 'spo2', 94.04), now(60)).findings;
    expect(cleared).toMatchObject([{ phase: 'cleared', evidence: { condition: 'spo2 >= 94', values: [{ value: 94.04, limit: 94 }], frames: [60] } }]);
  });

  it('lets nothing that bears a doubt decide or be remembered', () => {
    const rules = setOf(rule({ for: Millis(0) }));
    expect(takeReading(UNWATCHED, rules, ANNA, seen(1, 'spo2', 80, { doubt: 'movement' }), now(1))).toEqual({ state: UNWATCHED, findings: [] });
  });

  it('tells a channel that does not move as a technical condition, takes its value back, and believes it again when it moves', () => {
    const rules = setOf(rule({ id: 'slow', when: 'heart_rate < 50', clear: 'heart_rate >= 55', message: 'slow' }));
    let state: WatchState = UNWATCHED;
    const found: string[] = [];
    for (let second = 0; second <= 1000; second += 10) {
      const taken = takeReading(state, rules, ANNA, seen(second, 'heart_rate', second < 1000 ? 60 : 48), now(second));
      state = taken.state;
      found.push(...taken.findings.map(({ key, phase, kind, priority, watched, contract }) => `${second} ${key} ${phase} ${kind} ${priority} ${String(watched)} ${String(contract)}`));
      if (second >= 900 && second < 1000) expect(state.known.latest).toEqual({});
    }
    expect(found).toEqual(['900 flat heart_rate w raised technical low true undefined', '1000 flat heart_rate w cleared technical low true undefined']);
    expect(look(state, rules, ANNA, now(1040)).findings).toMatchObject([{ key: 'home/slow', phase: 'raised' }]);
  });

  it('tells what is wrong with the sensor of a room once, about the room', () => {
    const ofRoom = (room?: string): number => {
      let [state, count]: [WatchState, number] = [UNWATCHED, 0];
      for (const second of [10, 20, 5, 6, 7]) {
        const taken = takeReading(state, setOf(rule({})), ANNA, seen(second, 'motion', 1, room === undefined ? {} : { room }), now(20 + second));
        [state, count] = [taken.state, count + taken.findings.length];
      }
      return count;
    };
    expect([ofRoom(), ofRoom('bed')]).toEqual([1, 0]);
  });

  it('lets a value that is older than the newest of its channel decide nothing', () => {
    const rules = setOf(rule({ for: Millis(0) }));
    const { state } = takeReading(UNWATCHED, rules, ANNA, seen(100, 'spo2', 97), now(100));
    const taken = takeReading(state, rules, ANNA, seen(90, 'spo2', 80), now(101));
    expect([taken.findings, taken.state.known]).toEqual([[], state.known]);
  });

  it('shows what was worked out beside what it was worked out from', () => {
    const rules = setOf(rule({ when: 'news2_at_least >= 3', clear: undefined, for: Millis(0), message: 'NEWS2 {news2_at_least}, {news2}, {room_kind}' }));
    const { state } = takeReading(UNWATCHED, rules, ANNA, seen(1, 'body_temperature', 37), now(1));
    expect(takeReading(state, rules, ANNA, seen(2, 'spo2', 91), now(2)).findings).toMatchObject([{
      message: 'NEWS2 3, ?, ?',
      evidence: {
        values: [{ measurement: 'news2_at_least', value: 3, unit: '1', limit: 3 }, { measurement: 'spo2', value: 91, unit: '%' }, { measurement: 'body_temperature', value: 37, unit: 'Cel' }],
        frames: [1, 2],
      },
    }]);
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
