import { Minutes, type Millis } from '../quantity.ts';
import type { Sequence } from '../reading.ts';
import { followActivity, unknownActivity, type Activity, type ActivityEvent, type ActivityState } from './activity.ts';
import { baselineAt, deviation, followBaseline, EMPTY_BASELINE, type Baseline, type BaselineState } from './baseline.ts';
import type { Condition } from './condition.ts';
import type { Facts } from './facts.ts';
import type { LocalHour } from './local-hour.ts';
import { followLocation, locationAt, EMPTY_LOCATION, type LocationState } from './location.ts';
import { lookBack, lookBackTrend, lookOn, NOTHING_YET, type LookBackState } from './look-back.ts';
import { DERIVED, type Part } from './vocabulary.ts';

/** What has to be remembered for a pack of conditions, and no more. */
export type Needs = Readonly<{ windows: Condition['windows']; baselines: readonly string[]; parts: readonly Part[] }>;

export function needsOf(conditions: readonly Condition[]): Needs {
  const windows = new Map(conditions.flatMap((each) => each.windows).map((each) => [windowName(each.measurement, each.window), each]));
  const parts = new Set(conditions.flatMap((each) => each.derived).flatMap((name) => DERIVED.get(name)?.part ?? []));
  return { windows: [...windows.values()], baselines: [...new Set(conditions.flatMap((each) => each.baselines))].toSorted(), parts: [...parts].toSorted() };
}

const windowNames = new Map<string, Map<Millis, string>>();

/** Made once for each: it is asked for with every value that comes. */
function windowName(measurement: string, window: Millis): string {
  let ofMeasurement = windowNames.get(measurement);
  if (ofMeasurement === undefined) {
    ofMeasurement = new Map();
    windowNames.set(measurement, ofMeasurement);
  }
  let name = ofMeasurement.get(window);
  if (name === undefined) {
    name = `${measurement} ${window}`;
    ofMeasurement.set(window, name);
  }
  return name;
}

/** The newest value of a channel, when it was measured (steady), and the journal frame that brought it. */
type Latest = Readonly<{ value: number; at: Millis; frame: Sequence }>;

/** What is remembered of one patient or room. Plain JSON, bounded by the needs of the pack. */
export type SubjectState = Readonly<{
  latest: Readonly<Record<string, Latest>>;
  windows: Readonly<Record<string, LookBackState>>;
  baselines: Readonly<Record<string, BaselineState>>;
  activity?: ActivityState;
  location: LocationState;
}>;

export const NOBODY_KNOWN: SubjectState = { latest: {}, windows: {}, baselines: {}, location: EMPTY_LOCATION };

/** A value is worth something for so long, unless a rule says otherwise. A choice of this project. */
const FRESH_FOR = Minutes(5);
/** What somebody measures now and then, or what only tells of changes, stands longer. Choices of this project. */
const FRESH_LONGER: ReadonlyMap<string, Millis> = new Map([
  ['body_temperature', Minutes(60)], ['systolic_pressure', Minutes(60)], ['diastolic_pressure', Minutes(60)], ['mean_pressure', Minutes(60)], ['respiratory_rate', Minutes(15)],
  ['consciousness', Minutes(6 * 60)], ['oxygen_flow', Minutes(12 * 60)], ['fall', Minutes(60)], ['body_weight', Minutes(24 * 60)], ['glucose', Minutes(60)], ['battery', Minutes(24 * 60)], ['room_temperature', Minutes(60)], ['humidity', Minutes(60)], ['co2', Minutes(60)],
  ['motion', Minutes(60)], ['door', Minutes(24 * 60)], ['usage', Minutes(24 * 60)], ['water_leak', Minutes(24 * 60)], ['smoke', Minutes(24 * 60)],
]);

/** When something was measured: steady time for intervals, the local hour for habits (absent while the clock cannot be believed). */
export type When = Readonly<{ at: Millis; local?: LocalHour | undefined }>;

