import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, Decoded, Decoder, DecoderInput, Notice } from '../../gateway/decode/decoder.ts';
import { gatt, gattHex, gattLine } from '../../gateway/decode/gatt.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';

/** `want` without what is empty; its time as ISO 8601. Either `hex` or `text` is the payload. */
type Vector = Readonly<{
  desc: string;
  /** The document it is from, or "constructed". */
  source: string;
  decoder: string;
  topic: string;
  hex?: string;
  text?: string;
  timeZone?: string;
  wantReason?: QuarantineReason;
  want?: Readonly<{
    channels: readonly Channel[]; notices?: readonly Notice[]; sequence?: number; deviceTime?: string; address?: string;
  }>;
}>;

const VECTORS = new URL('gatt-vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) }),
);
const DECODERS = new Map<string, Decoder>([gatt, gattHex, gattLine].map((decoder) => [decoder.name, decoder]));
const RECEIVED_AT = UnixMillis(Date.UTC(2026, 0, 1));

const hexBytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function inputOf({ topic, hex, text, timeZone }: Vector): DecoderInput {
  const payload = text === undefined ? hexBytes(hex ?? '') : Buffer.from(text, 'utf8');
  return { topic, payload, receivedAt: RECEIVED_AT, ...(timeZone === undefined ? {} : { timeZone }) };
}

function decoderOf({ decoder: name }: Vector): Decoder {
  const decoder = DECODERS.get(name);
  if (decoder === undefined) throw new Error(`no decoder ${name}`);
  return decoder;
}

