import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, Decoded, Decoder, DecoderInput, Notice } from '../../gateway/decode/decoder.ts';
import { contec5, contec9, nonin13, nonin2, nonin7, nonin8 } from '../../gateway/decode/oximeter.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { isNonin13, isNonin25 } from '../nonin-packets.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';

type Vector = Readonly<{
  desc: string;
  /** The document or recording, or "constructed". */
  source: string;
  decoder: string;
  hex: string;
  timeZone?: string;
  want?: Readonly<{ channels: readonly Channel[]; notices: readonly Notice[]; rejected?: readonly QuarantineReason[]; deviceTime?: number }>;
  wantReason?: QuarantineReason;
}>;

const DECODERS = new Map<string, Decoder>([nonin2, nonin7, nonin8, nonin13, contec9, contec5].map((decoder) => [decoder.name, decoder]));
const VECTORS = new URL('oximeter-vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) })
);

const inputOf = ({ hex, timeZone }: Pick<Vector, 'hex' | 'timeZone'>): DecoderInput => ({
  topic: '', payload: Buffer.from(hex, 'hex'), receivedAt: UnixMillis(1_790_000_000_000), ...(timeZone === undefined ? {} : { timeZone }),
});
const decoderOf = (name: string): Decoder => DECODERS.get(name) ?? expect.fail(`no decoder ${name}`);
const samplesOf = (name: string): DecoderInput[] => vectors.filter(({ decoder }) => decoder === name).map(inputOf);

function outcome({ decoder, ...vector }: Vector): Decoded | QuarantineReason {
  try {
    return decoderOf(decoder).decode(inputOf(vector), undefined);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

describe('a packet of an oximeter', () => {
  it.each(vectors)('$name: $desc', (vector) => {
    const got = outcome(vector);
    if (vector.wantReason !== undefined) return expect(got).toBe(vector.wantReason);
    const { rejected, ...rest } = got as Decoded;
    const { rejected: wantRejected = [], ...want } = vector.want ?? expect.fail('a vector that wants nothing');
    expect(rejected.map(({ reason }) => reason)).toEqual(wantRejected);
    return expect(rest).toEqual(want);
  });

  it('is in a vector for every decoder', () => {
    expect(new Set(vectors.map(({ decoder }) => decoder))).toEqual(new Set(DECODERS.keys()));
  });
});

type Range = readonly [lowest: number, highest: number];
const RANGES: Readonly<Record<string, Readonly<Record<string, Range>>>> = {
  'nonin-2': { spo2: [0, 100], pulse_rate: [0, 510], ppg: [0, 255] },
  'nonin-7': { spo2: [0, 100], pulse_rate: [0, 510], ppg: [0, 65_535] },
  'nonin-8': { spo2: [0, 100], pulse_rate: [0, 510] },
  'nonin-13': { spo2: [0, 100], pulse_rate: [0, 510] },
  'contec-9': { spo2: [1, 100], pulse_rate: [1, 254], ppg: [0, 127], signal_strength: [0, 8], perfusion_index: [0.01, 22] },
  'contec-5': { spo2: [1, 100], pulse_rate: [1, 254], ppg: [0, 127], signal_strength: [0, 8] },
};

/** Every value in the range of its format, each channel once, and with the finger out nothing but a doubtful waveform. */
function isSense(name: string, { channels, notices }: Decoded): boolean {
  const inRange = channels.every(({ name: channel, value }) => {
    const [lowest, highest] = RANGES[name]?.[channel] ?? [1, 0];
    return (typeof value === 'number' ? [value] : value).every((each) => each >= lowest && each <= highest);
  });
  const once = new Set(channels.map((channel) => channel.name)).size === channels.length;
  const silent = !notices.includes('sensor_off') || channels.every((channel) => channel.name === 'ppg' && channel.doubt === 'poor_signal');
  return inRange && once && silent;
}

describe('whatever becomes of a packet', () => {
  /** By formats with checksums. */
  const INTACT: Readonly<Record<string, (packet: Uint8Array) => boolean>> = {
    'nonin-2': (packet) => isNonin25(packet, 1),
    'nonin-7': (packet) => isNonin25(packet, 0),
    'nonin-13': isNonin13,
  };
  for (const [name, decoder] of DECODERS) {
    const isIntact = INTACT[name];
    itSurvivesMutatedFrames(decoder, samplesOf(name), { accepts: (decoded) => isSense(name, decoded), ...(isIntact === undefined ? {} : { isIntact }) });
  }

  it('one flipped bit anywhere makes a packet with checksums unreadable', () => {
    for (const name of ['nonin-2', 'nonin-7', 'nonin-13']) {
      const good = vectors.filter(({ decoder, want }) => decoder === name && want !== undefined);
      fc.assert(fc.property(fc.constantFrom(...good), fc.nat(), fc.nat(7), ({ hex }, place, bit) => {
        const { payload } = inputOf({ hex });
        const at = place % payload.length;
        payload[at] = (payload[at] as number) ^ (1 << bit);
        expect(outcome({ desc: '', source: '', decoder: name, hex: Buffer.from(payload).toString('hex') })).toBe('wrong_shape');
      }), { numRuns: 500 });
    }
  });
});

describe('a second of a Contec oximeter', () => {
  const sample = fc.record({ spo2: fc.integer({ min: 0, max: 127 }), pulse: fc.integer({ min: 0, max: 255 }), wave: fc.nat(127), out: fc.boolean() });
  const samples = fc.array(sample, { minLength: 1, maxLength: 60 });
  type Sample = Readonly<{ spo2: number; pulse: number; wave: number; out: boolean }>;

  const asNine = ({ spo2, pulse, wave, out }: Sample): number[] =>
    [1, 0x80 | (out ? 1 : 0) | (pulse >> 7 << 3), 0x83, wave | 0x80, 0x90, pulse | 0x80, spo2 | 0x80, 0xff, 0xff];
  const asFive = ({ spo2, pulse, wave, out }: Sample): number[] =>
    [0x83, wave, (out ? 0x10 : 0) | (pulse >> 7 << 6), pulse & 0x7f, spo2];

  /** The naive twin: forgets everything whenever the finger is out. */
  function naive(each: readonly Sample[]): Readonly<{ spo2: number | undefined; pulse: number | undefined }> {
    let spo2: number | undefined;
    let pulse: number | undefined;
    for (const { spo2: s, pulse: p, out } of each) {
      if (out) [spo2, pulse] = [undefined, undefined];
      else {
        if (s >= 1 && s <= 100) spo2 = s;
        if (p >= 1 && p <= 254) pulse = p;
      }
    }
    return { spo2, pulse };
  }

  it('means the same in both formats, and what its naive twin says', () => {
    fc.assert(fc.property(samples, (each) => {
      const decode = (decoder: Decoder, bytes: readonly number[]): Decoded =>
        decoder.decode(inputOf({ hex: Buffer.from(bytes).toString('hex') }), undefined);
      const nine = decode(contec9, each.flatMap(asNine));
      expect(decode(contec5, each.flatMap(asFive))).toEqual(nine);
      const valueOf = (name: string): unknown => nine.channels.find((channel) => channel.name === name)?.value;
      expect({ spo2: valueOf('spo2'), pulse: valueOf('pulse_rate') }).toEqual(naive(each));
      expect(valueOf('ppg')).toEqual(each.every(({ out }) => out) ? undefined : each.map(({ wave }) => wave));
      expect(nine.notices).toEqual(each.at(-1)?.out === true ? ['sensor_off'] : []);
    }));
  });
});
