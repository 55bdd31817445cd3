import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_NIGHT, followOxygen, summariseNight, type NightOxygen, type NightOxygenSummary, type OxygenSample } from '../../gateway/context/night-oxygen.ts';
import { Millis, Minutes, Seconds } from '../../gateway/quantity.ts';

/** A stretch of equal samples: how many, how far apart in seconds (default 1), the value (`null`: doubtful). */
type Stretch = readonly [samples: number, value: number | null, apart?: number];

/** Samples stretch after stretch, the first at one second; then one that ends the last of them. Asleep unless told otherwise. */
function samplesOf(stretches: readonly Stretch[], asleep = true): OxygenSample[] {
  let second = 0;
  const samples = stretches.flatMap(([count, value, apart = 1]) => Array.from({ length: count }, (): OxygenSample => {
    second += apart;
    return { at: Seconds(second), value: value ?? 80, doubtful: value === null, asleep };
  }));
  return [...samples, { at: Seconds(second + 1), value: 97, doubtful: true, asleep }];
}

const follow = (samples: readonly OxygenSample[]): NightOxygen => samples.reduce(followOxygen, EMPTY_NIGHT);
const night = (...stretches: Stretch[]): NightOxygen => follow(samplesOf(stretches));
const counts = ({ dips3, dips4 }: NightOxygen): readonly number[] => [dips3, dips4];

describe('of desaturations the night', () => {
  const steady: Stretch = [60, 97];
  const table: readonly [name: string, stretches: readonly Stretch[], dips3: number, dips4: number][] = [
    ['counts one of 3 points for 10 s for ODI3 alone', [steady, [10, 94], [60, 97]], 1, 0],
    ['counts one of 4 points for both', [steady, [10, 93], [60, 97]], 1, 1],
    ['does not count 9 s', [steady, [9, 90], [60, 97]], 0, 0],
    ['does not count 2 points', [steady, [60, 95], [60, 97]], 0, 0],
    ['does not count before there is a baseline of 60 s', [[59, 97], [30, 94], [60, 97]], 0, 0],
    ['counts for ODI4 only what is 4 points deep for 10 s', [steady, [9, 93], [20, 94], [60, 97]], 1, 0],
    ['does not add up two that are short', [steady, [6, 93], [1, 97], [6, 93], [60, 97]], 0, 0],
    ['counts two with a recovery between', [steady, [20, 93], [1, 97], [20, 93], [60, 97]], 2, 2],
    ['counts one while it does not recover', [steady, [20, 94], [5, 95], [20, 94], [60, 97]], 1, 0],
    ['takes 3 points above the lowest for a recovery', [steady, [20, 91], [1, 95], [20, 91], [60, 97]], 2, 2],
    ['counts a lasting fall once, however long, and takes it for the new level', [steady, [1000, 92], [60, 96]], 1, 1],
    ['finds one below a new level', [steady, [300, 92], [20, 88], [60, 92]], 2, 2],
    ['finds every one of a long row, though most of the time is spent in them',
      [[120, 97], ...Array.from({ length: 20 }, (): Stretch[] => [[40, 92], [10, 97]]).flat()], 20, 20],
    ['follows a baseline that sinks slowly', [steady, [120, 96], [120, 95], [120, 94], [120, 93], [120, 92]], 0, 0],
    ['counts samples 5 s apart', [[30, 97, 5], [2, 93, 5], [30, 97, 5]], 1, 1],
    ['leaves out doubtful seconds and goes on after them', [steady, [5, 93], [5, null], [5, 93], [60, 97]], 1, 1],
    ['does not count doubtful seconds', [steady, [5, 93], [5, null], [4, 93], [60, 97]], 0, 0],
    ['forgets one after more than 10 s of doubt', [steady, [5, 93], [11, null], [9, 93], [60, 97]], 0, 0],
    ['forgets the baseline after more than 120 s of doubt', [steady, [121, null], [30, 90], [60, 97]], 0, 0],
    ['keeps it for 120 s', [steady, [120, null], [30, 93], [60, 97]], 1, 1],
    ['does not trust a value below 50 %', [steady, [30, 49], [60, 97]], 0, 0],
    ['does not trust a jump of more than 4 points a second, until it could have fallen so far', [steady, [12, 80], [60, 97]], 0, 0],
    ['trusts a jump that stays', [steady, [20, 80], [60, 97]], 1, 1],
  ];
  for (const [name, stretches, dips3, dips4] of table) {
    it(`${name}: ${dips3} and ${dips4}`, () => {
      expect(counts(night(...stretches))).toEqual([dips3, dips4]);
    });
  }
});

