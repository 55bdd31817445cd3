import fc from 'fast-check';
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
    return this.toldAt(at, isWaitedFor).flatMap(({ phase, condition }) => (phase === 'raised' ? [condition.rule.replace('no-data ', '')] : []));
  }

  toldAt(at: number, isWaitedFor = anybody): readonly DeviceChange[] {
    return this.book.silences(Millis(at), isWaitedFor);
  }

  /** A message without a value. */
  note(at: number, ...notices: Sign['notices']): void {
    this.hear(at, '', { readings: [], notices });
  }
}

describe('a device whose values stop', () => {
  it('is silent as a whole after ten times its usual interval, half an hour at least, told once', () => {
    const night = new Night();
    night.hearEvery(Minutes(5), 0, Minutes(300), 'room_temperature');
    expect(night.silentAt(Minutes(349.9))).toEqual([]);
    expect(night.book.nextLook).toBeCloseTo(Minutes(350), 0);
    expect(night.silentAt(Minutes(350))).toEqual(['clip']);
    expect([night.silentAt(Minutes(400)), night.book.nextLook]).toEqual([[], undefined]);
    const dense = new Night();
    dense.hearEvery(1000, 0, Minutes(31), 'spo2');
    expect([dense.silentAt(Minutes(60.9)), dense.silentAt(Minutes(61))]).toEqual([[], ['clip']]);
  });

  it('is silent after five minutes when its class is clinical', () => {
    const ward = new Night();
    for (let at = 0; at <= Minutes(31); at += 1000) ward.hear(at, 'spo2', { class: 'clinical' });
    expect([ward.silentAt(Minutes(35.9)), ward.silentAt(Minutes(36))]).toEqual([[], ['clip']]);
  });

  it('says which channels are missed, in one condition, as soon as the one that is missed first', () => {
    const night = new Night();
    for (let minute = 0; minute <= 300; minute++) {
      night.hear(Minutes(minute), 'spo2');
      if (minute % 5 === 0) night.hear(Minutes(minute) + 1000, 'skin_temperature');
    }
    night.hear(Minutes(310), 'battery');
    expect(night.silentAt(Minutes(330))).toEqual([]);
    const [told, ...others] = night.toldAt(Minutes(330) + 1000);
    expect(others).toEqual([]);
    expect(told).toMatchObject({
      phase: 'raised',
      condition: {
        rule: 'no-data clip', priority: 'low', message: 'clip has measured nothing for 30 min (expected within 30 min)',
        evidence: {
          condition: 'minutes_since("skin_temperature") > 30 && minutes_since("spo2") > 30',
          values: [{ measurement: 'skin_temperature', value: 30, limit: 30, unit: 'min' }, { measurement: 'spo2', value: 30, limit: 30, unit: 'min' }],
        },
      },
    });
  });

  it('is heard again with its next value, not with its battery, and begins to learn anew', () => {
    const night = new Night();
    night.hearEvery(60_000, 0, Minutes(60), 'spo2');
    night.silentAt(Minutes(95));
    night.hear(Minutes(96), 'battery');
    expect(night.ended).toEqual([]);
    night.hear(Minutes(100), 'spo2');
    expect(night.ended).toMatchObject([{ device: CLIP, phase: 'cleared', condition: { rule: 'no-data clip', evidence: { values: [{ value: 40, limit: 30, unit: 'min' }] } } }]);
    expect(night.silentAt(Minutes(1000))).toEqual([]);
  });

  it('is silent after three times what its profile expects, from the first value on', () => {
    const night = new Night();
    night.hear(0, 'heart_rate', { expectations: { heart_rate: { every: Seconds(20) } } });
    expect([night.silentAt(59_999), night.silentAt(60_000)]).toEqual([[], ['clip']]);
  });

  it('is not missed when somebody measured for a few minutes, when it only speaks of events, or when nobody waits for it', () => {
    const night = new Night();
    night.hearEvery(1000, 0, Minutes(20), 'spo2');
    night.hearEvery(10_000, 0, Minutes(60), 'motion');
    expect(night.silentAt(Minutes(10_000))).toEqual([]);
    const unbound = new Night();
    unbound.hearEvery(1000, 0, Minutes(60), 'spo2');
    expect(unbound.silentAt(Minutes(600), () => false)).toEqual([]);
    expect(unbound.silentAt(Minutes(600))).toEqual(['clip']);
  });

  it('has all of its time again after the gateway was away', () => {
    const night = new Night();
    night.hearEvery(1000, 0, Minutes(60), 'spo2');
    night.book.resume(Millis(Minutes(600)));
    expect([night.silentAt(Minutes(629)), night.silentAt(Minutes(630))]).toEqual([[], ['clip']]);
  });
});

