/** Mutated frames for any decoder, and what must hold whatever they are. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Decoded, Decoder, DecoderInput } from '../../gateway/decode/decoder.ts';
import { DecodeError } from '../../gateway/errors.ts';

/** Frames of one decoder: `VITALGATE_FUZZ_RUNS=1000000 npm test -- decode` for a long run. Failures print their seed. */
const RUNS = Number(process.env['VITALGATE_FUZZ_RUNS'] ?? 20_000);
const MOST_CHANNELS = 1024;
const MOST_SAMPLES = 8192;
const LONGEST_NAME = 128;

type Mutation = (bytes: Buffer) => Buffer;

const place = fc.nat();
const at = (bytes: Buffer, n: number): number => n % (bytes.length + 1);
const flipBit: fc.Arbitrary<Mutation> = fc.tuple(place, fc.nat(7)).map(([n, bit]) => (bytes) => {
  if (bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(n % bytes.length) ^ (1 << bit), n % bytes.length);
  return bytes;
});
const setByte: fc.Arbitrary<Mutation> = fc.tuple(place, fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff))).map(([n, value]) => (bytes) => {
  if (bytes.length > 0) bytes.writeUInt8(value, n % bytes.length);
  return bytes;
});
const cutOff: fc.Arbitrary<Mutation> = place.map((n) => (bytes) => bytes.subarray(0, at(bytes, n)));
const takeOut: fc.Arbitrary<Mutation> = fc.tuple(place, fc.integer({ min: 1, max: 8 })).map(([n, size]) => (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), bytes.subarray(at(bytes, n) + size)]));
const putIn: fc.Arbitrary<Mutation> = fc
  .tuple(place, fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constantFrom('null', '-1e999', '"', '{', '[', ':', ',', '\0', 'NaN', '1e400', '[[[[[[[[').map((text) => Buffer.from(text))))
  .map(([n, more]) => (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), more, bytes.subarray(at(bytes, n))]));
const repeat: fc.Arbitrary<Mutation> = fc.tuple(place, fc.integer({ min: 1, max: 16 })).map(([n, size]) => (bytes) => Buffer.concat([bytes, bytes.subarray(at(bytes, n), at(bytes, n) + size)]));
const mutation = fc.oneof(flipBit, flipBit, setByte, setByte, cutOff, takeOut, putIn, repeat);

function mutated(samples: readonly DecoderInput[]): fc.Arbitrary<DecoderInput> {
  const fromSample = fc.tuple(fc.constantFrom(...samples), fc.array(mutation, { minLength: 1, maxLength: 5 })).map(([input, mutations]) => ({
    ...input,
    payload: mutations.reduce<Buffer>((bytes, mutate) => mutate(bytes), Buffer.from(input.payload)),
  }));
  const noise = fc.tuple(fc.constantFrom(...samples), fc.uint8Array({ maxLength: 200 })).map(([input, payload]) => ({ ...input, payload }));
  const otherTopic = fc.tuple(fc.constantFrom(...samples), fc.string({ maxLength: 40 })).map(([input, topic]) => ({ ...input, topic }));
  return fc.oneof({ weight: 8, arbitrary: fromSample }, noise, otherTopic);
}

/** Decodes with every memory the samples left behind, so that a stateful decoder meets garbage in any state. */
function decodeOrReason<M>(decoder: Decoder<M>, input: DecoderInput, memory: M | undefined): Decoded<M> | string {
  try {
    return decoder.decode(input, memory);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

/** What every decoder promises of its output (gateway/decode/decoder.ts). */
function expectSound({ channels, sequence, deviceTime, address, rejected }: Decoded<unknown>): void {
  expect(channels.length).toBeLessThanOrEqual(MOST_CHANNELS);
  for (const { name, value, rateHz, deviceTime: own } of channels) {
    const values = typeof value === 'number' ? [value] : value;
    expect(values.length).toBeLessThanOrEqual(MOST_SAMPLES);
    for (const each of values) if (!Number.isFinite(each)) expect.fail(`${name} is ${each}`);
    if (name.length === 0 || name.length > LONGEST_NAME) expect.fail(`a channel name of ${name.length} characters`);
    if (rateHz !== undefined && !(rateHz > 0 && Number.isFinite(rateHz))) expect.fail(`rate ${rateHz}`);
    if (own !== undefined && !Number.isFinite(own)) expect.fail(`time ${own}`);
  }
  if (sequence !== undefined && !(Number.isSafeInteger(sequence) && sequence >= 0)) expect.fail(`sequence ${sequence}`);
  if (deviceTime !== undefined && !Number.isFinite(deviceTime)) expect.fail(`time ${deviceTime}`);
  if (address !== undefined && address.length > 256) expect.fail(`an address of ${address.length} characters`);
  for (const error of rejected) expect(error).toBeInstanceOf(DecodeError);
}

/**
 * Declares the test that mutates `samples`. `accepts` says of what was decoded from a mutated frame whether it is nonsense
 * that must never be accepted (out of the format's own range, say).
 */
export function itSurvivesMutatedFrames<M>(decoder: Decoder<M>, samples: readonly DecoderInput[], accepts: (decoded: Decoded<M>) => boolean = () => true): void {
  it(`${decoder.name} neither crashes nor accepts nonsense, whatever becomes of its frames`, { timeout: 600_000 }, () => {
    const memories: (M | undefined)[] = [undefined];
    for (const input of samples) {
      const decoded = decodeOrReason(decoder, input, memories.at(-1));
      if (typeof decoded !== 'string' && decoded.memory !== undefined) memories.push(decoded.memory);
    }
    fc.assert(
      fc.property(mutated(samples), fc.constantFrom(...memories), (input, memory) => {
        const before = Buffer.from(input.payload);
        const decoded = decodeOrReason(decoder, input, memory);
        if (!before.equals(input.payload)) expect.fail('the decoder wrote into its input');
        if (typeof decoded === 'string') return;
        expectSound(decoded);
        if (!accepts(decoded)) expect.fail(`accepted ${JSON.stringify(decoded)}`);
      }),
      { numRuns: RUNS },
    );
  });
}
