/**
 * What goes wrong with devices and lines, by order and by chance: wrong clocks, low batteries, sensors that came off, and bytes
 * that are lost, broken or doubled. Everything is seeded and counted.
 */

import { ConfigError } from '../gateway/errors.ts';
import { type Millis, parseDuration, UnixMillis } from '../gateway/quantity.ts';
import type { Random } from './random.ts';
import type { Snapshot } from './source.ts';
import { zoneOffsetAt } from './wall-clock.ts';

/** Probabilities are 0 to 1 and 0 when absent. */
export type FaultPlan = Readonly<{
  /** A message is replaced by random bytes, or has some before it. */
  garbage?: number;
  /** Part of a message is missing: its end, or a stretch within. */
  half?: number;
  /** One bit of a message is wrong. */
  flip?: number;
  /** A message is sent twice. */
  duplicate?: number;
  /** A snapshot is taken without finger, cuff or skin in the sensor. */
  sensorOff?: number;
  /** `1970`: the clock starts there with the device. `jump`: it jumps by up to a day now and then. `local`: it takes local time for UTC. */
  clock?: (typeof CLOCKS)[number];
  /** The battery is nearly empty. */
  battery?: 'low';
  /** The connection is cut about so often, without goodbye. */
  storm?: Millis;
}>;

const CLOCKS = ['1970', 'jump', 'local'] as const;
const CHANCES = ['garbage', 'half', 'flip', 'duplicate', 'sensorOff'] as const;
const NAMES = [...CHANCES, 'clock', 'battery', 'storm'] as const;
export type FaultName = (typeof NAMES)[number];
export type FaultCounts = Readonly<Record<FaultName, number>>;

/** Parses `garbage=0.01,clock=1970,battery=low,storm=10s`. Throws {@link ConfigError} that names the part it could not read. */
export function parseFaults(text: string): FaultPlan {
  const parts = text.split(',').map((part) => part.trim()).filter((part) => part !== '');
  return Object.assign({}, ...parts.map(parseFault)) as FaultPlan;
}

function parseFault(text: string): FaultPlan {
  const [name, value = ''] = text.split('=', 2);
  const known = NAMES.find((each) => each === name);
  if (known === undefined) throw new ConfigError(`fault "${text}": expected one of ${NAMES.join(', ')}, each with = and its value`);
  if (known === 'clock') return { clock: oneOf(text, value, CLOCKS) };
  if (known === 'battery') return { battery: oneOf(text, value, ['low']) };
  if (known === 'storm') return { storm: durationIn(text, value) };
  const chance = Number(value);
  if (value === '' || !(chance >= 0 && chance <= 1)) throw new ConfigError(`fault "${text}": expected a probability from 0 to 1, for example ${known}=0.01`);
  return { [known]: chance };
}

function oneOf<const Word extends string>(text: string, value: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new ConfigError(`fault "${text}": expected ${words.join(', ')} after the =`);
  return word;
}

function durationIn(text: string, value: string): Millis {
  try {
    return parseDuration(value);
  } catch (cause) {
    throw new ConfigError(`fault "${text}": "${value}" is not a duration such as 10s`, { cause });
  }
}

/** Bytes on their way: `good` as meant, `again` the same once more, `damaged` whatever is left, or noise. */
export type Transmission = Readonly<{ bytes: Uint8Array; kind: 'good' | 'again' | 'damaged' }>;

const MOST_NOISE = 64;
const JUMP_CHANCE = 0.1;
const LONGEST_JUMP = 86_400_000;
const EMPTY = 3;

/** The promise: what happens MUST depend only on the plan, the random's seed and the order of calls, and is counted. */
export class Faults {
  readonly #plan: FaultPlan;
  readonly #bytes: Random;
  readonly #body: Random;
  readonly #clock: Random;
  readonly #timeZone: string | undefined;
  readonly #counts: Record<FaultName, number> = { garbage: 0, half: 0, flip: 0, duplicate: 0, sensorOff: 0, clock: 0, battery: 0, storm: 0 };
  #switchedOnAt: UnixMillis | undefined;
  #jumped = 0;

