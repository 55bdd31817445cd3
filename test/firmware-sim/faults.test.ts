import { describe, expect, it } from 'vitest';
import { type FaultPlan, Faults, parseFaults } from '../../firmware-sim/faults.ts';
import { Random } from '../../firmware-sim/random.ts';
import { Source, type Snapshot } from '../../firmware-sim/source.ts';
import { Seconds, UnixMillis } from '../../gateway/quantity.ts';

const MESSAGE = Buffer.from('{"seq":1,"time":1764000000123,"measurement":"heart_rate","value":72,"unit":"/min"}');
const faultsOf = (plan: FaultPlan, seed = 'storm'): Faults => new Faults(plan, new Random(seed), 'Europe/Berlin');
const snapshotAt = (time: number): Snapshot => new Source({ random: new Random(1), start: 0, step: 1 }).next(UnixMillis(time));

function sent(faults: Faults, times: number): readonly string[] {
  return Array.from({ length: times }, () => faults.disturb(MESSAGE)).flat().map(({ bytes, kind }) => `${kind} ${Buffer.from(bytes).toString('hex')}`);
}

describe('an order of faults', () => {
  it('is read from one line', () => {
    expect(parseFaults('garbage=0.01, half=1,flip=0,duplicate=0.5,sensorOff=0.1,clock=1970,battery=low,storm=10s')).toEqual({
      garbage: 0.01, half: 1, flip: 0, duplicate: 0.5, sensorOff: 0.1, clock: '1970', battery: 'low', storm: Seconds(10),
    });
    expect(parseFaults('')).toEqual({});
  });

  it.each([
    ['noise=1', 'expected one of garbage'], ['half=2', 'from 0 to 1'], ['half', 'from 0 to 1'],
    ['clock=tomorrow', '1970, jump, local'], ['battery=full', 'low'], ['storm=10', 'duration'],
  ])('is refused when it says %s', (text, why) => {
    expect(() => parseFaults(text)).toThrow(why);
  });
});

