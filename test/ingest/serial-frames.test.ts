import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAck, encodePacket } from '../../gateway/ingest/cobs.ts';
import {
  CONTEC_9_KEEP_ALIVE, CONTEC_9_KEEP_ALIVE_EVERY, CONTEC_9_START, CONTEC_9_STOP, FRAMINGS, createFraming,
  type Dropped, type FramedPayload, type Framing, type FramingName,
} from '../../gateway/ingest/serial-frames.ts';
import { fuzzRuns, fuzzTimeout } from '../fuzz-runs.ts';
import { isNonin13, isNonin25 } from '../nonin-packets.ts';
import { naiveCrc } from './naive-crc.ts';

type Outcome = Readonly<{ payloads: readonly string[]; sequences: readonly (number | undefined)[]; dropped: readonly Dropped[] }>;

/** Pushes the stream in pieces and closes. */
function readPieces(name: FramingName, chunks: readonly Uint8Array[]): Outcome {
  const dropped: Dropped[] = [];
  const framing = createFraming(name, { onDropped: (each) => dropped.push(each) });
  const got: FramedPayload[] = [];
  for (const chunk of chunks) {
    const mine = Uint8Array.from(chunk);
    got.push(...framing.push(mine));
    mine.fill(0xee); // the chunk may be reused
  }
  got.push(...framing.close());
  return { payloads: got.map(({ payload }) => Buffer.from(payload).toString('hex')), sequences: got.map(({ sequence }) => sequence), dropped };
}

const readAll = (name: FramingName, stream: Uint8Array): Outcome => readPieces(name, [stream]);

function pieces(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((cut) => cut % (stream.length + 1)), 0, stream.length].sort((a, b) => a - b);
  return places.map((place, i) => stream.subarray(places[i - 1] ?? 0, place));
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sum = (bytes: readonly number[]): number => bytes.reduce((a, b) => a + b, 0) & 0xff;

// What the devices send. Written anew, from the documents, so that both sides cannot share a mistake.
const bytes = (min: number, max: number, length: number): fc.Arbitrary<number[]> => fc.array(fc.integer({ min, max }), { minLength: length, maxLength: length });
const nonin25 = (frameOf: (status: number, pleth: number, value: number) => number[]): fc.Arbitrary<Buffer> =>
  fc.tuple(bytes(0, 127, 25), bytes(0, 65_535, 25), bytes(0, 255, 25)).map(([statuses, pleths, values]) => Buffer.from(statuses.flatMap((s, i) => {
    const frame = frameOf(0x80 | (s & 0x7e) | (i === 0 ? 1 : 0), pleths[i] as number, values[i] as number);
    return [...frame, sum(frame)];
  })));
const nonin2Packet = nonin25((status, pleth, value) => [1, status, pleth & 0xff, value]);
const nonin7Packet = nonin25((status, pleth, value) => [status, pleth >> 8, pleth & 0xff, value]);
const nonin13Packet = fc.array(fc.nat(255), { minLength: 14, maxLength: 64 })
  .map((data) => Buffer.from([0, 2, 0, 0x0d, 0, data.length, ...data, sum(data), 3]));
const markedFirst = (length: number): fc.Arbitrary<Buffer> =>
  fc.tuple(fc.integer({ min: 128, max: 255 }), bytes(0, 127, length - 1)).map(([first, rest]) => Buffer.from([first, ...rest]));
const contec9Packet = bytes(128, 255, 8).map((rest) => Buffer.from([1, ...rest]));
const lineBytes = fc.array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 40 }).map((line) => Buffer.from(line));
const line = fc.tuple(lineBytes, fc.constantFrom('\n', '\r\n')).map(([text, end]) => Buffer.concat([text, Buffer.from(end)]));
const cobsPacket = fc.tuple(fc.nat(65_535), fc.uint8Array({ maxLength: 40 }))
  .map(([sequence, payload]) => Buffer.from(encodePacket({ type: 'data', sequence, payload })));

const PACKETS: Readonly<Record<FramingName, fc.Arbitrary<Buffer>>> = {
  line,
  cobs: cobsPacket,
  'nonin-2': nonin2Packet,
  'nonin-7': nonin7Packet,
  'nonin-8': markedFirst(4),
  'nonin-13': nonin13Packet,
  'contec-9': contec9Packet,
  'contec-5': markedFirst(5),
};
const WITHOUT_DELIMITER = FRAMINGS.filter((name) => name !== 'line' && name !== 'cobs');

