import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, Decoded, DecoderInput, Notice } from '../../gateway/decode/decoder.ts';
import { commandTopic, rebirthRequest, sparkplug, type SparkplugMemory } from '../../gateway/decode/sparkplug.ts';
import { DecodeError, type QuarantineReason } from '../../gateway/errors.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { itSurvivesMutatedFrames } from './fuzz.ts';
import { payloadBytes, type TestMetric } from './sparkplug-payload.ts';

type RawFrame = Readonly<{ topic: string; hex: string }>;
type Vector = RawFrame & Readonly<{
  desc: string; source: string; before?: RawFrame[]; wantReason?: QuarantineReason;
  want?: { address?: string; channels: Channel[]; rejected: QuarantineReason[]; notices: Notice[] };
}>;

const VECTORS = new URL('sparkplug-vectors/', import.meta.url);
const vectors = readdirSync(VECTORS).map(
  (name) => ({ name: name.replace('.json', ''), ...(JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as Vector) })
);
const NOW = UnixMillis(1_790_000_000_000);

const inputOf = ({ topic, hex }: RawFrame): DecoderInput => ({ topic, payload: Buffer.from(hex, 'hex'), receivedAt: NOW });

/** Memory as it comes back after a restart. */
const kept = (memory: SparkplugMemory | undefined): SparkplugMemory | undefined => memory && (JSON.parse(JSON.stringify(memory)) as SparkplugMemory);

/** What frame after frame means: each is handed what the one before left, and refused ones leave nothing. */
function decodeAll(inputs: readonly DecoderInput[]): (Decoded<SparkplugMemory> | QuarantineReason)[] {
  let memory: SparkplugMemory | undefined;
  return inputs.map((input) => {
    try {
      const decoded = sparkplug.decode(input, kept(memory));
      memory = decoded.memory ?? memory;
      return decoded;
    } catch (error) {
      if (error instanceof DecodeError) return error.reason;
      throw error;
    }
  });
}

describe('a message', () => {
  it.each(vectors)('$name: $desc', (vector) => {
    const got = decodeAll([...vector.before ?? [], vector].map(inputOf)).at(-1);
    if (vector.wantReason !== undefined) return expect(got).toBe(vector.wantReason);
    const { address, channels, rejected, notices } = got as Decoded<SparkplugMemory>;
    return expect({ address, channels, rejected: rejected.map(({ reason }) => reason), notices }).toEqual({ address: undefined, ...vector.want });
  });
});

const frame = (verb: string, where: string, payload: Uint8Array): DecoderInput => ({ topic: `spBv1.0/ward/${verb}/${where}`, payload, receivedAt: NOW });
const born = (metrics: number, from = 0): TestMetric[] =>
  Array.from({ length: metrics }, (_, i) => ({ name: `metric ${from + i}`, alias: from + i, datatype: 10, double: 0 }));

