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

/** Plain JSON, by measurement and device; at most 64 channels. */
export type TrustState = Readonly<{ channels: Readonly<Record<string, Channel>>; pair: PairState; disagree?: true }>;

export const NO_CHANNELS: TrustState = { channels: {}, pair: EMPTY_PAIR };

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
  const key = `${arrived.measurement} ${arrived.device}`;
  const before = state.channels[key];
  if (before !== undefined && arrived.at < before.at - SAME_TIME) return outOfOrder(state, key, before, arrived);
  const told = before === undefined || arrived.at >= before.at ? arrived : { ...arrived, at: before.at };
  const { channel, changes } = onFlatness(before, told);
  const [kept, forgotten] = before === undefined ? withRoom(state.channels) : [state.channels, []];
  const followed: TrustState = { ...state, channels: { ...kept, [key]: channel } };
  const changed = before !== undefined && before.value !== told.value;
  if (channel.flat === true) return { state: followed, fact: false, at: told.at, changed, withdrawn: [told.measurement], changes: [...forgotten, ...changes] };
  const which = PAIR[told.measurement];
  if (which === undefined) return { state: followed, fact: true, at: told.at, changed, withdrawn: [], changes: [...forgotten, ...changes] };
  const pair = withPair(followed, which, told);
  return { ...pair, at: told.at, changed, changes: [...forgotten, ...changes, ...pair.changes] };
}

function onFlatness(before: Channel | undefined, { measurement, device, value, at }: Told): Readonly<{ channel: Channel; changes: readonly TrustChange[] }> {
  const { flat, ...rest } = before ?? { measurement, device };
  const limit = FLATLINE_LIMITS[measurement];
  if (limit === undefined) return { channel: { ...rest, at, value }, changes: [] };
  const run = followFlatline(before?.run, at, value, limit);
  const channel: Channel = { ...rest, at, value, run };
  if (!isFlat(run, limit)) return { channel, changes: flat === undefined ? [] : [flatChange(channel, 'cleared')] };
  return { channel: { ...channel, flat: true }, changes: flat === undefined ? [flatChange(channel, 'raised')] : [] };
}

function outOfOrder(state: TrustState, key: string, before: Channel, { at, now }: Told): Judged {
  const late = [...(before.late ?? []).filter((each) => now - each <= LATE_WITHIN), now].slice(-MOST_LATE);
  const disordered = late.length >= MOST_LATE;
  const channel: Channel = { ...before, late, ...(disordered ? { disordered } : {}) };
  const changes = disordered && before.disordered === undefined ? [orderChange(channel, 'raised')] : [];
  return { state: { ...state, channels: { ...state.channels, [key]: channel } }, fact: false, at, changed: false, withdrawn: [], changes };
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

/** The channels without the one that was silent for longest, when there is no room for another. */
function withRoom(channels: TrustState['channels']): readonly [TrustState['channels'], readonly TrustChange[]] {
  const all = Object.entries(channels);
  const oldest = all.length < MOST_CHANNELS ? undefined : all.reduce((a, b) => (b[1].at < a[1].at ? b : a));
  if (oldest === undefined) return [channels, []];
  return [Object.fromEntries(all.filter((each) => each !== oldest)), endOf(oldest[1])];
}

function endOf(channel: Channel): readonly TrustChange[] {
  return [...(channel.flat === true ? [flatChange(channel, 'cleared')] : []), ...(channel.disordered === true ? [orderChange(channel, 'cleared')] : [])];
}

/** What ends by itself: a channel that fell silent is not flat any more, and ten minutes of order are order. */
export function trustPasses(state: TrustState, now: Millis): Readonly<{ state: TrustState; changes: readonly TrustChange[] }> {
  const ended = Object.entries(state.channels).filter(([, channel]) => flatIsOver(channel, now) || orderIsBack(channel, now));
  const agree = state.disagree === true && !contradicts(state.pair, now, HEART_BESIDE_PULSE);
  if (ended.length === 0 && !agree) return { state, changes: [] };
  const { disagree: _, ...rest } = state;
  const after = Object.fromEntries(ended.map(([key, channel]) => [key, calmed(channel, now)]));
  const changes = ended.flatMap(([, channel]) => [...(flatIsOver(channel, now) ? [flatChange(channel, 'cleared')] : []), ...(orderIsBack(channel, now) ? [orderChange(channel, 'cleared')] : [])]);
  return {
    state: { ...(agree ? rest : state), channels: { ...state.channels, ...after } },
    changes: [...changes, ...(agree ? [pairChange(state.pair, 'cleared')] : [])],
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