describe('one channel whose values stop', () => {
  /** Both every minute until `stops`, then the pulse alone until `until`. */
  function half(stops: number, until: number): Night {
    const night = new Night();
    for (let minute = 0; minute <= until; minute++) {
      if (minute <= stops) night.hear(Minutes(minute), 'spo2');
      night.hear(Minutes(minute), 'pulse_rate');
    }
    return night;
  }

  it('is told by itself once its time is over and the device goes on without it', () => {
    const night = half(60, 89);
    expect(night.silentAt(Minutes(89.5))).toEqual([]);
    night.hear(Minutes(90), 'pulse_rate');
    expect(night.toldAt(Minutes(90))).toMatchObject([{
      phase: 'raised', condition: { rule: 'no-data spo2 clip', message: 'No spo2 from clip for 30 min (expected within 30 min)', evidence: { condition: 'minutes_since("spo2") > 30' } },
    }]);
    night.hear(Minutes(91), 'pulse_rate');
    expect(night.silentAt(Minutes(91))).toEqual([]);
    night.hear(Minutes(95), 'spo2');
    expect(night.ended).toMatchObject([{ phase: 'cleared', condition: { rule: 'no-data spo2 clip', evidence: { values: [{ value: 35, limit: 30 }] } } }]);
  });

  it('is cleared in favour of the whole device when that falls silent', () => {
    const night = half(60, 120);
    expect(night.silentAt(Minutes(120))).toEqual(['spo2 clip']);
    expect(night.toldAt(Minutes(150)).map(({ phase, condition }) => `${phase} ${condition.rule}`)).toEqual(['raised no-data clip', 'cleared no-data spo2 clip']);
    night.hear(Minutes(160), 'pulse_rate');
    night.hear(Minutes(160), 'spo2');
    expect(night.ended.map(({ condition }) => condition.rule)).toEqual(['no-data clip']);
  });

  it('is missed again by itself when the device comes back without it, whatever comes seldom besides', () => {
    const back = new Night();
    for (let minute = 0; minute <= 180; minute++) {
      back.hear(Minutes(minute), 'spo2');
      if (minute % 60 === 0) back.hear(Minutes(minute), 'co2');
    }
    const told: string[] = [];
    for (let minute = 181; minute <= 900; minute++) {
      if (minute % 60 === 0) back.hear(Minutes(minute), 'co2');
      told.push(...back.silentAt(Minutes(minute)));
    }
    // It looks like all of it until the seldom one comes; from then on it is clear which is missing.
    expect(told).toEqual(['clip', 'spo2 clip']);
  });
});

describe('a device that rests', () => {
  it('is not missed for a day once it said that it was taken off', () => {
    const night = new Night();
    night.hearEvery(4000, 0, Minutes(480), 'spo2');
    night.note(Minutes(480) + 4000, 'sensor_off');
    expect([night.silentAt(Minutes(480 + 24 * 60 - 1)), night.book.nextLook]).toEqual([[], Minutes(480 + 24 * 60)]);
    const forgotten = new Night(new DeviceBook(new Map(night.book.takeChanges())));
    expect(forgotten.silentAt(Minutes(480 + 24 * 60))).toEqual(['clip']);
    night.hear(Minutes(1400), 'battery');
    night.hear(Minutes(1400) + 4000, 'spo2');
    expect([night.silentAt(Minutes(1429)), night.silentAt(Minutes(1431))]).toEqual([[], ['clip']]);
  });

  it('is not missed for four hours while its battery is charged', () => {
    const charged = new Night();
    charged.hearEvery(60_000, 0, Minutes(60), 'heart_rate');
    charged.hear(Minutes(60), 'battery', { value: 30 });
    charged.hear(Minutes(75), 'battery', { value: 31 });
    expect(charged.book.nextLook).toBeUndefined();
    charged.hear(Minutes(85), 'battery', { value: 33 });
    expect([charged.silentAt(Minutes(299)), charged.silentAt(Minutes(300))]).toEqual([[], ['clip']]);
    const idle = new Night();
    idle.hearEvery(60_000, 0, Minutes(60), 'heart_rate');
    for (const [minute, value] of [[60, 30], [70, 29], [75, 30]] as const) idle.hear(Minutes(minute), 'battery', { value });
    expect(idle.silentAt(Minutes(90))).toEqual(['clip']);
  });

  it('is missed all the same when its profile says how often it speaks, or when it is clinical', () => {
    const expected = new Night();
    expected.hear(0, 'spo2', { expectations: { spo2: { every: Seconds(10) } } });
    expected.note(1000, 'sensor_off');
    expect(expected.silentAt(30_000)).toEqual(['clip']);
    const clinical = new Night();
    for (let at = 0; at <= Minutes(31); at += 1000) clinical.hear(at, 'spo2', { class: 'clinical' });
    clinical.note(Minutes(31) + 1000, 'sensor_off');
    expect(clinical.silentAt(Minutes(36))).toEqual(['clip']);
  });

  it('has all channels waited for anew when it is worn again', () => {
    const ring = new Night();
    for (let minute = 0; minute <= 60; minute++) for (const name of ['spo2', 'pulse_rate']) ring.hear(Minutes(minute), name);
    ring.note(Minutes(61), 'sensor_off');
    ring.hear(Minutes(300), 'pulse_rate');
    expect(ring.silentAt(Minutes(300))).toEqual([]);
    for (let minute = 301; minute <= 330; minute++) ring.hear(Minutes(minute), 'pulse_rate');
    expect(ring.silentAt(Minutes(330))).toEqual(['spo2 clip']);
  });
});