/** How many steps or degrees a person must differ by before it is called a difference (baseline.ts), as a part of what is usual. */
const LEAST_SPREAD = 0.02;

/** Of whose sensor a value is, when it is about a room the person may be in. */
export type Place = Readonly<{
  room: string;
  /** Whether its door leads out of the home. */
  outer: boolean;
  /** Whether this sensor said something else before. One that repeats itself says nothing new. */
  changed: boolean;
}>;

/** The state with one more value. Readings that bear a doubt MUST NOT come here. */
export function takeValue(state: SubjectState, { measurement, value, frame }: Readonly<{ measurement: string; value: number; frame: Sequence }>, when: When, needs: Needs, place?: Place): SubjectState {
  const { at, local } = when;
  const before = state.latest[measurement];
  const isNewest = before === undefined || at >= before.at;
  const activity = activityAfter(state.activity, measurement, value, when);
  const after = {
    latest: isNewest ? { ...state.latest, [measurement]: { value, at, frame } } : state.latest,
    windows: windowsAfter(state.windows, needs, measurement, value, at),
    baselines: local !== undefined && needs.baselines.includes(measurement)
      ? { ...state.baselines, [measurement]: followBaseline(state.baselines[measurement] ?? EMPTY_BASELINE, local, value) }
      : state.baselines,
    location: place === undefined || !isNewest ? state.location : locationAfter(state.location, measurement, value, at, place),
  };
  return activity === undefined ? after : { ...after, activity };
}

/** The state without what is known of some measurements now. What was kept of their past stays. */
export function withoutValues(state: SubjectState, measurements: readonly string[]): SubjectState {
  if (!measurements.some((each) => each in state.latest)) return state;
  return { ...state, latest: Object.fromEntries(Object.entries(state.latest).filter(([name]) => !measurements.includes(name))) };
}

function windowsAfter(windows: SubjectState['windows'], needs: Needs, measurement: string, value: number, at: Millis): SubjectState['windows'] {
  let after: Record<string, LookBackState> | undefined;
  for (const wanted of needs.windows) {
    if (wanted.measurement !== measurement) continue;
    const name = windowName(measurement, wanted.window);
    after ??= { ...windows };
    after[name] = lookOn(after[name] ?? NOTHING_YET, at, value, wanted.window);
  }
  return after ?? windows;
}

function activityAfter(activity: ActivityState | undefined, measurement: string, value: number, { at, local }: When): ActivityState | undefined {
  if (measurement !== 'steps' && measurement !== 'motion' && measurement !== 'usage') {
    return activity === undefined ? undefined : followActivity(activity, timeGoesOn({ at, local }));
  }
  const before = activity ?? unknownActivity(at);
  const hour = local === undefined ? {} : { hour: local.hour };
  if (measurement === 'steps') return followActivity(before, { at, ...hour, kind: 'steps', count: value });
  if (measurement === 'motion') return followActivity(before, { at, ...hour, kind: 'motion', on: value > 0 });
  return followActivity(before, { at, ...hour, kind: 'bed', occupied: value > 0 });
}

const timeGoesOn = ({ at, local }: When): ActivityEvent => (local === undefined ? { at, kind: 'time' } : { at, hour: local.hour, kind: 'time' });

function locationAfter(location: LocationState, measurement: string, value: number, at: Millis, { room, outer, changed }: Place): LocationState {
  if (measurement === 'motion') return followLocation(location, { at, kind: 'motion', room, on: value > 0 });
  if (measurement === 'usage') return followLocation(location, { at, kind: 'bed', room, occupied: value > 0 });
  if (measurement !== 'door' || !changed) return location;
  return followLocation(location, outer ? { at, kind: 'outer_door' } : { at, kind: 'inner_door', room });
}

/** Answers what names of vocabulary.ts stand for (clinical.ts). */
export type Derived = Readonly<{ valueOf: (name: string, facts: Facts) => number | boolean | string | undefined }>;

