import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine } from '../../gateway/decode/csv-lines.ts';
import type { Decoded, DecoderInput } from '../../gateway/decode/decoder.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';

const bytesOf = (line: string | Uint8Array): Uint8Array => (typeof line === 'string' ? Buffer.from(line, 'utf8') : line);
const inputOf = (line: string | Uint8Array): DecoderInput => ({ topic: '', payload: bytesOf(line), receivedAt: UnixMillis(0) });
const decode = (payload: string | Uint8Array): Decoded => csvLine.decode(inputOf(payload), undefined);

function refusalOf(payload: string | Uint8Array): QuarantineReason | 'none' {
  try {
    decode(payload);
    return 'none';
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

const spo2 = { name: 'spo2', value: 97, unit: '%' };
const nothing = { rejected: [], notices: [] };

describe('a line of text', () => {
  const accepted: readonly [line: string, want: object][] = [
    ['spo2,97,%', { channels: [spo2] }],
    ['spo2,97,%,1764000000123', { channels: [spo2], deviceTime: 1_764_000_000_123 }],
    ['spo2,97,%,1764000000123,41', { channels: [spo2], deviceTime: 1_764_000_000_123, sequence: 41 }],
    ['spo2,97,%,,41', { channels: [spo2], sequence: 41 }],
    ['spo2,97,%,,', { channels: [spo2] }],
    [' spo2 ,\t097 , % \r\n', { channels: [spo2] }],
    ['body_temperature,36.85,Cel', { channels: [{ name: 'body_temperature', value: 36.85, unit: 'Cel' }] }],
    ['room_temperature,-3.5,Cel', { channels: [{ name: 'room_temperature', value: -3.5, unit: 'Cel' }] }],
    ['ppg,+1.5e-03,1', { channels: [{ name: 'ppg', value: 0.0015, unit: '1' }] }],
    ['systolic_pressure,120,mm[Hg]', { channels: [{ name: 'systolic_pressure', value: 120, unit: 'mm[Hg]' }] }],
    ['power,0.000,W', { channels: [{ name: 'power', value: 0, unit: 'W' }] }],
    ['AM2301.Temperature,21,Cel', { channels: [{ name: 'AM2301.Temperature', value: 21, unit: 'Cel' }] }],
  ];

  it.each(accepted)('%j', (line, want) => {
    expect(decode(line)).toEqual({ ...nothing, ...want });
  });

  it.each([
    '# boot 3', '#', '  # spo2,97,%', 'measurement,value,unit', 'Measurement, Value, Unit, Time, Sequence', 'measurement,value',
  ])('%j is no reading', (line) => {
    expect(decode(line)).toEqual({ ...nothing, channels: [] });
  });

  const refused: readonly [line: string, reason: QuarantineReason][] = [
    ['', 'empty_payload'], [' \r\n', 'empty_payload'],
    ['spo2', 'wrong_shape'], ['spo2,97', 'wrong_shape'], ['spo2,97,%,1,2,3', 'wrong_shape'],
    [',97,%', 'wrong_shape'], ['sp o2,97,%', 'wrong_shape'], [`${'n'.repeat(129)},97,%`, 'wrong_shape'], ['Blutdruck°,97,%', 'wrong_shape'],
    ['spo2,97,%\nspo2,98,%', 'wrong_shape'], ['\uFEFFspo2,97,%\rx', 'wrong_shape'],
    ['spo2,97,', 'wrong_unit'], ['spo2,97,%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%', 'wrong_unit'], ['spo2,97,per cent', 'wrong_unit'], ['spo2,97,°', 'wrong_unit'],
    ['spo2,,%', 'not_a_number'], ['spo2,0x61,%', 'not_a_number'], ['spo2,1e999,%', 'not_a_number'], ['spo2,-1e999,%', 'not_a_number'],
    ['spo2,1e-999,%', 'not_a_number'], ['spo2,1e9999,%', 'not_a_number'], ['spo2,NaN,%', 'not_a_number'], ['spo2,Infinity,%', 'not_a_number'],
    ['spo2,"97",%', 'not_a_number'], ['spo2,.5,%', 'not_a_number'], ['spo2,5.,%', 'not_a_number'], ['spo2,9 7,%', 'not_a_number'],
    ['spo2,0b11,%', 'not_a_number'], ['spo2,1_000,%', 'not_a_number'], ['spo2,97n,%', 'not_a_number'], ['spo2,--,%', 'not_a_number'],
    [`spo2,${'9'.repeat(33)},%`, 'not_a_number'], ['spo2,٩٧,%', 'not_a_number'],
    ['spo2,97,%,yesterday', 'wrong_shape'], ['spo2,97,%,-1', 'wrong_shape'], ['spo2,97,%,1.5', 'wrong_shape'], ['spo2,97,%,9000000000000000', 'wrong_shape'],
    ['spo2,97,%,,-1', 'wrong_shape'], ['spo2,97,%,,9007199254740993', 'wrong_shape'], ['spo2,97,%,,1e3', 'wrong_shape'],
    [`spo2,97,%,${' '.repeat(512)}`, 'too_complex'],
  ];

  it.each(refused)('%j is refused: %s', (line, reason) => {
    expect(refusalOf(line)).toBe(reason);
  });

  it('is refused when it is not UTF-8', () => {
    expect(refusalOf(Uint8Array.of(0x73, 0xff, 0x2c))).toBe('invalid_utf8');
  });

  it('is never repeated in the reason: it may be about a patient', () => {
    for (const line of ['Anna M,97,%', 'spo2,Anna,%', 'spo2,97,Anna M', 'spo2,97,%,Anna', 'spo2,97,%,1,Anna', 'Anna']) {
      expect(() => decode(line)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('Anna') as string }));
    }
  });

  it('gives back every number that was written into it', () => {
    const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const time = fc.nat({ max: 8.64e15 });
    fc.assert(fc.property(number, time, fc.maxSafeNat(), (value, deviceTime, sequence) => {
      const want = { ...nothing, channels: [{ ...spo2, value: Number(String(value)) }], deviceTime, sequence };
      expect(decode(`spo2,${value},%,${deviceTime},${sequence}`)).toEqual(want);
    }));
  });
});

describe('whatever becomes of a line', () => {
  const samples = ['spo2,97,%', 'body_temperature,36.85,Cel,1764000000123,41', 'ppg,-1.5e-03,1,,7', '# boot', 'measurement,value,unit'].map(inputOf);
  itSurvivesMutatedFrames(csvLine, samples, {
    accepts: ({ channels, deviceTime = UnixMillis(0) }) => {
      const named = channels.every(({ name, unit = '', value }) => /^[\w.-]{1,128}$/.test(name) && /^[!-~]{1,32}$/.test(unit) && typeof value === 'number');
      return channels.length <= 1 && named && Number.isInteger(deviceTime) && deviceTime >= 0 && deviceTime <= 8.64e15;
    },
  });
});
