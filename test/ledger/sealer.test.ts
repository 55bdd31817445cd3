import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BLOCK_ENTRIES, openBlock } from '../../gateway/ledger/block.ts';
import { verifyWithNodeCrypto } from '../../gateway/ledger/es256k.ts';
import { sealBlock, sealGenesis } from '../../gateway/ledger/sealer.ts';
import { verifyBlock } from '../../gateway/ledger/verify.ts';
import { entryOf, gatewayKey, genesisOf, NOW, parameters, strangerKey } from './chain-fixture.ts';

const genesis = await genesisOf('record');
const request = { state: genesis.newState, entries: [entryOf(1)], time: NOW, key: gatewayKey, contracts: [] };

describe('sealing', () => {
  it('makes blocks that verify, whatever ascending entries come in whatever batches', async () => {
    const batches = fc.array(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
    await fc.assert(fc.asyncProperty(batches, async (steps) => {
      let [sealed, state, sequence] = [genesis, genesis.newState, 0];
      for (const batch of steps) {
        const entries = batch.map((step) => entryOf(sequence += step));
        sealed = await sealBlock({ ...request, state: sealed.newState, entries });
        state = verifyBlock(state, sealed.bytes, { check: verifyWithNodeCrypto }).state;
        expect(state).toEqual(sealed.newState);
      }
      expect(state).toMatchObject({ height: steps.length, lastEntrySequence: sequence });
    }), { numRuns: 20 });
  });

  it('gives the same bytes for the same request', async () => {
    expect((await sealBlock(request)).bytes).toEqual((await sealBlock(request)).bytes);
  });

  it('writes the contract set in ascending order, each contract once', async () => {
    const [low, high] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const { bytes } = await sealBlock({ ...request, contracts: [high, low, high] });
    expect(openBlock(bytes).header.contracts).toEqual([low, high]);
    verifyBlock(genesis.newState, bytes);
  });

  it('gives both lanes of a chain one name', async () => {
    const alarm = await genesisOf('alarm');
    expect(alarm.newState.chain).toEqual(genesis.newState.chain);
    expect(alarm.hash).not.toEqual(genesis.hash);
  });

  const bulky = new Map([['b', new Uint8Array(65_000)]]);
  const refused: readonly [name: string, change: Partial<typeof request>][] = [
    ['a key that is not the chain\'s', { key: strangerKey }],
    ['no entries', { entries: [] }],
    ['entries in descending order', { entries: [entryOf(2), entryOf(1)] }],
    ['an entry that was sealed before', { state: { ...genesis.newState, lastEntrySequence: 1 } }],
    ['more entries than sequences', { entries: [entryOf(1), entryOf(1), entryOf(2)] }],
    ['bytes that are no entry', { entries: [Uint8Array.of(1)] }],
    ['too many entries', { entries: Array.from({ length: MAX_BLOCK_ENTRIES + 1 }, () => entryOf(1)) }],
    ['too many bytes', { entries: Array.from({ length: 70 }, (_, index) => entryOf(index + 1, { fields: bulky })) }],
  ];
  for (const [name, change] of refused) {
    it(`refuses ${name}`, async () => {
      await expect(sealBlock({ ...request, ...change })).rejects.toMatchObject({ code: 'VG_INTERNAL' });
    });
  }

  it('refuses a genesis with a foreign key or parameters no chain may have', async () => {
    const request0 = { lane: 'record', parameters, time: NOW, key: gatewayKey } as const;
    await expect(sealGenesis({ ...request0, key: strangerKey })).rejects.toMatchObject({ code: 'VG_INTERNAL' });
    await expect(sealGenesis({ ...request0, parameters: { ...parameters, quorum: 9 } })).rejects.toMatchObject({ code: 'VG_CBOR' });
  });
});