describe('what is remembered', () => {
  const nodesOf = (decoded: Decoded<SparkplugMemory> | QuarantineReason | undefined): SparkplugMemory['nodes'] => (decoded as Decoded<SparkplugMemory>).memory?.nodes ?? [];

  it('is at most 64 edge nodes: one more is refused, and asked for again', () => {
    const decoded = decodeAll(Array.from({ length: 65 }, (_, i) => frame('NBIRTH', `node ${i}`, payloadBytes(0, born(1), 0))));
    expect(nodesOf(decoded[63])).toHaveLength(64);
    expect(decoded[64]).toMatchObject({ channels: [], rejected: [{ reason: 'too_complex' }], notices: ['resync'] });
    expect(decoded[64]).not.toHaveProperty('memory');
  });

  it('has room for another edge node when one died', () => {
    const births = Array.from({ length: 65 }, (_, i) => frame('NBIRTH', `node ${i}`, payloadBytes(0, born(1), 0)));
    const decoded = decodeAll([...births.slice(0, 64), frame('NDEATH', 'node 7', payloadBytes(undefined, [], 0)), ...births.slice(64)]);
    expect(nodesOf(decoded.at(-1))).toHaveLength(64);
    expect(decoded.at(-1)).toMatchObject({ notices: ['online'] });
  });

  it('is at most 1,024 metrics of an edge node: a device with more is not remembered at all', () => {
    const decoded = decodeAll([
      frame('NBIRTH', 'node', payloadBytes(0, born(1000), undefined)),
      frame('DBIRTH', 'node/small', payloadBytes(1, born(24, 1000))),
      frame('DBIRTH', 'node/large', payloadBytes(2, born(25, 1024))),
      frame('DDATA', 'node/large', payloadBytes(3, [{ alias: 1024, double: 1 }])),
      frame('DDATA', 'node/small', payloadBytes(4, [{ alias: 1000, double: 1 }])),
    ]);
    expect(decoded[1]).toMatchObject({ notices: ['online'] });
    expect(decoded[2]).toMatchObject({ channels: [], rejected: [{ reason: 'too_complex' }], notices: ['resync'] });
    expect(decoded[3]).toMatchObject({ channels: [], rejected: [{ reason: 'unknown_measurement' }], notices: ['resync'] });
    expect(decoded[4]).toMatchObject({ channels: [{ name: 'metric 1000', value: 1 }], notices: [] });
  });

  it('is bounded in devices without metrics, too', () => {
    const births = Array.from({ length: 1030 }, (_, i) => frame('DBIRTH', `node/device ${i}`, payloadBytes((i + 1) % 256, [])));
    const decoded = decodeAll([frame('NBIRTH', 'node', payloadBytes(0, [])), ...births]);
    expect(nodesOf(decoded.at(-1))[0]?.births).toHaveLength(1024);
    expect(decoded.at(-1)).toMatchObject({ rejected: [{ reason: 'too_complex' }] });
  });

  it('is at most 1 MiB of JSON, however long its names become there: a birth beyond that is refused, the others stand', () => {
    const long = (node: number): TestMetric[] => Array.from({ length: 400 }, (_, i) => ({ name: `${node}/${i} ${'\u0001'.repeat(110)}`, alias: i, datatype: 10, double: i }));
    const births = Array.from({ length: 64 }, (_, i) => frame('NBIRTH', `${i} ${'\u0002'.repeat(240)}`, payloadBytes(0, long(i))));
    const decoded = decodeAll([...births, frame('NDATA', `0 ${'\u0002'.repeat(240)}`, payloadBytes(1, [{ alias: 7, double: 1 }]))]);
    for (const each of decoded) expect(JSON.stringify(nodesOf(each)).length).toBeLessThan(1024 * 1024 - 20);
    expect(nodesOf(decoded.at(-1))).toHaveLength(64);
    expect(decoded[63]).toMatchObject({ channels: [], rejected: [{ reason: 'too_complex' }], notices: ['resync'] });
    expect(decoded.at(-1)).toMatchObject({ channels: [{ value: 1 }], rejected: [], notices: [] });
  });

  it('is not what a payload of more than 64 KiB says', () => {
    const birth = payloadBytes(0, [{ name: 'x'.repeat(65_536), datatype: 10, double: 1 }]);
    expect(decodeAll([frame('NBIRTH', 'node', birth)])).toEqual(['too_complex']);
  });

  it('is never changed where it is: every message hands on its own', () => {
    const first = sparkplug.decode(frame('NBIRTH', 'node', payloadBytes(0, born(2))), undefined);
    const before = JSON.stringify(first.memory);
    sparkplug.decode(frame('NDATA', 'node', payloadBytes(9, [{ alias: 1, double: 1 }])), first.memory);
    sparkplug.decode(frame('NBIRTH', 'node', payloadBytes(0, born(1))), first.memory);
    expect(JSON.stringify(first.memory)).toBe(before);
  });
});

/**
 * A simulated edge node with one device. Each session gives its aliases anew; the value of every metric is the number in its
 * name, so that a wrong name shows. `lost`: which of the messages of a session do not arrive, births among them.
 */
