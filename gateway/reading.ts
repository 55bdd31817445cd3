/**
 * The nouns that cross rooms. A {@link Frame} is what reached the gateway, byte for byte; a {@link Reading} is what it
 * meant; an entry (see ledger/entry.ts) is what the chain says about it.
 *
 *     received → accepted → sealed → relayed → receipted
 *
 * These five words name the states of every reading in types, logs, metrics and the README.
 */

import type { Millis, UnixMillis } from './quantity.ts';

export const READING_STATES = ['received', 'accepted', 'sealed', 'relayed', 'receipted'] as const;
export type ReadingState = (typeof READING_STATES)[number];

declare const brand: unique symbol;
/** A device's name: 1 to 64 of `a-z A-Z 0-9 . _ -`, not starting with a dot. It is also the MQTT user name. */
export type DeviceId = string & { readonly [brand]: 'DeviceId' };
/** Position of a frame in the journal, counted from 1 without gaps: the order of everything. Never a wall clock. */
export type Sequence = number & { readonly [brand]: 'Sequence' };

export const Sequence = (n: number): Sequence => n as Sequence;

const DEVICE_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;
export function isDeviceId(text: string): text is DeviceId {
  return DEVICE_ID.test(text);
}

/** Where a frame came from; its place in the list is in the frame's bytes, so that new ones go to the end. `timer` and `operator` frames are how time and people enter the deterministic part. */
export const FRAME_SOURCES = ['mqtt', 'timer', 'operator', 'serial', 'bridge'] as const;
export type FrameSource = (typeof FRAME_SOURCES)[number];

/**
 * How far the gateway's wall clock can be believed at that moment: `synchronised` by the operating system's time
 * service, `unverified` but not before this program was written, or `implausible` (a Raspberry Pi without a battery
 * clock boots in the past).
 */
export const CLOCK_TRUSTS = ['implausible', 'unverified', 'synchronised'] as const;
export type ClockTrust = (typeof CLOCK_TRUSTS)[number];

export type Frame = Readonly<{
  source: FrameSource;
  /** Proven by the connection (MQTT credentials, the serial port), not by the payload. Empty for `timer` and `operator` frames. */
  device: DeviceId | '';
  /** The MQTT topic (of a bridge `devices/<bridge>/<topic there>`), or for a serial line `devices/<device>/<decoder>`; empty where there is none. */
  topic: string;
  /** MQTT quality of service of the delivery: 0, 1 or 2. */
  qos: 0 | 1 | 2;
  /** The sender marked it as a repetition [MQTT-3.3.1-1]. */
  dup: boolean;
  /** The broker had kept the message: what it says was true some time before. Absent: it came when it was sent. */
  retained?: true;
  /** The device's own bytes, kept as evidence and re-decoded when a decoder is corrected. */
  payload: Uint8Array;
  /** Gateway wall clock on arrival. */
  receivedAt: UnixMillis;
  /** Gateway monotonic clock on arrival, counted from the start of the process named by the journal record's boot id. */
  uptime: Millis;
  clockTrust: ClockTrust;
}>;

/** A frame that is on disk behind an fsync, with its bytes as they lie there (see frame-codec.ts). */
export type AcceptedFrame = Readonly<{ sequence: Sequence; frame: Frame; bytes: Uint8Array }>;

/** Neighbouring frames of the journal as their bytes (frame-codec.ts); the first has sequence `first`. */
export type FrameRun = Readonly<{
  first: Sequence;
  /** Empty for one that was erased. */
  frames: readonly Uint8Array[];
  /** Of erased frames, by sequence, what evidence had hashed of them: SHA-256 of evidenceLeaf (frame-codec.ts). Absent: none was. */
  erased?: ReadonlyMap<number, Uint8Array>;
}>;

/** A patient or room id: 1 to 64 characters without control characters or `/`. */
export function isSubjectId(id: string): boolean {
  return /^[^\p{C}/]{1,64}$/u.test(id);
}

/** Whom a device measures. One device is bound to one subject at a time. */
export type Subject = Readonly<{ kind: 'patient' | 'room'; id: string }>;

/** A subject in one word: `patient/anna`. */
export const nameOf = ({ kind, id }: Subject): string => `${kind}/${id}`;

/** The inverse of {@link nameOf}. */
export function subjectNamed(name: string): Subject {
  const slash = name.indexOf('/');
  return { kind: name.slice(0, slash) as Subject['kind'], id: name.slice(slash + 1) };
}

/**
 * Why a value is kept but MUST NOT raise or clear an alarm. Words of entries and metrics: do not rename.
 *
 * `ongoing`: not settled yet. `poor_signal`: weak, noisy or irregular. `movement`: the body or the sensor moved. `stored`:
 * from the device's memory, not from now. `not_real`: demonstration, test or calibration.
 */
export const DOUBTS = ['ongoing', 'poor_signal', 'movement', 'stored', 'not_real'] as const;
export type Doubt = (typeof DOUBTS)[number];

/** One measured value, or one block of equally spaced samples, in the unit the measurement table prescribes. */
export type Reading = Readonly<{
  measurement: string;
  /** A single number, or the samples of a waveform in order. */
  value: number | readonly number[];
  /** UCUM, case sensitive. */
  unit: string;
  /** Samples per second of a waveform; absent for a single value. */
  rateHz?: number;
  /** The device's own clock, as it said; absent when it said nothing. */
  deviceTime?: UnixMillis;
  /** Why no alarm may rest on it; absent when nothing speaks against it. */
  doubt?: Doubt;
}>;

/** The two lanes of a gateway's chain. They never wait for each other. */
export const LANES = ['alarm', 'record'] as const;
export type Lane = (typeof LANES)[number];
