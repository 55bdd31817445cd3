import type { Notice } from '../decode/decoder.ts';
import type { DeviceClass, Expectations } from '../decode/profile.ts';
import { Minutes, type Millis, type UnixMillis } from '../quantity.ts';
import type { Reading } from '../reading.ts';
import type { DeviceClock } from './device-clock.ts';

/** How one measurement of a device comes in. Instants are steady time (steady-time.ts). */
export type ChannelStatus = Readonly<{
  /** When the last value came. */
  last: Millis;
  /** Since when values have come without a gap. */
  since: Millis;
  /** Usual time between two values in ms; absent before the second. */
  every?: number;
  /** What its profile expects instead. */
  expected?: Millis;
  /** Nothing has come for so long that it was said. */
  silent?: true;
}>;

/** What is known about a device beside what it measures. JSON. */
export type DeviceStatus = Readonly<{
  /** Gateway wall clock. */
  lastSeen: UnixMillis;
  /** The same in steady time. */
  seen: Millis;
  messages: number;
  readings: number;
  /** Messages of which at least a part went to quarantine. */
  quarantined: number;
  /** Usual time between two messages in ms. */
  every?: number;
  /** In percent, as it last said. */
  battery?: number;
  /** As it last said; higher is better. */
  signal?: number;
  class?: DeviceClass;
  clock?: DeviceClock;
  /** How far its clock was ahead of the gateway's, in ms. */
  ahead?: Millis;
  /** What its last message said of itself. */
  notices: readonly Notice[];
  channels: Readonly<Record<string, ChannelStatus>>;
}>;

/** One message, as far as it is about the device. */
export type Sign = Readonly<{
  receivedAt: UnixMillis;
  now: Millis;
  readings: readonly Reading[];
  quarantined: boolean;
  notices: readonly Notice[];
  expectations: Expectations;
  class?: DeviceClass;
  clock?: DeviceClock;
  ahead?: Millis;
}>;

const NEW: Omit<DeviceStatus, 'lastSeen' | 'seen'> = { messages: 0, readings: 0, quarantined: 0, notices: [], channels: {} };
/** Weight of the newest interval in the usual one. */
const WEIGHT = 1 / 16;

/** The status after a message. */
export function afterMessage(status: DeviceStatus | undefined, sign: Sign): DeviceStatus {
  const before = status ?? { ...NEW, lastSeen: sign.receivedAt, seen: sign.now };
  const { battery = before.battery, signal = before.signal } = ofItself(sign.readings);
  const every = status === undefined ? undefined : usual(before.every, sign.now - before.seen);
  const { clock = before.clock, ahead = before.ahead, class: deviceClass = before.class } = sign;
  return {
    lastSeen: sign.receivedAt,
    seen: sign.now,
    messages: before.messages + 1,
    readings: before.readings + sign.readings.length,
    quarantined: before.quarantined + (sign.quarantined ? 1 : 0),
    notices: sign.notices,
    channels: channelsAfter(before.channels, sign),
    ...(every === undefined ? {} : { every }),
    ...(battery === undefined ? {} : { battery }),
    ...(signal === undefined ? {} : { signal }),
    ...(deviceClass === undefined ? {} : { class: deviceClass }),
    ...(clock === undefined ? {} : { clock }),
    ...(ahead === undefined ? {} : { ahead }),
  };
}

const usual = (every: number | undefined, interval: number): number => (every === undefined ? interval : every + (interval - every) * WEIGHT);

function ofItself(readings: readonly Reading[]): Pick<DeviceStatus, 'battery' | 'signal'> {
  const of = (name: string): number | undefined => {
    const value = readings.findLast(({ measurement }) => measurement === name)?.value;
    return typeof value === 'number' ? value : undefined;
  };
  const [battery, signal] = [of('battery'), of('signal')];
  return { ...(battery === undefined ? {} : { battery }), ...(signal === undefined ? {} : { signal }) };
}

function channelsAfter(channels: DeviceStatus['channels'], { readings, now, expectations }: Sign): DeviceStatus['channels'] {
  if (readings.length === 0) return channels;
  const after: Record<string, ChannelStatus> = { ...channels };
  for (const { measurement } of readings) {
    const before = after[measurement];
    // Values of one message are no interval.
    if (before?.last === now) continue;
    const expected = expectations[measurement]?.every;
    after[measurement] = { ...channelAfter(before, now), ...(expected === undefined ? {} : { expected }) };
  }
  return after;
}

function channelAfter(before: ChannelStatus | undefined, now: Millis): ChannelStatus {
  if (before === undefined || before.silent === true) return { last: now, since: now };
  return { last: now, since: before.since, every: usual(before.every, now - before.last) };
}

/** What is sent when something happens, or when a person measures: no interval of it is usual. */
const SPORADIC: ReadonlySet<string> = new Set([
  'motion', 'door', 'usage', 'water_leak', 'smoke', 'steps', 'battery', 'signal', 'power', 'body_weight', 'glucose',
  'systolic_pressure', 'diastolic_pressure', 'mean_pressure',
]);
/** Somebody who measures for a few minutes and puts the device away is not missing. */
const KNOWN_AFTER = Minutes(30);
const MISSED_USUAL = 10;
const MISSED_EXPECTED = 3;
const SHORTEST_SILENCE = Minutes(5);

/**
 * How long a channel may say nothing before its values are missing; undefined when it may for ever. Three times what its profile
 * expects; without a profile ten times what is usual, five minutes at least, once values came for half an hour.
 */
export function allowedSilence(measurement: string, { since, last, every, expected }: ChannelStatus): Millis | undefined {
  if (expected !== undefined) return (MISSED_EXPECTED * expected) as Millis;
  if (every === undefined || SPORADIC.has(measurement) || last - since < KNOWN_AFTER) return undefined;
  return Math.max(SHORTEST_SILENCE, MISSED_USUAL * every) as Millis;
}