type Session = Readonly<{ order: readonly number[]; data: readonly (readonly [ofDevice: boolean, which: number])[]; rebirthAt: number; lost: ReadonlySet<number> }>;

function sessionFrames({ order, data, rebirthAt, lost }: Session, bdSeq: number): DecoderInput[] {
  const nameOf = (i: number): string => `metric ${i}`;
  const births = (seq: number): DecoderInput[] => [
    frame('NBIRTH', 'node', payloadBytes(seq, order.slice(0, 4).map((i, alias) => ({ name: nameOf(i), alias, datatype: 10, double: i })), bdSeq)),
    frame('DBIRTH', 'node/device', payloadBytes(seq + 1, order.slice(4).map((i, alias) => ({ name: nameOf(i), alias: alias + 4, datatype: 10, double: i })))),
  ];
  const frames = births(0);
  let seq = 2;
  for (const [i, [ofDevice, which]] of data.entries()) {
    if (i === rebirthAt) {
      frames.push(...births(0));
      seq = 2;
    }
    const alias = ofDevice ? 4 + which : which;
    frames.push(frame(ofDevice ? 'DDATA' : 'NDATA', ofDevice ? 'node/device' : 'node', payloadBytes(seq, [{ alias, double: order[alias] ?? -1 }])));
    seq = (seq + 1) % 256;
  }
  return frames.filter((_, i) => !lost.has(i));
}

const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8, maxLength: 8 });
const someData = (minLength: number, maxLength: number): fc.Arbitrary<(readonly [boolean, number])[]> =>
  fc.array(fc.tuple(fc.boolean(), fc.nat(3)), { minLength, maxLength });
const losing = (rate: number): fc.Arbitrary<ReadonlySet<number>> => fc.uniqueArray(fc.nat(60), { maxLength: rate }).map((all) => new Set(all));
const sessionsOf = (lost: fc.Arbitrary<ReadonlySet<number>>, least: number): fc.Arbitrary<Session[]> =>
  fc.array(fc.record({ order, data: someData(least, 50), rebirthAt: fc.integer({ min: -1, max: 50 }), lost }), { minLength: 1, maxLength: 4 });
const will = (bdSeq: number): DecoderInput => frame('NDEATH', 'node', payloadBytes(undefined, [], bdSeq));

function expectRightNames(decoded: readonly (Decoded<SparkplugMemory> | QuarantineReason)[]): void {
  for (const each of decoded) {
    if (typeof each === 'string') expect.fail(`refused as ${each}`);
    for (const { name, value } of each.channels) expect(name).toBe(`metric ${String(value)}`);
  }
}

describe('the name of an alias', () => {
  it('is never a wrong one, whatever is lost, when the wills of sessions arrive', () => {
    fc.assert(fc.property(sessionsOf(losing(60), 0), (sessions) => {
      expectRightNames(decodeAll(sessions.flatMap((session, i) => [...sessionFrames(session, i), will(i)])));
    }), { numRuns: 1000 });
  });

  it('is never a wrong one when wills are late or lost, and fewer messages around a birth than the session had', () => {
    const few = fc.subarray([0, 1, 2]).map((all) => new Set(all));
    fc.assert(fc.property(sessionsOf(few, 8), fc.boolean(), (sessions, late) => {
      const frames = sessions.flatMap((session, i) => [...sessionFrames({ ...session, rebirthAt: -1 }, i), ...(late && i > 0 ? [will(i - 1)] : [])]);
      expectRightNames(decodeAll(frames));
    }), { numRuns: 1000 });
  });

  it('is always known, and nothing asked for again, when nothing is lost', () => {
    fc.assert(fc.property(sessionsOf(fc.constant(new Set<number>()), 0), (sessions) => {
      const decoded = decodeAll(sessions.flatMap((session, i) => [...sessionFrames(session, i), will(i)])) as Decoded<SparkplugMemory>[];
      expectRightNames(decoded);
      for (const { rejected, notices } of decoded) {
        expect(rejected).toEqual([]);
        expect(notices).not.toContain('resync');
      }
      expect(decoded.flatMap(({ channels }) => channels)).toHaveLength(
        sessions.reduce((sum, { data, rebirthAt }) => sum + 8 + data.length + (rebirthAt >= 0 && rebirthAt < data.length ? 8 : 0), 0),
      );
    }), { numRuns: 200 });
  });

  it('is known again after the births that a resync asks for', () => {
    fc.assert(fc.property(sessionsOf(losing(60), 0), order, (sessions, last) => {
      const frames = [...sessions.flatMap((session, i) => sessionFrames(session, i)), ...sessionFrames({ order: last, data: [[true, 1], [false, 2]], rebirthAt: -1, lost: new Set() }, 99)];
      const decoded = decodeAll(frames).slice(-2) as Decoded<SparkplugMemory>[];
      expect(decoded.map(({ channels, notices }) => [channels.length, notices])).toEqual([[1, []], [1, []]]);
      expectRightNames(decoded);
    }), { numRuns: 300 });
  });
});

