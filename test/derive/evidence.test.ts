import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverageOf } from '../../gateway/derive/coverage.ts';
import type { Checkpoint } from '../../gateway/derive/derive-store.ts';
import { encodeFrame } from '../../gateway/frame-codec.ts';
import { toHex } from '../../gateway/ledger/bytes.ts';
import { decode } from '../../gateway/ledger/cbor.ts';
import { decodeEntry, matchesCommitment, type Entry } from '../../gateway/ledger/entry.ts';
import type { Frame } from '../../gateway/reading.ts';
import { referenceRoot } from '../ledger/reference-tree.ts';
import { Millis } from '../../gateway/quantity.ts';
import { bind, derive, deriveAndClose, HIGH_PULSE, journal, message, operator, pulse, rules, tick } from './story.ts';
import { FRAME_SALT, knownSubjectKeys, openKnown } from '../vault/known-keys.ts';

const closed = journal.map((frames) => [...frames, tick()]);
const entriesOf = (checkpoints: readonly Checkpoint[]): Entry[] => checkpoints.flatMap(
  ({ entries }) => entries.map(({ bytes }) => decodeEntry(bytes))
);

/** The leaf of a frame as frame-codec.ts draws it, without the mark of a leaf, written down once more. */
function naiveLeaf(frame: Frame, sequence: number): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(sequence));
  return Buffer.concat([number, encodeFrame(frame, FRAME_SALT)]);
}

describe('evidence', () => {
  it('covers every frame exactly once, in neighbouring ranges, with the right counts', () => {
    fc.assert(fc.property(closed, (frames) => {
      let covered = 0;
      for (const checkpoint of derive(frames)) {
        const evidence = entriesOf([checkpoint]).filter(({ kind }) => kind === 'evidence');
        expect(evidence).toHaveLength(1);
        const [{ fields, sequence }] = evidence as [Entry];
        const [first, last] = [fields.get('first') as number, fields.get('last') as number];
        expect({ first, last, entry: sequence }).toEqual(checkpoint.evidence);
        expect(first).toBe(covered + 1);
        expect(checkpoint.cursor).toBe(last);
        expect(fields.get('messages')).toBe(frames.slice(first - 1, last).filter((frame) => frame.device !== '').length);
        covered = last;
      }
      expect(covered).toBe(frames.length);
    }), { numRuns: 100 });
  });

  it('has the root that a recursive definition gives over salted frames', () => {
    fc.assert(fc.property(closed, (frames) => {
      for (const { fields } of entriesOf(derive(frames)).filter(({ kind }) => kind === 'evidence')) {
        const first = fields.get('first') as number;
        const leaves = frames.slice(first - 1, fields.get('last') as number).map((frame, i) => naiveLeaf(frame, first + i));
        expect(toHex(fields.get('root') as Uint8Array)).toBe(toHex(referenceRoot(leaves)));
      }
    }), { numRuns: 60 });
  });

  it('is read back from a block as messages and the last frame', () => {
    const checkpoints = [...deriveAndClose(message('watch-1', pulse(70)), message('watch-1', pulse(71)))];
    const entries = checkpoints.flatMap((checkpoint) => checkpoint.entries.map(({ bytes }) => bytes));
    expect(coverageOf(entries)).toEqual({ messages: 2, through: 3 });
    expect(coverageOf([])).toEqual({ messages: 0, through: undefined });
    expect(coverageOf(entries.filter((bytes) => decodeEntry(bytes).kind !== 'evidence'))).toEqual({ messages: 0, through: undefined });
  });
});

