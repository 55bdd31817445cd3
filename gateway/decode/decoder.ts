/**
 * What every device family's decoder is: a pure function from the bytes of one frame to what the source said, in the
 * source's own names and, where the format fixes them, units. Which measurement a channel is, for whom, and whether it can
 * be true is decided by others (profile, binding, context), so that a decoder can be corrected without touching them.
 */

import type { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Doubt } from '../reading.ts';

export type DecoderInput = Readonly<{
  /** The topic below the prefix of its connection: `living room/door`, `tele/SENSOR`. Empty for serial frames. */
  topic: string;
  /** The device's own bytes. */
  payload: Uint8Array;
  /** Gateway wall clock on arrival: only for formats whose times are relative to it (RFC 8428 §4.5.3). */
  receivedAt: UnixMillis;
  /** IANA name, for formats that give local time without an offset. Absent: such a time is no time. */
  timeZone?: string;
}>;

/** One value as the source names it. What the source marks as missing or invalid is no channel: it is absent, never 0. */
export type Channel = Readonly<{
  /** `temperature`, `AM2301.Temperature`, `heart_rate`. At most 128 characters. */
  name: string;
  /** Finite. A single number (a switch is 0 or 1), or the samples of a waveform in order. */
  value: number | readonly number[];
  /** UCUM, case sensitive, when payload or format says it; absent when only a profile can know. */
  unit?: string;
  /** Samples per second of a waveform. */
  rateHz?: number;
  /** The device's clock at this value, when it differs from that of the frame. */
  deviceTime?: UnixMillis;
  doubt?: Doubt;
}>;

/**
 * What a source says of itself rather than of a person or a room. `sensor_off`: no finger, cuff or skin in it.
 * `resync`: what is needed to understand it was missed; whoever holds the connection can ask for it again.
 */
export type Notice = 'online' | 'offline' | 'sensor_off' | 'sensor_fault' | 'battery_low' | 'resync';

export type Decoded<Memory = undefined> = Readonly<{
  /** Which device behind the connection is meant, when it carries several: a friendly name, an address. */
  address?: string;
  /** The source's own counter. */
  sequence?: number;
  /** The source's clock, Unix milliseconds, as it said. */
  deviceTime?: UnixMillis;
  channels: readonly Channel[];
  /** Parts that could not be understood; the others stand. */
  rejected: readonly DecodeError[];
  notices: readonly Notice[];
  /** What the decoder must be handed with the next frame of this connection. JSON, bounded. Absent: as before. */
  memory?: Memory;
}>;

/**
 * A decoder. MUST be pure and total: the same input and memory give the same output, and any bytes either decode or throw
 * {@link DecodeError}, whose message never repeats a value (it may be about a patient). Work and output are bounded by the
 * payload's size, before it is parsed.
 */
export type Decoder<Memory = undefined> = Readonly<{
  /** As in a profile. */
  name: string;
  /** Kept with what it decoded or rejected, so that a correction can be applied to old frames. */
  version: number;
  decode: (input: DecoderInput, memory: Memory | undefined) => Decoded<Memory>;
}>;