const telling = fc.constantFrom(0, 1, 2, 0x0d, 0x0a, 0x0e, 0x80, 0x81, 0x82, 0xff);
const garbage = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.array(telling, { maxLength: 30 })).map((each) => Buffer.from(each));
const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** A stream with good packets, broken ones and garbage. */
const messy = (name: FramingName): fc.Arbitrary<Buffer> => {
  const good = PACKETS[name];
  const broken = fc.tuple(good, fc.nat(), fc.nat(255), fc.boolean()).map(([packet, place, value, lose]) => {
    const at = place % packet.length;
    return Buffer.concat([packet.subarray(0, at), lose ? Buffer.of() : Buffer.of(value), packet.subarray(at + 1)]);
  });
  const cut = fc.tuple(good, fc.nat()).map(([packet, place]) => packet.subarray(0, place % packet.length));
  return fc.array(fc.oneof({ weight: 3, arbitrary: good }, broken, cut, garbage), { maxLength: 12 }).map((parts) => Buffer.concat(parts));
};

/** One try is a stream of up to 12 packets and what disturbs them. */
const runsOf = (usual: number): number => fuzzRuns(usual, 1 / 6);

describe.each(FRAMINGS)('the framing %s', (name) => {
  it('gives the same payloads and losses however the stream is cut', { timeout: fuzzTimeout(runsOf(300)) }, () => {
    fc.assert(fc.property(messy(name), cuts, (stream, places) => {
      const whole = readAll(name, stream);
      expect(readPieces(name, pieces(stream, places))).toEqual(whole);
      expect(readPieces(name, [...stream].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
    }), { numRuns: runsOf(300) });
  });

  it('hands on every packet of a clean stream, and drops nothing', () => {
    fc.assert(fc.property(fc.array(PACKETS[name], { maxLength: 8 }), cuts, (packets, places) => {
      const { payloads, dropped } = readPieces(name, pieces(Buffer.concat(packets), places));
      expect(dropped).toEqual([]);
      if (name !== 'line' && name !== 'cobs') expect(payloads.join('')).toBe(hex(Buffer.concat(packets)));
      else expect(payloads).toHaveLength(packets.length);
    }), { numRuns: 200 });
  });

  it('survives any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (stream) => {
      for (const { bytes: lost } of readAll(name, stream).dropped) expect(lost).toBeGreaterThan(0);
    }), { numRuns: 200 });
  });

  it('reports a line that is never in step, and keeps no more than it must', { timeout: 20_000 }, () => {
    // Neither a start byte nor a delimiter, drop by drop.
    const noise = name === 'nonin-8' || name === 'contec-5' ? 0x55 : 0xaa;
    const dropped: Dropped[] = [];
    const framing = createFraming(name, { onDropped: (each) => dropped.push(each) });
    let payloads = 0;
    for (let i = 0; i < 200_000; i++) payloads += framing.push(Uint8Array.of(noise)).length;
    expect(payloads).toBe(0);
    expect(dropped.length).toBeGreaterThan(10);
    framing.close();
    expect(dropped.reduce((all, { bytes: lost }) => all + lost, 0)).toBe(200_000);
  });
});

type Judge = Readonly<{ isPacket: (packet: Uint8Array) => boolean; lengthAt: (rest: Uint8Array) => number; begins?: (byte: number) => boolean }>;
const contecLengths: Readonly<Record<number, number>> = {
  1: 9, 4: 9, 5: 9, 7: 8, 8: 8, 9: 6, 10: 4, 11: 4, 12: 2, 13: 3, 14: 3, 15: 8, 16: 3, 17: 9, 18: 8, 21: 9,
};
const marked = (length: number): Judge => ({
  lengthAt: () => length,
  isPacket: (packet) => packet.length === length && packet.every((byte, i) => byte >= 128 === (i === 0)),
  begins: (byte) => byte >= 128,
});
const JUDGES: Readonly<Record<string, Judge>> = {
  'nonin-2': { lengthAt: () => 125, isPacket: (packet) => isNonin25(packet, 1) },
  'nonin-7': { lengthAt: () => 125, isPacket: (packet) => isNonin25(packet, 0) },
  'nonin-8': marked(4),
  'nonin-13': {
    lengthAt: (rest) => 8 + (rest[5] ?? 0),
    isPacket: isNonin13,
  },
  'contec-9': {
    lengthAt: (rest) => contecLengths[rest[0] ?? 0] ?? 0,
    isPacket: (packet) => packet.length === contecLengths[packet[0] ?? 0] && packet.subarray(1).every((byte) => byte >= 128),
    begins: (byte) => contecLengths[byte] !== undefined,
  },
  'contec-5': marked(5),
};

