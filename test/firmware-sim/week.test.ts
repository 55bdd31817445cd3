import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR } from '../../firmware-sim/activity.ts';
import { drawCast, MOST_PEOPLE } from '../../firmware-sim/week/cast.ts';
import { liveDays, withInstead, type Stay } from '../../firmware-sim/week/daily-life.ts';
import { livedWith } from '../../firmware-sim/week/fate.ts';
import { drawScript, EVENT_KINDS } from '../../firmware-sim/week/script.ts';
import { simulateWeek, type Told, type Week, type WeekOptions } from '../../firmware-sim/week/week.ts';
import { Random } from '../../firmware-sim/random.ts';
import { FAMILIES } from '../../gateway/decode/families.ts';
import { decodeNativeJson } from '../../gateway/decode/native-json.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { isDeviceId, isSubjectId, type Reading } from '../../gateway/reading.ts';

const EPOCH = UnixMillis(Date.UTC(2026, 5, 1));
const options = (more: Partial<WeekOptions> = {}): WeekOptions => ({ seed: 1, people: 4, leadIn: 1, days: 2, epoch: EPOCH, ...more });

function hashOf({ live }: Week): string {
  const hash = createHash('sha256');
  for (const told of live()) {
    if (told.is === 'round') hash.update(JSON.stringify(told.round));
    else hash.update(`${told.delivery.at} ${told.delivery.topic} ${told.delivery.dup} `).update(told.delivery.payload);
  }
  return hash.digest('hex');
}

type Seen = Readonly<{ at: number; device: string; reading: Reading }>;
const gatt = FAMILIES.get('gatt');

function readingsIn(told: Iterable<Told>): Seen[] {
  const seen: Seen[] = [];
  for (const each of told) {
    if (each.is !== 'delivery') continue;
    const { at, device, topic, payload } = each.delivery;
    const input = { topic: topic.slice(`devices/${device}/gatt/`.length), payload, receivedAt: EPOCH };
    const message = topic.endsWith('/readings') ? decodeNativeJson(payload) : gatt?.interpret(input, undefined, { name: 'gatt', decoder: 'gatt', topic: '#' }).message;
    expect(message?.rejected ?? ['no family']).toEqual([]);
    for (const reading of message?.readings ?? []) seen.push({ at: at / 1000, device, reading });
  }
  return seen;
}

const valuesOf = (seen: readonly Seen[], device: string, measurement: string, from = 0, until = Infinity): number[] =>
  seen.filter((each) => each.device === device && each.reading.measurement === measurement && each.at >= from && each.at < until).map(({ reading }) => reading.value as number);
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

describe('a simulated week', { timeout: 60_000 }, () => {
  it('is the same again with the same options, and another with another seed', () => {
    const [once, again, other] = [1, 1, 2].map((seed) => hashOf(simulateWeek(options({ seed, people: 3, days: 1 }))));
    expect(again).toBe(once);
    expect(other).not.toBe(once);
  });

  it('gives what arrives in order, from devices that are all known, with names the gateway can take', () => {
    const week = simulateWeek(options({ people: MOST_PEOPLE, leadIn: 0, days: 1 }));
    const known = new Set(week.devices.map(({ device }) => device));
    expect(known.size).toBe(week.devices.length);
    for (const { device, subject } of week.devices) expect(isDeviceId(device) && isSubjectId(subject.slice(subject.indexOf('/') + 1))).toBe(true);
    let [before, disordered] = [0, 0];
    const spoke = new Set<string>();
    for (const told of week.live()) {
      const at = told.is === 'delivery' ? told.delivery.at : told.round.at;
      if (at < before) disordered += 1;
      before = at;
      if (told.is === 'delivery') spoke.add(told.delivery.device);
    }
    expect(disordered).toBe(0);
    expect([...known].filter((device) => !spoke.has(device))).toEqual([]);
    expect([...spoke].filter((device) => !known.has(device))).toEqual([]);
  });
});

describe('the script', () => {
  it('has every kind of event in a week of twenty, whatever the seed, within the scored days', () => {
    for (const seed of [1, 2, 3, 'other']) {
      const { script } = simulateWeek(options({ seed, people: MOST_PEOPLE, leadIn: 9, days: 7 }));
      expect(new Set(script.map(({ kind }) => kind))).toEqual(new Set(EVENT_KINDS));
      expect(script.filter(({ need }) => need === 'emergency').length).toBeGreaterThanOrEqual(15);
      for (const { from, until } of script) {
        expect(from).toBeGreaterThanOrEqual(9 * DAY);
        expect(until).toBeLessThanOrEqual(16 * DAY);
      }
    }
  });

  it('leaves out what does not fit into fewer days', () => {
    const people = drawCast(MOST_PEOPLE, new Random(1));
    const kinds = drawScript({ people, leadIn: 3, days: 1, random: new Random(1) }).map(({ kind }) => kind);
    expect(kinds).toContain('fall_long_lie');
    expect(kinds).not.toContain('heatwave');
  });
});

