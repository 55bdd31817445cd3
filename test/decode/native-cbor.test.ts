import { readdirSync, readFileSync } from 'node:fs';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { decodeNativeCbor } from '../../gateway/decode/native-cbor.ts';
import { decodeNativeJson, type Message } from '../../gateway/decode/native-json.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Reading } from '../../gateway/reading.ts';
import { ANY_TIME, itSurvivesMutatedFrames, nativeDecoder } from './fuzz.ts';

type Vector = Readonly<{
  desc: string; source: string; hex?: string; repeat?: string; times?: number;
  wantReason?: QuarantineReason; wantReadings?: Reading[]; wantRejected?: QuarantineReason[];
}>;

const VECTORS = new URL('native-cbor-vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) })
);

const bytesOf = ({ hex, repeat = '', times = 0 }: Vector): Uint8Array => Buffer.from(hex ?? repeat.repeat(times), 'hex');

/** The reason of the refusal, or the message. Anything thrown that is no DecodeError fails the test. */
function outcome(decode: (payload: Uint8Array) => Message, payload: Uint8Array): Message | QuarantineReason {
  try {
    return decode(payload);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

/** What two outcomes must share: everything but the words. */
function meaning(got: Message | QuarantineReason): unknown {
  return typeof got === 'string' ? got : { ...got, rejected: got.rejected.map(({ reason }) => reason) };
}

describe('a payload', () => {
  it.each(vectors)('$name: $desc', (vector) => {
    const got = outcome(decodeNativeCbor, bytesOf(vector));
    if (vector.wantReason !== undefined) return expect(got).toBe(vector.wantReason);
    expect((got as Message).readings).toEqual(vector.wantReadings);
    return expect((got as Message).rejected.map(({ reason }) => reason)).toEqual(vector.wantRejected);
  });

  it('is never repeated in the reason: it may be about a patient', () => {
    const twice = Buffer.from('a264416e6e610164416e6e6102', 'hex');
    for (const payload of [twice, encode('Anna'), encode({ seq: 'Anna' }), encode({ measurement: 'heart_rate', unit: '/min', value: 'Anna' })]) {
      expect(() => decodeNativeCbor(payload)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('Anna') as string }));
    }
  });

  it('may hold 256 readings and 8,192 samples', () => {
    const reading = { measurement: 'spo2', value: 97, unit: '%' };
    expect(decodeNativeCbor(encode(Array.from({ length: 256 }, () => reading))).readings).toHaveLength(256);
    const waveform = { measurement: 'ppg', unit: '1', rate: 500, samples: Array.from({ length: 8192 }, (_, i) => i / 8192) };
    expect(decodeNativeCbor(encode({ waveform })).readings[0]?.value).toHaveLength(8192);
  });
});

const value = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.string(), fc.array(fc.integer(), { maxLength: 3 }));
const word = fc.oneof(fc.constantFrom(...MEASUREMENTS.keys(), '/min', '%', '1', 'Cel'), fc.string());
const member = fc.constantFrom('seq', 'time', 'measurement', 'value', 'unit', 'readings', 'waveform', 'rate', 'samples', 'constructor', '__proto__', 'later');
const anyMembers = fc.dictionary(member, fc.oneof(value, word), { noNullPrototype: true });
const reading = fc.constantFrom(...MEASUREMENTS).chain(([measurement, { unit }]) => fc.record(
  { measurement: fc.constant(measurement), unit: fc.constant(unit), value: fc.oneof(value, fc.nat(300)), time: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { requiredKeys: ['measurement', 'unit', 'value'], noNullPrototype: true },
));
const block = fc.record(
  { waveform: fc.record({ measurement: fc.constant('ppg'), unit: fc.constant('1'), rate: fc.oneof(value, fc.nat(500)), samples: fc.oneof(value, fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }))) }, { noNullPrototype: true }) },
  { noNullPrototype: true },
);
const list = fc.array(fc.oneof(reading, block, anyMembers, value), { maxLength: 4 });
const envelope = fc.tuple(fc.record({ seq: fc.oneof(fc.nat(), value), time: fc.oneof(fc.nat(), value), readings: list }, { requiredKeys: [], noNullPrototype: true }), fc.oneof(reading, block, anyMembers))
  .map(([outer, inner]): object => ({ ...inner, ...outer }));

describe('a message', () => {
  it('means the same in CBOR and in JSON, when both can express it', () => {
    fc.assert(fc.property(fc.oneof(envelope, list, reading, anyMembers, value), (content) => {
      // As JSON reads it: without −0, for example, and with whatever has no other spelling there.
      const plain: unknown = JSON.parse(JSON.stringify(content));
      const inJson = outcome(decodeNativeJson, Buffer.from(JSON.stringify(plain), 'utf8'));
      expect(meaning(outcome(decodeNativeCbor, encode(plain)))).toEqual(meaning(inJson));
    }), { numRuns: 3000 });
  });
});

describe('any bytes', () => {
  const samples = [
    ...vectors.filter(({ wantReadings }) => wantReadings !== undefined).map(bytesOf),
    encode({ seq: 42, time: 1_790_000_000_123, readings: [{ measurement: 'spo2', value: 97, unit: '%' }, { waveform: { measurement: 'ppg', unit: '1', rate: 50, samples: [0.12, 1] } }] }),
  ].map((payload) => ({ topic: 'devices/a/readings', payload, receivedAt: UnixMillis(1_790_000_000_000) }));
  itSurvivesMutatedFrames(nativeDecoder('native-cbor', decodeNativeCbor), samples, {
    accepts: ({ channels }) => channels.every(({ name, unit }) => MEASUREMENTS.get(name)?.unit === unit),
    furthestTime: ANY_TIME,
  });
});