/** The reason of the refusal, or what was decoded. Anything thrown that is no DecodeError fails the test. */
function outcome(decoder: Decoder, input: DecoderInput): Decoded | QuarantineReason {
  try {
    return decoder.decode(input, undefined);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

/** The outcome of one characteristic, its value in hexadecimal digits or as bytes. */
function valueOf(characteristic: string, value: string | readonly number[], timeZone?: string): Decoded | QuarantineReason {
  const payload = typeof value === 'string' ? hexBytes(value) : Uint8Array.from(value);
  return outcome(gatt, { topic: characteristic, payload, receivedAt: RECEIVED_AT, ...(timeZone === undefined ? {} : { timeZone }) });
}

/** The bytes of a number, the least significant first. */
const littleEndian = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => (value >> (8 * i)) & 0xff);

describe('a characteristic', () => {
  it.each(vectors)('$name: $desc', (vector) => {
    const got = outcome(decoderOf(vector), inputOf(vector));
    if (vector.want === undefined) return expect(got).toBe(vector.wantReason);
    const { deviceTime, ...want } = vector.want;
    const time = deviceTime === undefined ? {} : { deviceTime: Date.parse(deviceTime) };
    return expect(got).toStrictEqual({ rejected: [], notices: [], ...want, ...time });
  });

  it('cut anywhere is refused, unless the rest is an open list', () => {
    const isOpenList = ({ topic, hex = '' }: Vector): boolean => topic === '2a37' && ((hexBytes(hex)[0] ?? 0) & 0x10) !== 0;
    const whole = vectors.filter((vector) => vector.decoder === 'gatt' && vector.want !== undefined && !isOpenList(vector));
    const cut = whole.map(inputOf).flatMap((input) =>
      Array.from({ length: input.payload.length }, (_, length) => ({ ...input, payload: input.payload.subarray(0, length) })),
    );
    expect(cut.length).toBeGreaterThan(500);
    for (const input of cut) expect(outcome(gatt, input)).toBe(input.payload.length === 0 ? 'empty_payload' : 'wrong_shape');
  });

  it('with any reserved flag set is refused', () => {
    const reserved = {
      '2a18': 0xe0, '2a1c': 0xf8, '2a1e': 0xf8, '2a35': 0xe0, '2a36': 0xe0, '2a37': 0xe0, '2a5e': 0xe0, '2a5f': 0xe0, '2a9d': 0xf0,
    };
    for (const [characteristic, bits] of Object.entries(reserved)) {
      for (let flags = 0; flags < 256; flags++) {
        // Of up to 24 zeros one number is right for the fields of any characteristic.
        const got = Array.from({ length: 25 }, (_, size) => valueOf(characteristic, [flags, ...Buffer.alloc(size)]));
        expect(got.some((each) => typeof each !== 'string')).toBe((flags & bits) === 0);
      }
    }
  });

  it('is never repeated in the reason of a refusal: it may be about a patient', () => {
    const text = (payload: string, topic = '2a37'): DecoderInput => ({ topic, payload: Buffer.from(payload), receivedAt: RECEIVED_AT });
    const refused: readonly [Decoder, DecoderInput][] = [
      [gattHex, text('Anna 70')], [gattLine, text('Anna')], [gattLine, text('Anna 2a00 00')], [gatt, text('x', 'Anna')],
      [gatt, text('x', `${'Anna'.repeat(20)}/2a37`)],
    ];
    for (const [decoder, input] of refused) {
      const withoutIt = expect.objectContaining({ message: expect.not.stringContaining('Anna') as string });
      expect(() => decoder.decode(input, undefined)).toThrow(withoutIt);
    }
  });

  it('tells its time only with a time zone, and then for every zone another', () => {
    const weight = '02 B4 41 E1 07 01 0A 12 32 21';
    expect(valueOf('2a9d', weight)).not.toHaveProperty('deviceTime');
    expect(valueOf('2a9d', weight, 'UTC')).toHaveProperty('deviceTime', Date.UTC(2017, 0, 10, 18, 50, 33));
    expect(valueOf('2a9d', weight, 'Asia/Kolkata')).toHaveProperty('deviceTime', Date.UTC(2017, 0, 10, 13, 20, 33));
  });
});

describe('the values of one characteristic', () => {
  it('are the weights of all steps, without binary noise', () => {
    fc.assert(fc.property(fc.nat(0xfffe), (steps) => {
      const want = { name: 'body_weight', value: Number(`${steps * 5}e-3`), unit: 'kg' };
      expect(valueOf('2a9d', [0, ...littleEndian(steps, 2)])).toHaveProperty('channels', [want]);
    }));
  });

  it('are glucose concentrations of no more digits than were sent', () => {
    const exponents = fc.constantFrom(-8, -7, -6, -5, -4);
    fc.assert(fc.property(fc.integer({ min: 1, max: 2045 }), exponents, fc.boolean(), (mantissa, exponent, inMoles) => {
      const concentration = littleEndian(((exponent & 0xf) << 12) | mantissa, 2);
      const { channels } = valueOf('2a18', [inMoles ? 6 : 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...concentration, 0x11]) as Decoded;
      const value = channels[0]?.value as number;
      expect(value).toBeCloseTo(mantissa * 10 ** exponent * (inMoles ? 1e3 : 1e5), 6);
      expect(Number(value.toPrecision(4))).toBe(value);
    }));
  });

  it('are the same in bytes, digits and lines', () => {
    for (const vector of vectors.filter(({ decoder, topic }) => decoder === 'gatt' && /^[0-9a-fx-]+$/i.test(topic))) {
      const input = inputOf(vector);
      const bytes = outcome(gatt, input);
      const digits = Buffer.from(input.payload).toString('hex');
      expect(outcome(gattHex, { ...input, payload: Buffer.from(digits) })).toStrictEqual(bytes);
      if (digits === '') continue;
      const line = outcome(gattLine, { ...input, topic: '', payload: Buffer.from(`c0:ff ${vector.topic} ${digits}`) });
      expect(line).toStrictEqual(typeof bytes === 'string' ? bytes : { ...bytes, address: 'c0:ff' });
    }
  });

  it('depend on statuses of the oximeter as its tables say, for every status', () => {
    fc.assert(fc.property(fc.nat(0xffff), fc.nat(0xff_ffff), (measurement, device) => {
      const value = [0x62, 0, 0x48, 0, ...littleEndian(measurement, 2), ...littleEndian(device, 3)];
      expect(valueOf('2a5e', [0x06, ...value])).toMatchObject(naiveOximeter(bitsOf(measurement), bitsOf(device)));
      // A continuous measurement is always ongoing (bit 5).
      expect(valueOf('2a5f', [0x0c, ...value])).toMatchObject(naiveOximeter(bitsOf(measurement & ~(1 << 5)), bitsOf(device)));
    }), { numRuns: 2000 });
  });
});

const BITS = Array.from({ length: 24 }, (_, bit) => bit);
const bitsOf = (word: number): ReadonlySet<number> => new Set(BITS.filter((bit) => (word & (1 << bit)) !== 0));

/** What a status means, written down once more as a list of bit numbers. */
function naiveOximeter(measurement: ReadonlySet<number>, device: ReadonlySet<number>): object {
  const some = (bits: ReadonlySet<number>, ...wanted: readonly number[]): boolean => wanted.some((bit) => bits.has(bit));
  const notices: Notice[] = [];
  if (some(device, 7, 11, 13, 15)) notices.push('sensor_off');
  if (some(device, 1, 14)) notices.push('sensor_fault');
  if (notices.length > 0 || some(measurement, 13, 15)) return { channels: [], notices };
  let doubt: Channel['doubt'];
  if (some(measurement, 14) || some(device, 2, 3, 4, 5, 6, 8, 10, 12)) doubt = 'poor_signal';
  if (some(measurement, 5, 6) || some(device, 0, 9)) doubt = 'ongoing';
  if (some(measurement, 9)) doubt = 'stored';
  if (some(measurement, 10, 11, 12)) doubt = 'not_real';
  const because = doubt === undefined ? {} : { doubt };
  const [spo2, pulse] = [{ name: 'spo2', value: 98, unit: '%' }, { name: 'pulse_rate', value: 72, unit: '/min' }];
  return { channels: [{ ...spo2, ...because }, { ...pulse, ...because }], notices };
}

describe('any bytes', () => {
  const UNITS: Readonly<Record<string, readonly string[]>> = {
    heart_rate: ['/min'], energy_expended: ['kJ'], rr_interval: ['ms'], battery: ['%'], body_temperature: ['Cel', '[degF]'],
    skin_temperature: ['Cel', '[degF]'], systolic_pressure: ['mm[Hg]', 'kPa'], diastolic_pressure: ['mm[Hg]', 'kPa'],
    mean_pressure: ['mm[Hg]', 'kPa'], cuff_pressure: ['mm[Hg]', 'kPa'], pulse_rate: ['/min'], irregular_pulse: ['1'],
    spo2: ['%'], spo2_fast: ['%'], spo2_slow: ['%'], pulse_rate_fast: ['/min'], pulse_rate_slow: ['/min'], pulse_amplitude_index: ['%'],
    body_weight: ['kg', '[lb_av]'], glucose: ['mg/dL', 'mmol/L'], interstitial_glucose: ['mg/dL', 'mmol/L'],
  };
  /** What the integer fields of a format can hold. */
  const RANGES: Readonly<Record<string, readonly [number, number]>> = {
    heart_rate: [1, 65_535], energy_expended: [0, 65_535], rr_interval: [1000 / 1024, 64_000], battery: [0, 100],
    irregular_pulse: [0, 1], body_weight: [0, 655.34],
  };

  function channelIsOfItsFormat({ name, value, unit, doubt }: Channel): boolean {
    if (typeof value !== 'number' || unit === undefined) return false;
    const [lowest, highest] = RANGES[name] ?? [-Number.MAX_VALUE, Number.MAX_VALUE];
    if (name === 'cuff_pressure' && doubt !== 'ongoing') return false;
    return UNITS[name]?.includes(unit) === true && value >= lowest && value <= highest;
  }

  /** A sensor that is off or broken measures nothing, whatever stands in its fields; energy was counted before. */
  function accepts({ channels, notices, address = 'x', sequence = 0 }: Decoded): boolean {
    const blind = notices.some((notice) => notice === 'sensor_off' || notice === 'sensor_fault');
    if (blind && channels.some(({ name }) => name !== 'energy_expended')) return false;
    return channels.every(channelIsOfItsFormat) && channels.length <= 256 && address.length <= 64 && sequence <= 65_535;
  }

  const samplesOf = (decoder: Decoder): DecoderInput[] => vectors.filter((vector) => vector.decoder === decoder.name).map(inputOf);
  const values = vectors.filter(({ decoder, want }) => decoder === 'gatt' && want !== undefined).map((vector) => ({
    ...inputOf(vector),
    digits: hexBytes(vector.hex ?? '').toString('hex'),
    characteristic: vector.topic.slice(vector.topic.lastIndexOf('/') + 1),
  }));
  const asDigits = values.map((value) => ({ ...value, payload: Buffer.from(value.digits) }));
  const asLines = values.map((value) => ({ ...value, payload: Buffer.from(`a4:c1 ${value.characteristic} ${value.digits}`) }));

  itSurvivesMutatedFrames(gatt, samplesOf(gatt), { accepts });
  itSurvivesMutatedFrames(gattHex, [...samplesOf(gattHex), ...asDigits], { accepts });
  itSurvivesMutatedFrames(gattLine, [...samplesOf(gattLine), ...asLines], { accepts });
});