/** The naive twin: has the whole stream and looks at every place. */
function naive(name: FramingName, stream: Uint8Array): string {
  const { isPacket, lengthAt, begins } = JUDGES[name] ?? expect.fail(name);
  let found = '';
  let at = 0;
  while (at < stream.length) {
    const rest = stream.subarray(at);
    const length = lengthAt(rest);
    const next = rest[length];
    const packet = rest.subarray(0, length);
    if (packet.length === length && isPacket(packet) && (begins === undefined || next === undefined || begins(next))) {
      if (name !== 'contec-9' || packet[0] === 1) found += hex(packet);
      at += length;
    } else at += 1;
  }
  return found;
}

describe.each(WITHOUT_DELIMITER)('without delimiters, %s', (name) => {
  it('finds what its naive twin finds in the whole stream, and counts every other byte', { timeout: fuzzTimeout(runsOf(500)) }, () => {
    fc.assert(fc.property(messy(name), (stream) => {
      const { payloads, dropped } = readAll(name, stream);
      expect(payloads.join('')).toBe(naive(name, stream));
      expect(payloads.join('').length / 2 + dropped.reduce((all, { bytes: lost }) => all + lost, 0)).toBe(stream.length);
    }), { numRuns: runsOf(500) });
  });

  it('loses no good packet to garbage, except one directly before it where the format has no checksum', { timeout: fuzzTimeout(runsOf(500)) }, () => {
    const confirmed = ['nonin-8', 'contec-9', 'contec-5'].includes(name);
    const stretch = fc.tuple(garbage, fc.array(PACKETS[name], { minLength: 1, maxLength: 3 }));
    fc.assert(fc.property(fc.array(stretch, { maxLength: 5 }), (stretches) => {
      const found = readAll(name, Buffer.concat(stretches.flatMap(([noise, packets]) => [noise, ...packets]))).payloads.join('');
      let from = 0;
      for (const [i, [, packets]] of stretches.entries()) {
        const beforeGarbage = confirmed && (stretches[i + 1]?.[0].length ?? 0) > 0;
        const safe = hex(Buffer.concat(beforeGarbage ? packets.slice(0, -1) : packets));
        const at = found.indexOf(safe, from);
        expect(at).toBeGreaterThanOrEqual(from);
        from = at + safe.length;
      }
    }), { numRuns: runsOf(500) });
  });
});

/** What is between two delimiters, and bytes around the longest there may be. */
const longOnes = fc.tuple(fc.integer({ min: 4100, max: 4140 }), fc.integer({ min: 8180, max: 8200 }), fc.boolean(), fc.constantFrom('', '\r'))
  .map(([cobs, text, short, end]) => Buffer.concat([Buffer.alloc(short ? cobs : text, 'x'), Buffer.from(end)]));
const delimited = (name: 'line' | 'cobs'): fc.Arbitrary<Buffer> => {
  const delimiter = fc.constantFrom(Buffer.of(name === 'line' ? 0x0a : 0), Buffer.of(0x0d, 0x0a), Buffer.of());
  return fc.array(fc.tuple(fc.oneof({ weight: 40, arbitrary: messy(name) }, longOnes), delimiter), { maxLength: 3 }).map((parts) => Buffer.concat(parts.flat()));
};

/** What was put between delimiters: a payload and the bytes that only frame it, or nothing but a loss. */
type Segment = Readonly<{ payload?: Uint8Array; framing: number }> | undefined;

function naiveLine(segment: Uint8Array): Segment {
  const body = segment.at(-1) === 0x0d ? segment.subarray(0, -1) : segment;
  if (body.length > 8192) return undefined;
  return { ...(body.length === 0 ? {} : { payload: body }), framing: segment.length - body.length };
}

