import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import { decodeNativeJson, type Message } from '../../gateway/decode/native-json.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import type { Reading } from '../../gateway/reading.ts';
import { ANY_TIME, itSurvivesMutatedFrames, nativeDecoder } from './fuzz.ts';

type Payload = { text: string } | { hex: string } | { before: string; repeat: string; times: number; after: string };
type Vector = {
  desc: string; payload: Payload; wantReason?: QuarantineReason; wantReadings?: Reading[]; wantRejected?: QuarantineReason[];
};

const VECTORS = new URL('vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) })
);

function bytesOf(payload: Payload): Uint8Array {
  if ('hex' in payload) return Buffer.from(payload.hex, 'hex');
  return Buffer.from('text' in payload ? payload.text : payload.before + payload.repeat.repeat(payload.times) + payload.after, 'utf8');
}

/** The reason of the refusal, or the message. Anything thrown that is no DecodeError fails the test. */
function outcome(payload: Uint8Array): Message | QuarantineReason {
  try {
    return decodeNativeJson(payload);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

const decodeText = (text: string): Message => decodeNativeJson(Buffer.from(text, 'utf8'));

describe('a payload nobody should send', () => {
  it.each(vectors)('$name: $desc', ({ payload, wantReason, wantReadings, wantRejected = [] }) => {
    const got = outcome(bytesOf(payload));
    if (wantReason !== undefined) return expect(got).toBe(wantReason);
    const { readings, rejected } = got as Message;
    expect(readings).toEqual(wantReadings);
    return expect(rejected.map(({ reason }) => reason)).toEqual(wantRejected);
  });

  it('is never repeated in the reason: it may be about a patient', () => {
    const reading = '{"measurement":"heart_rate","value":"Anna 70","unit":"/min"}';
    for (const text of [reading, '{"seq":"Anna","measurement":"heart_rate"}', '"Anna"', '{"time":"Anna"}']) {
      expect(() => decodeText(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('Anna') as string }));
    }
  });
});

describe('a message', () => {
  const spo2 = { measurement: 'spo2', value: 97, unit: '%' };
  const pulse = { measurement: 'heart_rate', value: 70.5, unit: '/min' };
  const time = 1_790_000_000_123;
  const accepted: readonly [shape: string, content: unknown, want: object][] = [
    ['of one reading', spo2, { readings: [spo2] }],
    [
      'of one reading with counter and time', { seq: 41, time, ...spo2 },
      { sequence: 41, deviceTime: time, readings: [{ ...spo2, deviceTime: time }] },
    ],
    ['of several readings', { readings: [spo2, pulse] }, { readings: [spo2, pulse] }],
    [
      'whose readings inherit its time', { time, readings: [spo2, { ...pulse, time: time - 5 }] },
      { readings: [{ ...spo2, deviceTime: time }, { ...pulse, deviceTime: time - 5 }] },
    ],
    ['that is an array', [spo2, { ...pulse, time }], { readings: [spo2, { ...pulse, deviceTime: time }] }],
    ['of one waveform block', { seq: 0, time, waveform: { measurement: 'ppg', unit: '1', rate: 50, samples: [0.12, -1, 3] } },
      { sequence: 0, readings: [{ measurement: 'ppg', unit: '1', rateHz: 50, value: [0.12, -1, 3], deviceTime: time }] }],
    ['of a waveform among readings', { readings: [spo2, { waveform: { measurement: 'ppg', unit: '1', rate: 0.5, samples: [1] } }] },
      { readings: [spo2, { measurement: 'ppg', unit: '1', rateHz: 0.5, value: [1] }] }],
    ['with members of later firmware', { ...spo2, battery: 3, firmware: { version: '2.0' } }, { readings: [spo2] }],
    ['with the highest counter', { seq: 2 ** 53 - 1, ...spo2 }, { sequence: 2 ** 53 - 1 }],
  ];
  for (const [shape, content, want] of accepted) {
    it(`${shape} is understood`, () => {
      expect(decodeText(JSON.stringify(content))).toMatchObject({ rejected: [], ...want });
    });
  }

  it('without counter and time has none', () => {
    expect(Object.keys(decodeText(JSON.stringify(spo2))).toSorted()).toEqual(['readings', 'rejected']);
  });

  it('may hold 256 readings and 8,192 samples', () => {
    expect(decodeText(JSON.stringify(Array.from({ length: 256 }, () => spo2))).readings).toHaveLength(256);
    const samples = Array.from({ length: 8192 }, () => 0);
    expect(
      decodeText(JSON.stringify({ waveform: { measurement: 'ppg', unit: '1', rate: 500, samples } })).readings[0]?.value
    ).toHaveLength(8192);
  });

  it('of every measurement in its own unit is understood, in any other it is not', () => {
    for (const [measurement, { unit }] of MEASUREMENTS) {
      expect(decodeText(JSON.stringify({ measurement, unit, value: 1 })).readings).toEqual([{ measurement, unit, value: 1 }]);
      expect(outcome(Buffer.from(JSON.stringify({ measurement, unit: `${unit} `, value: 1 })))).toBe('wrong_unit');
    }
  });
});

describe('any bytes', () => {
  const judge = (bytes: Uint8Array): void => {
    const got = outcome(bytes);
    if (typeof got === 'string') return;
    expect(got.readings.length + got.rejected.length).toBeGreaterThan(0);
    for (const { measurement, unit, value } of got.readings) {
      expect(MEASUREMENTS.get(measurement)?.unit).toBe(unit);
      for (const each of [value].flat()) expect(Number.isFinite(each)).toBe(true);
    }
  };

  it('are decoded or refused with a reason, nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), judge), { numRuns: 500 });
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), (text) => judge(Buffer.from(text, 'utf8'))), { numRuns: 500 });
  });

  const good = '{"seq":42,"time":1790000000123,"readings":[{"measurement":"spo2","value":97,"unit":"%"},'
    + '{"waveform":{"measurement":"ppg","unit":"1","rate":50,"samples":[0.12,1]}}]}';
  const samples = [Buffer.from(good), ...vectors.filter(({ wantReadings }) => wantReadings !== undefined).map(({ payload }) => bytesOf(payload))]
    .map((payload) => ({ topic: 'devices/a/readings', payload, receivedAt: UnixMillis(1_790_000_000_000) }));
  itSurvivesMutatedFrames(nativeDecoder('native-json', decodeNativeJson), samples, {
    accepts: ({ channels }) => channels.every(({ name, unit }) => MEASUREMENTS.get(name)?.unit === unit),
    furthestTime: ANY_TIME,
  });

  it('of well-formed messages of any member values are decoded or refused with a reason, nothing else', () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.double(), fc.constantFrom(-0, 2 ** 53, 1e308));
    const member = fc.constantFrom(
      'seq', 'time', 'measurement', 'value', 'unit', 'readings', 'waveform', 'rate', 'samples', '__proto__', 'constructor',
    );
    const flat = fc.dictionary(member, fc.oneof(value, fc.constantFrom('heart_rate', '/min', 'ppg', '1')), { noNullPrototype: true });
    const nested = fc.tuple(flat, fc.array(flat, { maxLength: 3 }), fc.boolean()).map(
      ([outer, inner, block]) => ({ ...outer, [block ? 'waveform' : 'readings']: block ? inner[0] : inner })
    );
    fc.assert(
      fc.property(fc.oneof(flat, nested, fc.array(flat)), (content) => judge(Buffer.from(JSON.stringify(content), 'utf8'))),
      { numRuns: 1000 },
    );
  });
});