describe('a life', () => {
  const people = drawCast(MOST_PEOPLE, new Random(7));
  const script = drawScript({ people, leadIn: 2, days: 7, random: new Random(7) });
  const gapless = (stays: readonly Stay[]): boolean => stays.every(({ from, until }, i) => from < until && (i === 0 || stays[i - 1]?.until === from));

  it('has no gaps, with all that happens in it', () => {
    for (const person of people) {
      const stays = liveDays(person, 9, new Random(person.id));
      expect(gapless(stays)).toBe(true);
      const lived = livedWith(stays, script.filter(({ patient }) => patient === person.id), new Random(1));
      expect(gapless(lived)).toBe(true);
    }
  });

  it('sleeps most of the night and some of it on no other day', () => {
    for (const person of people) {
      const asleep = liveDays(person, 8, new Random(person.id)).filter(({ doing }) => doing === 'asleep').reduce((sum, { from, until }) => sum + until - from, 0) / 8;
      expect(asleep).toBeGreaterThan(5.5 * HOUR);
      expect(asleep).toBeLessThan(10.5 * HOUR);
    }
  });

  it('goes on as it would have after what happened instead', () => {
    const stay = (from: number, until: number, doing: Stay['doing']): Stay => ({ from, until, doing, room: 'hall' });
    expect(withInstead([stay(0, 10, 'sitting'), stay(10, 20, 'walking')], [stay(5, 12, 'on_floor')])).toEqual([
      stay(0, 5, 'sitting'), stay(5, 12, 'on_floor'), stay(12, 20, 'walking'),
    ]);
  });
});

describe('what devices say', () => {
  const week = simulateWeek(options({ people: 7, leadIn: 1, days: 3 }));
  const seen = readingsIn(week.live());
  const eventOf = (kind: string): { from: number; until: number } => week.script.find((each) => each.kind === kind) ?? { from: NaN, until: NaN };

  it('has pulses that fall in sleep and rise by day, but seldom beyond what is usual', () => {
    for (const device of ['edith-wrist', 'henrik-wrist', 'ines-wrist']) {
      expect(mean(valuesOf(seen, device, 'heart_rate', 1 * HOUR, 5 * HOUR))).toBeLessThan(mean(valuesOf(seen, device, 'heart_rate', 9 * HOUR, 20 * HOUR)) - 5);
    }
  });

  it('has rare artefacts in saturation, most of them flagged', () => {
    const calm = seen.filter(({ device, reading, at }) => device === 'farid-ring' && reading.measurement === 'spo2' && at < DAY);
    const low = calm.filter(({ reading }) => (reading.value as number) < 92);
    expect(low.length / calm.length).toBeLessThan(0.02);
    const flagged = seen.filter(({ reading }) => reading.measurement === 'spo2' && reading.doubt === 'poor_signal');
    expect(flagged.length).toBeGreaterThan(5);
  });

  it('shows each event to whoever looks: breath, oxygen, pulse', () => {
    const depressed = eventOf('respiratory_depression');
    expect(median(valuesOf(seen, 'farid-patch', 'respiratory_rate', depressed.from + 1800, depressed.until - 1200))).toBeLessThan(8);
    expect(median(valuesOf(seen, 'farid-ring', 'spo2', depressed.from + 1800, depressed.until - 1200))).toBeLessThan(90);
    const exacerbated = eventOf('copd_exacerbation');
    expect(median(valuesOf(seen, 'greta-ring', 'spo2', 0, DAY))).toBeGreaterThanOrEqual(88);
    expect(median(valuesOf(seen, 'greta-ring', 'spo2', exacerbated.from + 6 * HOUR, exacerbated.until - 4 * HOUR))).toBeLessThan(86);
    const fast = eventOf('tachycardia_at_rest');
    expect(median(valuesOf(seen, 'henrik-wrist', 'heart_rate', fast.from + 600, fast.until - 600))).toBeGreaterThan(125);
  });

  it('has nobody walk who lies on the floor, and hardly any motion before the sensors', () => {
    for (const [kind, patient] of [['fall_long_lie', 'edith'], ['bathroom_collapse', 'jakob']] as const) {
      const { from, until } = eventOf(kind);
      const motion = week.devices.filter(({ device }) => device.startsWith(`${patient}-`) && device.endsWith('-motion'))
        .flatMap(({ device }) => valuesOf(seen, device, 'motion', from + 1200, until));
      expect(motion.filter((on) => on === 1).length).toBeLessThan(15);
      const steps = valuesOf(seen, `${patient}-wrist`, 'steps', from + 60, until);
      expect(new Set(steps).size).toBeLessThanOrEqual(1);
    }
  });

  it('makes an attic hot in a heatwave', () => {
    const { from } = eventOf('heatwave');
    expect(Math.max(...valuesOf(seen, 'klara-bedroom-air', 'room_temperature', 0, from))).toBeLessThan(26);
    expect(Math.max(...valuesOf(seen, 'klara-bedroom-air', 'room_temperature', from, from + 10 * HOUR))).toBeGreaterThan(31);
  });

  it('is now and then late, twice or out of order', () => {
    const times = seen.filter(({ device }) => device === 'farid-patch').map(({ reading }) => reading.deviceTime ?? 0);
    const disordered = times.filter((time, i) => i > 0 && time < (times[i - 1] ?? 0)).length;
    expect(disordered).toBeGreaterThan(0);
    expect(disordered / times.length).toBeLessThan(0.01);
  });
});
