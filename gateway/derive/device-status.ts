import type { Notice } from '../decode/decoder.ts';
import type { DeviceClass, Expectations } from '../decode/profile.ts';
import { Millis, type UnixMillis } from '../quantity.ts';
import type { DeviceId, Reading, Sequence } from '../reading.ts';
import { batteryAfter, isCharging, type BatteryTold } from './battery.ts';
import type { DeviceClock } from './device-clock.ts';
import { allowedRest, allowedSilence, isOfItself, type Rest, type Silence } from './silence.ts';

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
  /** Nothing has come for too long. */
  silent?: true;
  /** That was said of this channel by itself: its device spoke without it. */
  told?: true;
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
  batteryTold?: BatteryTold;
  /** As it last said; higher is better. */
  signal?: number;
  class?: DeviceClass;
  clock?: DeviceClock;
  /** How far its clock was ahead of the gateway's, in ms. */
  ahead?: Millis;
  /** What its last message said of itself. */
  notices: readonly Notice[];
  channels: Readonly<Record<string, ChannelStatus>>;
  /** When it last measured anything, in steady time. */
  measured?: Millis;
  /** Why it measures nothing, as far as it told. */
  rest?: Rest;
  /** The lowest charge it told of since it measures nothing, in percent. */
  lowest?: number;
  /** No channel has come for so long that it was said, once for all of them. */
  silent?: true;
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

/** One channel, as it is kept up to date. */
type Channel = Running<ChannelStatus> & Pick<ChannelStatus, 'last' | 'since'>;
/** A channel that can be missed. */
type Watched = Readonly<{ measurement: string; channel: Channel; allowed: Millis }>;
type OnEnd = (silence: Silence) => void;

/** A status that is kept up to date in place: every message of a device passes here. */
export class RunningStatus {
  readonly #own: Running<Omit<DeviceStatus, 'channels'>> & Pick<DeviceStatus, 'lastSeen' | 'seen' | 'sequence' | 'connection' | 'notices'> & { messages: number; readings: number; quarantined: number };
  readonly #channels: Map<string, Channel>;
  /** {@link silentAt} as of the last look, while nothing happened since. */
  #settled: Readonly<{ silentAt: Millis | undefined }> | undefined;

  constructor(status: DeviceStatus) {
    const { channels, lastSeen, seen, sequence, connection, messages, readings, quarantined, every, battery, batteryTold, signal, class: deviceClass, clock, ahead, notices, measured, rest, lowest, silent } = status;
    this.#own = { lastSeen, seen, sequence, connection, messages, readings, quarantined, every, battery, batteryTold, signal, class: deviceClass, clock, ahead, notices, measured, rest, lowest, silent };
    this.#channels = new Map(Object.entries(channels).map(([name, { last, since, ...more }]) => [name, { last, since, every: more.every, expected: more.expected, silent: more.silent, told: more.told }]));
  }

  /** Before the first message. */
  static blank({ receivedAt, now, sequence, connection }: Sign): RunningStatus {
    return new RunningStatus({ lastSeen: receivedAt, seen: now, sequence, connection, messages: 0, readings: 0, quarantined: 0, notices: [], channels: {} });
  }

  get clock(): DeviceClock | undefined {
    return this.#own.clock;
  }

