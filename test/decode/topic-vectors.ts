/** Vectors of decoders whose frames come with a topic: `<name>-vectors/*.json`, one file per case. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Decoded, Decoder, DecoderInput } from '../../gateway/decode/decoder.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';

/** `source`: the document the case is from, or "constructed". The payload is `text`, or bytes in `hex`. */
export type Vector = Readonly<{
  desc: string; source: string; topic: string; text?: string; hex?: string; timeZone?: string; wantReason?: QuarantineReason;
  /** What is decoded, `rejected` by its reasons; lists that are not there are empty. */
  want?: object;
}>;

const NOW = UnixMillis(1_790_000_000_000);

export function frame(topic: string, content: string | Uint8Array, timeZone?: string): DecoderInput {
  const payload = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return { topic, payload, receivedAt: NOW, ...(timeZone === undefined ? {} : { timeZone }) };
}

export function outcome(decoder: Decoder, input: DecoderInput): Decoded | QuarantineReason {
  try {
    return decoder.decode(input, undefined);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

/** All messages of all refusals of a frame. */
export function complaints(decoder: Decoder, input: DecoderInput): readonly string[] {
  try {
    return decoder.decode(input, undefined).rejected.map(({ message }) => message);
  } catch (error) {
    return [(error as Error).message];
  }
}

export function readVectors(decoder: string): readonly (Vector & Readonly<{ name: string }>)[] {
  const folder = new URL(`${decoder}-vectors/`, import.meta.url);
  return readdirSync(folder).map(
    (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector) })
  );
}

/** Declares a test for each vector of the decoder; what a vector does not want MUST NOT be there. Returns the frames that decode. */
export function itReadsItsVectors(decoder: Decoder): readonly DecoderInput[] {
  const vectors = readVectors(decoder.name);
  const inputOf = ({ topic, text, hex, timeZone }: Vector): DecoderInput => frame(topic, text ?? Buffer.from(hex ?? '', 'hex'), timeZone);
  it.each(vectors)('$name: $desc', (vector) => {
    const got = outcome(decoder, inputOf(vector));
    if (vector.wantReason !== undefined || typeof got === 'string') return expect(got).toBe(vector.wantReason);
    const rejected = got.rejected.map(({ reason }) => reason);
    return expect({ ...got, rejected }).toEqual({ channels: [], rejected: [], notices: [], ...vector.want });
  });
  return vectors.filter(({ want }) => want !== undefined).map(inputOf);
}