  /** @param timeZone for `clock=local`, an IANA name; default this machine's zone. */
  constructor(plan: FaultPlan, random: Random, timeZone?: string) {
    this.#plan = plan;
    this.#bytes = random.split('bytes');
    this.#body = random.split('sensor');
    this.#clock = random.split('clock');
    this.#timeZone = timeZone;
  }

  get counts(): FaultCounts {
    return { ...this.#counts };
  }

  /** What a device with these faults makes of a snapshot. */
  see(snapshot: Snapshot): Snapshot {
    const { battery } = this.#plan;
    const isOff = this.#happens('sensorOff', this.#body);
    if (battery === 'low') this.#counts.battery += 1;
    return {
      ...snapshot,
      time: this.#shown(snapshot.time),
      ...(battery === 'low' ? { battery: EMPTY } : {}),
      ...(isOff ? { sensorOff: true } : {}),
    };
  }

  /** What becomes of a message, in the order in which it goes out. At most one kind of damage is done to it. */
  disturb(bytes: Uint8Array): readonly Transmission[] {
    if (this.#happens('garbage', this.#bytes)) return this.#garbled(bytes);
    if (this.#happens('half', this.#bytes)) return [{ bytes: this.#shortened(bytes), kind: 'damaged' }];
    if (bytes.length > 0 && this.#happens('flip', this.#bytes)) return [{ bytes: this.#flipped(bytes), kind: 'damaged' }];
    const good: Transmission = { bytes, kind: 'good' };
    return this.#happens('duplicate', this.#bytes) ? [good, { bytes, kind: 'again' }] : [good];
  }

  /** Time to the next cut of the connection, half as long to half as long again as planned; undefined without storms. */
  calm(): number | undefined {
    return this.#plan.storm === undefined ? undefined : this.#plan.storm * this.#body.between(0.5, 1.5);
  }

  /** Notes that the connection was cut. */
  struck(): void {
    this.#counts.storm += 1;
  }

  #happens(name: (typeof CHANCES)[number], random: Random): boolean {
    const chance = this.#plan[name] ?? 0;
    if (chance === 0 || !random.chance(chance)) return false;
    this.#counts[name] += 1;
    return true;
  }

  #garbled(bytes: Uint8Array): readonly Transmission[] {
    const noise: Transmission = { bytes: this.#noise(this.#below(MOST_NOISE) + 1), kind: 'damaged' };
    return this.#bytes.chance(0.5) ? [noise] : [noise, { bytes, kind: 'good' }];
  }

  #noise(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#below(256));
  }

  #shortened(bytes: Uint8Array): Uint8Array {
    const from = this.#below(bytes.length);
    const to = this.#bytes.chance(0.5) ? bytes.length : Math.min(bytes.length, from + 1 + this.#below(8));
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const [at, bit] = [this.#below(bytes.length), this.#below(8)];
    return bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
  }

  /** Uniform among 0 … n − 1; 0 when n is 0. */
  #below(n: number): number {
    return Math.floor(this.#bytes.next() * n);
  }

  #shown(time: UnixMillis): UnixMillis {
    const { clock } = this.#plan;
    this.#switchedOnAt ??= time;
    if (clock === undefined) return time;
    this.#counts.clock += 1;
    if (clock === '1970') return UnixMillis(time - this.#switchedOnAt);
    if (clock === 'local') return UnixMillis(time + zoneOffsetAt(time, this.#timeZone));
    if (this.#clock.chance(JUMP_CHANCE)) this.#jumped += Math.round(this.#clock.between(-LONGEST_JUMP, LONGEST_JUMP));
    return UnixMillis(time + this.#jumped);
  }
}
