import { readdirSync, readFileSync } from 'node:fs';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, Decoded, DecoderInput } from '../../gateway/decode/decoder.ts';
import { senmlCbor, senmlJson } from '../../gateway/decode/senml.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';

type Vector = Readonly<{
  desc: string; source: string; decoder: string; receivedAt: number; text?: string; hex?: string;
  wantReason?: QuarantineReason; want?: { channels: Channel[]; rejected: QuarantineReason[] };
}>;

const VECTORS = new URL('senml-vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) })
);
const NOW = UnixMillis(1_790_000_000_000);

const inputOf = (payload: Uint8Array, receivedAt = NOW): DecoderInput => ({ topic: 'room', payload, receivedAt });
const inputOfVector = ({ text, hex, receivedAt }: Vector): DecoderInput =>
  inputOf(text === undefined ? Buffer.from(hex ?? '', 'hex') : Buffer.from(text, 'utf8'), UnixMillis(receivedAt));
const decoderOf = (name: string): typeof senmlJson => (name === senmlCbor.name ? senmlCbor : senmlJson);

function outcome(decoder: typeof senmlJson, input: DecoderInput): Decoded | QuarantineReason {
  try {
    return decoder.decode(input, undefined);
  } catch (error) {
    if (error instanceof DecodeError) return error.reason;
    throw error;
  }
}

const fromJson = (pack: unknown): Decoded => senmlJson.decode(inputOf(Buffer.from(JSON.stringify(pack), 'utf8')), undefined);

const LABELS = ['n', 'u', 'v', 'vs', 'vb', 's', 't', 'ut', 'vd'];
const BASE_LABELS = ['bver', 'bn', 'bt', 'bu', 'bv', 'bs'];
const integerFor = (label: string): number | string => {
  if (LABELS.includes(label)) return LABELS.indexOf(label);
  return BASE_LABELS.includes(label) ? -1 - BASE_LABELS.indexOf(label) : label;
};

/** The pack as RFC 8428 §6 writes it down. */
const inCbor = (pack: readonly object[]): Uint8Array =>
  encode(pack.map((record) => new Map(Object.entries(record).map(([label, value]) => [integerFor(label), value as unknown]))));

describe('a SenML pack', () => {
  it.each(vectors)('$name: $desc', (vector) => {
    const got = outcome(decoderOf(vector.decoder), inputOfVector(vector));
    if (vector.wantReason !== undefined) return expect(got).toBe(vector.wantReason);
    expect((got as Decoded).channels).toEqual(vector.want?.channels);
    return expect((got as Decoded).rejected.map(({ reason }) => reason)).toEqual(vector.want?.rejected);
  });

  it('is never repeated in a reason: it may be about a patient', () => {
    const record = { n: 'Anna', u: 'Anna', v: 'Anna', t: 'Anna', s: 'Anna' };
    for (const label of ['n', 'u', 'v', 't', 's', 'bn', 'bt', 'bver', 'Anna_']) {
      const got = ((): readonly Error[] => {
        try {
          return fromJson([{ ...record, [label]: { Anna: 1 } }]).rejected;
        } catch (error) {
          return [error as Error];
        }
      })();
      expect(got.length).toBeGreaterThan(0);
      for (const { message } of got) expect(message).not.toContain('Anna');
    }
  });

  it('may hold 256 records', () => {
    expect(fromJson(Array.from({ length: 256 }, () => ({ n: 'a', v: 1 }))).channels).toHaveLength(256);
  });
});

const name = fc.constantFrom('', 'a', 'a/b', ':x', 'urn:dev:ow:10e2073a01080063:', 'constructor', '_', 'A-1.b');
const number = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.double({ noNaN: true, min: -1e6, max: 1e6 }));
const time = fc.oneof(fc.integer({ min: -100, max: 100 }), fc.integer({ min: 2 ** 28 - 50, max: 2 ** 28 + 50 }), fc.constantFrom(0, 1_790_000_000.25));
const unit = fc.constantFrom('Cel', '%RH', '/', 'W', 'beat/min');
/** Records whose only possible mistake is their name: what is wrong otherwise is in the vectors. */
const record = fc.record(
  { bn: name, bt: time, bu: unit, bv: number, bs: number, n: name, u: unit, t: time, s: number, v: number, foo: fc.string() },
  { requiredKeys: ['v'], noNullPrototype: true },
);
type Record = typeof record extends fc.Arbitrary<infer R> ? R : never;

