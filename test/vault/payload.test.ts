import { describe, expect, it } from 'vitest';
import { commitment, encodeEntry } from '../../gateway/ledger/entry.ts';
import { UnixMillis } from '../../gateway/quantity.ts';
import { openPayload, sealPayload } from '../../gateway/vault/payload.ts';
import { memoryKeyring } from './known-keys.ts';

const keyring = memoryKeyring();
const [anna, otto] = [keyring.current('patient/anna'), keyring.current('patient/otto')];
const [salt, payload] = [new Uint8Array(32).fill(7), Buffer.from('pulse 141')];
const commit = commitment(salt, payload);
const entryWith = (sequence: number, kind: 'event' | 'summary' = 'event'): Uint8Array => encodeEntry({ kind, sequence, time: UnixMillis(1), fields: new Map(), commit });
const entry = entryWith(1);
const sealed = sealPayload(anna, 'event', { entry, commit }, { salt, payload });

describe('a sealed payload', () => {
  it('opens with its key and entry, and shows nothing without', () => {
    expect(openPayload(keyring, entry, sealed)).toEqual({ salt: Buffer.from(salt), payload, subject: 'patient/anna', key: keyring.current('patient/anna') });
    expect(sealed.includes('pulse')).toBe(false);
    expect(sealed.includes(Buffer.from(salt))).toBe(false);
  });

  it('is the same whenever it is sealed, for the journal is derived again', () => {
    expect(sealPayload(anna, 'event', { entry, commit }, { salt, payload })).toEqual(sealed);
  });

  it('is refused with any bit changed, beside another entry, and under another kind of entry or person', () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      // A key nobody has is one that was destroyed.
      if (bit < 64) expect(openPayload(keyring, entry, changed)).toBeUndefined();
      else expect(() => openPayload(keyring, entry, changed)).toThrow(/not its payload/);
    }
    for (const other of [entryWith(2), entryWith(1, 'summary')]) expect(() => openPayload(keyring, other, sealed)).toThrow(/not its payload/);
    const anothers = Buffer.concat([Buffer.from(otto.id, 'hex'), sealed.subarray(8)]);
    expect(() => openPayload(keyring, entry, anothers)).toThrow(/not its payload/);
    expect(() => openPayload(keyring, entry, sealed.subarray(0, 20))).toThrow(/not its payload/);
  });
});
