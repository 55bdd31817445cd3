import type { Notice } from '../decode/decoder.ts';
import type { DeviceClass, Expectations } from '../decode/profile.ts';
import { Millis, Minutes, type UnixMillis } from '../quantity.ts';
import type { DeviceId, Reading, Sequence } from '../reading.ts';
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
  /** Its last message, and whose connection brought it. */
  sequence: Sequence;
  connection: DeviceId;
  messages: number;
  readings: number;
  /** Messages of which at least a part went to quarantine. */
  quarantined: number;
  /** Usual time between two messages in ms. */
  every?: number;
  /** In percent, as it last said. */
  battery?: number;
  /** What was told of the battery; absent: nothing, or that it is good again. */
  batteryTold?: 'low' | 'empty';
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
  sequence: Sequence;
  connection: DeviceId;
  readings: readonly Reading[];
  quarantined: boolean;
  notices: readonly Notice[];
  expectations: Expectations;
  class: DeviceClass | undefined;
  clock: DeviceClock | undefined;
  ahead: Millis | undefined;
}>;

/** Fields that may be there, always in the same places: objects of one shape are fast. */
type Running<T> = { -readonly [K in keyof T]: T[K] | undefined };

/** Weight of the newest interval in the usual one. */
const WEIGHT = 1 / 16;
const usual = (every: number | undefined, interval: number): number => (every === undefined ? interval : every + (interval - every) * WEIGHT);

/** A status that is kept up to date in place: every message of a device passes here. */
export class RunningStatus {
  readonly #own: Running<Omit<DeviceStatus, 'channels'>> & Pick<DeviceStatus, 'lastSeen' | 'seen' | 'sequence' | 'connection' | 'notices'> & { messages: number; readings: number; quarantined: number };
  readonly #channels: Map<string, Running<ChannelStatus> & Pick<ChannelStatus, 'last' | 'since'>>;

  constructor(status: DeviceStatus) {
    const { channels, lastSeen, seen, sequence, connection, messages, readings, quarantined, every, battery, batteryTold, signal, class: deviceClass, clock, ahead, notices } = status;
    this.#own = { lastSeen, seen, sequence, connection, messages, readings, quarantined, every, battery, batteryTold, signal, class: deviceClass, clock, ahead, notices };
    this.#channels = new Map(Object.entries(channels).map(([name, { last, since, ...more }]) => [name, { last, since, every: more.every, expected: more.expected, silent: more.silent }]));
  }

  /** Before the first message. */
  static blank({ receivedAt, now, sequence, connection }: Sign): RunningStatus {
    return new RunningStatus({ lastSeen: receivedAt, seen: now, sequence, connection, messages: 0, readings: 0, quarantined: 0, notices: [], channels: {} });
  }

  get clock(): DeviceClock | undefined {
    return this.#own.clock;
  }

  get channels(): ReadonlyMap<string, Readonly<Running<ChannelStatus>> & Pick<ChannelStatus, 'last' | 'since'>> {
    return this.#channels;
  }

  /** Takes in a message. `onEnd` is told which silences it ended. */
  hear(sign: Sign, onEnd: (measurement: string, silentFor: Millis, allowed: Millis) => void): void {
    const own = this.#own;
    if (own.messages > 0) own.every = usual(own.every, sign.now - own.seen);
    own.lastSeen = sign.receivedAt;
    own.seen = sign.now;
    own.sequence = sign.sequence;
    own.connection = sign.connection;
    own.messages += 1;
    own.readings += sign.readings.length;
    if (sign.quarantined) own.quarantined += 1;
    own.notices = sign.notices;
    own.class = sign.class ?? own.class;
    own.clock = sign.clock ?? own.clock;
    own.ahead = sign.ahead ?? own.ahead;
    for (const reading of sign.readings) {
      this.#hearChannel(reading.measurement, sign, onEnd);
      if (typeof reading.value !== 'number') continue;
      if (reading.measurement === 'battery') own.battery = reading.value;
      else if (reading.measurement === 'signal') own.signal = reading.value;
    }
  }

  #hearChannel(measurement: string, { now, expectations }: Sign, onEnd: Parameters<RunningStatus['hear']>[1]): void {
    const channel = this.#channels.get(measurement);
    if (channel === undefined) {
      this.#channels.set(measurement, { last: now, since: now, every: undefined, expected: expectations[measurement]?.every, silent: undefined });
      return;
    }
    if (channel.silent === true) {
      onEnd(measurement, Millis(now - channel.last), allowedSilence(measurement, channel) ?? Millis(0));
      channel.silent = undefined;
      channel.every = undefined;
      channel.since = now;
    } else if (channel.last !== now) {
      // Values of one message are no interval.
      channel.every = usual(channel.every, now - channel.last);
    }
    channel.last = now;
    channel.expected = expectations[measurement]?.every;
  }

  /** Nobody listened for a while: every channel has all of its time again. */
  resume(now: Millis): void {
    this.#own.seen = now;
    for (const channel of this.#channels.values()) channel.last = now;
  }

  /** What is to be told of the battery now, if anything. */
  tellBattery(): Readonly<{ told: 'low' | 'empty' | 'good'; percent: number }> | undefined {
    const { battery, batteryTold } = this.#own;
    if (battery === undefined) return undefined;
    const told = batteryAfter(batteryTold, battery);
    if (told === batteryTold) return undefined;
    this.#own.batteryTold = told;
    return { told: told ?? 'good', percent: battery };
  }

  /** Nobody was told anything of it yet. */
  forgetTold(): void {
    this.#own.batteryTold = undefined;
    for (const channel of this.#channels.values()) channel.silent = undefined;
  }

  silence(measurement: string): void {
    const channel = this.#channels.get(measurement);
    if (channel !== undefined) channel.silent = true;
  }

  /** As it is now, and stays. */
  get status(): DeviceStatus {
    const channels = [...this.#channels].map(([name, channel]) => [name, withoutUndefined(channel)] as const);
    return { ...withoutUndefined(this.#own), channels: Object.fromEntries(channels) } as DeviceStatus;
  }
}

/** Choices of this project: nobody says how long a device lasts at them. It is good again once it was charged. */
export const LOW_BATTERY = 15;
export const EMPTY_BATTERY = 5;
const GOOD_BATTERY = 25;

function batteryAfter(told: DeviceStatus['batteryTold'], percent: number): DeviceStatus['batteryTold'] {
  if (percent <= EMPTY_BATTERY) return 'empty';
  if (told === 'empty' && percent < GOOD_BATTERY) return told;
  if (percent <= LOW_BATTERY) return 'low';
  return percent >= GOOD_BATTERY ? undefined : told;
}

const withoutUndefined = (fields: object): object => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** What is sent when something happens, or when a person measures: no interval of it is usual. */
const SPORADIC: ReadonlySet<string> = new Set([
  'motion', 'door', 'usage', 'fall', 'water_leak', 'smoke', 'steps', 'battery', 'signal', 'power', 'body_weight', 'glucose',
  'systolic_pressure', 'diastolic_pressure', 'mean_pressure', 'consciousness', 'oxygen_flow',
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
export function allowedSilence(measurement: string, { since, last, every, expected }: Readonly<Running<ChannelStatus>> & Pick<ChannelStatus, 'last' | 'since'>): Millis | undefined {
  if (expected !== undefined) return (MISSED_EXPECTED * expected) as Millis;
  if (every === undefined || SPORADIC.has(measurement) || last - since < KNOWN_AFTER) return undefined;
  return Math.max(SHORTEST_SILENCE, MISSED_USUAL * every) as Millis;
}
