/**
 * What a device family is to the simulator: how it turns what it sees into messages, in the words and bytes of its own
 * documents. No encoder knows how the gateway decodes.
 */

import type { Millis } from '../../gateway/quantity.ts';
import type { Snapshot } from '../source.ts';
import type { Conversation } from './conversation.ts';

/** A value that a message carries, by the name and in the UCUM unit that vitalgate keeps it in; samples of a waveform in order. */
export type Told = Readonly<{ measurement: string; value: number | readonly number[] }>;

export type Message = Readonly<{
  /** Below the base topic of the connection; all of it when `absolute`. Empty on a serial line. */
  topic: string;
  absolute?: true;
  payload: Uint8Array;
  qos: 0 | 1;
  retain: boolean;
  /** What whoever understands the format learns from it. Births and states count, settings and commands tell nothing. */
  tells: readonly Told[];
}>;

/** Who speaks, and in which manner. */
export type Who = Readonly<{
  /** Device id of the connection. */
  device: string;
  /** What the format calls the device: friendly name, node, edge node, hardware address. Absent: the connection is the device. */
  name?: string;
  /** One of {@link Family.variants}. */
  variant: string;
  /** Topic before those of the messages, empty at the root of a broker; for formats that name topics within payloads. */
  base: string;
  /** IANA name of the zone on whose wall the device's clock hangs. Absent: this machine's. */
  timeZone?: string;
  /** Prefix of Home Assistant's discovery topics. Absent: nothing is announced. */
  discovery?: string;
}>;

/** One device that speaks. What it says depends on nothing but {@link Who} and the snapshots it was given, in order. */
export type Speaker = Readonly<{
  /** What the broker says when the connection breaks; asked for anew before each connection. */
  will?: () => Message;
  /** Said when a connection stands: births, availability, headers. */
  greet?: (snapshot: Snapshot) => readonly Message[];
  say: (snapshot: Snapshot) => readonly Message[];
  /** Said before the connection is closed on purpose. */
  farewell?: () => readonly Message[];
  /** The topic on which it takes commands, and what it answers to one. */
  hears?: Readonly<{ topic: string; answer: (payload: Uint8Array, snapshot: Snapshot) => readonly Message[] }>;
}>;

/** How messages are cut on a serial line: `line` ends each with LF, `cobs` is the acknowledged protocol, `own` needs nothing. */
export type Framing = 'line' | 'cobs' | 'own';

export type SerialTraits = Readonly<{
  /** bit/s. */
  baudRate: number;
  parity: 'none' | 'odd';
  /** The first is the usual one. */
  framings: readonly [Framing, ...Framing[]];
  /** For devices that are told by the host when to speak. Absent: they always do. */
  conversation?: () => Conversation;
}>;

export type Family = Readonly<{
  /** As in profiles and topics. */
  name: string;
  /** One line for people. */
  summary: string;
  /** How often the real thing speaks. */
  every: Millis;
  /** Manners of speaking; the first is the usual one. */
  variants: readonly [string, ...string[]];
  /** Whether it can be published. */
  mqtt: boolean;
  /** Absent: it does not run over serial lines. */
  serial?: SerialTraits;
  /** The format always names the device, so that the device id stands in for a missing name. */
  named?: true;
  /** Samples of the pulse wave in a message, and how many a second. */
  pleth?: Readonly<{ samples: number; rate: number }>;
  speaker: (who: Who) => Speaker;
}>;

type Delivery = Readonly<{ qos?: 0 | 1; retain?: boolean; absolute?: true }>;

/** A message; QoS 1 and not retained unless said otherwise. Text is UTF-8. */
export function messageOf(topic: string, payload: string | Uint8Array, tells: readonly Told[] = [], delivery: Delivery = {}): Message {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;
  return { topic, payload: bytes, qos: 1, retain: false, tells, ...delivery };
}

export const told = (measurement: string, value: number | readonly number[]): Told => ({ measurement, value });

/** A number as a display with so many decimals shows it. */
export const rounded = (value: number, decimals = 0): number => Number(value.toFixed(decimals));

/** Levels of a topic, without those that are absent or empty. */
export const topicOf = (...levels: readonly (string | undefined)[]): string => levels.filter((level) => level !== undefined && level !== '').join('/');