describe('entries', () => {
  it('are numbered without gaps over both lanes, and the state says the last number', () => {
    fc.assert(fc.property(closed, (frames) => {
      const checkpoints = derive(frames);
      const sequences = entriesOf(checkpoints).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, i) => i + 1));
      for (const { entries, entrySequence } of checkpoints) {
        expect(entrySequence).toBe(entries.at(-1)?.sequence);
        for (const entry of entries) expect(decodeEntry(entry.bytes).sequence).toBe(entry.sequence);
      }
    }), { numRuns: 60 });
  });

  it('commit to their payload and salt, and every payload can be read', () => {
    fc.assert(fc.property(closed, (frames) => {
      const salts = new Set<string>();
      for (const derived of derive(frames).flatMap(({ entries }) => entries)) {
        const entry = decodeEntry(derived.bytes);
        const secret = openKnown(derived);
        expect(entry.commit === undefined).toBe(secret === undefined);
        if (secret === undefined) continue;
        expect(matchesCommitment(entry, secret.salt, secret.payload)).toBe(true);
        expect(decode(secret.payload, { floats: true })).toBeInstanceOf(Map);
        expect(salts.has(toHex(secret.salt))).toBe(false);
        salts.add(toHex(secret.salt));
      }
    }), { numRuns: 200 });
  });

  it('of the alarm lane are events and answers to them, and nothing else is', () => {
    fc.assert(fc.property(closed, (frames) => {
      for (const { lane, bytes } of derive(frames).flatMap(({ entries }) => entries)) {
        expect(lane === 'alarm').toBe(['event', 'acknowledgement'].includes(decodeEntry(bytes).kind));
      }
    }), { numRuns: 60 });
  });

  it('hold nothing personal: no name, device, value, rule or topic of anybody', () => {
    const secretWords = ['anna', 'otto', 'watch', 'room-7', 'devices/', 'heart_rate', 'spo2', 'pulse', 'patient', 'high pulse', '/min'];
    const frames = [
      rules({ ...HIGH_PULSE, id: 'pulse-high', message: 'high pulse of anna' }),
      bind('watch-1'), bind('watch-2', { kind: 'patient', id: 'otto' }), bind('room-7', { kind: 'room', id: '7' }),
      message('watch-1', pulse(141.25, { seq: 1, time: 1_790_000_123_456 })),
      message('watch-2', pulse(99.75)),
      message('watch-1', pulse(70)),
      message('watch-2', '{"measurement":"anna"}'),
      message('room-7', { measurement: 'co2', value: 777.5, unit: '[ppm]' }),
      operator(Buffer.from('otto')),
      { ...tick(), uptime: Millis(60_000) },
    ];
    const all = derive(frames).flatMap(({ entries }) => entries);
    expect(new Set(all.map(({ bytes }) => decodeEntry(bytes).kind))).toEqual(
      new Set(['contract', 'binding', 'event', 'summary', 'evidence'])
    );
    const numbers = [141.25, 99.75, 777.5, 1_790_000_123_456].flatMap((value) => {
      const [double, float, whole] = [Buffer.alloc(8), Buffer.alloc(4), Buffer.alloc(8)];
      double.writeDoubleBE(value);
      float.writeFloatBE(value);
      whole.writeBigUInt64BE(BigInt(Math.trunc(value)));
      return Number.isInteger(value) ? [double, whole] : [double, float];
    });
    for (const { bytes } of all) {
      const haystack = Buffer.from(bytes);
      for (const word of secretWords) expect(haystack.includes(word) ? word : 'nothing').toBe('nothing');
      for (const number of numbers) expect(haystack.includes(number)).toBe(false);
    }
  });

  it('name a subject by a word that is another in every entry, and the same whenever it is derived', () => {
    const frames = [bind('watch-1'), message('watch-1', pulse(70)), { ...tick(), uptime: Millis(60_000) }];
    const tagsOf = (): string[] => entriesOf(derive(frames)).flatMap(({ subject }) => (subject === undefined ? [] : [toHex(subject)]));
    expect(new Set(tagsOf()).size).toBe(2);
    expect(tagsOf()).toEqual(tagsOf());
  });

  it('of one accented name, however it was typed, are about one person', () => {
    const typed = ['Rene\u0301', 'Ren\u00e9'].map((id) => deriveAndClose(bind('watch-1', { kind: 'patient', id })));
    const [one, other] = typed.map((checkpoints) => entriesOf(checkpoints)[0]?.subject);
    expect(toHex(one as Uint8Array)).toBe(toHex(other as Uint8Array));
  });

  it('have salts and tags that differ between entries, owners, epochs and purposes, also beyond 32 bits', () => {
    const numbers = [1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
    const all = [1, 2].flatMap((epoch) => ['gateway', 'patient/anna', 'room/anna'].flatMap((owner) => numbers.flatMap((n) => {
      const keys = knownSubjectKeys();
      keys.enter(epoch);
      const key = keys.current(owner);
      return [keys.salt(key, n), keys.tag(key, n)].map(toHex);
    })));
    expect(new Set(all).size).toBe(all.length);
    expect(new Set(all.map((each) => each.slice(0, 32))).size).toBe(all.length);
  });
});