describe('silences of any device', () => {
  const message = fc.record({
    after: fc.oneof({ weight: 12, arbitrary: fc.constantFrom(1, 2, 5) }, { weight: 1, arbitrary: fc.constantFrom(29, 45, 300) }, { weight: 1, arbitrary: fc.constantFrom(1500, 3000) }).map(Minutes),
    measurement: fc.constantFrom('spo2', 'spo2', 'pulse_rate', 'skin_temperature', 'steps', 'battery'),
    value: fc.constantFrom(40, 41, 60),
    off: fc.constantFrom(false, false, false, true),
    expected: fc.constantFrom(undefined, undefined, Minutes(1)),
    looks: fc.boolean(),
  });
  const length = fc.constantFrom(40, 150);

  it('begin and end in turns, the whole instead of its parts, in time, and the same after a restart at any point', () => {
    let whole = 0;
    let alone = 0;
    fc.assert(fc.property(length.chain((most) => fc.array(message, { minLength: most, maxLength: most })), (messages) => {
      const night = new Night();
      let again = new Night();
      const standing = new Set<string>();
      const told: string[] = [];
      const toldAgain: string[] = [];
      const note = (changes: readonly DeviceChange[], into: string[]): void => {
        for (const { phase, condition: { rule } } of changes) if (rule.startsWith('no-data')) into.push(`${phase} ${rule}`);
      };
      const look = (at: number): void => {
        note(night.toldAt(at), told);
        note(again.toldAt(at), toldAgain);
        // Nobody has to look again at once, for ever.
        expect(night.book.nextLook ?? Infinity).toBeGreaterThan(at);
        expect(again.book.nextLook).toBe(night.book.nextLook);
      };
      let at = 0;
      let toldBefore = 0;
      for (const { after, measurement, value, off, expected, looks } of messages) {
        const { nextLook } = night.book;
        if (nextLook !== undefined && nextLook <= at + after) look(nextLook);
        at += after;
        const expectations: Expectations = expected === undefined ? {} : { [measurement]: { every: expected } };
        for (const [each, into] of [[night, told], [again, toldAgain]] as const) {
          if (off) each.note(at, 'sensor_off');
          else each.hear(at, measurement, { value, expectations });
          note(each.ended.splice(0), into);
        }
        if (looks || off) look(at);
        again = new Night(new DeviceBook(new Map(JSON.parse(JSON.stringify([...again.book.takeChanges()])) as [DeviceId, never][])));
        look(at);
        for (const change of told.slice(toldBefore)) {
          const [phase, ...rule] = change.split(' ');
          expect(standing.has(rule.join(' '))).toBe(phase === 'cleared');
          if (phase === 'raised') standing.add(rule.join(' '));
          else standing.delete(rule.join(' '));
        }
        toldBefore = told.length;
        // Nothing is said twice: what stands for all of the device leaves nothing to say of one channel.
        if (standing.has('no-data clip')) expect([...standing]).toEqual(['no-data clip']);
      }
      expect(toldAgain).toEqual(told);
      whole += told.filter((each) => each === 'raised no-data clip').length;
      alone += told.filter((each) => each.startsWith('raised') && each !== 'raised no-data clip').length;
    }), { numRuns: 300 });
    expect(Math.min(whole, alone)).toBeGreaterThan(20);
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
    night.silentAt(Minutes(95));
    night.book.forgetTold(CLIP);
    expect(night.book.nextLook).toBe(0);
    expect(night.silentAt(Minutes(96))).toEqual(['clip']);
    night.hear(Minutes(97), 'battery', { value: 3 });
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
    expect([morning.silentAt(Minutes(89.9)), morning.silentAt(Minutes(90))]).toEqual([[], ['clip']]);
    const next = new Night(new DeviceBook(new Map(JSON.parse(JSON.stringify([...morning.book.takeChanges()])) as [DeviceId, never][])));
    next.hear(Minutes(100), 'spo2');
    expect([next.silentAt(Minutes(95)), next.ended.map(({ condition }) => condition.rule)]).toEqual([[], ['no-data clip']]);
    morning.hear(Minutes(100), 'spo2');
    expect(morning.book.takeChanges().get(CLIP)).toMatchObject({ messages: 62 });
  });
});
