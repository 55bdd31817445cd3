import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnixMillis } from '../../gateway/quantity.ts';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { type CborKey, type CborValue, encode } from '../../gateway/ledger/cbor.ts';
import {
  commitment, decodeEntry, encodeEntry, type Entry, ENTRY_KINDS, type FieldValue, matchesCommitment, MAX_ENTRY_BYTES,
} from '../../gateway/ledger/entry.ts';
import { NOW } from './chain-fixture.ts';

const text = fc.string({ unit: 'grapheme-ascii', maxLength: 10 });
const { value: fieldValue } = fc.letrec<{ value: FieldValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 }, fc.maxSafeInteger().map((n) => n + 0), text, fc.uint8Array({ maxLength: 9 }), fc.array(tie('value'), { maxLength: 3 }),
  ),
}));
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constantFrom(...ENTRY_KINDS),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  time: fc.nat().map(UnixMillis),
  fields: fc.array(fc.tuple(text, fieldValue), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  subject: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  commit: fc.uint8Array({ minLength: 32, maxLength: 32 }),
}, { requiredKeys: ['kind', 'sequence', 'time', 'fields'] });

const base: readonly [CborKey, CborValue][] = [[1, 'event'], [2, 1], [3, 0], [5, new Map()]];
const withKey = (key: CborKey, value: CborValue): Uint8Array => encode(new Map([...base, [key, value]]), { floats: true });

describe('entries', () => {
  it('are read back as they were written, whatever they hold', () => {
    fc.assert(fc.property(anyEntry, (entry) => {
      expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
    }), { numRuns: 300 });
  });

  it('have the bytes drawn in the docstring', () => {
    const bytes = encodeEntry({ kind: 'gap', sequence: 258, time: UnixMillis(1000), fields: new Map([['lost', 3]]) });
    expect(Buffer.from(bytes).toString('hex')).toBe('a401636761700219010203' + '1903e8' + '05a1646c6f737403');
  });

  const refused: readonly [name: string, bytes: Uint8Array][] = [
    ['an unknown kind', withKey(1, 'rumour')],
    ['a sequence of 0', withKey(2, 0)],
    ['a negative time', withKey(3, -1)],
    ['a pseudonym of 15 bytes', withKey(4, new Uint8Array(15))],
    ['a name instead of a pseudonym', withKey(4, 'Jane Doe')],
    ['fields that are an array', withKey(5, [])],
    ['a field named by a number', withKey(5, new Map([[1, 1]]))],
    ['a fraction among the fields', withKey(5, new Map([['t', 36.6]]))],
    ['a truth value among the fields', withKey(5, new Map([['ok', true]]))],
    ['a map among the fields', withKey(5, new Map([['m', new Map()]]))],
    ['null inside an array', withKey(5, new Map([['a', [1, null]]]))],
    ['a commitment of 31 bytes', withKey(6, new Uint8Array(31))],
    ['an unknown key', withKey(7, 0)],
    ['no fields at all', encode(new Map<CborKey, CborValue>([[1, 'event'], [2, 1], [3, 0]]))],
    ['an array instead of the map', encode([1, 2])],
    ['more bytes than allowed', withKey(5, new Map([['b', new Uint8Array(MAX_ENTRY_BYTES)]]))],
  ];
  for (const [name, bytes] of refused) {
    it(`are refused with ${name}`, () => {
      expect(() => decodeEntry(bytes)).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
    });
  }

  it('cannot be written with what could not be read', () => {
    const entry: Entry = { kind: 'event', sequence: 1, time: NOW, fields: new Map() };
    const bad: Partial<Entry>[] = [
      { sequence: 0 }, { sequence: 1.5 }, { subject: new Uint8Array(8) }, { commit: new Uint8Array(33) },
      { fields: new Map([['t', 36.6]]) },
      { kind: 'rumour' as Entry['kind'] }, { fields: new Map([['b', new Uint8Array(MAX_ENTRY_BYTES)]]) },
    ];
    for (const change of bad) expect(() => encodeEntry({ ...entry, ...change })).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
  });
});

describe('commitments', () => {
  const [salt, payload] = [new Uint8Array(32).fill(5), new TextEncoder().encode('SpO2 81 %')];

  it('are SHA-256 of salt and payload', () => {
    expect(commitment(salt, payload)).toEqual(sha256(Buffer.concat([salt, payload])));
  });

  it('match their payload and salt, and nothing else', () => {
    const entry: Entry = { kind: 'event', sequence: 1, time: NOW, fields: new Map(), commit: commitment(salt, payload) };
    expect(matchesCommitment(entry, salt, payload)).toBe(true);
    expect(matchesCommitment(entry, new Uint8Array(32), payload)).toBe(false);
    expect(matchesCommitment(entry, salt, salt)).toBe(false);
    const { commit: _, ...bare } = entry;
    expect(matchesCommitment(bare, salt, payload)).toBe(false);
  });

  it('are not made with a salt of another length, which could be mistaken for payload', () => {
    expect(() => commitment(salt.slice(1), payload)).toThrow(expect.objectContaining({ code: 'VG_CBOR' }));
  });
});
