/**
 * Whether the values of one sensor can be facts: what one device measures of one thing is a channel. A channel that shows the
 * very same for too long, two that contradict each other, and values that come in the wrong order are technical conditions
 * (IEC 60601-1-8); nothing physiological rests on them.
 */

import { MEASUREMENTS } from '../decode/measurements.ts';
import { Minutes, Seconds, formatDuration, type Millis } from '../quantity.ts';
import { contradicts, EMPTY_PAIR, followPair, HEART_BESIDE_PULSE, type PairState } from './contradiction.ts';
import type { KnownValue, Phase } from './finding.ts';
import { FLATLINE_LIMITS, followFlatline, isFlat, type FlatlineState } from './flatline.ts';

/** So many values out of order within this time are a condition, until there was none for as long. Choices of this project. */
const MOST_LATE = 3;
const LATE_WITHIN = Minutes(10);
/** A device's clock is known no better, because messages are longer or shorter on their way: within it, the order of arrival counts. */
const SAME_TIME = Seconds(1);
/** More sensors than any bed has: then the one that was silent for longest is forgotten. */
const MOST_CHANNELS = 64;

type Channel = Readonly<{
  measurement: string;
  device: string;
  /** The newest value and when it was measured (steady). */
  at: Millis;
  value: number;
  run?: FlatlineState;
  /** Found to be flat. */
  flat?: true;
  /** When the last values that were out of order came, at most three. */
  late?: readonly Millis[];
  /** Found to be out of order. */
  disordered?: true;
}>;

/** Plain JSON; at most 64 channels, in the order in which they were first heard. A list: names of devices as keys of an object cost more than all the rest. */
export type TrustState = Readonly<{ channels: readonly Channel[]; pair: PairState; disagree?: true }>;

export const NO_CHANNELS: TrustState = { channels: [], pair: EMPTY_PAIR };

/** A technical condition that began or ended. */
export type TrustChange = Readonly<{ key: string; phase: Phase; message: string; condition: string; values: readonly KnownValue[] }>;

export type Judged = Readonly<{
  state: TrustState;
  /** Whether the value may be a fact. */
  fact: boolean;
  /** When it was measured (steady); among the values of one channel that are facts it never goes back. */
  at: Millis;
  /** Whether the channel said something else before. */
  changed: boolean;
  /** Measurements of which the last values are no facts any more. */
  withdrawn: readonly string[];
  changes: readonly TrustChange[];
}>;

/** `at`: when it was measured, `now`: when it came; both steady. */
export type Told = Readonly<{ measurement: string; device: string; value: number; at: Millis; now: Millis }>;

const DISAGREE = 'disagree heart_rate pulse_rate';
const PAIR: Readonly<Record<string, 'first' | 'second'>> = { heart_rate: 'first', pulse_rate: 'second' };

/** Judges a value that bears no doubt of its own. */
export function judge(state: TrustState, arrived: Told): Judged {
  const place = placeOf(state.channels, arrived);
  const before = state.channels[place];
  if (before !== undefined && arrived.at < before.at - SAME_TIME) return outOfOrder(state, place, before, arrived);
  const told = before === undefined || arrived.at >= before.at ? arrived : { ...arrived, at: before.at };
  const { channel, changes } = onFlatness(before, told);
  const [channels, forgotten] = before === undefined ? withRoom(state.channels, channel) : [state.channels.with(place, channel), NO_CHANGES];
  const followed: TrustState = { ...state, channels };
  const changed = before !== undefined && before.value !== told.value;
  if (channel.flat === true) return { state: followed, fact: false, at: told.at, changed, withdrawn: [told.measurement], changes: joined(forgotten, changes) };
  const which = PAIR[told.measurement];
  if (which === undefined) return { state: followed, fact: true, at: told.at, changed, withdrawn: NOTHING, changes: joined(forgotten, changes) };
  const pair = withPair(followed, which, told);
  return { ...pair, at: told.at, changed, changes: joined(joined(forgotten, changes), pair.changes) };
}

