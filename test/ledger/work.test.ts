import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../gateway/ledger/bytes.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { leadingZeroBits, mine } from '../../gateway/ledger/work.ts';
import { blockAfter, genesisOf } from './chain-fixture.ts';

/** The same by looking at the binary digits. */
function zeroBitsByDigits(hash: Uint8Array): number {
  const digits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return digits.includes('1') ? digits.indexOf('1') : digits.length;
}

describe('proof of work', () => {
  it('counts leading zero bits from the top of the first byte', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(0, 0, 0, 1, 2, 15, 127, 128, 255), { maxLength: 6 }), (bytes) => {
      expect(leadingZeroBits(Uint8Array.from(bytes))).toBe(zeroBitsByDigits(Uint8Array.from(bytes)));
    }));
  });

  it('finds the first nonce that is good enough, and leaves the rest of the header alone', async () => {
    const header = new Uint8Array(40).fill(7);
    await mine(header, 16, 10);
    expect(leadingZeroBits(sha256(header))).toBeGreaterThanOrEqual(10);
    const found = new DataView(header.buffer).getBigUint64(16);
    for (let earlier = 0n; earlier < found; earlier++) {
      new DataView(header.buffer).setBigUint64(16, earlier);
      expect(leadingZeroBits(sha256(header))).toBeLessThan(10);
    }
    expect([...header.slice(0, 16), ...header.slice(24)].every((byte) => byte === 7)).toBe(true);
  });

  it('gives the event loop its turn between slices and says how far it is', async () => {
    const tried: number[] = [];
    await mine(new Uint8Array(40), 32, 12, { hashesPerTurn: 100, pause: async (count) => { tried.push(count); } });
    expect(tried.length).toBeGreaterThan(0);
    expect(tried).toEqual(tried.map((_, turn) => (turn + 1) * 100));
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const pause = async (): Promise<void> => { stop.abort(new Error('enough')); };
    const search = mine(new Uint8Array(8), 0, 32, { hashesPerTurn: 10, pause, signal: stop.signal });
    await expect(search).rejects.toThrow('enough');
  });

  it('is searched for and checked in every block of a chain that demands 12 bits', async () => {
    const genesis = await genesisOf('record', { work: 12 });
    const block = await blockAfter(genesis, [1]);
    expect(leadingZeroBits(genesis.hash)).toBeGreaterThanOrEqual(12);
    expect(leadingZeroBits(block.hash)).toBeGreaterThanOrEqual(12);
    const { state } = verifyBlock(undefined, genesis.bytes);
    expect(verifyBlock(state, block.bytes).header.nonce).toHaveLength(8);
  });

  it('is absent from a chain that demands none', async () => {
    const genesis = await genesisOf('record');
    expect(verifyBlock(undefined, genesis.bytes).header.nonce).toBeUndefined();
  });
});
