/** Scenes: what happens to somebody over time, and what a rule pack is to find. They are played through watch.ts itself. */

import { MEASUREMENTS } from '../decode/measurements.ts';
import { Millis, Minutes, UnixMillis } from '../quantity.ts';
import { Sequence, type Doubt } from '../reading.ts';
import { compileContracts, type RuleSet } from './contract-engine.ts';
import type { Contract } from './contract.ts';
import type { Finding, Phase } from './finding.ts';
import { localHour, type LocalHour } from './local-hour.ts';
import { look, takeReading, UNWATCHED, watchDue, type Person, type Watched, type WatchState } from './watch.ts';

/** Numbers one after the other and from the first again, or a straight line over the whole time. */
export type SceneValues = readonly number[] | Readonly<{ from: number; to: number }>;

/** Readings of one sensor. Times count from the beginning of the scene. */
export type SceneReadings = Readonly<{
  at: Millis;
  /** Repeated this often, for so long (the end not included). */
  every: Millis;
  for: Millis;
  /** The same again on so many days. */
  days: number;
  values: Readonly<Record<string, SceneValues>>;
  device: string;
  /** The sensor is this room's, and the person lives there. */
  room?: string | undefined;
  doubt?: Doubt | undefined;
  /** Measured this long before it came. */
  late: Millis;
}>;

/** `rule`: the id of a rule of the pack, or the name of a technical condition such as `flat spo2 oximeter`. */
export type Expectation = Readonly<{ at: Millis; rule: string; phase: Phase }>;

export type Scene = Readonly<{
  name: string;
  person: Person;
  /** What local clocks show at the beginning; absent: nobody knows. */
  starts: UnixMillis | undefined;
  readings: readonly SceneReadings[];
  /** Rules that it comes near to and that are not raised: for people, and for counting what was tried. */
  near: readonly string[];
  /** How long it is watched. */
  until: Millis;
  expected: readonly Expectation[];
}>;

/** A finding of a scene, and when. */
export type Happened = Expectation & Readonly<{ finding: Finding }>;

type Event = Readonly<{ at: Millis; measurement: string; value: number; readings: SceneReadings }>;

/** How many readings a scene has. */
export const sizeOf = ({ readings }: Scene): number =>
  readings.reduce((sum, each) => sum + timesOf(each) * each.days * Object.keys(each.values).length, 0);

const timesOf = ({ every, for: lasting }: SceneReadings): number => (every === 0 ? 1 : Math.max(1, Math.ceil(lasting / every)));

const DAY = Minutes(24 * 60);

function eventsOf({ readings }: Scene): readonly Event[] {
  const events = readings.flatMap((each) => {
    const times = timesOf(each);
    return Array.from({ length: times * each.days }, (_, i) => {
      const [day, time] = [Math.floor(i / times), i % times];
      const at = Millis(each.at + day * DAY + time * each.every);
      return Object.entries(each.values).map(([measurement, values]): Event => ({ at, measurement, value: valueAt(values, time, times, measurement), readings: each }));
    }).flat();
  });
  // Stable: what is told at one instant comes in the order in which it is written down.
  return events.toSorted((a, b) => a.at - b.at);
}

function valueAt(values: SceneValues, time: number, times: number, measurement: string): number {
  if ('from' in values) {
    const value = times === 1 ? values.from : values.from + ((values.to - values.from) * time) / (times - 1);
    return MEASUREMENTS.get(measurement)?.integer === true ? Math.round(value) : Math.round(value * 100) / 100;
  }
  return values[time % values.length] ?? Number.NaN;
}

/** Plays a scene: everything the pack finds, in order. Pure. */
function play(scene: Scene, contract: Contract): readonly Happened[] {
  const rules = compileContracts([{ contract, hash: '' }]);
  const happened: Happened[] = [];
  let [state, now, frame]: [WatchState, Millis, number] = [UNWATCHED, Millis(0), 0];
  const note = (watched: Watched): void => {
    state = watched.state;
    for (const finding of watched.findings) happened.push({ at: now, rule: nameIn(contract, finding), phase: finding.phase, finding });
  };
  const goOnUntil = (end: Millis): void => {
    for (let next = nextLook(state, rules, now); next < end; next = nextLook(state, rules, now)) {
      now = next;
      note(look(state, rules, scene.person, { now, local: localAt(scene, now) }));
    }
  };
  for (const { at, measurement, value, readings: { device, room, doubt, late } } of eventsOf(scene)) {
    if (at >= scene.until) break;
    goOnUntil(at);
    now = at;
    const measured = Millis(at - late);
    const reading = { measurement, value, unit: MEASUREMENTS.get(measurement)?.unit ?? '1', ...(doubt === undefined ? {} : { doubt }) };
    const observed = { reading, device, frame: Sequence(++frame), at: measured, local: localAt(scene, measured), ...(room === undefined ? {} : { room }) };
    note(takeReading(state, rules, scene.person, observed, { now, local: localAt(scene, now) }));
  }
  goOnUntil(scene.until);
  return happened;
}

/** The next whole minute, or before it when a rule waits for something. */
function nextLook(state: WatchState, rules: RuleSet, now: Millis): Millis {
  const [minute, due] = [(Math.floor(now / Minutes(1)) + 1) * Minutes(1), watchDue(state, rules)];
  return Millis(due === undefined || due <= now ? minute : Math.min(minute, due));
}

const localAt = ({ starts }: Scene, at: Millis): LocalHour | undefined => (starts === undefined ? undefined : localHour(UnixMillis(starts + at), 0));

const nameIn = ({ pack }: Contract, { key }: Finding): string => (key.startsWith(`${pack}/`) ? key.slice(pack.length + 1) : key);

export type Outcome = Readonly<{
  /** Expected, and did not happen then. */
  missing: readonly Expectation[];
  /** Happened, and was not expected then. */
  unexpected: readonly Happened[];
  happened: readonly Happened[];
}>;

/** Plays a scene and compares. */
export function tryScene(scene: Scene, contract: Contract): Outcome {
  const happened = play(scene, contract);
  const unexpected = [...happened];
  const missing = scene.expected.filter((expected) => {
    const place = unexpected.findIndex((each) => each.at === expected.at && each.rule === expected.rule && each.phase === expected.phase);
    if (place >= 0) unexpected.splice(place, 1);
    return place < 0;
  });
  return { missing, unexpected, happened };
}
