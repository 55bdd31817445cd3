import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, NO_CHANNELS, trustPasses, type TrustState } from '../../gateway/context/channel-trust.ts';
import { Minutes, Seconds } from '../../gateway/quantity.ts';

type Told = readonly [second: number, measurement: string, value: number, cameAt?: number, device?: string];

/** Tells values, and once a minute that time passes; what is not a fact, and which conditions begin and end. */
function after(told: readonly Told[], until = 0): Readonly<{ state: TrustState; refused: readonly number[]; happened: readonly string[] }> {
  let state = NO_CHANNELS;
  const [refused, happened]: [number[], string[]] = [[], []];
  let minute = 0;
  const passTo = (second: number): void => {
    for (; minute * 60 <= second; minute++) {
      const passed = trustPasses(JSON.parse(JSON.stringify(state)) as TrustState, Minutes(minute));
      state = passed.state;
      happened.push(...passed.changes.map(({ key, phase }) => `${minute * 60} ${key} ${phase}`));
    }
  };
  for (const [second, measurement, value, cameAt = second, device = 'w'] of told) {
    passTo(cameAt);
    const judged = judge(state, { measurement, device, value, at: Seconds(second), now: Seconds(cameAt) });
    state = judged.state;
    if (!judged.fact) refused.push(cameAt);
    happened.push(...judged.changes.map(({ key, phase }) => `${cameAt} ${key} ${phase}`));
  }
  passTo(until);
  return { state, refused, happened };
}
const every = (seconds: number, from: number, to: number, measurement: string, value: (i: number) => number, device?: string): Told[] =>
  Array.from({ length: Math.ceil((to - from) / seconds) }, (_, i): Told => [from + i * seconds, measurement, value(i), from + i * seconds, device ?? 'w']);

describe('a channel that does not move', () => {
  it('is no fact any more from when it is flat, until it moves', () => {
    const { happened, refused } = after([...every(10, 0, 1000, 'heart_rate', () => 72), [1000, 'heart_rate', 73]]);
    expect(happened).toEqual(['900 flat heart_rate w raised', '1000 flat heart_rate w cleared']);
    expect([refused[0], refused.at(-1), refused.length]).toEqual([900, 990, 10]);
  });

  it('is forgiven when it falls silent: nobody knows what it would show', () => {
    expect(after(every(10, 0, 1000, 'heart_rate', () => 72), 3000).happened).toEqual(['900 flat heart_rate w raised', '1920 flat heart_rate w cleared']);
  });

  it('says nothing of what may stand still', () => {
    expect(after([...every(60, 0, 40_000, 'motion', () => 0), ...every(60, 0, 40_000, 'spo2', () => 100)].toSorted(([a], [b]) => a - b)).happened).toEqual([]);
  });

  it('is told with what it showed, and whom to look at', () => {
    const { state } = after(every(10, 0, 900, 'heart_rate', () => 72));
    const { changes, withdrawn } = judge(state, { measurement: 'heart_rate', device: 'w', value: 72, at: Seconds(900), now: Seconds(900) });
    expect(withdrawn).toEqual(['heart_rate']);
    expect(changes).toEqual([expect.objectContaining({
      message: 'heart rate of w has not moved for 15 min: sensor stuck or not in place? No alarm rests on it until it moves',
      condition: 'no change of 1 in 15 min', values: [{ measurement: 'heart_rate', value: 72, unit: '/min' }],
    })]);
  });
});

