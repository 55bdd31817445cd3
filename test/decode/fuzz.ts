/** Mutated frames for any decoder, and what must hold whatever they are. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Channel, Decoded, Decoder, DecoderInput } from '../../gateway/decode/decoder.ts';
import { FAMILIES } from '../../gateway/decode/families.ts';
import type { Interpretation } from '../../gateway/decode/family.ts';
import { MEASUREMENTS } from '../../gateway/decode/measurements.ts';
import type { Message } from '../../gateway/decode/native-json.ts';
import { DecodeError } from '../../gateway/errors.ts';
import { DOUBTS, type Reading } from '../../gateway/reading.ts';
import { fuzzRuns, fuzzTimeout, tellFuzz } from '../fuzz-runs.ts';
import { mutated } from './mutations.ts';

const USUAL_RUNS = 20_000;
/** Frames of one connection, one after the other, for decoders with a memory. */
const FRAMES_IN_A_ROW = 4;
const MOST_CHANNELS = 1024;
const MOST_SAMPLES = 8192;
const LONGEST_NAME = 128;
const LONGEST_UNIT = 32;
const LONGEST_ADDRESS = 256;
const LONGEST_REASON = 300;
/** The last instant of a JavaScript date (ECMA-262 §21.4.1.1), milliseconds. */
const LAST_TIME = 8.64e15;
/** What the memory of a connection may take as JSON, in characters. */
const LARGEST_MEMORY = 1024 * 1024;
const NOTICES = new Set(['online', 'offline', 'sensor_off', 'sensor_fault', 'battery_low', 'resync']);

export type FuzzOptions<M> = Readonly<{
  /** Whether what a mutated frame decoded to makes sense: in the range of the format, say. */
  accepts?: (decoded: Decoded<M>) => boolean;
  /** For formats with a checksum: whether these bytes keep it, judged by other code than the decoder's. Nothing else may be accepted. */
  isIntact?: (payload: Uint8Array) => boolean;
  /** Furthest device time there may be. Default: the last instant of a JavaScript date. Our own format keeps any number: no alarm is refused for a clock. */
  furthestTime?: number;
}>;

/** For {@link FuzzOptions.furthestTime}. */
export const ANY_TIME = Number.MAX_VALUE;

/** A decoder of messages that name measurements themselves, seen as one of channels. */
export function nativeDecoder(name: string, decode: (payload: Uint8Array) => Message): Decoder {
  return {
    name,
    version: 1,
    decode: ({ payload }) => {
      const { readings, rejected, ...rest } = decode(payload);
      return { ...rest, rejected, notices: [], channels: readings.map(({ measurement, ...reading }) => ({ name: measurement, ...reading })) };
    },
  };
}

/**
 * Declares the test that mutates `samples`: nothing but DecodeError is thrown, nothing that is accepted is nonsense, the same
 * frame always means the same, and what a decoder remembers stays bounded when it is handed back, as JSON, again and again.
 */