describe('a request for a rebirth', () => {
  const request = rebirthRequest(UnixMillis(1_486_144_502_122));

  it('is the payload that the specification prints (§6.4.23), to the byte', () => {
    expect(Buffer.from(request).toString('hex')).toBe('08eaf2f5a8a02b12210a144e6f646520436f6e74726f6c2f5265626972746818eaf2f5a8a02b200b7001');
  });

  it.each([
    ['devices/hub/sparkplug/spBv1.0/ward/DDATA/node/strap', 'ward/node/strap', 'devices/hub/sparkplug/spBv1.0/ward/NCMD/node'],
    ['devices/plant/spBv1.0/ward/NDATA/node', 'ward/node', 'devices/plant/spBv1.0/ward/NCMD/node'],
    ['devices/plant/ward/DBIRTH/NDATA/NBIRTH', 'ward/NDATA/NBIRTH', 'devices/plant/ward/NCMD/NDATA'],
    ['devices/plant/spBv1.0/ward/NDATA/node', 'ward/other', undefined],
    ['devices/plant/spBv1.0/ward/NDATA/node', 'ward/node/strap', undefined],
    ['devices/plant/spBv1.0/ward/DDATA/node/strap', 'ward/node', undefined],
    ['devices/plant/temperature', '', undefined],
  ])('for a message of %s from "%s" goes to %s', (topic, address, want) => {
    expect(commandTopic(topic, address)).toBe(want);
  });

  it('says nothing when it comes back', () => {
    expect(sparkplug.decode(frame('NCMD', 'node', request), undefined)).toEqual({ channels: [], rejected: [], notices: [] });
  });
});

describe('any bytes', () => {
  const samples = [...new Map(vectors.filter(({ want, hex }) => want !== undefined && hex.length > 8).flatMap(({ before = [], topic, hex }) => [...before, { topic, hex }])
    .map((each): [string, DecoderInput] => [each.topic + each.hex, inputOf(each)])).values()];

  const isBounded = ({ nodes }: SparkplugMemory): boolean => nodes.length <= 64 && nodes.every(({ seq, births }) =>
    seq >= 0 && seq <= 255 && births.reduce((sum, { metrics }) => sum + Math.max(1, metrics.length), 0) <= 1024
    && births.every(({ metrics }) => {
      const aliases = metrics.flatMap(({ alias }) => alias ?? []);
      return new Set(aliases).size === aliases.length && metrics.every(({ name }) => name.length <= 128);
    }));

  itSurvivesMutatedFrames(sparkplug, samples, {
    accepts: ({ address, channels, notices, memory }) =>
      (address !== undefined || channels.length + notices.length === 0)
      && !(notices.includes('online') && notices.includes('offline'))
      && channels.every(({ name }) => !name.startsWith('Node Control/') && name !== 'bdSeq')
      && (memory === undefined || isBounded(memory)),
  });
});