/** §4.1 and §4.6 as they are said: for each record, the last base fields up to it, whatever that costs. */
function naivelyResolved(pack: readonly Record[]): object[] {
  const last = <K extends keyof Record>(label: K, i: number): Record[K] | undefined => pack.slice(0, i + 1).findLast((each) => Object.hasOwn(each, label))?.[label];
  return pack.map((each, i) => {
    const seconds = (last('bt', i) ?? 0) + (each.t ?? 0);
    return {
      name: (last('bn', i) ?? '') + (each.n ?? ''),
      unit: each.u ?? last('bu', i),
      value: (last('bv', i) ?? 0) + each.v,
      sum: each.s === undefined && last('bs', i) === undefined ? undefined : (each.s ?? 0) + (last('bs', i) ?? 0),
      time: seconds === 0 ? undefined : Math.round(seconds * 1000) + (seconds >= 2 ** 28 ? 0 : NOW),
    };
  });
}

const UCUM: Readonly<{ [symbol: string]: string }> = { Cel: 'Cel', '%RH': '%', '/': '1', W: 'W', 'beat/min': '/min' };
const SUMS: Readonly<{ [symbol: string]: string }> = { '%RH': '%.s', '/': 's', W: 'W.s', 'beat/min': '/min.s' };

function channelsOf(resolved: object): object[] {
  const { name: is, unit: of, value, sum, time: at } = resolved as { name: string; unit?: string; value: number; sum?: number; time?: number };
  if (!/^[A-Za-z0-9]/.test(is)) return [];
  const when = at === undefined ? {} : { deviceTime: at };
  const measured = { name: is, value, ...(of === undefined ? {} : { unit: UCUM[of] }), ...when };
  if (sum === undefined || of === 'Cel') return [measured];
  return [measured, { name: `${is}.#sum`, value: sum, ...(of === undefined ? {} : { unit: SUMS[of] }), ...when }];
}

describe('the records of a pack', () => {
  it('resolve as a naive reading of RFC 8428 §4.6 says, in JSON and in CBOR', () => {
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (pack) => {
      const want = naivelyResolved(pack).flatMap(channelsOf);
      expect(fromJson(pack).channels).toEqual(JSON.parse(JSON.stringify(want)));
      expect(senmlCbor.decode(inputOf(inCbor(pack)), undefined).channels).toEqual(want);
    }), { numRuns: 1000 });
  });

  it('mean the same when they are resolved beforehand', () => {
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (pack) => {
      const once = fromJson(pack).channels.filter((each) => !each.name.endsWith('.#sum'));
      const symbols = Object.entries(UCUM);
      const again = fromJson([...once.map((each) => ({
        n: each.name, v: each.value, ...(each.unit === undefined ? {} : { u: symbols.find(([, ucum]) => ucum === each.unit)?.[0] }),
        ...(each.deviceTime === undefined || each.deviceTime < 2 ** 28 * 1000 ? {} : { t: each.deviceTime / 1000 }),
      })), { n: 'last', v: 0 }]).channels.slice(0, -1);
      expect(again.map(({ name: is, value, unit: of }) => [is, value, of])).toEqual(once.map(({ name: is, value, unit: of }) => [is, value, of]));
    }), { numRuns: 200 });
  });
});

describe('any bytes', () => {
  const NAME = /^[A-Za-z0-9][-A-Za-z0-9:./_]*(?:\.%EL|\.#sum)?$/;
  const UNITS_OF_UCUM = /^[!-~]{1,12}$/;
  const sound = ({ channels, rejected }: Decoded): boolean =>
    channels.length + rejected.length <= 512 && channels.every((channel) => NAME.test(channel.name)
      && !Array.isArray(channel.value) && channel.unit !== 'bpm' && channel.unit !== '%RH' && (channel.unit === undefined || UNITS_OF_UCUM.test(channel.unit)));
  const good = (decoder: string): DecoderInput[] => vectors.filter((each) => each.decoder === decoder && each.want !== undefined).map(inputOfVector);

  itSurvivesMutatedFrames(senmlJson, good('senml-json'), { accepts: sound });
  itSurvivesMutatedFrames(senmlCbor, [...good('senml-cbor'), inputOf(inCbor([{ bn: 'urn:dev:x:', bt: 1_320_067_464, n: 'a', u: '%EL', v: 20.5 }, { n: 'open', vb: true, s: 3 }]))], { accepts: sound });
});
