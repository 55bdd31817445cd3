import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LANES } from '../../gateway/reading.ts';
import {
  allOf, bindingsKey, blockKey, watchKey, credentialKey, cursorKey, derivationKey, deviceStatusKey, evidenceKey, forkKey, headKey, journalKey,
  arrivalKey, badPayloadKey, identityKey, leaseKey, nameAt, nodeKey, outputKey, personKey, personOfKeyKey, projectionKey, pseudonymKey, recordKey, recordOfEntryKey, recordOfPersonKey, recordUnderKey, numberAt, payloadKey, pendingKey, probeKey, quarantineKey, receiptKey, sightingKey, startingWith, tileKey, windowKey,
} from '../../gateway/store/keys.ts';

const chain = new Uint8Array(16).fill(7);
const [id, person] = [new Uint8Array(8).fill(7), '07'.repeat(16)];
const whole = fc.maxSafeNat();
const lane = fc.constantFrom(...LANES);

describe('keys', () => {
  it('sort as their numbers do, up to the largest whole number', () => {
    const builders = [
      journalKey, quarantineKey, evidenceKey, payloadKey, (n: number) => pendingKey('record', n),
      recordKey, (n: number) => blockKey(chain, 'alarm', n), (n: number) => recordOfPersonKey(person, n, 0), (n: number) => arrivalKey(n, chain, 0, 0),
      (n: number) => nodeKey(chain, 'record', 5, n), (n: number) => tileKey(chain, 'record', n), (n: number) => windowKey(n, 'device'),
    ];
    fc.assert(fc.property(fc.constantFrom(...builders), whole, whole, (keyOf, a, b) => {
      expect(Math.sign(Buffer.compare(keyOf(a), keyOf(b)))).toBe(Math.sign(a - b));
    }));
  });

  it('give back the number and the name they were made from', () => {
    fc.assert(fc.property(whole, fc.string({ unit: 'grapheme' }), (n, name) => {
      expect(numberAt(windowKey(n, name), 1)).toBe(n);
      expect(nameAt(windowKey(n, name), 9)).toBe(name);
      expect(nameAt(watchKey(name), 1)).toBe(name);
    }));
  });

  it('are found by every range that should hold them and by no other', () => {
    const prefix = fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
    fc.assert(fc.property(prefix, fc.uint8Array({ minLength: 1, maxLength: 8 }), (start, key) => {
      const { gte, lt } = startingWith(start);
      const inside = Buffer.compare(gte, key) <= 0 && Buffer.compare(key, lt) < 0;
      expect(inside).toBe(Buffer.from(key).subarray(0, start.length).equals(start));
    }));
    const carried = receiptKey(chain, 'record', 255, new Uint8Array());
    expect(Buffer.compare(receiptKey(chain, 'record', 255, new Uint8Array(16).fill(0xff)), startingWith(carried).lt)).toBe(-1);
    expect(Buffer.compare(receiptKey(chain, 'record', 256, new Uint8Array(16)), startingWith(carried).lt)).toBe(1);
  });

  it('of different kinds and places are never the same', () => {
    const name = fc.constantFrom('a', 'wearable-1', 'patient/anna', 'Z');
    const place = fc.tuple(lane, fc.nat(300));
    const keys = fc.tuple(whole, name, place, fc.nat(60)).map(([n, text, [at, height], level]) => [
      journalKey(n), derivationKey(), bindingsKey(text), deviceStatusKey(text), sightingKey(text), windowKey(n, text), watchKey(text), quarantineKey(n), evidenceKey(n),
      pendingKey(at, n), payloadKey(n), headKey(chain, at), blockKey(chain, at, height), nodeKey(chain, at, level, height), tileKey(chain, at, height),
      receiptKey(chain, at, height, new Uint8Array(16)), forkKey(chain, at, height, new Uint8Array(32)), cursorKey(new Uint8Array(16), at),
      credentialKey(text), probeKey(), arrivalKey(n, chain, height, level), leaseKey(text), projectionKey(), recordKey(n), recordOfEntryKey(chain, n), recordUnderKey(chain, id, n), recordOfPersonKey(person, n, height),
      personKey(person), pseudonymKey(person), personOfKeyKey(chain, id), badPayloadKey(chain, id, n), identityKey(person), outputKey(text),
    ]);
    fc.assert(fc.property(keys, (all) => {
      expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(all.length);
    }));
  });

  it('of one letter lie in that letter\'s range', () => {
    const samples = {
      J: journalKey(2 ** 53 - 1), D: bindingsKey('\u{10ffff}'), I: deviceStatusKey('z'), S: sightingKey('z'), W: windowKey(2 ** 53 - 1, 'z'), X: watchKey('z'), Q: quarantineKey(1),
      V: evidenceKey(1), H: headKey(new Uint8Array(16).fill(0xff), 'record'), U: credentialKey('z'), F: forkKey(chain, 'alarm', 1, chain),
    } as const;
    for (const [letter, key] of Object.entries(samples)) {
      for (const other of Object.keys(samples) as (keyof typeof samples)[]) {
        const { gte, lt } = allOf(other);
        expect(Buffer.compare(gte, key) <= 0 && Buffer.compare(key, lt) < 0).toBe(letter === other);
      }
    }
  });
});