/**
 * What is known `now`, for conditions; everything is worked out when somebody asks. `derived`: the names of vocabulary.ts.
 * `youngerThan`: what is older does not count, however long its measurement usually stands.
 */
export function factsOf(state: SubjectState, when: When, derived?: Derived, youngerThan?: Millis): Facts {
  return new SubjectFacts(state, when, derived, youngerThan);
}

/** A class, because one is made for every value that comes: a dozen closures each time would be most of the work. */
class SubjectFacts implements Facts {
  readonly #state: SubjectState;
  readonly #when: When;
  readonly #derived: Derived | undefined;
  readonly #youngerThan: Millis | undefined;
  #activity: Activity | undefined;

  constructor(state: SubjectState, when: When, derived: Derived | undefined, youngerThan: Millis | undefined) {
    this.#state = state;
    this.#when = when;
    this.#derived = derived;
    this.#youngerThan = youngerThan;
  }

  get activity(): Activity {
    return (this.#activity ??= this.#state.activity === undefined ? 'unknown' : followActivity(this.#state.activity, timeGoesOn(this.#when)).activity);
  }

  get room(): string | undefined {
    const place = locationAt(this.#state.location, this.#when.at);
    return place.kind === 'room' ? place.room : undefined;
  }

  get hour(): number | undefined {
    const { local } = this.#when;
    return local === undefined ? undefined : local.hour + local.past / 60;
  }

  value(measurement: string): number | undefined {
    const found = this.#state.latest[measurement];
    return found === undefined || this.#when.at - found.at > (this.#youngerThan ?? freshness(measurement)) ? undefined : found.value;
  }

  derived(name: string): number | boolean | string | undefined {
    return this.#derived?.valueOf(name, this);
  }

  mean(measurement: string, window: Millis): number | undefined {
    return this.#looked(measurement, window)?.mean;
  }

  lowest(measurement: string, window: Millis): number | undefined {
    return this.#looked(measurement, window)?.lowest;
  }

  highest(measurement: string, window: Millis): number | undefined {
    return this.#looked(measurement, window)?.highest;
  }

  slope(measurement: string, window: Millis): number | undefined {
    return lookBackTrend(this.#window(measurement, window), this.#when.at, window)?.perHour;
  }

  usual(measurement: string): number | undefined {
    return this.#baseline(measurement)?.median;
  }

  deviation(measurement: string): number | undefined {
    const [known, value] = [this.#baseline(measurement), this.value(measurement)];
    return known === undefined || value === undefined ? undefined : deviation(known, value, Math.max(Math.abs(known.median) * LEAST_SPREAD, Number.MIN_VALUE));
  }

  minutesSince(measurement: string): number | undefined {
    const found = this.#state.latest[measurement];
    return found === undefined ? undefined : (this.#when.at - found.at) / Minutes(1);
  }

  within(age: Millis): Facts {
    return new SubjectFacts(this.#state, this.#when, this.#derived, age);
  }

  #window(measurement: string, window: Millis): LookBackState {
    return this.#state.windows[windowName(measurement, window)] ?? NOTHING_YET;
  }

  #looked(measurement: string, window: Millis): ReturnType<typeof lookBack> {
    return lookBack(this.#window(measurement, window), this.#when.at, window);
  }

  #baseline(measurement: string): Baseline | undefined {
    const { local } = this.#when;
    return local === undefined ? undefined : usualHour(this.#state, measurement, local);
  }
}

/** What a measurement usually is at an hour of the day; undefined where no rule follows it, or for not long enough. */
export const usualHour = ({ baselines }: SubjectState, measurement: string, local: LocalHour): Baseline | undefined => baselineAt(baselines[measurement] ?? EMPTY_BASELINE, local);

const freshness = (measurement: string): Millis => FRESH_LONGER.get(measurement) ?? FRESH_FOR;
