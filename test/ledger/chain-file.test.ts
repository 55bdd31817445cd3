import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BLOCK_BYTES } from '../../gateway/ledger/block.ts';
import { type ChainSource, readBlocks } from '../../gateway/ledger/chain-file.ts';
import { fileOf, sampleChain } from './chain-fixture.ts';

const chain = await sampleChain();
const file = fileOf(chain);
const sealedBlocks = chain.map(({ sealed }) => sealed.bytes);

async function blocksOf(source: ChainSource): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const block of readBlocks(source)) blocks.push(block);
  return blocks;
}

describe('a chain file', () => {
  it('is cut into its blocks', async () => {
    expect(await blocksOf(file)).toEqual(sealedBlocks);
    expect(await blocksOf(new Uint8Array())).toEqual([]);
  });

  it('is cut into the same blocks whatever pieces it arrives in', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.nat(file.length), { maxLength: 12 }), async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), file.length];
      const pieces = places.slice(1).map((end, index) => file.subarray(places[index], end));
      expect(await blocksOf(pieces)).toEqual(sealedBlocks);
    }), { numRuns: 50 });
    expect(await blocksOf(Array.from(file, (byte) => Uint8Array.of(byte)))).toEqual(sealedBlocks);
  });

  it('gives the blocks before a cut and refuses the rest, wherever it is cut', async () => {
    const ends = sealedBlocks.map((_, index) => sealedBlocks.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
    for (let length = 1; length < file.length; length += 3) {
      const read: Uint8Array[] = [];
      const reading = (async () => { for await (const block of readBlocks(file.subarray(0, length))) read.push(block); })();
      if (ends.includes(length)) await reading;
      else await expect(reading).rejects.toMatchObject({ code: 'VG_BLOCK_REJECTED', reason: 'malformed' });
      expect(read).toHaveLength(ends.filter((end) => end <= length).length);
    }
  });

  it('is refused as soon as a block cannot end within the limit, without reading on', async () => {
    const head = Uint8Array.of(0x5a, 0x7f, 0xff, 0xff, 0xff);
    const endless = (function* () { yield head; for (;;) yield new Uint8Array(1024); })();
    await expect(blocksOf(endless)).rejects.toMatchObject({ reason: 'malformed' });
    const many = (function* () {
      yield Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff);
      for (;;) yield new Uint8Array(MAX_BLOCK_BYTES / 4);
    })();
    await expect(blocksOf(many)).rejects.toMatchObject({ reason: 'malformed' });
  });

  it('is refused with an item of indefinite length', async () => {
    await expect(blocksOf(Buffer.concat([file, Uint8Array.of(0x9f, 0xff)]))).rejects.toMatchObject({ reason: 'not_canonical' });
  });

  it('passes on what its source throws', async () => {
    const broken = (async function* () { yield file.subarray(0, 10); throw new Error('disk on fire'); })();
    await expect(blocksOf(broken)).rejects.toThrow('disk on fire');
  });
});