describe('valid time', () => {
  const table: readonly [name: string, stretches: readonly Stretch[], seconds: number][] = [
    ['is every second of samples a second apart', [[100, 97]], 100],
    ['is held for samples up to 10 s apart', [[11, 97, 10]], 101],
    ['has a gap where they are more than 10 s apart', [[10, 97], [1, 97, 11], [9, 97]], 19],
    ['leaves out what is doubtful', [[10, 97], [10, null], [10, 97]], 20],
    ['leaves out what cannot be', [[10, 97], [10, 101], [10, 97], [10, 12]], 20],
  ];
  for (const [name, stretches, seconds] of table) {
    it(`${name}: ${seconds} s`, () => {
      expect(summariseNight(night(...stretches)).valid).toBe(Seconds(seconds));
    });
  }

  it('counts the last sample of a second, however many there are', () => {
    const rapid = Array.from({ length: 100 }, (_, index): OxygenSample => (
      { at: Millis(index * 100), value: index % 10 === 9 ? 97 : 60, doubtful: index % 10 !== 9, asleep: true }
    ));
    expect(summariseNight(follow(rapid))).toMatchObject({ valid: Seconds(9), lowest: 97 });
  });

  it('leaves out a sample that is older than the last', () => {
    const before = night([10, 97]);
    expect(followOxygen(before, { at: Seconds(5), value: 60, doubtful: false, asleep: false })).toBe(before);
  });

  it('is enough from 4 h on', () => {
    expect(summariseNight({ ...EMPTY_NIGHT, valid: 4 * 3600 - 1 }).enough).toBe(false);
    expect(summariseNight({ ...EMPTY_NIGHT, valid: 4 * 3600 }).enough).toBe(true);
  });
});

describe('the summary', () => {
  it('of nothing has no share and no index', () => {
    expect(summariseNight(EMPTY_NIGHT)).toEqual({ valid: 0, validAsleep: 0, enough: false });
  });

  it('gives T90 of the time asleep, and below 90 is not 90', () => {
    const asleep = samplesOf([[60, 91], [20, 90], [20, 89]]);
    expect(summariseNight(follow(asleep)).t90).toBe(0.2);
    const awake = asleep.map((sample) => ({ ...sample, asleep: sample.value > 89 }));
    expect(summariseNight(follow(awake)).t90).toBe(0);
    expect(summariseNight(follow(samplesOf([[60, 85]], false)))).toEqual(
      { valid: Minutes(1), validAsleep: 0, enough: false, odi3: 0, odi4: 0, lowest: 85 }
    );
  });

  it('gives desaturations per hour of valid recording', () => {
    const { odi3, odi4 } = summariseNight(night([300, 97], [30, 93], [30, 97], [30, 94], [1410, 97]));
    expect([odi3, odi4]).toEqual([4, 2]);
  });
});

type Second = Readonly<{ value: number | undefined; asleep: boolean }>;

/** The recording second by second, as the docstring of night-oxygen.ts defines it. */
function secondsOf(samples: readonly OxygenSample[]): Second[] {
  const bySecond = new Map<number, OxygenSample>();
  let newest = -1;
  for (const sample of samples) {
    const second = Math.floor(sample.at / 1000);
    if (second < newest) continue;
    newest = second;
    bySecond.set(second, sample);
  }
  const kept = [...bySecond];
  let trusted: readonly [second: number, value: number] | undefined;
  return kept.flatMap(([second, { value, doubtful, asleep }], index): Second[] => {
    const length = (kept[index + 1]?.[0] ?? second) - second;
    const jumped = trusted !== undefined && second - trusted[0] <= 10 && Math.abs(value - trusted[1]) > 4 * (second - trusted[0]);
    const valid = !doubtful && value >= 50 && value <= 100 && !jumped && length <= 10;
    if (valid && length > 0) trusted = [second, value];
    return Array.from({ length }, () => ({ value: valid ? value : undefined, asleep }));
  });
}

/** How many valid values at the end of `values` are at least `points` below the baseline, without one between that is not. */
const deepAtEnd = (values: readonly (number | undefined)[], baseline: number, points: number): number => {
  const known = values.filter((value) => value !== undefined);
  return known.length - 1 - known.findLastIndex((value) => baseline - value < points - 1e-9);
};

const longestDeep = (values: readonly (number | undefined)[], baseline: number, points: number): number =>
  Math.max(0, ...values.map((_, index) => deepAtEnd(values.slice(0, index + 1), baseline, points)));

