import { beforeAll, describe, expect, it } from 'vitest';

import { type Activity, DAY, HOUR, hourOfDay, isBedtime } from '../../firmware-sim/activity.ts';
import { type Episode, parseEpisodes, provoke, strength } from '../../firmware-sim/episodes.ts';
import { VirtualPatient, type Vitals } from '../../firmware-sim/patient.ts';
import { type PatientProfile, profileOf } from '../../firmware-sim/profile.ts';
import { Random } from '../../firmware-sim/random.ts';
import { Millis } from '../../gateway/quantity.ts';
import { at } from './at.ts';

type Moment = Readonly<{ second: number; activity: Activity; vitals: Vitals }>;

const ROOMS = ['bedroom', 'living-room'];
const healthy = (index: number): PatientProfile => ({
  ...profileOf(index, new Random(1)),
  desaturationsPerHour: 0,
  tachycardiasPerHour: 0,
});

function live(profile: PatientProfile, start: number, seconds: number, episodes: readonly Episode[] = [], seed = 1): Moment[] {
  const patient = new VirtualPatient(profile, ROOMS, new Random(seed), start, episodes);
  return Array.from({ length: seconds }, () => {
    patient.step();
    return { second: patient.now, activity: patient.whereabouts.activity, vitals: patient.vitals };
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const heartRates = (moments: readonly Moment[], activity: Activity): number[] =>
  moments.filter((moment) => moment.activity === activity).map(({ vitals }) => vitals.heartRate);

describe('48 hours of a patient', () => {
  const lives: Moment[][] = [];
  beforeAll(() => {
    for (const index of [0, 1]) lives.push(live(profileOf(index, new Random(1)), 8 * HOUR, 2 * DAY));
  });

  it('stay within what living people show', () => {
    const extreme = (pick: (vitals: Vitals) => number): [number, number] =>
      lives.flat().reduce<[number, number]>(([low, high], { vitals }) => [Math.min(low, pick(vitals)), Math.max(high, pick(vitals))], [
        Infinity, -Infinity,
      ]);
    const ranges: [(vitals: Vitals) => number, number, number][] = [
      [(v) => v.heartRate, 38, 150],
      [(v) => v.spo2, 80, 100],
      [(v) => v.respiratoryRate, 8, 32],
      [(v) => v.skinTemperature, 29, 36.5],
    ];
    for (const [pick, low, high] of ranges) {
      const [least, most] = extreme(pick);
      expect(least).toBeGreaterThanOrEqual(low);
      expect(most).toBeLessThanOrEqual(high);
    }
  });

  it('have the slowest pulse asleep and the fastest walking', () => {
    for (const moments of lives) {
      const resting = mean(heartRates(moments, 'resting'));
      expect(mean(heartRates(moments, 'asleep'))).toBeLessThan(resting - 5);
      expect(mean(heartRates(moments, 'walking'))).toBeGreaterThan(resting + 10);
    }
  });

  it('are mostly slept through by night and awake by day', () => {
    for (const [index, moments] of lives.entries()) {
      const profile = profileOf(index, new Random(1));
      const asleep = (night: boolean): number => {
        const part = moments.filter(({ second }) => isBedtime(hourOfDay(second), profile) === night);
        return part.filter(({ activity }) => activity === 'asleep').length / part.length;
      };
      expect(asleep(true)).toBeGreaterThan(0.75);
      expect(asleep(false)).toBeLessThan(0.25);
    }
  });

  it('are warmest at the wrist by night', () => {
    const skin = (moments: readonly Moment[], low: number, high: number): number => {
      const part = moments.filter(({ second }) => hourOfDay(second) >= low && hourOfDay(second) < high);
      return mean(part.map(({ vitals }) => vitals.skinTemperature));
    };
    for (const moments of lives) expect(skin(moments, 2, 5)).toBeGreaterThan(skin(moments, 13, 16) + 0.8);
  });

  it('count steps only while walking, and from zero again at midnight', () => {
    for (const moments of lives) {
      const wrong = moments.slice(1).filter(({ second, activity, vitals }, i) => {
        const taken = vitals.steps - (hourOfDay(second) === 0 ? 0 : at(moments, i).vitals.steps);
        return taken < 0 || taken > (activity === 'walking' ? 3 : 0);
      });
      expect(wrong).toEqual([]);
      expect(Math.max(...moments.slice(0, 15 * HOUR).map(({ vitals }) => vitals.steps))).toBeGreaterThan(1000);
    }
  });
});

describe('a patient', () => {
  it('repeats exactly with the same seed and differs with another', () => {
    expect(live(healthy(0), 8 * HOUR, 600)).toEqual(live(healthy(0), 8 * HOUR, 600));
    expect(live(healthy(0), 8 * HOUR, 600)).not.toEqual(live(healthy(0), 8 * HOUR, 600, [], 2));
  });

  it('has a pulse that rises quickly when a walk begins and settles more slowly after it', () => {
    const moments = live(healthy(2), 9 * HOUR, 5 * HOUR);
    const walking = ({ activity }: Moment): boolean => activity === 'walking';
    const begin = moments.findIndex((_, i) => moments.slice(i, i + 180).every(walking));
    const end = moments.findIndex((moment, i) => i > begin && !walking(moment));
    const pulse = (index: number): number => mean(moments.slice(index - 5, index + 5).map(({ vitals }) => vitals.heartRate));
    expect(begin).toBeGreaterThan(0);
    expect(pulse(begin + 60)).toBeGreaterThan(pulse(begin - 10) + 12);
    expect(pulse(end + 60)).toBeGreaterThan(pulse(end + 400) + 3);
    expect(pulse(end + 400)).toBeLessThan(pulse(end - 10) - 15);
  });

  it('desaturates below 88 % for minutes in a provoked night episode, and recovers', () => {
    const start = 2 * HOUR;
    const episode = provoke({ patient: 'anna', kind: 'desaturation', startsIn: Millis(60_000) }, start);
    const moments = live(healthy(0), start, 900, [episode]);
    const low = moments.filter(({ vitals }) => vitals.spo2 < 88);
    expect(low.length).toBeGreaterThan(60);
    expect(low.every(({ second, activity }) => second > episode.startsAt && activity === 'asleep')).toBe(true);
    expect(moments.slice(0, 60).every(({ vitals }) => vitals.spo2 > 93)).toBe(true);
    expect(moments.slice(-300).every(({ vitals }) => vitals.spo2 > 93)).toBe(true);
  });

  it('has a fast pulse at rest, without steps, in a provoked tachycardia', () => {
    const start = 14 * HOUR;
    const episode = provoke({ patient: 'ben', kind: 'tachycardia', startsIn: Millis(0) }, start);
    const fast = live(healthy(1), start, 1200, [episode]).filter(({ vitals }) => vitals.heartRate > 110);
    expect(fast.length).toBeGreaterThan(300);
    expect(fast.every(({ activity }) => activity === 'resting')).toBe(true);
    expect(new Set(fast.map(({ vitals }) => vitals.steps)).size).toBe(1);
  });

  it('meets episodes by chance at the rate of the profile', () => {
    const dips = (perHour: number): number => {
      const moments = live({ ...healthy(0), desaturationsPerHour: perHour }, 23 * HOUR, 6 * HOUR);
      return moments.filter(({ vitals }, i) => vitals.spo2 < 93 && (moments[i - 1]?.vitals.spo2 ?? 100) >= 93).length;
    };
    expect(dips(0)).toBe(0);
    expect(dips(6)).toBeGreaterThan(6);
  });
});

describe('profiles', () => {
  it('begin with Anna, Ben and Clara and go on with drawn people', () => {
    const ids = [0, 1, 2, 3, 4].map((index) => profileOf(index, new Random(index)).id);
    expect(ids).toEqual(['anna', 'ben', 'clara', 'patient-4', 'patient-5']);
    expect(profileOf(3, new Random('a'))).toEqual(profileOf(3, new Random('a')));
    expect(profileOf(3, new Random('a'))).not.toEqual(profileOf(3, new Random('b')));
  });
});

describe('episodes', () => {
  it('grow, hold and fade', () => {
    const episode: Episode = { kind: 'desaturation', startsAt: 100, duration: 100, magnitude: 10 };
    const strengths = [99, 100, 117.5, 150, 190, 200].map((second) => strength(episode, second));
    expect(strengths).toEqual([0, 0, 0.5, 1, expect.closeTo(0.5, 6), 0]);
  });

  it('are ordered as patient:kind@time', () => {
    expect(parseEpisodes('anna:desaturation@30s, patient-4:tachycardia@5min')).toEqual([
      { patient: 'anna', kind: 'desaturation', startsIn: 30_000 },
      { patient: 'patient-4', kind: 'tachycardia', startsIn: 300_000 },
    ]);
  });

  const unreadable = ['', 'anna', 'anna:fall@30s', 'anna:desaturation@30', 'Anna:desaturation@30s', 'anna:desaturation@30s,'];
  it.each(unreadable)('refuse "%s"', (text) => {
    expect(() => parseEpisodes(text)).toThrow(expect.objectContaining({ code: 'VG_CONFIG' }));
  });
});