/** −1 for one that was never heard. */
function placeOf(channels: TrustState['channels'], { measurement, device }: Told): number {
  for (let place = 0; place < channels.length; place++) {
    const channel = channels[place] as Channel;
    if (channel.measurement === measurement && channel.device === device) return place;
  }
  return -1;
}

const NO_CHANGES: readonly TrustChange[] = [];
const NOTHING: readonly string[] = [];
const joined = (a: readonly TrustChange[], b: readonly TrustChange[]): readonly TrustChange[] => (a.length === 0 ? b : b.length === 0 ? a : [...a, ...b]);

function onFlatness(before: Channel | undefined, { measurement, device, value, at }: Told): Readonly<{ channel: Channel; changes: readonly TrustChange[] }> {
  const limit = FLATLINE_LIMITS[measurement];
  const run = limit === undefined ? undefined : followFlatline(before?.run, at, value, limit);
  const followed = run === undefined ? { measurement, device, at, value } : { measurement, device, at, value, run };
  const kept = before?.late === undefined ? followed : { ...followed, late: before.late };
  const channel: Channel = before?.disordered === undefined ? kept : { ...kept, disordered: true };
  if (limit === undefined || run === undefined) return { channel, changes: NO_CHANGES };
  const wasFlat = before?.flat === true;
  if (!isFlat(run, limit)) return { channel, changes: wasFlat ? [flatChange(channel, 'cleared')] : NO_CHANGES };
  return { channel: { ...channel, flat: true }, changes: wasFlat ? NO_CHANGES : [flatChange(channel, 'raised')] };
}

function outOfOrder(state: TrustState, place: number, before: Channel, { at, now }: Told): Judged {
  const late = [...(before.late ?? []).filter((each) => now - each <= LATE_WITHIN), now].slice(-MOST_LATE);
  const disordered = late.length >= MOST_LATE;
  const channel: Channel = { ...before, late, ...(disordered ? { disordered } : {}) };
  const changes = disordered && before.disordered === undefined ? [orderChange(channel, 'raised')] : NO_CHANGES;
  return { state: { ...state, channels: state.channels.with(place, channel) }, fact: false, at, changed: false, withdrawn: NOTHING, changes };
}

function withPair(state: TrustState, which: 'first' | 'second', { value, at }: Told): Omit<Judged, 'at' | 'changed'> {
  const pair = followPair(state.pair, which, value, at, HEART_BESIDE_PULSE);
  const { disagree, ...rest } = state;
  const disagrees = contradicts(pair, at, HEART_BESIDE_PULSE);
  const phase = disagrees === (disagree === true) ? undefined : disagrees ? 'raised' : 'cleared';
  return {
    state: { ...rest, pair, ...(disagrees ? { disagree: true } : {}) },
    fact: !disagrees,
    withdrawn: disagrees ? Object.keys(PAIR) : [],
    changes: phase === undefined ? [] : [pairChange(pair, phase)],
  };
}

/** The channels with a new one, and without the one that was silent for longest when there is no room for both. */
function withRoom(channels: TrustState['channels'], added: Channel): readonly [TrustState['channels'], readonly TrustChange[]] {
  const oldest = channels.length < MOST_CHANNELS ? undefined : channels.reduce((a, b) => (b.at < a.at ? b : a));
  if (oldest === undefined) return [[...channels, added], NO_CHANGES];
  return [[...channels.filter((each) => each !== oldest), added], endOf(oldest)];
}

function endOf(channel: Channel): readonly TrustChange[] {
  return [...(channel.flat === true ? [flatChange(channel, 'cleared')] : []), ...(channel.disordered === true ? [orderChange(channel, 'cleared')] : [])];
}

