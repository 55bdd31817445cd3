/** What may become of a decoder's frame on its way: one or more damages to a good one, two of them spliced, or noise. */

import fc from 'fast-check';
import type { DecoderInput } from '../../gateway/decode/decoder.ts';

/** `other`: the payload of another good frame. */
type Mutation = (bytes: Buffer, other: Uint8Array) => Buffer;

const place = fc.nat();
const at = (bytes: Uint8Array, n: number): number => n % (bytes.length + 1);

const flipBit = fc.tuple(place, fc.nat(7)).map(([n, bit]): Mutation => (bytes) => {
  if (bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(n % bytes.length) ^ (1 << bit), n % bytes.length);
  return bytes;
});
const setByte = fc.tuple(place, fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff))).map(([n, value]): Mutation => (bytes) => {
  if (bytes.length > 0) bytes.writeUInt8(value, n % bytes.length);
  return bytes;
});
const cutOff = place.map((n): Mutation => (bytes) => bytes.subarray(0, at(bytes, n)));
const takeOut = fc.tuple(place, fc.integer({ min: 1, max: 8 }))
  .map(([n, size]): Mutation => (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), bytes.subarray(at(bytes, n) + size)]));
const WORDS = ['null', '-1e999', '"', '{', '[', ':', ',', '\0', 'NaN', '1e400', '[[[[[[[[', '\u{1F600}', '\u202e', '__proto__', 'constructor', '\\ud800'];
const putIn = fc.tuple(place, fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(...WORDS).map((text) => Buffer.from(text))))
  .map(([n, more]): Mutation => (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), more, bytes.subarray(at(bytes, n))]));
const repeat = fc.tuple(place, fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 40 })).map(([n, size, times]): Mutation => (bytes) => {
  const piece = bytes.subarray(at(bytes, n), at(bytes, n) + size);
  return Buffer.concat([bytes.subarray(0, at(bytes, n)), ...Array.from({ length: times }, () => piece), bytes.subarray(at(bytes, n))]);
});
const splice = fc.tuple(place, place).map(([n, m]): Mutation => (bytes, other) => Buffer.concat([bytes.subarray(0, at(bytes, n)), other.subarray(at(other, m))]));

/** Where number types end, IEEE 754 and IEEE 11073-20601 have their special values, and a JavaScript number loses whole ones. */
const EXTREME_BYTES = [
  '0000', 'ffff', '7fff', '8000', '0080', 'ff7f', 'fe07', 'ff07', '0008', '0108', '0208', 'ffffffff', '7fffffff', '80000000', 'feff7f00', 'ffff7f00',
  '00008000', '7f800000', 'ff800000', '7fc00000', '0000807f', '000080ff', '0000c07f', '7ff0000000000000', 'fff0000000000000', '7ff8000000000000',
  '000000000000f07f', '000000000000f0ff', '000000000000f87f', 'ffffffffffffffff', '8000000000000000', 'ffffffffffffffff01', '0020000000000000', '0100000000000000',
].map((hex) => Buffer.from(hex, 'hex'));
const extremeBytes = fc.tuple(place, fc.constantFrom(...EXTREME_BYTES))
  .map(([n, value]): Mutation => (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), value, bytes.subarray(at(bytes, n) + value.length)]));

const EXTREME_NUMBERS = [
  '1e308', '-1e308', '1.7976931348623157e308', '1e309', '-1e309', '5e-324', '1e-400', '-0', '-0.0', '0', '-1', '1e21', '9007199254740991', '9007199254740993',
  '8640000000000000', '8640000000000001', '-8640000000000001', '2147483648', '4294967296', '18446744073709551616', '1e3', '0.1', '00', '+1', '1.', '.5', '0x10', '9'.repeat(400),
];
const NUMBER = /[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const extremeNumber = fc.tuple(place, fc.constantFrom(...EXTREME_NUMBERS)).map(([n, number]): Mutation => (bytes) => {
  const numbers = [...bytes.toString('latin1').matchAll(NUMBER)];
  const found = numbers[n % Math.max(1, numbers.length)];
  if (found === undefined) return bytes;
  return Buffer.concat([bytes.subarray(0, found.index), Buffer.from(number), bytes.subarray(found.index + found[0].length)]);
});

const mutation = fc.oneof(flipBit, flipBit, setByte, setByte, cutOff, takeOut, putIn, repeat, splice, extremeBytes, extremeNumber);

/** Frames made of good ones. */
export function mutated(samples: readonly DecoderInput[]): fc.Arbitrary<DecoderInput> {
  const sample = fc.constantFrom(...samples);
  const fromSample = fc.tuple(sample, sample, fc.array(mutation, { minLength: 1, maxLength: 5 })).map(([input, other, mutations]) => ({
    ...input,
    payload: mutations.reduce<Buffer>((bytes, mutate) => mutate(bytes, other.payload), Buffer.from(input.payload)),
  }));
  const noise = fc.tuple(sample, fc.uint8Array({ maxLength: 200 })).map(([input, payload]) => ({ ...input, payload }));
  const otherTopic = fc.tuple(sample, fc.oneof(fc.string({ maxLength: 40 }), sample.map(({ topic }) => topic))).map(([input, topic]) => ({ ...input, topic }));
  return fc.oneof({ weight: 8, arbitrary: fromSample }, noise, otherTopic);
}
