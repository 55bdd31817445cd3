import { KiB, Millis, Seconds } from '../quantity.ts';
import { MAX_ENCODED_PACKET, decodePacket } from './cobs.ts';

/**
 * How the bytes of a serial line are cut into what the journal keeps: one payload is one frame of the journal, unchanged, and
 * is understood later by the decoder of the same name (`line` and `cobs` carry the formats of several).
 *
 * | framing    | one payload is                     | checked by                       | line (bit/s, bits parity stop)     | payloads/s |
 * | ---------- | ---------------------------------- | -------------------------------- | ---------------------------------- | ---------- |
 * | `line`     | a text line without its ending     | nothing                          | of the device                      | of the device |
 * | `cobs`     | the payload of a packet (cobs.ts)  | CRC-16                           | of the device                      | of the device |
 * | `nonin-2`  | a packet of 25 frames of 5 bytes   | checksum of each frame, SYNC bit | 9600 8N1                           | 3          |
 * | `nonin-7`  | the same, 16-bit waveform          | the same                         | 9600 8N1                           | 3          |
 * | `nonin-8`  | a packet of 4 bytes                | bit 7 of each byte               | 9600 8N1                           | 1          |
 * | `nonin-13` | a spot check of 22 bytes or more   | checksum, ETX                    | 9600 8N1                           | when measured |
 * | `contec-9` | up to 60 packets of 9 bytes        | bit 7 of each byte               | 115200 8N1                         | 1          |
 * | `contec-5` | up to 60 packets of 5 bytes        | bit 7 of each byte               | 19200 8O1 (4800 8N1 before)        | 1          |
 *
 * Sources: Nonin "Onyx II Model 9560 Specification and Technical Information" 6470-000-01 (formats 2, 7, 8 and 13); Contec
 * "Communication protocol of pulse oximeter V7.0" (9 bytes). For the 5 bytes the vendor's manual was not to be had: a
 * published translation of it and two public drivers agree.
 */
export const FRAMINGS = ['line', 'cobs', 'nonin-2', 'nonin-7', 'nonin-8', 'nonin-13', 'contec-9', 'contec-5'] as const;
export type FramingName = (typeof FRAMINGS)[number];

export type FramedPayload = Readonly<{
  /** The device's own bytes. A copy: nobody writes to it later. */
  payload: Uint8Array;
  /** What its acknowledgement must carry (cobs.ts); absent where the protocol has none. */
  sequence?: number;
}>;

/**
 * Why bytes did not become a payload. The words are metric labels: do not rename.
 *
 * - `out_of_sync`: they belong to no frame: line noise, or the rest of a frame whose beginning was missed
 * - `oversized_frame`: the frame is longer than any may be
 * - `malformed_frame`: it breaks a rule of its format
 * - `bad_checksum`: it is complete and its checksum is wrong
 * - `incomplete_frame`: the next one began, or the line was closed, before it was complete
 * - `other_packet`: it is good and carries nothing to keep, such as the answer to a command
 */
export type DropReason = 'out_of_sync' | 'oversized_frame' | 'malformed_frame' | 'bad_checksum' | 'incomplete_frame' | 'other_packet';

/** One loss: a frame, or a stretch of bytes out of step. `bytes` counts up to the next good frame, without line endings and 0x00. */
export type Dropped = Readonly<{ reason: DropReason; bytes: number }>;

export type FramingHooks = Readonly<{
  /** Called for everything that became no payload, when its end is known and at the latest after 16 KiB. MUST NOT throw. */
  onDropped: (dropped: Dropped) => void;
}>;

/**
 * Cuts one serial line. However its bytes are divided into chunks, payloads and losses are the same, in the same order; a byte
 * is in exactly one of them. Garbage costs no good frame but those named at each framing. Memory is bounded by the longest
 * frame, work by the bytes times the longest packet.
 */
export type Framing = Readonly<{
  name: FramingName;
  /** Payloads that are complete with this chunk. The chunk may be reused afterwards. */
  push: (chunk: Uint8Array) => readonly FramedPayload[];
  /** What is complete and only waits for company or confirmation. To be called when nothing came for {@link SERIAL_SILENCE}. */
  flush: () => readonly FramedPayload[];
  /** The same for the end of the line; what is incomplete is reported as dropped. Nothing may be pushed after it. */
  close: () => readonly FramedPayload[];
}>;

/** Many times the distance of packets at 60 Hz and of a USB adapter's latency, and short against a second. */
export const SERIAL_SILENCE = Millis(250);