/** COBS and the CRC, read once more from their definitions. */
function naivePacket(segment: Uint8Array): Segment {
  if (segment.length === 0) return { framing: 0 };
  const packet: number[] = [];
  for (let at = 0; at < segment.length; at += segment[at] as number) {
    const code = segment[at] as number;
    const block = segment.subarray(at + 1, at + code);
    if (block.length < code - 1) return undefined;
    packet.push(...block, ...(code < 255 && at + code < segment.length ? [0] : []));
  }
  if (packet.length < 5 || packet.length > 4101 || packet[0] !== 1 || naiveCrc(packet) !== 0) return undefined;
  const payload = Uint8Array.from(packet.slice(3, -2));
  return { payload, framing: segment.length - payload.length };
}

function naiveDelimited(name: 'line' | 'cobs', stream: Uint8Array): Readonly<{ payloads: readonly string[]; framing: number; lost: number }> {
  const delimiter = name === 'line' ? 0x0a : 0;
  const payloads: string[] = [];
  let [framing, lost, from] = [0, 0, 0];
  for (let end = stream.indexOf(delimiter); end >= 0; end = stream.indexOf(delimiter, from)) {
    const between = stream.subarray(from, end);
    const segment = name === 'line' ? naiveLine(between) : naivePacket(between);
    if (segment?.payload !== undefined) payloads.push(hex(segment.payload));
    if (segment === undefined) lost += between.length;
    framing += 1 + (segment?.framing ?? 0);
    from = end + 1;
  }
  return { payloads, framing, lost: lost + stream.length - from };
}

describe.each(['line', 'cobs'] as const)('with delimiters, %s', (name) => {
  it('finds what its naive twin finds, and every byte is in a payload, around one, or counted as lost', { timeout: fuzzTimeout(runsOf(500)) }, () => {
    fc.assert(fc.property(delimited(name), cuts, (stream, places) => {
      const { payloads, dropped } = readPieces(name, pieces(stream, places));
      const naively = naiveDelimited(name, stream);
      const lost = dropped.reduce((all, { bytes: some }) => all + some, 0);
      expect(payloads).toEqual(naively.payloads);
      expect(lost).toBe(naively.lost);
      expect(payloads.join('').length / 2 + naively.framing + lost).toBe(stream.length);
    }), { numRuns: runsOf(500) });
  });

  it('loses no good frame to garbage that ends with a delimiter', { timeout: fuzzTimeout(runsOf(500)) }, () => {
    const delimiter = name === 'line' ? 0x0a : 0x00;
    fc.assert(fc.property(fc.array(fc.tuple(garbage, PACKETS[name]), { maxLength: 6 }), (parts) => {
      const { payloads } = readAll(name, Buffer.concat(parts.flatMap(([noise, packet]) => [noise, Buffer.of(delimiter), packet])));
      let from = 0;
      for (const [, packet] of parts) {
        const at = payloads.indexOf(readAll(name, packet).payloads[0] ?? '', from);
        expect(at).toBeGreaterThanOrEqual(from);
        from = at + 1;
      }
    }), { numRuns: runsOf(500) });
  });
});

describe('lines', () => {
  const lines = (text: string): Outcome => readAll('line', Buffer.from(text, 'latin1'));
  const textOf = ({ payloads }: Outcome): string[] => payloads.map((payload) => Buffer.from(payload, 'hex').toString('latin1'));

  it('end with LF or CRLF, and empty ones are none', () => {
    expect(textOf(lines('a\nb\r\n\n\r\nc\rd\n\r\r\n'))).toEqual(['a', 'b', 'c\rd', '\r']);
  });

  it('that nobody ended are dropped', () => {
    expect(lines('a\nbcd')).toMatchObject({ payloads: ['61'], dropped: [{ reason: 'incomplete_frame', bytes: 3 }] });
  });

  it('may have 8 KiB and no more, and the next one is good', () => {
    const long = 'x'.repeat(8192);
    expect(textOf(lines(`${long}\n${long}\r\nok\n`))).toEqual([long, long, 'ok']);
    expect(lines(`${long}y\nok\n`)).toMatchObject({ payloads: ['6f6b'], dropped: [{ reason: 'oversized_frame', bytes: 8193 }] });
    expect(lines(`${long}yz\nok\n`)).toMatchObject({ payloads: ['6f6b'], dropped: [{ reason: 'oversized_frame', bytes: 8194 }] });
  });

  it('without an end are reported as one loss, and then as what is out of step', () => {
    expect(lines('x'.repeat(40_000)).dropped).toEqual([
      { reason: 'oversized_frame', bytes: 16_384 }, { reason: 'out_of_sync', bytes: 16_384 }, { reason: 'out_of_sync', bytes: 7232 },
    ]);
  });
});

