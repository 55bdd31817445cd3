/** Runs one device of any family against a real broker or a real serial line. */

import { ConfigError } from '../gateway/errors.ts';
import { Millis, UnixMillis } from '../gateway/quantity.ts';
import type { Family, Framing, Message, Speaker, Who } from './families/family.ts';
import { type FaultCounts, type FaultPlan, Faults } from './faults.ts';
import type { Link, LinkCounts } from './link.ts';
import { MqttLink } from './mqtt-family.ts';
import { Random } from './random.ts';
import { SerialLink } from './serial-family.ts';
import { type Snapshot, Source } from './source.ts';
import { localTimeOfDay, machineTime, type RealTime } from './time.ts';

/** Where it speaks. */
export type Place =
  | Readonly<{ brokerUrl: string; password?: string }>
  | Readonly<{ path: string; framing?: Framing; baudRate?: number }>;

export type FamilyRunOptions = Readonly<{
  family: Family;
  who: Who;
  place: Place;
  /** Time from one snapshot to the next. Default: as the real thing. */
  every?: Millis;
  /** Ends after so many snapshots, when all that can be acknowledged is. Default: only `signal` ends the run. */
  count?: number;
  /** Default: nothing goes wrong. */
  plan?: FaultPlan;
  seed: number | string;
  signal: AbortSignal;
  /** Called with lines for people; they hold no measured values. Default nothing. */
  log?: (line: string) => void;
  /** Default the machine's clocks. */
  time?: RealTime;
}>;

export type FamilyCounts = Readonly<{ family: string; snapshots: number }> & LinkCounts & Readonly<{ faults: FaultCounts }>;

/** Throws {@link ConfigError} before anything is opened when the family cannot speak there or in that manner. */
export async function runFamily(options: FamilyRunOptions): Promise<FamilyCounts> {
  const { family, who, time = machineTime, seed, plan = {}, every = family.every } = options;
  refuseImpossible(options);
  const random = new Random(seed).split(`${family.name}/${who.device}`);
  const start = localTimeOfDay(time.now()) / 1000;
  const source = new Source({ random: random.split('source'), start, step: Math.max(1, Math.round(every / 1000)), ...(family.pleth && { pleth: family.pleth }) });
  const run = new FamilyRun(options, source, new Faults(plan, random.split('faults'), who.timeZone), time);
  return await run.toItsEnd(random.split('network'), every);
}

function refuseImpossible({ family, who, place, count = 1, every = family.every }: FamilyRunOptions): void {
  const { name, variants, serial, mqtt } = family;
  if (!variants.includes(who.variant)) throw new ConfigError(`variant "${who.variant}": ${name} has ${variants.join(', ')}`);
  if ('brokerUrl' in place && !mqtt) throw new ConfigError(`${name} speaks on serial lines only: expected a serial path`);
  if ('path' in place && serial === undefined) throw new ConfigError(`${name} is published over MQTT only: expected a broker`);
  if ('path' in place && place.framing !== undefined && serial?.framings.includes(place.framing) === false) {
    throw new ConfigError(`framing "${place.framing}": ${name} has ${serial.framings.join(', ')}`);
  }
  if (!Number.isSafeInteger(count) || count < 1) throw new ConfigError(`count ${count}: expected a whole number from 1`);
  if (!(every >= 0)) throw new ConfigError(`every ${every}: expected a duration`);
}

class FamilyRun {
  readonly #options: FamilyRunOptions;
  readonly #source: Source;
  readonly #faults: Faults;
  readonly #time: RealTime;
  readonly #speaker: Speaker;
  #snapshots = 0;
  #lastTime = 0;

  constructor(options: FamilyRunOptions, source: Source, faults: Faults, time: RealTime) {
    this.#options = options;
    this.#source = source;
    this.#faults = faults;
    this.#time = time;
    this.#speaker = options.family.speaker(options.who);
  }

  async toItsEnd(random: Random, every: Millis): Promise<FamilyCounts> {
    const { family } = this.#options;
    const link = await this.#link(random);
    try {
      await this.#speak(link, every);
      await link.drained();
    } finally {
      await link.close(this.#speaker.farewell?.() ?? []);
    }
    return { family: family.name, snapshots: this.#snapshots, ...link.counts, faults: this.#faults.counts };
  }

  async #link(random: Random): Promise<Link> {
    const { place, who, family: { serial }, signal, log = () => undefined } = this.#options;
    const common = { faults: this.#faults, random, signal, log };
    if ('brokerUrl' in place) {
      // Commands come only after the link was made.
      const onCommand = (payload: Uint8Array): void => this.#obey(payload, link);
      const link: Link = new MqttLink({ ...common, ...place, device: who.device, base: who.base, speaker: this.#speaker, onCommand });
      return link;
    }
    if (serial === undefined) throw new ConfigError(`${this.#options.family.name} does not run over serial lines`);
    const { framing = serial.framings[0] } = place;
    return await SerialLink.over({ ...common, ...place, traits: serial, framing, time: this.#time });
  }

  async #speak(link: Link, every: Millis): Promise<void> {
    const { count = Infinity, signal } = this.#options;
    let greeted = 0;
    let stormAt = Infinity;
    for (let due = 0; this.#snapshots < count; due += every) {
      await this.#time.sleep(Millis(Math.max(0, due - this.#time.uptime())), signal);
      // Late once, it is late from then on: a device does not hurry to catch up.
      due = Math.max(due, this.#time.uptime());
      const connection = await link.ready();
      if (connection === undefined) return;
      const snapshot = this.#look();
      if (connection !== greeted) {
        for (const message of this.#speaker.greet?.(snapshot) ?? []) link.send(message, true);
        stormAt = this.#time.uptime() + (this.#faults.calm() ?? Infinity);
        greeted = connection;
      }
      for (const message of this.#speaker.say(snapshot)) link.send(message);
      if (this.#time.uptime() < stormAt) continue;
      link.cut();
      this.#faults.struck();
    }
  }

  /** No two snapshots have the same time: it is a part of what tells messages apart. */
  #look(): Snapshot {
    this.#snapshots += 1;
    return this.#faults.see(this.#source.next(this.#now()));
  }

  #now(): UnixMillis {
    this.#lastTime = Math.max(this.#time.now(), this.#lastTime + 1);
    return UnixMillis(this.#lastTime);
  }

  #obey(payload: Uint8Array, link: Link): void {
    const messages: readonly Message[] = this.#speaker.hears?.answer(payload, this.#faults.see(this.#source.next(this.#now()))) ?? [];
    for (const message of messages) link.send(message, true);
  }
}