describe('the heart and the finger', () => {
  const pair = (from: number, to: number, heart: number, pulse: number): Told[] =>
    [...every(10, from, to, 'heart_rate', (i) => heart + (i % 2)), ...every(10, from + 1, to, 'pulse_rate', (i) => pulse + (i % 2), 'clip')].toSorted(([a], [b]) => a - b);

  it('are no facts, neither of them, while they contradict each other for three minutes and more', () => {
    const { happened, refused } = after([...pair(0, 260, 150, 75), ...pair(260, 360, 80, 75)]);
    expect(happened).toEqual(['181 disagree heart_rate pulse_rate raised', '260 disagree heart_rate pulse_rate cleared']);
    expect(refused.every((second) => second >= 181 && second < 260)).toBe(true);
    expect(refused.length).toBeGreaterThan(10);
  });

  it('do not contradict each other when only one is left', () => {
    expect(after([...pair(0, 260, 150, 75), ...every(10, 260, 600, 'heart_rate', (i) => 150 + (i % 2))]).happened)
      .toEqual(['181 disagree heart_rate pulse_rate raised', '410 disagree heart_rate pulse_rate cleared']);
    expect(after(pair(0, 260, 150, 75), 600).happened.at(-1)).toBe('420 disagree heart_rate pulse_rate cleared');
  });

  const heartEvery28 = (rate: (second: number) => number): Told[] => every(28, 5, 1800, 'heart_rate', (i) => Math.round(rate(5 + 28 * i)), 'patch');
  const pulseEvery64 = (rate: (second: number) => number, without: (index: number) => boolean = () => false): Told[] =>
    every(64, 1, 1800, 'pulse_rate', (i) => Math.round(rate(1 + 64 * i)), 'ring').filter((_, index) => !without(index));
  const inOrder = (told: readonly Told[]): Told[] => told.toSorted(([a], [b]) => a - b);

  it('contradict each other though an oximeter speaks once in 64 s, and one value of it is lost', () => {
    const beats = heartEvery28((second) => (second < 300 ? 76 : 46) + (second % 3));
    const pulses = pulseEvery64((second) => 76 + (second % 3), (index) => index === 7);
    const { happened } = after(inOrder([...beats, ...pulses]));
    expect(happened).toEqual(['509 disagree heart_rate pulse_rate raised']);
  });

  it('do not contradict each other when somebody begins to run, whenever that is and whichever value of the oximeter is lost then', () => {
    for (let starts = 300; starts < 364; starts += 4) {
      const rate = (second: number): number => (second < starts ? 70 : 150 - 80 * Math.exp((starts - second) / 30)) + (second % 3);
      for (const lost of [4, 5, 6]) {
        expect(after(inOrder([...heartEvery28(rate), ...pulseEvery64(rate, (index) => index === lost)])).happened).toEqual([]);
      }
    }
  });
});

describe('values out of order', () => {
  it('are never facts, and are a condition when there are three within ten minutes, until ten minutes are quiet', () => {
    const { happened, refused } = after([[100, 'spo2', 97], [90, 'spo2', 80, 101], [91, 'spo2', 80, 102], [110, 'spo2', 97], [105, 'spo2', 80, 111], [120, 'spo2', 97]], 800);
    expect(refused).toEqual([101, 102, 111]);
    expect(happened).toEqual(['111 out-of-order spo2 w raised', '720 out-of-order spo2 w cleared']);
  });

  it('are none when they come far apart, from another device, or at the same instant', () => {
    expect(after([[100, 'spo2', 97], [90, 'spo2', 80, 101], [91, 'spo2', 80, 500], [95, 'spo2', 80, 1200]], 2000).happened).toEqual([]);
    expect(after([[100, 'spo2', 97], [90, 'spo2', 80, 101, 'other'], [100, 'spo2', 96]])).toMatchObject({ refused: [], happened: [] });
  });

  it('are none within the second that a device\'s clock is known to, and time does not go back by them', () => {
    expect(after([[100, 'spo2', 97], [99.9999, 'spo2', 96], [99.5, 'spo2', 95], [99, 'spo2', 94], [98.99, 'spo2', 80]]).refused).toEqual([98.99]);
    const { state } = judge(NO_CHANNELS, { measurement: 'spo2', device: 'w', value: 97, at: Seconds(100), now: Seconds(100) });
    expect(judge(state, { measurement: 'spo2', device: 'w', value: 96, at: Seconds(99.5), now: Seconds(101) }).at).toBe(Seconds(100));
  });
});

describe('trust', () => {
  it('stays bounded, and every condition that begins ends before it begins again, whatever is told', () => {
    const told = fc.array(fc.tuple(fc.integer({ min: -30, max: 200 }), fc.constantFrom('heart_rate', 'pulse_rate', 'spo2'), fc.constantFrom(60, 61, 120), fc.integer({ min: 0, max: 99 })), { maxLength: 400 });
    fc.assert(fc.property(told, (all) => {
      let now = 1000;
      const { state, happened } = after(all.map(([passed, measurement, value, device]): Told => {
        now += Math.max(0, passed);
        return [now + Math.min(0, passed), measurement, value, now, `w${device}`];
      }), now + 1e5);
      expect(state.channels.length).toBeLessThanOrEqual(64);
      const open = new Set<string>();
      for (const each of happened) {
        const [key, phase] = [each.slice(each.indexOf(' ') + 1, each.lastIndexOf(' ')), each.slice(each.lastIndexOf(' ') + 1)];
        expect(open.has(key)).toBe(phase === 'cleared');
        if (phase === 'raised') open.add(key);
        else open.delete(key);
      }
      expect(open.size).toBe(0);
    }), { numRuns: 60 });
  });
});
