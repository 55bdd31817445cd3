import { describe, expect, it } from 'vitest';
import { DeviceBook, type DeviceChange } from '../../gateway/derive/device-book.ts';
import type { Sign } from '../../gateway/derive/device-status.ts';
import type { Expectations } from '../../gateway/decode/profile.ts';
import { Millis, Minutes, Seconds, UnixMillis } from '../../gateway/quantity.ts';
import { Sequence, type DeviceId } from '../../gateway/reading.ts';

const CLIP = 'clip' as DeviceId;
const NOON = Date.UTC(2026, 10, 23, 12);
const anybody = (): boolean => true;

class Night {
  readonly book: DeviceBook;
  readonly ended: DeviceChange[] = [];
  constructor(book = new DeviceBook(new Map())) {
    this.book = book;
  }

  hear(at: number, measurement: string, { value = 97, expectations = {}, ...more }: Partial<Sign> & { value?: number; expectations?: Expectations } = {}): void {
    const sign: Sign = {
      receivedAt: UnixMillis(NOON + at), now: Millis(at), sequence: Sequence(at + 1), connection: CLIP, readings: [{ measurement, value, unit: '1' }], quarantined: false, notices: [], expectations,
      class: undefined, clock: undefined, ahead: undefined, ...more,
    };
    this.book.hear(CLIP, sign, (silence) => this.ended.push(silence));
  }

  hearEvery(interval: number, from: number, until: number, measurement: string, expectations: Expectations = {}): void {
    for (let at = from; at <= until; at += interval) this.hear(at, measurement, { expectations });
  }

  silentAt(at: number, isWaitedFor = anybody): string[] {
    return this.book.silences(Millis(at), isWaitedFor).map(({ condition }) => condition.rule.split(' ')[1] ?? '');
  }
}

describe('a channel whose values stop', () => {
  it('is silent after ten times its usual interval, five minutes at least, told once', () => {
    const night = new Night();
    night.hearEvery(60_000, 0, Minutes(60), 'spo2');
    expect(night.silentAt(Minutes(69.9))).toEqual([]);
    expect(night.book.nextLook).toBeCloseTo(Minutes(70), 0);
    expect(night.silentAt(Minutes(70))).toEqual(['spo2']);
    expect(night.silentAt(Minutes(80))).toEqual([]);
    const dense = new Night();
    dense.hearEvery(1000, 0, Minutes(31), 'spo2');
    expect([dense.silentAt(Minutes(35.9)), dense.silentAt(Minutes(36))]).toEqual([[], ['spo2']]);
  });

  it('is heard again with its next value, and begins to learn anew', () => {
    const night = new Night();
    night.hearEvery(60_000, 0, Minutes(60), 'spo2');
    night.silentAt(Minutes(75));
    night.hear(Minutes(90), 'spo2');
    expect(night.ended).toMatchObject([{ device: CLIP, phase: 'cleared', condition: { rule: 'no-data spo2 clip', evidence: { values: [{ value: 30, limit: 10, unit: 'min' }] } } }]);
    expect(night.silentAt(Minutes(1000))).toEqual([]);
  });

  it('is silent after three times what its profile expects, from the first value on', () => {
    const night = new Night();
    night.hear(0, 'heart_rate', { expectations: { heart_rate: { every: Seconds(20) } } });
    expect([night.silentAt(59_999), night.silentAt(60_000)]).toEqual([[], ['heart_rate']]);
  });

  it('is not missed when somebody measured for a few minutes, when it only speaks of events, or when nobody waits for it', () => {
    const night = new Night();
    night.hearEvery(1000, 0, Minutes(20), 'spo2');
    night.hearEvery(10_000, 0, Minutes(60), 'motion');
    expect(night.silentAt(Minutes(10_000))).toEqual([]);
    const unbound = new Night();
    unbound.hearEvery(1000, 0, Minutes(60), 'spo2');
    expect(unbound.silentAt(Minutes(600), () => false)).toEqual([]);
    expect(unbound.silentAt(Minutes(600))).toEqual(['spo2']);
  });

  it('has all of its time again after the gateway was away', () => {
    const night = new Night();
    night.hearEvery(1000, 0, Minutes(60), 'spo2');
    night.book.resume(Millis(Minutes(600)));
    expect([night.silentAt(Minutes(604)), night.silentAt(Minutes(605))]).toEqual([[], ['spo2']]);
  });
});

describe('a battery', () => {
  it('is told when it is low, when it is empty and when it was charged, each once', () => {
    const night = new Night();
    for (const [at, value] of [50, 15, 14, 16, 5, 4, 12, 24, 25, 80].entries()) night.hear(at, 'battery', { value });
    expect(night.ended.map(({ phase, condition: { rule, priority, message } }) => [phase, rule, priority, message])).toEqual([
      ['raised', 'low-battery clip', 'low', 'The battery of clip is at 15 %'],
      ['raised', 'low-battery clip', 'medium', 'The battery of clip is at 5 %'],
      ['cleared', 'low-battery clip', 'low', 'The battery of clip is at 25 %'],
    ]);
  });

  it('is told again, as a silence is, when the device has another bearer', () => {
    const night = new Night();
    night.hearEvery(60_000, 0, Minutes(60), 'spo2');
    night.hear(Minutes(60), 'battery', { value: 3 });
    night.silentAt(Minutes(75));
    night.book.forgetTold(CLIP);
    expect(night.book.nextLook).toBe(0);
    expect(night.silentAt(Minutes(76))).toEqual(['spo2']);
    night.hear(Minutes(77), 'battery', { value: 3 });
    expect(night.ended.map(({ phase }) => phase)).toEqual(['raised', 'raised']);
  });
});

describe('a device\'s status', () => {
  it('holds battery, signal, notices, counts and rate, and is told when it changed', () => {
    const night = new Night();
    night.hear(0, 'battery', { value: 80 });
    night.hear(1000, 'signal', { value: 120, quarantined: true });
    night.hear(2000, 'spo2', { notices: ['battery_low'] });
    expect(night.book.takeChanges().get(CLIP)).toMatchObject({
      battery: 80, signal: 120, notices: ['battery_low'], messages: 3, readings: 3, quarantined: 1, every: 1000, lastSeen: NOON + 2000,
    });
    expect(night.book.takeChanges().size).toBe(0);
  });

  it('goes on from what was written down', () => {
    const night = new Night();
    night.hearEvery(60_000, 0, Minutes(60), 'spo2');
    const written = JSON.parse(JSON.stringify([...night.book.takeChanges()])) as [DeviceId, never][];
    const morning = new Night(new DeviceBook(new Map(written)));
    expect([morning.silentAt(Minutes(69.9)), morning.silentAt(Minutes(70))]).toEqual([[], ['spo2']]);
    morning.hear(Minutes(80), 'spo2');
    expect(morning.book.takeChanges().get(CLIP)).toMatchObject({ messages: 62 });
  });
});
