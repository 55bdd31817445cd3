import { expect, it } from 'vitest';
import { progressLine, ProgressView } from '../../gateway/commands/upstream-sync.ts';
import { Seconds } from '../../gateway/quantity.ts';

it('says of copying how far it is, how fast, and how long it takes', () => {
  expect(progressLine({ chains: 2, blocks: 12_000, missing: 18_000, bytes: 10_000_000, receipts: 0 }, Seconds(5))).toBe(
    '[==========              ] 40 %  2 chains left  12,000 of 30,000 blocks  2,400/s  2.0 MB/s  8 s left',
  );
  expect(progressLine({ chains: 0, blocks: 30_000, missing: 0, bytes: 10_000_000, receipts: 1500 }, Seconds(10))).toBe(
    '[========================] 100 %  0 chains left  30,000 of 30,000 blocks  3,000/s  1.0 MB/s  1,500 receipts',
  );
  expect(progressLine({ chains: 1, blocks: 0, missing: 10, bytes: 0, receipts: 0 }, Seconds(0))).toContain('0 of 10 blocks');
});

it('writes few lines where none can be written over, the first when blocks come', () => {
  const lines: string[] = [];
  const view = new ProgressView((line) => lines.push(line), false);
  for (const blocks of [0, 0, 5, 6, 7]) view.show({ chains: 1, blocks, missing: 10 - blocks, bytes: 0, receipts: 0 });
  view.end();
  expect(lines).toEqual([expect.stringContaining('0 of 10'), expect.stringContaining('5 of 10')]);
  expect(view.last.blocks).toBe(7);
});
