import { describe, expect, it } from 'vitest';
import { followFact, NOTHING_FOLLOWED, passTime, type ClinicalState, type Person } from '../../gateway/context/clinical.ts';
import { localHour } from '../../gateway/context/local-hour.ts';
import { NOBODY_KNOWN, takeValue, type SubjectState, type When } from '../../gateway/context/subject-state.ts';
import { usualNow } from '../../gateway/context/usual.ts';
import { Millis, Minutes, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence } from '../../gateway/reading.ts';

const person: Person = { kind: 'patient', spo2Scale: 1, rooms: { bed: 'bedroom', bath: 'bathroom' } };
const needs = { windows: [], baselines: ['spo2'], parts: ['night_rate', 'moves', 'stays'] as const };
const when = (day: number, hour: number, minute = 0): When => {
  const at = Millis((day * 24 + hour) * Minutes(60) + Minutes(minute));
  return { at, local: localHour(UnixMillis(at), 0) };
};

/** Somebody, day after day. */
class Life {
  known: SubjectState = NOBODY_KNOWN;
  clinical: ClinicalState = NOTHING_FOLLOWED;

  take(measurement: string, value: number, at: When, room?: string): void {
    const before = this.known;
    this.known = takeValue(before, { measurement, value, frame: Sequence(1) }, at, needs, room === undefined ? undefined : { room, outer: false, changed: true });
    this.clinical = followFact(this.clinical, { measurement, value, changed: true, when: at }, { parts: needs.parts, person, before, known: this.known });
  }

  /** A night with a pulse and one visit of the bathroom, and an hour of oximetry at three in the afternoon. */
  day(day: number, pulse: number, spo2: number): void {
    this.take('motion', 1, when(day, 1), 'bath');
    this.take('motion', 0, when(day, 1, 1), 'bath');
    this.take('motion', 1, when(day, 1, 10), 'bed');
    this.take('motion', 0, when(day, 1, 11), 'bed');
    for (let minute = 0; minute < 70; minute++) this.take('heart_rate', pulse, when(day, 3, minute));
    this.clinical = passTime(this.clinical, when(day, 8), { parts: needs.parts, person, known: this.known });
    for (let minute = 0; minute < 20; minute++) this.take('spo2', spo2, when(day, 15, minute));
    this.take('spo2', spo2, when(day, 16));
  }
}

describe('what is usual', () => {
  it('is told after the warm-up of each, with its unit and on how many days it rests', () => {
    const life = new Life();
    for (let day = 1; day <= 6; day++) life.day(day, 60 + day, 90 + day);
    expect(usualNow(life, person, when(7, 15))).toEqual([]);
    for (let day = 7; day <= 9; day++) life.day(day, 60 + day, 90);
    const told = usualNow(life, person, when(10, 15)).filter(({ days }) => days !== null);
    expect(told.map(({ meaning: _, ...each }) => each)).toEqual([
      { name: 'usual_spo2', value: 92, unit: '%', days: 9, from: ['spo2'] },
      { name: 'usual_night_rate', value: 65, unit: '/min', days: 9, from: ['heart_rate', 'pulse_rate'] },
      { name: 'usual_night_moves', value: expect.any(Number) as unknown, unit: '1', days: 9, from: ['motion', 'usage', 'door'] },
    ]);
    expect(told.every(({ meaning }) => meaning.length > 0)).toBe(true);
  });

  it('is of this hour of the day, and of nobody while the hour is not known', () => {
    const life = new Life();
    for (let day = 1; day <= 9; day++) life.day(day, 60, 95);
    expect(usualNow(life, person, when(10, 4)).map(({ name }) => name)).not.toContain('usual_spo2');
    expect(usualNow(life, person, { at: when(10, 15).at })).toEqual([]);
  });

  it('is how long somebody stays where they are now', () => {
    const life = new Life();
    for (let day = 1; day <= 11; day++) {
      life.take('motion', 1, when(day, 10), 'bath');
      life.take('motion', 1, when(day, 10, 12), 'bed');
    }
    life.take('motion', 1, when(12, 10), 'bath');
    const stays = usualNow(life, person, when(12, 10, 5)).filter(({ unit }) => unit === 'min');
    expect(stays).toMatchObject([{ name: 'usual_room_minutes', value: expect.closeTo(12) as unknown, days: null }, { name: 'long_room_minutes', value: 12 }]);
  });
});