describe('packets of our own protocol', () => {
  const good = encodePacket({ type: 'data', sequence: 7, payload: Buffer.from('{}') });

  it('carry their sequence, also when they come twice', () => {
    expect(readAll('cobs', Buffer.concat([good, good]))).toEqual({ payloads: ['7b7d', '7b7d'], sequences: [7, 7], dropped: [] });
  });

  it('are dropped when a byte is wrong, when they are no data, and when they are too long', () => {
    const wrong = Buffer.from(good);
    wrong[6] = 0x7c;
    const before = (noise: Uint8Array): Outcome => readAll('cobs', Buffer.concat([noise, good]));
    expect(before(wrong)).toMatchObject({ payloads: ['7b7d'], dropped: [{ reason: 'bad_checksum', bytes: good.length - 1 }] });
    expect(before(encodeAck(3))).toMatchObject({ payloads: ['7b7d'], dropped: [{ reason: 'other_packet' }] });
    expect(before(Buffer.of(0x09, 1, 0))).toMatchObject({ payloads: ['7b7d'], dropped: [{ reason: 'malformed_frame', bytes: 2 }] });
    expect(before(Buffer.concat([Buffer.alloc(5000, 1), Buffer.of(0)]))).toMatchObject({ payloads: ['7b7d'], dropped: [{ reason: 'oversized_frame', bytes: 5000 }] });
  });

  it('may be as large as the protocol says', () => {
    const payload = new Uint8Array(4096).fill(5);
    expect(readAll('cobs', encodePacket({ type: 'data', sequence: 0, payload }))).toEqual({ payloads: [hex(payload)], sequences: [0], dropped: [] });
  });
});

describe('packets of 25 frames', () => {
  const packet = (fc.sample(nonin2Packet, { seed: 1, numRuns: 1 })[0]) as Buffer;

  it('are found in what an Onyx II 9560 was recorded to send from the middle of a packet on', () => {
    const recorded = '01804900ca0180464a1101804400c501804300c401814300c50180434a0e0180436024018043945801804300c401804100c201803e17d601803c04c1018039601a0180366017'
      + '018035601601803400b501803400b501803400b50180354a000180366017018037601801803a00bb01804000c101804a00cb0180574a2201806900ea01807c4a470180900011'
      + '0180a100220181af0031';
    const stream = Buffer.from(recorded, 'hex');
    // 4 frames of the packet before, one whole packet, and the first frame of the next.
    expect(readAll('nonin-2', stream)).toMatchObject({
      payloads: [hex(stream.subarray(20, 145))],
      dropped: [{ reason: 'out_of_sync', bytes: 20 }, { reason: 'incomplete_frame', bytes: 5 }],
    });
  });

  it('are lost as a whole when one frame is broken, and as one loss', () => {
    const broken = Buffer.from(packet);
    broken[67] = (broken[67] as number) ^ 1;
    const { payloads, dropped } = readAll('nonin-2', Buffer.concat([packet, broken, packet]));
    expect({ payloads, dropped }).toEqual({ payloads: [hex(packet), hex(packet)], dropped: [{ reason: 'bad_checksum', bytes: 125 }] });
  });

  it('are incomplete when the next one begins too early or the line is closed', () => {
    const { payloads, dropped } = readAll('nonin-2', Buffer.concat([packet.subarray(0, 60), packet, packet.subarray(0, 120)]));
    expect({ payloads, dropped }).toEqual({ payloads: [hex(packet)], dropped: [{ reason: 'incomplete_frame', bytes: 60 }, { reason: 'incomplete_frame', bytes: 120 }] });
  });
});

