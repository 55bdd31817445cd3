import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockStore } from '../../gateway/ledger/block-store.ts';
import { headerIn, openBlock } from '../../gateway/ledger/block.ts';
import type { Lane } from '../../gateway/reading.ts';
import { BlockFinder } from '../../gateway/records/block-finder.ts';
import { memoryBlocks } from '../upstream/hospital.ts';
import { GivingGateway } from './given.ts';

/** Counts blocks that are read. */
function counting(blocks: BlockStore): { read: number; store: Pick<BlockStore, 'head' | 'block'> } {
  const counter = { read: 0, store: { head: blocks.head.bind(blocks), block: (...place: Parameters<BlockStore['block']>) => ((counter.read += 1), blocks.block(...place)) } };
  return counter;
}

async function chainOf(lanes: readonly Lane[], sealEvery: number): Promise<{ gateway: GivingGateway; blocks: BlockStore; entries: readonly Readonly<{ lane: Lane; entry: number }>[] }> {
  const [gateway, blocks] = [new GivingGateway(), memoryBlocks()];
  const entries: { lane: Lane; entry: number }[] = [];
  for (const lane of lanes) {
    entries.push({ lane, entry: gateway.write('patient/anna', { lane }) });
    if (entries.length % sealEvery === 0) for (const each of ['alarm', 'record'] as const) await gateway.seal(blocks, each);
  }
  for (const each of ['alarm', 'record'] as const) await gateway.seal(blocks, each);
  return { gateway, blocks, entries };
}

describe('the block of an entry', () => {
  it('is found in whatever order entries are asked for, and nothing where there is none', async () => {
    const lane = fc.constantFrom<Lane>('alarm', 'record');
    await fc.assert(fc.asyncProperty(fc.array(lane, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 7 }), fc.infiniteStream(fc.nat()), async (lanes, sealEvery, chance) => {
      const { gateway, blocks, entries } = await chainOf(lanes, sealEvery);
      const finder = new BlockFinder(blocks);
      for (let n = 0; n < 30; n++) {
        const wanted = entries[(chance.next().value as number) % entries.length] as { lane: Lane; entry: number };
        const found = await finder.find(gateway.chain, wanted.entry);
        if (typeof found === 'string') throw new Error(`entry ${wanted.entry} is ${found}`);
        expect([found.lane, found.entry.sequence]).toEqual([wanted.lane, wanted.entry]);
        const { header, hash } = openBlock((await blocks.block({ chain: gateway.chain, lane: found.lane }, found.height)) as Uint8Array);
        expect(header.entryRange?.[0]).toBeLessThanOrEqual(wanted.entry);
        expect(hash).toEqual(found.blockHash);
      }
      expect(await finder.find(gateway.chain, entries.length + 1)).toBe('not here yet');
      expect(await finder.find(new Uint8Array(16), 1)).toBe('not here yet');
    }), { numRuns: 25 });
  }, 60_000);

  it('is in no lane when both have come beyond it without it', async () => {
    const { gateway, blocks } = await chainOf(['record', 'alarm', 'record', 'alarm'], 4);
    expect(await new BlockFinder(blocks).find(gateway.chain, 0)).toBe('nowhere');
  });

  it('takes few blocks to find: one for each neighbour, and of a thousand never more than the halvings', async () => {
    const { gateway, blocks, entries } = await chainOf(Array.from({ length: 1000 }, () => 'record'), 1);
    const counts = counting(blocks);
    const finder = new BlockFinder(counts.store);
    await finder.find(gateway.chain, 700);
    expect(counts.read).toBeLessThanOrEqual(12);
    counts.read = 0;
    for (const { entry } of entries.slice(700, 800)) await finder.find(gateway.chain, entry);
    expect(counts.read).toBeLessThanOrEqual(2 * 100);
  });

  it('has a header that is read without its entries', async () => {
    const { gateway, blocks } = await chainOf(['record', 'record', 'record'], 3);
    const bytes = (await blocks.block({ chain: gateway.chain, lane: 'record' }, 1)) as Uint8Array;
    expect(headerIn(bytes)).toEqual(openBlock(bytes).header);
    expect(() => headerIn(bytes.subarray(0, 40))).toThrow(expect.objectContaining({ reason: 'malformed' }));
    expect(() => headerIn(Uint8Array.of(0x80))).toThrow(expect.objectContaining({ reason: 'malformed' }));
  });
});