describe('faults', () => {
  const ALL: FaultPlan = { garbage: 0.2, half: 0.2, flip: 0.2, duplicate: 0.2 };

  it('are the same for the same seed, and others for another', () => {
    expect(sent(faultsOf(ALL), 300)).toEqual(sent(faultsOf(ALL), 300));
    expect(sent(faultsOf(ALL), 300)).not.toEqual(sent(faultsOf(ALL, 'other'), 300));
  });

  it('are counted, and happen about as often as was asked for', () => {
    const faults = faultsOf(ALL);
    const kinds = Map.groupBy(sent(faults, 2000), (each) => each.split(' ')[0] ?? '');
    const { garbage, half, flip, duplicate } = faults.counts;
    const damaged = garbage + half + flip;
    expect(kinds.get('damaged')).toHaveLength(damaged);
    expect(kinds.get('again')).toHaveLength(duplicate);
    for (const count of [garbage, half, flip, duplicate]) expect(count).toBeGreaterThan(130);
    expect(garbage).toBeLessThan(500);
  });

  it('leave everything as it is when nothing was ordered', () => {
    const faults = faultsOf({});
    expect(faults.disturb(MESSAGE)).toEqual([{ bytes: MESSAGE, kind: 'good' }]);
    const snapshot = snapshotAt(1_764_000_000_000);
    expect(faults.see(snapshot)).toEqual(snapshot);
    expect(faults.calm()).toBeUndefined();
    expect(new Set(Object.values(faults.counts))).toEqual(new Set([0]));
  });

  it('flip one bit', () => {
    const faults = faultsOf({ flip: 1 });
    for (let i = 0; i < 100; i++) {
      const [only] = faults.disturb(MESSAGE);
      const differences = [...(only?.bytes ?? [])].map((byte, at) => byte ^ (MESSAGE[at] ?? 0)).filter((bits) => bits !== 0);
      expect(differences).toHaveLength(1);
      expect(Math.log2(differences[0] ?? 0) % 1).toBe(0);
    }
  });

  it('take a part out, or the end', () => {
    const faults = faultsOf({ half: 1 });
    const lengths = Array.from({ length: 200 }, () => faults.disturb(MESSAGE)[0]?.bytes.length ?? 0);
    expect(Math.max(...lengths)).toBeLessThan(MESSAGE.length);
    expect(new Set(lengths).size).toBeGreaterThan(20);
    expect(faults.disturb(new Uint8Array(0))).toEqual([{ bytes: Buffer.alloc(0), kind: 'damaged' }]);
  });

  it('put noise before a message, or in its place', () => {
    const faults = faultsOf({ garbage: 1 });
    const outcomes = Array.from({ length: 200 }, () => faults.disturb(MESSAGE).map(({ kind }) => kind).join(' '));
    expect(new Set(outcomes)).toEqual(new Set(['damaged', 'damaged good']));
  });

  it('do not touch the messages they are handed', () => {
    const before = MESSAGE.toString('hex');
    sent(faultsOf({ garbage: 0.3, half: 0.3, flip: 0.3 }), 200);
    expect(MESSAGE.toString('hex')).toBe(before);
  });

  it('set clocks wrong: at 1970, by jumps, by the time zone', () => {
    const noon = Date.UTC(2026, 6, 15, 12);
    const shown = (clock: FaultPlan['clock'] & string): readonly number[] => {
      const faults = faultsOf({ clock });
      return Array.from({ length: 100 }, (_, i) => faults.see(snapshotAt(noon + i * 1000)).time);
    };
    expect(shown('1970').slice(0, 3)).toEqual([0, 1000, 2000]);
    expect(shown('local').slice(0, 2)).toEqual([noon + 7_200_000, noon + 7_201_000]);
    const jumped = shown('jump').map((time, i) => time - (noon + i * 1000));
    expect(new Set(jumped).size).toBeGreaterThan(3);
    expect(new Set(jumped).size).toBeLessThan(30);
  });

  it('empty the battery and take sensors off', () => {
    const faults = faultsOf({ battery: 'low', sensorOff: 0.5 });
    const seen = Array.from({ length: 200 }, (_, i) => faults.see(snapshotAt(i)));
    expect(new Set(seen.map(({ battery }) => battery))).toEqual(new Set([3]));
    expect(seen.filter(({ sensorOff }) => sensorOff)).toHaveLength(faults.counts.sensorOff);
    expect(faults.counts).toMatchObject({ battery: 200, clock: 0 });
    expect(Math.abs(faults.counts.sensorOff - 100)).toBeLessThan(40);
  });

  it('let a storm come about as often as ordered', () => {
    const faults = faultsOf({ storm: Seconds(10) });
    const calms = Array.from({ length: 100 }, () => faults.calm() ?? 0);
    expect(Math.min(...calms)).toBeGreaterThanOrEqual(5000);
    expect(Math.max(...calms)).toBeLessThanOrEqual(15_000);
  });
});

describe('a source of values', () => {
  const take = (seed: number, count: number): readonly Snapshot[] => {
    const source = new Source({ random: new Random(seed), start: 9 * 3600, step: 5, pleth: { samples: 25, rate: 75 } });
    return Array.from({ length: count }, (_, i) => source.next(UnixMillis(i)));
  };

  it('lives, and repeats itself for the same seed only', () => {
    expect(take(1, 50)).toEqual(take(1, 50));
    expect(take(1, 50)).not.toEqual(take(2, 50));
    const rates = take(1, 50).map(({ body }) => body.heartRate);
    expect(new Set(rates).size).toBe(50);
  });

  it('gives what a body can show', () => {
    for (const { body, battery, sequence } of take(3, 500)) {
      expect(body.diastolic).toBeLessThan(body.mean);
      expect(body.mean).toBeLessThan(body.systolic);
      expect(body.systolic).toBeGreaterThan(85);
      expect(body.systolic).toBeLessThan(190);
      expect(body.bodyTemperature).toBeGreaterThan(36);
      expect(body.bodyTemperature).toBeLessThan(37.5);
      expect(body.glucose).toBeGreaterThan(50);
      expect(body.weight).toBeGreaterThan(60);
      expect(body.pleth).toHaveLength(25);
      expect(body.rrIntervals.length).toBeGreaterThan(0);
      expect(battery).toBeGreaterThanOrEqual(0);
      expect(battery).toBeLessThanOrEqual(100);
      expect(sequence).toBeGreaterThan(0);
    }
  });
});