export function itSurvivesMutatedFrames<M>(decoder: Decoder<M>, samples: readonly DecoderInput[], options: FuzzOptions<M> = {}): void {
  it(`${decoder.name} neither crashes nor accepts nonsense, whatever becomes of its frames`, { timeout: fuzzTimeout(fuzzRuns(USUAL_RUNS)) }, () => {
    const memories = memoriesAfter(decoder, samples);
    const inARow = memories.length > 1 ? FRAMES_IN_A_ROW : 1;
    const runs = fuzzRuns(USUAL_RUNS, 2 / (1 + inARow));
    const trial = new Trial(decoder, samples, options);
    const frames = fc.array(mutated(samples), { minLength: 1, maxLength: inARow });
    const start = performance.now();
    fc.assert(fc.property(frames, fc.constantFrom(...memories), (inputs, memory) => trial.run(inputs, memory)), { numRuns: runs });
    tellFuzz(`${decoder.name}: ${trial.told}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
  });
}

/** Every memory the samples leave behind, so that a decoder meets garbage in any state. */
function memoriesAfter<M>(decoder: Decoder<M>, samples: readonly DecoderInput[]): readonly (M | undefined)[] {
  const memories: (M | undefined)[] = [undefined];
  for (const input of samples) {
    const decoded = decodeOrReason(decoder, input, memories.at(-1));
    if (typeof decoded !== 'string' && decoded.memory !== undefined) memories.push(frozen(decoded.memory));
  }
  return memories;
}

class Trial<M> {
  readonly #decoder: Decoder<M>;
  readonly #options: FuzzOptions<M>;
  readonly #good: ReadonlySet<string>;
  readonly #furthestTime: number;
  #frames = 0;
  #accepted = 0;
  #collisions = 0;
  #largestMemory = 0;

  constructor(decoder: Decoder<M>, samples: readonly DecoderInput[], options: FuzzOptions<M>) {
    this.#decoder = decoder;
    this.#options = options;
    this.#furthestTime = options.furthestTime ?? LAST_TIME;
    this.#good = new Set(options.isIntact === undefined ? [] : samples.map(({ payload }) => hex(payload)));
  }

  /** In words, for a long run. */
  get told(): string {
    const memory = this.#largestMemory === 0 ? '' : `, largest memory ${this.#largestMemory} characters of JSON`;
    const collisions = this.#options.isIntact === undefined ? '' : `, ${this.#collisions} others that keep the checksum`;
    return `${this.#frames} frames, ${this.#accepted} accepted${collisions}${memory}`;
  }

  run(inputs: readonly DecoderInput[], first: M | undefined): void {
    let memory = first;
    for (const input of inputs) {
      this.#frames += 1;
      const decoded = this.#decode(input, memory);
      expectInterpreted(this.#decoder.name, input, memory, this.#furthestTime);
      if (typeof decoded === 'string') continue;
      this.#accepted += 1;
      this.#judge(decoded, input);
      if (decoded.memory !== undefined) memory = this.#kept(decoded.memory);
    }
  }

  /** Decodes twice, the second time from a copy in the middle of other bytes. */
  #decode(input: DecoderInput, memory: M | undefined): Decoded<M> | string {
    const copy = Buffer.concat([Buffer.alloc(3, 0xee), input.payload, Buffer.alloc(3, 0xee)]);
    const decoded = decodeOrReason(this.#decoder, input, memory);
    const again = decodeOrReason(this.#decoder, { ...input, payload: copy.subarray(3, -3) }, memory);
    if (!copy.subarray(3, -3).equals(input.payload)) expect.fail('the decoder wrote into its input');
    if (!isDeepStrictEqual(again, decoded)) expect.fail(`means another thing the second time: ${JSON.stringify([decoded, again])}`);
    return decoded;
  }

  #judge(decoded: Decoded<M>, { payload }: DecoderInput): void {
    const { accepts, isIntact } = this.#options;
    const flaw = flawOf(decoded, this.#furthestTime);
    if (flaw !== undefined) expect.fail(`${flaw} in ${JSON.stringify(decoded)}`);
    if (accepts?.(decoded) === false) expect.fail(`accepted ${JSON.stringify(decoded)}`);
    if (isIntact === undefined || this.#good.has(hex(payload))) return;
    if (!isIntact(payload)) expect.fail('accepted with a wrong checksum');
    this.#collisions += 1;
  }

  /** As it comes back after a restart. */
  #kept(memory: M): M {
    const json = JSON.stringify(memory);
    this.#largestMemory = Math.max(this.#largestMemory, json.length);
    if (json.length > LARGEST_MEMORY) expect.fail(`a memory of ${json.length} characters`);
    const kept = JSON.parse(json) as M;
    if (!isDeepStrictEqual(kept, memory)) expect.fail('a memory that JSON cannot hold');
    return frozen(kept);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function decodeOrReason<M>(decoder: Decoder<M>, input: DecoderInput, memory: M | undefined): Decoded<M> | string {
  try {
    return decoder.decode(input, memory);
  } catch (error) {
    return reasonOf(error);
  }
}

/** Of a refusal; whatever else was thrown is thrown again. */
function reasonOf(error: unknown): string {
  if (!(error instanceof DecodeError)) throw error;
  if (error.message.length > LONGEST_REASON) expect.fail(`a reason of ${error.message.length} characters`);
  return error.reason;
}

/** What any decoder promises of its output (gateway/decode/decoder.ts); what breaks it, in words. */
function flawOf({ channels, sequence, deviceTime, address, rejected, notices }: Decoded<unknown>, furthest: number): string | undefined {
  if (channels.length > MOST_CHANNELS || rejected.length > 2 * MOST_CHANNELS) return 'too many channels';
  for (const channel of channels) {
    const flaw = channelFlawOf(channel, furthest);
    if (flaw !== undefined) return flaw;
  }
  if (sequence !== undefined && !(Number.isSafeInteger(sequence) && sequence >= 0)) return 'no sequence';
  if (!isTime(deviceTime, furthest)) return 'no time';
  if (address !== undefined && (address.length === 0 || address.length > LONGEST_ADDRESS)) return 'no address';
  if (new Set(notices).size < notices.length || !notices.every((notice) => NOTICES.has(notice))) return 'no notices';
  for (const error of rejected) reasonOf(error);
  return undefined;
}

function channelFlawOf({ name, value, unit, rateHz, deviceTime, doubt }: Channel, furthest: number): string | undefined {
  if (name.length === 0 || name.length > LONGEST_NAME) return `a name of ${name.length} characters`;
  const values = typeof value === 'number' ? [value] : value;
  if (values.length === 0 || values.length > MOST_SAMPLES) return `${values.length} samples`;
  if (!values.every((each) => Number.isFinite(each))) return `${name} is no number`;
  if ((rateHz === undefined) !== (typeof value === 'number')) return 'a waveform without a rate, or a rate without a waveform';
  if (rateHz !== undefined && !(rateHz > 0 && rateHz <= 10_000)) return `rate ${rateHz}`;
  if (unit !== undefined && (unit.length === 0 || unit.length > LONGEST_UNIT)) return `a unit of ${unit.length} characters`;
  if (doubt !== undefined && !DOUBTS.includes(doubt)) return 'no doubt';
  return isTime(deviceTime, furthest) ? undefined : `${name} has no time`;
}

/** Absent, or an instant there is. */
const isTime = (time: number | undefined, furthest: number): boolean => time === undefined || Math.abs(time) <= furthest;

/** The same frame through its family, with what its channels usually are: readings are in the units of the table. */
function expectInterpreted(name: string, input: DecoderInput, memory: unknown, furthest: number): void {
  const family = FAMILIES.get(name);
  if (family === undefined) return;
  let interpretation: Interpretation;
  try {
    interpretation = family.interpret(input, memory, { name, decoder: name, topic: '#' });
  } catch (error) {
    reasonOf(error);
    return;
  }
  for (const reading of interpretation.message.readings) {
    if (!isReading(reading, furthest)) expect.fail(`a reading ${JSON.stringify(reading)}`);
  }
}

function isReading({ measurement, value, unit, deviceTime }: Reading, furthest: number): boolean {
  const known = MEASUREMENTS.get(measurement);
  const isValue = (each: number): boolean => Number.isFinite(each) && (known?.integer !== true || Number.isInteger(each));
  return known?.unit === unit && (typeof value === 'number' ? [value] : value).every(isValue) && isTime(deviceTime, furthest);
}

/** What is handed to a decoder is not its own: writing into it throws. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) frozen(each);
  }
  return value;
}