describe('packets of a Contec oximeter', () => {
  const contec = (n: number): Buffer => Buffer.concat(Array.from({ length: n }, (_, i) => Buffer.of(1, 0xe0, 0x85, 0x80 + (i % 60), 0x96, 0xc1, 0xe1, 0xff, 0xff)));
  const start = (): { framing: Framing; dropped: Dropped[] } => {
    const dropped: Dropped[] = [];
    return { framing: createFraming('contec-9', { onDropped: (each) => dropped.push(each) }), dropped };
  };
  const lengths = (payloads: readonly FramedPayload[]): number[] => payloads.map(({ payload }) => payload.length / 9);

  it('are grouped by the second', () => {
    const { framing, dropped } = start();
    expect(lengths(framing.push(contec(150)))).toEqual([60, 60]);
    expect(lengths(framing.flush())).toEqual([30]);
    expect(lengths(framing.flush())).toEqual([]);
    expect(dropped).toEqual([]);
  });

  it('are grouped without a gap: a loss ends the group, and costs the packet before it, which may be the broken one', () => {
    const { framing, dropped } = start();
    const stream = Buffer.concat([contec(10), Buffer.of(0xff), contec(10)]);
    expect(lengths([...framing.push(stream), ...framing.close()])).toEqual([9, 10]);
    expect(dropped).toEqual([{ reason: 'malformed_frame', bytes: 10 }]);
  });

  it('never pass on values that a byte too many has shifted', () => {
    const { framing, dropped } = start();
    const shifted = Buffer.of(1, 0xe0, 0x85, 0x85, 0x80, 0x96, 0xc1, 0xe1, 0xff, 0xff);
    expect(lengths([...framing.push(Buffer.concat([contec(3), shifted, contec(3)])), ...framing.close()])).toEqual([3, 3]);
    expect(dropped).toEqual([{ reason: 'malformed_frame', bytes: 10 }]);
  });

  it('lose the one that misses a byte', () => {
    const { framing, dropped } = start();
    expect(lengths([...framing.push(Buffer.concat([contec(3), contec(1).subarray(0, 8), contec(3)])), ...framing.close()])).toEqual([3, 3]);
    expect(dropped).toEqual([{ reason: 'incomplete_frame', bytes: 8 }]);
  });

  it('keep their group when the device answers a command in between', () => {
    const { framing, dropped } = start();
    expect(lengths([...framing.push(Buffer.concat([contec(30), Buffer.of(0x0e, 0x80, 0x80), contec(30)])), ...framing.close()])).toEqual([60]);
    expect(dropped).toEqual([{ reason: 'other_packet', bytes: 3 }]);
  });

  it('wait for silence before the last one counts', () => {
    const { framing } = start();
    expect(lengths(framing.push(contec(60)))).toEqual([]);
    expect(lengths(framing.flush())).toEqual([60]);
    expect(lengths(framing.push(contec(1).subarray(0, 5)))).toEqual([]);
    expect(lengths(framing.flush())).toEqual([]);
    expect(lengths([...framing.push(contec(1).subarray(5)), ...framing.flush()])).toEqual([1]);
  });

  it('are asked for with the commands of the document', () => {
    expect([CONTEC_9_START, CONTEC_9_KEEP_ALIVE, CONTEC_9_STOP].map(hex)).toEqual(['7d81a1808080808080', '7d81af808080808080', '7d81a2808080808080']);
    expect(CONTEC_9_KEEP_ALIVE_EVERY).toBe(5000);
  });
});

describe('a spot check', () => {
  const check = (fc.sample(nonin13Packet, { seed: 2, numRuns: 1 })[0]) as Buffer;

  it('is found behind one that was cut off', () => {
    const { payloads, dropped } = readAll('nonin-13', Buffer.concat([check.subarray(0, 12), check]));
    expect(payloads).toEqual([hex(check)]);
    expect(dropped.reduce((all, { bytes: lost }) => all + lost, 0)).toBe(12);
  });

  it('is refused with a length that no device sends', () => {
    expect(readAll('nonin-13', Buffer.from('0002000d000d', 'hex')).dropped).toEqual([{ reason: 'malformed_frame', bytes: 6 }]);
    expect(readAll('nonin-13', Buffer.from('0002000d0100', 'hex')).dropped[0]).toMatchObject({ reason: 'oversized_frame' });
    expect(readAll('nonin-13', Buffer.from('0002000d0041', 'hex')).dropped[0]).toMatchObject({ reason: 'oversized_frame' });
  });
});