/** The end (excluded) of a dip that begins at `start`, and whether it lasted so long that the level is a new one. */
function endOf(values: readonly (number | undefined)[], start: number, baseline: number): readonly [end: number, newLevel: boolean] {
  for (let end = start + 1; end < values.length; end++) {
    if (end - start >= 120) return [end, true];
    const inside = values.slice(start, end);
    if (end - start > 10 && inside.slice(-11).every((value) => value === undefined)) return [end, false];
    const value = values[end];
    if (value === undefined || baseline - value >= 3 - 1e-9) continue;
    const lowest = Math.min(...inside.filter((each) => each !== undefined));
    if (longestDeep(inside, baseline, 3) < 10 || baseline - value <= 1 + 1e-9 || value - lowest >= 3 - 1e-9) return [end, false];
  }
  return [values.length, values.length - start >= 120];
}

/** Batch twin: the whole night is known, and everything is looked up again each time. */
function naive(samples: readonly OxygenSample[]): NightOxygenSummary {
  const seconds = secondsOf(samples);
  const values = seconds.map(({ value }) => value);
  let [dips3, dips4, index] = [0, 0, 0];
  let calm: number[] = [];
  while (index < values.length) {
    if (index >= 121 && values.slice(index - 121, index).every((each) => each === undefined)) calm = [];
    const value = values[index];
    const recent = calm.slice(-120);
    const baseline = recent.reduce((sum, each) => sum + each, 0) / recent.length;
    if (value !== undefined && recent.length >= 60 && baseline - value >= 3 - 1e-9) {
      const [end, newLevel] = endOf(values, index, baseline);
      dips3 += longestDeep(values.slice(index, end), baseline, 3) >= 10 ? 1 : 0;
      dips4 += longestDeep(values.slice(index, end), baseline, 4) >= 10 ? 1 : 0;
      if (newLevel) calm = [];
      index = end;
    } else {
      if (value !== undefined) calm.push(value);
      index += 1;
    }
  }
  const valid = seconds.filter(({ value }) => value !== undefined);
  const inSleep = valid.filter(({ asleep }) => asleep);
  return {
    valid: Seconds(valid.length), validAsleep: Seconds(inSleep.length), enough: valid.length >= 4 * 3600,
    ...(inSleep.length === 0 ? {} : { t90: inSleep.filter(({ value }) => value !== undefined && value < 90).length / inSleep.length }),
    ...(valid.length === 0 ? {} : { odi3: (dips3 * 3600) / valid.length, odi4: (dips4 * 3600) / valid.length }),
    ...(valid.length === 0 ? {} : { lowest: Math.min(...valid.map(({ value }) => value ?? 100)) }),
  };
}

describe('the streaming night and a batch twin that sees all of it', () => {
  const stretch = fc.tuple(
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 15 }) }, fc.integer({ min: 60, max: 140 })),
    fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 88, max: 99 }) }, { weight: 1, arbitrary: fc.integer({ min: 45, max: 101 }) },
      { weight: 2, arbitrary: fc.double({ min: 88, max: 99, noNaN: true }) }, { weight: 1, arbitrary: fc.constant(null) }),
    fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.constantFrom(0.25, 0.4, 2, 4, 10, 11)),
    fc.boolean(),
  );
  const nights = fc.array(stretch, { minLength: 1, maxLength: 14 }).map((stretches) => {
    let at = 0;
    return stretches.flatMap(([count, value, apart, asleep]) => Array.from({ length: count }, (): OxygenSample => {
      at += apart * 1000;
      return { at: Millis(at), value: value ?? 0, doubtful: value === null, asleep };
    }));
  });

  it('agree on any night, with calm stretches before falls and without', () => {
    const calm = samplesOf([[100, 97]]).slice(0, -1);
    const later = (samples: readonly OxygenSample[]): OxygenSample[] => samples.map((sample) => ({ ...sample, at: Millis(sample.at + 100_000) }));
    let desaturations = 0;
    fc.assert(fc.property(nights, fc.boolean(), (samples, warm) => {
      const all = warm ? [...calm, ...later(samples)] : samples;
      const state = follow(all);
      expect(summariseNight(state)).toEqual(naive(all));
      desaturations += state.dips3;
    }), { numRuns: 300 });
    expect(desaturations).toBeGreaterThan(50);
  });

  it('a night that is written down and read again at any point goes on as if nothing had happened', () => {
    fc.assert(fc.property(nights, (samples) => {
      let restarted = EMPTY_NIGHT;
      for (const sample of samples) restarted = followOxygen(JSON.parse(JSON.stringify(restarted)) as NightOxygen, sample);
      expect(JSON.stringify(restarted)).toBe(JSON.stringify(follow(samples)));
      expect(JSON.stringify(restarted).length).toBeLessThan(4096);
    }), { numRuns: 50 });
  });
});