  /** Takes in a message. `onEnd` is told which silences it ended. */
  hear(sign: Sign, onEnd: OnEnd): void {
    const own = this.#own;
    const { battery } = own;
    this.#settled = undefined;
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
    const measures = sign.readings.some(({ measurement }) => !isOfItself(measurement));
    const isBack = measures && this.#measure(sign.now, onEnd);
    for (const reading of sign.readings) {
      this.#hearChannel(reading.measurement, sign, isBack, onEnd);
      if (typeof reading.value !== 'number') continue;
      if (reading.measurement === 'battery') own.battery = reading.value;
      else if (reading.measurement === 'signal') own.signal = reading.value;
    }
    // What else it is waited for has all of its time again.
    if (isBack) for (const channel of this.#channels.values()) channel.last = sign.now;
    this.#noteRest(sign.notices, measures, battery);
  }

  /** It measures something. Whether it did not for so long that it would have been missed. */
  #measure(now: Millis, onEnd: OnEnd): boolean {
    const own = this.#own;
    const was = own.measured ?? now;
    const isBack = own.silent === true || (own.rest !== undefined && now - was >= (this.#patience(this.#watched, undefined) ?? Infinity));
    if (own.silent === true) onEnd(this.#silenceOfAll('cleared', now));
    own.silent = undefined;
    own.measured = now;
    return isBack;
  }

  #hearChannel(measurement: string, { now, expectations }: Sign, isBack: boolean, onEnd: OnEnd): void {
    const channel = this.#channels.get(measurement);
    if (channel === undefined) {
      this.#channels.set(measurement, { last: now, since: now, every: undefined, expected: expectations[measurement]?.every, silent: undefined, told: undefined });
      return;
    }
    const allowed = this.#allowed(measurement, channel) ?? Millis(0);
    const isLate = now - channel.last >= allowed;
    if (channel.told === true) onEnd(silenceOf('cleared', { measurement, channel, allowed }, now));
    if (channel.silent === true && isLate) {
      channel.every = undefined;
      channel.since = now;
    } else if (channel.last !== now && !(isBack && isLate)) {
      // Values of one message are no interval, nor is a rest.
      channel.every = usual(channel.every, now - channel.last);
    }
    channel.silent = undefined;
    channel.told = undefined;
    channel.last = now;
    channel.expected = expectations[measurement]?.every;
  }

  /** `charge`: what it had before this message, in percent. */
  #noteRest(notices: readonly Notice[], measures: boolean, charge: number | undefined): void {
    const own = this.#own;
    if (notices.includes('sensor_off')) own.rest = 'taken_off';
    else if (measures) own.rest = undefined;
    if (measures) own.lowest = undefined;
    else if (own.battery !== undefined) own.lowest = Math.min(own.lowest ?? charge ?? own.battery, own.battery);
    if (own.battery !== undefined && own.lowest !== undefined && isCharging(own.battery, own.lowest)) own.rest ??= 'charging';
  }

  /** Nobody listened for a while: every channel has all of its time again. */
  resume(now: Millis): void {
    this.#settled = undefined;
    this.#own.seen = now;
    if (this.#own.measured !== undefined) this.#own.measured = now;
    for (const channel of this.#channels.values()) channel.last = now;
  }

  #allowed(measurement: string, channel: Channel): Millis | undefined {
    return allowedSilence(measurement, channel, this.#own.class);
  }

  get #watched(): readonly Watched[] {
    return [...this.#channels].flatMap(([measurement, channel]): Watched[] => {
      const allowed = this.#allowed(measurement, channel);
      return allowed === undefined ? [] : [{ measurement, channel, allowed }];
    });
  }

  /** For how long nothing at all may come: as long as for the channel that is missed first, of those that still spoke. */
  #patience(watched: readonly Watched[], rest: Rest | undefined): Millis | undefined {
    const speaking = watched.filter(({ channel }) => channel.silent !== true);
    const asked = speaking.length > 0 ? speaking : watched.filter(({ channel }) => channel.told !== true);
    if (asked.length === 0) return undefined;
    return Millis(Math.min(...asked.map(({ measurement, channel, allowed }) => allowedRest(measurement, channel, this.#own.class, rest) ?? allowed)));
  }

  /** When nothing will have come for too long unless something does; undefined: never, or it was said. */
  get silentAt(): Millis | undefined {
    return this.#settled === undefined ? this.#dueAt() : this.#settled.silentAt;
  }

  #dueAt(): Millis | undefined {
    const { silent, measured, rest } = this.#own;
    const patience = silent === true || measured === undefined ? undefined : this.#patience(this.#watched, rest);
    return patience === undefined ? undefined : Millis((measured ?? 0) + patience);
  }

  /**
   * The silences that begin by `now`. A device that measures nothing is silent as a whole, and no channel of it by itself; a channel
   * is when its device goes on without it after its time is over, which takes a message.
   */
  takeSilences(now: Millis): readonly Silence[] {
    const due = this.silentAt;
    const isDue = due !== undefined && due <= now;
    if (!isDue && this.#settled !== undefined) return [];
    const begun = isDue ? this.#fallSilent(now) : this.#missAlone(now);
    this.#settled = { silentAt: this.#dueAt() };
    return begun;
  }

  #fallSilent(now: Millis): readonly Silence[] {
    const begun = this.#silenceOfAll('raised', now);
    const watched = this.#watched;
    const told = watched.filter(({ channel }) => channel.told === true).map((each) => silenceOf('cleared', each, now));
    for (const { channel } of watched) {
      channel.silent = true;
      channel.told = undefined;
    }
    this.#own.silent = true;
    return [begun, ...told];
  }

  #missAlone(now: Millis): readonly Silence[] {
    const { silent, measured } = this.#own;
    if (silent === true || measured === undefined) return [];
    const missed = this.#watched.filter(({ channel, allowed }) => channel.told !== true && channel.last + allowed <= Math.min(now, measured));
    for (const { channel } of missed) {
      channel.silent = true;
      channel.told = true;
    }
    return missed.map((each) => silenceOf('raised', each, now));
  }

  #silenceOfAll(phase: Silence['phase'], now: Millis): Silence {
    const watched = this.#watched;
    const missed = watched.map(({ measurement, channel }) => ({ measurement, silentFor: Millis(now - channel.last) })).sort((a, b) => (a.measurement < b.measurement ? -1 : 1));
    return { phase, silentFor: Millis(now - (this.#own.measured ?? now)), allowed: this.#patience(watched, this.#own.rest) ?? Millis(0), missed };
  }

  /** What is to be told of the battery now, if anything. */
  tellBattery(): Readonly<{ told: BatteryTold | 'good'; percent: number }> | undefined {
    const { battery, batteryTold } = this.#own;
    if (battery === undefined) return undefined;
    const told = batteryAfter(batteryTold, battery);
    if (told === batteryTold) return undefined;
    this.#own.batteryTold = told;
    return { told: told ?? 'good', percent: battery };
  }

  /** Nobody was told anything of it yet. */
  forgetTold(): void {
    this.#settled = undefined;
    this.#own.batteryTold = undefined;
    this.#own.silent = undefined;
    for (const channel of this.#channels.values()) {
      channel.silent = undefined;
      channel.told = undefined;
    }
  }

  /** As it is now, and stays. */
  get status(): DeviceStatus {
    const channels = [...this.#channels].map(([name, channel]) => [name, withoutUndefined(channel)] as const);
    return { ...withoutUndefined(this.#own), channels: Object.fromEntries(channels) } as DeviceStatus;
  }
}

const silenceOf = (phase: Silence['phase'], { measurement, channel, allowed }: Watched, now: Millis): Silence => {
  const silentFor = Millis(now - channel.last);
  return { phase, measurement, silentFor, allowed, missed: [{ measurement, silentFor }] };
};

const withoutUndefined = (fields: object): object => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