/** Longest line, in bytes without its ending. */
const MAX_LINE = KiB(8);
/** Bytes after which a loss is reported though it goes on: a line at the wrong speed is never in step. */
const MAX_RUN = KiB(16);

/** What Contec's 9-byte protocol is told by the host: package 0x7D, its bit 7s in the second byte, then command and six unused bytes. */
const contecCommand = (command: number): Uint8Array => Uint8Array.of(0x7d, 0x81, command, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80);
/** Asks for continuous real-time data (V7.0 table 7). To be sent when the line is opened, and again after a long silence. */
export const CONTEC_9_START: Uint8Array = contecCommand(0xa1);
/** Tells the device that somebody listens; it is not answered. */
export const CONTEC_9_KEEP_ALIVE: Uint8Array = contecCommand(0xaf);
/** "Send once per 5 sec" (V7.0 table 7). */
export const CONTEC_9_KEEP_ALIVE_EVERY: Millis = Seconds(5);
/** Ends real-time data; answered with a package 0x0C. */
export const CONTEC_9_STOP: Uint8Array = contecCommand(0xa2);

export function createFraming(name: FramingName, hooks: FramingHooks): Framing {
  switch (name) {
    case 'line':
      return new DelimitedFraming(name, { delimiter: 0x0a, longest: MAX_LINE + 1, take: takeLine }, hooks);
    case 'cobs':
      return new DelimitedFraming(name, { delimiter: 0x00, longest: MAX_ENCODED_PACKET, take: takePacket }, hooks);
    case 'nonin-2':
    case 'nonin-7':
    case 'nonin-8':
    case 'nonin-13':
    case 'contec-9':
    case 'contec-5':
      return new PacketFraming(name, PACKET_FORMATS[name], hooks);
  }
}

/** Adds up what is dropped in a row. */
class DropRun {
  readonly #report: FramingHooks['onDropped'];
  #reason: DropReason = 'out_of_sync';
  #bytes = 0;

