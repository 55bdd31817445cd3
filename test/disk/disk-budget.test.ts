import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excessOf, levelOf, limitFor } from '../../gateway/disk/disk-budget.ts';
import { Bytes, MiB } from '../../gateway/quantity.ts';
import { fuzzRuns } from '../fuzz-runs.ts';

const GiB = (n: number): Bytes => MiB(1024 * n);

describe('the limit of the disk', () => {
  it('is what is configured, or nine tenths of what there is, and never more than there is', () => {
    expect(limitFor({ used: GiB(1), free: GiB(100) }, GiB(8))).toBe(GiB(8));
    expect(limitFor({ used: GiB(1), free: GiB(9) }, undefined)).toBe(Math.floor((GiB(10) - MiB(64)) * 0.9));
    expect(limitFor({ used: GiB(1), free: MiB(100) }, GiB(8))).toBe(GiB(1) + MiB(36));
    expect(limitFor({ used: Bytes(0), free: Bytes(0) }, GiB(8))).toBe(0);
  });
});

describe('how full the disk is', () => {
  const limit = MiB(1000);
  const at = (used: number, before: 'roomy' | 'tight' | 'full', free = GiB(10)) => levelOf({ used: MiB(used), free }, limit, before);

  it('is tight from nine tenths of the limit on, and full at the limit', () => {
    expect([at(899, 'roomy'), at(900, 'roomy'), at(999, 'tight'), at(1000, 'tight')]).toEqual(['roomy', 'tight', 'tight', 'full']);
  });

  it('stays full until there is some room, so that it does not flap', () => {
    expect([at(980, 'full'), at(971, 'full'), at(969, 'full'), at(800, 'full')]).toEqual(['full', 'full', 'tight', 'roomy']);
  });

  it('is full when others have filled the file system', () => {
    expect(at(100, 'roomy', MiB(63))).toBe('full');
    expect(at(100, 'full', MiB(80))).toBe('full');
    expect(at(100, 'full', MiB(96))).toBe('roomy');
  });

  it('whatever is measured: where nothing has to go there is room, and what has to go makes it', () => {
    const size = fc.integer({ min: 0, max: GiB(64) });
    fc.assert(fc.property(size, size, fc.option(fc.integer({ min: MiB(64), max: GiB(64) }), { nil: undefined }), (used, free, configured) => {
      const use = { used: Bytes(used), free: Bytes(free) };
      const bound = limitFor(use, configured === undefined ? undefined : Bytes(configured));
      const excess = excessOf(use, bound, false);
      if (excess === 0) expect(levelOf(use, bound, 'roomy')).toBe('roomy');
      if (excess <= used) {
        const after = { used: Bytes(used - excess), free: Bytes(free + excess) };
        expect(levelOf(after, bound, 'full')).toBe('roomy');
      }
    }), { numRuns: fuzzRuns(1000) });
  });
});