/** What ends by itself: a channel that fell silent is not flat any more, and ten minutes of order are order. */
export function trustPasses(state: TrustState, now: Millis): Readonly<{ state: TrustState; changes: readonly TrustChange[] }> {
  const ended = state.channels.some((channel) => flatIsOver(channel, now) || orderIsBack(channel, now));
  const agree = state.disagree === true && !contradicts(state.pair, now, HEART_BESIDE_PULSE);
  if (!ended && !agree) return { state, changes: NO_CHANGES };
  const { disagree: _, ...rest } = state;
  const changes = state.channels.flatMap((channel) => [...(flatIsOver(channel, now) ? [flatChange(channel, 'cleared')] : []), ...(orderIsBack(channel, now) ? [orderChange(channel, 'cleared')] : [])]);
  return {
    state: { ...(agree ? rest : state), channels: state.channels.map((channel) => calmed(channel, now)) },
    changes: joined(changes, agree ? [pairChange(state.pair, 'cleared')] : NO_CHANGES),
  };
}

const flatIsOver = ({ flat, measurement, at }: Channel, now: Millis): boolean => flat === true && now - at > (FLATLINE_LIMITS[measurement]?.lasting ?? 0);
const orderIsBack = ({ disordered, late }: Channel, now: Millis): boolean => disordered === true && now - (late?.at(-1) ?? 0) >= LATE_WITHIN;

function calmed(channel: Channel, now: Millis): Channel {
  const { flat: _, run: __, ...moving } = channel;
  const after = flatIsOver(channel, now) ? moving : channel;
  const { disordered: ___, late: ____, ...ordered } = after;
  return orderIsBack(channel, now) ? ordered : after;
}

const unitOf = (measurement: string): string => MEASUREMENTS.get(measurement)?.unit ?? '1';
const inWords = (measurement: string): string => measurement.replaceAll('_', ' ');
const shown = (measurement: string, value: number): KnownValue => ({ measurement, value, unit: unitOf(measurement) });

function flatChange({ measurement, device, value, run }: Channel, phase: Phase): TrustChange {
  const limit = FLATLINE_LIMITS[measurement];
  const lasting = formatDuration(run === undefined ? (limit?.lasting ?? Minutes(0)) : ((run.last - run.since) as Millis));
  const message = phase === 'raised'
    ? `${inWords(measurement)} of ${device} has not moved for ${lasting}: sensor stuck or not in place? No alarm rests on it until it moves`
    : `${inWords(measurement)} of ${device} is no longer without movement`;
  return { key: `flat ${measurement} ${device}`, phase, message, condition: `no change of ${limit?.resolution ?? 0} in ${formatDuration(limit?.lasting ?? Minutes(0))}`, values: [shown(measurement, value)] };
}

function orderChange({ measurement, device, value }: Channel, phase: Phase): TrustChange {
  const message = phase === 'raised'
    ? `${inWords(measurement)} of ${device} comes out of order: no alarm rests on such values`
    : `${inWords(measurement)} of ${device} comes in order again`;
  return { key: `out-of-order ${measurement} ${device}`, phase, message, condition: `${MOST_LATE} values older than one before within ${formatDuration(LATE_WITHIN)}`, values: [shown(measurement, value)] };
}

function pairChange({ first, second }: PairState, phase: Phase): TrustChange {
  const [heart, pulse] = [first?.value, second?.value];
  const values = [...(heart === undefined ? [] : [shown('heart_rate', heart)]), ...(pulse === undefined ? [] : [shown('pulse_rate', pulse)])];
  const message = phase === 'raised'
    ? `heart rate ${Math.round(heart ?? 0)} /min and pulse rate ${Math.round(pulse ?? 0)} /min contradict each other: no alarm rests on either. Check both sensors and feel the pulse`
    : 'heart rate and pulse rate do not contradict each other any more';
  const { apart, lasting } = HEART_BESIDE_PULSE;
  return { key: DISAGREE, phase, message, condition: `more than ${apart} /min apart for ${formatDuration(lasting)}`, values };
}