  constructor({ onDropped }: FramingHooks) {
    this.#report = onDropped;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** A frame is lost: what is added from here on is its loss. */
  begin(reason: DropReason): void {
    this.end();
    this.#reason = reason;
  }

  /** Reports at fixed lengths, so that it does not matter in which pieces they are added. */
  add(bytes: number): void {
    let left = bytes;
    while (this.#bytes + left >= MAX_RUN) {
      left -= MAX_RUN - this.#bytes;
      this.#bytes = MAX_RUN;
      this.end();
    }
    this.#bytes += left;
  }

  end(): void {
    if (this.#bytes > 0) this.#report({ reason: this.#reason, bytes: this.#bytes });
    this.#reason = 'out_of_sync';
    this.#bytes = 0;
  }
}

type Delimited = Readonly<{
  delimiter: number;
  /** Bytes between two delimiters that are collected at most. */
  longest: number;
  /** What stood between two delimiters; undefined when that is nothing at all. The bytes are the taker's only during the call. */
  take: (frame: Uint8Array) => FramedPayload | DropReason | undefined;
}>;

/**
 * Frames with a delimiter after each. Whatever stands between two good frames costs neither, provided that a delimiter comes
 * before the second one; without it the two are one frame: a longer line, or a COBS packet that fails its CRC.
 *
 * The first line after a device was plugged in is usually cut. Nothing shows that here, so it is a payload like the others;
 * whoever holds the line may forgive the first one that does not decode.
 */
class DelimitedFraming implements Framing {
  readonly name: FramingName;
  readonly #format: Delimited;
  readonly #lost: DropRun;
  #bytes = new Uint8Array(256);
  #length = 0;
  #tooLong = false;

  constructor(name: FramingName, format: Delimited, hooks: FramingHooks) {
    this.name = name;
    this.#format = format;
    this.#lost = new DropRun(hooks);
  }

  push(chunk: Uint8Array): FramedPayload[] {
    const payloads: FramedPayload[] = [];
    let from = 0;
    while (from < chunk.length) {
      const delimiter = chunk.indexOf(this.#format.delimiter, from);
      this.#collect(chunk.subarray(from, delimiter === -1 ? chunk.length : delimiter));
      if (delimiter === -1) break;
      const payload = this.#finish();
      if (payload !== undefined) payloads.push(payload);
      from = delimiter + 1;
    }
    return payloads;
  }

  flush(): FramedPayload[] {
    return [];
  }

  close(): FramedPayload[] {
    if (this.#length > 0) this.#drop('incomplete_frame');
    this.#lost.end();
    return [];
  }

  #collect(bytes: Uint8Array): void {
    if (!this.#tooLong && this.#length + bytes.length > this.#format.longest) {
      this.#tooLong = true;
      this.#lost.begin('oversized_frame');
      this.#lost.add(this.#length);
      this.#length = 0;
    }
    if (this.#tooLong) this.#lost.add(bytes.length);
    else this.#append(bytes);
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#format.longest, Math.max(length, 2 * this.#bytes.length)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  #finish(): FramedPayload | undefined {
    if (this.#tooLong) {
      this.#tooLong = false;
      this.#lost.end();
      return undefined;
    }
    const taken = this.#length === 0 ? undefined : this.#format.take(this.#bytes.subarray(0, this.#length));
    if (typeof taken === 'string') this.#drop(taken);
    this.#length = 0;
    return typeof taken === 'string' ? undefined : taken;
  }

  #drop(reason: DropReason): void {
    this.#lost.begin(reason);
    this.#lost.add(this.#length);
    this.#lost.end();
  }
}

function takeLine(line: Uint8Array): FramedPayload | DropReason | undefined {
  const payload = line.at(-1) === 0x0d ? line.slice(0, -1) : line.slice();
  if (payload.length > MAX_LINE) return 'oversized_frame';
  return payload.length === 0 ? undefined : { payload };
}

function takePacket(encoded: Uint8Array): FramedPayload | DropReason {
  const packet = decodePacket(encoded);
  if (typeof packet === 'string') return packet;
  // The gateway's own answers, heard back on a line that echoes.
  if (packet.type !== 'data') return 'other_packet';
  return { payload: packet.payload, sequence: packet.sequence };
}

/** A format of packets without delimiters: where one begins has to be found out from the bytes themselves. */
type PacketFormat = Readonly<{
  /** Length of the longest packet, in bytes. */
  longest: number;
  /** Length of the packet that begins with these bytes, as far as the first `known` of them tell; else {@link longest} or more. */
  lengthOf: (packet: Uint8Array, known: number) => number;
  /** Why byte `i` cannot be what it is, given those before it; undefined when it can. */
  refuse: (packet: Uint8Array, i: number) => DropReason | undefined;
  /** A beginning of this many bytes that breaks off was a packet; a shorter one was noise that looked like it. */
  certain: number;
  /**
   * The format has no checksum, and a byte that slipped into a packet shifts the values after it. It also leaves one byte over,
   * so a packet counts only when the next byte begins another or nothing follows. The price: garbage may cost the packet
   * directly before it.
   */
  confirmed: boolean;
  /** Packets that make one payload. They follow each other without a gap, or the waveform in them would jump unseen. */
  group: number;
  /** Whether the packet carries nothing to keep. */
  isOther?: (packet: Uint8Array) => boolean;
}>;

/**
 * Looks for packets at every byte: when a packet turns out to be none, its first byte is dropped and the others are looked at
 * again, so that a good packet is found whatever stands before it. Garbage is taken for a packet, and can hide a good one
 * that overlaps it, only when it keeps every rule of the format to the last byte: a checksum and SYNC bit for each of 25 frames
 * (`nonin-2`, `nonin-7`), header, checksum and ETX (`nonin-13`). In formats without a checksum it can imitate a packet but
 * hides none, since the first byte of a good one never stands within another.
 */
class PacketFraming implements Framing {
  readonly name: FramingName;
  readonly #format: PacketFormat;
  readonly #hooks: FramingHooks;
  readonly #lost: DropRun;
  readonly #pending: Uint8Array;
  /** Bytes in `#pending`. */
  #end = 0;
  /** How many of them are known to fit a packet that begins with the first. */
  #fitting = 0;
  #group: Uint8Array[] = [];

  constructor(name: FramingName, format: PacketFormat, hooks: FramingHooks) {
    this.name = name;
    this.#format = format;
    this.#hooks = hooks;
    this.#lost = new DropRun(hooks);
    this.#pending = new Uint8Array(format.longest + 1);
  }

  push(chunk: Uint8Array): FramedPayload[] {
    const payloads: FramedPayload[] = [];
    for (const byte of chunk) {
      this.#pending[this.#end] = byte;
      this.#end += 1;
      this.#advance(payloads);
    }
    return payloads;
  }

  flush(): FramedPayload[] {
    const payloads: FramedPayload[] = [];
    if (this.#end > 0 && this.#isWhole(this.#pending)) {
      this.#accept(this.#pending.slice(0, this.#end), payloads);
      this.#discard(this.#end);
    }
    this.#release(payloads);
    return payloads;
  }

  close(): FramedPayload[] {
    const payloads = this.flush();
    // What looked like the beginning of a packet may have hidden shorter ones.
    while (this.#end > 0) {
      this.#reject('incomplete_frame');
      this.#discard(1);
      this.#advance(payloads);
      payloads.push(...this.flush());
    }
    this.#lost.end();
    return payloads;
  }

  /** Judges pending bytes until all of them fit the beginning of a packet, or none are left. */
  #advance(payloads: FramedPayload[]): void {
    let start = 0;
    while (start + this.#fitting < this.#end) {
      const packet = this.#pending.subarray(start, this.#end);
      const whole = this.#isWhole(packet);
      const refusal = whole ? this.#refuseNext(packet) : this.#format.refuse(packet, this.#fitting);
      if (refusal !== undefined) {
        this.#reject(refusal);
        start += 1;
        continue;
      }
      if (!whole) this.#fitting += 1;
      if (!whole && (this.#format.confirmed || !this.#isWhole(packet))) continue;
      this.#accept(packet.slice(0, this.#fitting), payloads);
      start += this.#fitting;
      this.#fitting = 0;
    }
    this.#discard(start);
  }

  #isWhole(packet: Uint8Array): boolean {
    return this.#fitting > 0 && this.#fitting === this.#format.lengthOf(packet, this.#fitting);
  }

  /** Whether the byte after a whole packet shows that it was none. */
  #refuseNext(packet: Uint8Array): DropReason | undefined {
    return this.#format.refuse(packet.subarray(this.#fitting), 0) === undefined ? undefined : 'malformed_frame';
  }

  #reject(reason: DropReason): void {
    if (this.#fitting >= this.#format.certain) this.#lost.begin(reason);
    this.#lost.add(1);
    this.#fitting = 0;
  }

  #accept(packet: Uint8Array, payloads: FramedPayload[]): void {
    if (!this.#lost.isEmpty) this.#release(payloads);
    this.#lost.end();
    if (this.#format.isOther?.(packet) === true) {
      this.#hooks.onDropped({ reason: 'other_packet', bytes: packet.length });
      return;
    }
    this.#group.push(packet);
    if (this.#group.length === this.#format.group) this.#release(payloads);
  }

  #release(payloads: FramedPayload[]): void {
    if (this.#group.length > 0) payloads.push({ payload: new Uint8Array(Buffer.concat(this.#group)) });
    this.#group = [];
  }

  /** Forgets pending bytes that were judged. */
  #discard(bytes: number): void {
    if (bytes > 0) this.#pending.copyWithin(0, bytes, this.#end);
    this.#end -= bytes;
    this.#fitting = Math.min(this.#fitting, this.#end);
  }
}

const byteAt = (bytes: Uint8Array, i: number): number => bytes[i] as number;
const sumOf = (bytes: Uint8Array, from: number, end: number): number => {
  let sum = 0;
  for (let i = from; i < end; i++) sum += byteAt(bytes, i);
  return sum & 0xff;
};

const NONIN_FRAME = 5;
const NONIN_PACKET = 25 * NONIN_FRAME;

/**
 * Formats 2 and 7: 25 frames of 5 bytes, 75 frames a second. Format 7 has no start byte; its waveform takes the place.
 *
 *     format 2   01      status      pleth       value   checksum: sum of the four, modulo 256
 *     format 7   status  pleth high  pleth low   value   checksum
 *
 * Status bit 7 is always set, bit 0 (SYNC) in the first frame of a packet only.
 */
function nonin25(statusAt: 0 | 1): PacketFormat {
  return {
    longest: NONIN_PACKET,
    lengthOf: () => NONIN_PACKET,
    certain: NONIN_FRAME,
    confirmed: false,
    group: 1,
    refuse: (packet, i) => {
      const place = i % NONIN_FRAME;
      if (place === statusAt) return refuseNoninStatus(byteAt(packet, i), i < NONIN_FRAME);
      if (place < statusAt) return byteAt(packet, i) === 0x01 ? undefined : 'malformed_frame';
      if (place < NONIN_FRAME - 1) return undefined;
      return byteAt(packet, i) === sumOf(packet, i - place, i) ? undefined : 'bad_checksum';
    },
  };
}

function refuseNoninStatus(status: number, isFirst: boolean): DropReason | undefined {
  if (status < 0x80) return 'malformed_frame';
  const sync = (status & 0x01) !== 0;
  if (sync === isFirst) return undefined;
  return sync ? 'incomplete_frame' : 'malformed_frame';
}

/** Nonin format 8 (4 bytes) and Contec's older format (5 bytes): bit 7 is set in the first byte of a packet and in no other. */
function markedFirst(length: number, group: number): PacketFormat {
  return {
    longest: length,
    lengthOf: () => length,
    certain: 2,
    confirmed: true,
    group,
    refuse: (packet, i) => {
      const marked = byteAt(packet, i) >= 0x80;
      if (marked === (i === 0)) return undefined;
      return marked ? 'incomplete_frame' : 'malformed_frame';
    },
  };
}

const SPOT_CHECK_HEADER = Uint8Array.of(0x00, 0x02, 0x00, 0x0d);
const SPOT_CHECK_DATA_AT = 6;
/** "The minimum length of the spot-check data is 14 bytes"; it may grow, and has not so far. */
const SPOT_CHECK_LEAST = 14;
const SPOT_CHECK_MOST = 64;
const SPOT_CHECK_ETX = 0x03;

/** Format 13: `00 02 00 0D`, length n of the data (2 bytes, high first), n bytes, sum of the n bytes modulo 256, `03`. */
const NONIN_13: PacketFormat = {
  longest: SPOT_CHECK_DATA_AT + SPOT_CHECK_MOST + 2,
  lengthOf: (packet, known) => (known < SPOT_CHECK_DATA_AT ? Infinity : SPOT_CHECK_DATA_AT + byteAt(packet, 5) + 2),
  certain: SPOT_CHECK_HEADER.length,
  confirmed: false,
  group: 1,
  refuse: (packet, i) => {
    const byte = byteAt(packet, i);
    if (i < SPOT_CHECK_HEADER.length) return byte === SPOT_CHECK_HEADER[i] ? undefined : 'malformed_frame';
    if (i === 4) return byte === 0 ? undefined : 'oversized_frame';
    if (i === 5) return refuseSpotCheckLength(byte);
    const end = SPOT_CHECK_DATA_AT + byteAt(packet, 5);
    if (i === end) return byte === sumOf(packet, SPOT_CHECK_DATA_AT, end) ? undefined : 'bad_checksum';
    return i < end || byte === SPOT_CHECK_ETX ? undefined : 'malformed_frame';
  },
};

function refuseSpotCheckLength(length: number): DropReason | undefined {
  if (length < SPOT_CHECK_LEAST) return 'malformed_frame';
  return length > SPOT_CHECK_MOST ? 'oversized_frame' : undefined;
}

/** Samples a second of Contec's oximeters, and so the packets of a payload. */
const CONTEC_RATE = 60;
const CONTEC_REALTIME = 0x01;
/** Length in bytes of what a Contec oximeter sends, by data type code (V7.0 table 2, uplink). */
const CONTEC_LENGTHS: ReadonlyMap<number, number> = new Map([
  [CONTEC_REALTIME, 9], [0x04, 9], [0x05, 9], [0x07, 8], [0x08, 8], [0x09, 6], [0x0a, 4], [0x0b, 4],
  [0x0c, 2], [0x0d, 3], [0x0e, 3], [0x0f, 8], [0x10, 3], [0x11, 9], [0x12, 8], [0x15, 9],
]);

/** Bit 7 is clear in the data type code, which comes first, and set in all other bytes of a package. */
const CONTEC_9: PacketFormat = {
  longest: 9,
  lengthOf: (packet) => CONTEC_LENGTHS.get(byteAt(packet, 0)) ?? Infinity,
  certain: 2,
  confirmed: true,
  group: CONTEC_RATE,
  isOther: (packet) => packet[0] !== CONTEC_REALTIME,
  refuse: (packet, i) => {
    if (i === 0) return CONTEC_LENGTHS.has(byteAt(packet, 0)) ? undefined : 'malformed_frame';
    return byteAt(packet, i) >= 0x80 ? undefined : 'incomplete_frame';
  },
};

const PACKET_FORMATS: Readonly<Record<Exclude<FramingName, 'line' | 'cobs'>, PacketFormat>> = {
  'nonin-2': nonin25(1),
  'nonin-7': nonin25(0),
  'nonin-8': markedFirst(4, 1),
  'nonin-13': NONIN_13,
  'contec-9': CONTEC_9,
  'contec-5': markedFirst(5, CONTEC_RATE),
};
