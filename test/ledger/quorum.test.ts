import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quorumHeight, quorumStrength } from '../../gateway/ledger/quorum.ts';

/** Every choice of `k` from the hospitals 0 to n − 1, each as a bit mask. */
function choices(n: number, k: number): number[] {
  const ones = (mask: number): number => mask.toString(2).replaceAll('0', '').length;
  return Array.from({ length: 2 ** n }, (_, mask) => mask).filter((mask) => ones(mask) === k);
}

/** Two histories can both reach the quorum if two choices of k share nobody but liars: only liars sign twice. */
function canSplit(n: number, k: number, liars: number): boolean {
  const lying = 2 ** liars - 1;
  const signers = choices(n, k);
  return signers.some((one) => signers.some((other) => (one & other & ~lying) === 0));
}

describe('a quorum', () => {
  it('survives exactly the liars the arithmetic says, tried out for every k of n up to 7', () => {
    for (let n = 1; n <= 7; n++) {
      for (let k = 1; k <= n; k++) {
        for (let liars = 0; liars <= n; liars++) {
          expect(canSplit(n, k, liars), `n=${n} k=${k} f=${liars}`).toBe(liars > quorumStrength(n, k).liars);
        }
      }
    }
  });

  it('is still reached with as many offline as it says, and not with one more', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), (n, at) => {
      const k = 1 + (at % n);
      const { offline } = quorumStrength(n, k);
      expect(n - offline).toBeGreaterThanOrEqual(k);
      expect(n - offline - 1).toBeLessThan(k);
    }));
  });

  it('has the strengths of the table', () => {
    const table = [[3, 2, 0, 1], [3, 3, 2, 0], [4, 3, 1, 1], [5, 4, 2, 1], [7, 5, 2, 2]] as const;
    for (const [n, k, liars, offline] of table) expect(quorumStrength(n, k)).toEqual({ liars, offline });
  });

  it('reaches a height when k hospitals have countersigned it or more', () => {
    fc.assert(fc.property(fc.array(fc.nat(20), { maxLength: 7 }), fc.integer({ min: 1, max: 7 }), (heights, k) => {
      const reached = quorumHeight(heights, k);
      const signers = (height: number): number => heights.filter((signed) => signed >= height).length;
      expect(reached === undefined).toBe(heights.length < k);
      if (reached === undefined) return;
      expect(signers(reached)).toBeGreaterThanOrEqual(k);
      expect(signers(reached + 1)).toBeLessThan(k);
    }));
  });

  it('is never reached where there are no hospitals', () => {
    expect(quorumHeight([], 0)).toBeUndefined();
    expect(quorumHeight([], 1)).toBeUndefined();
  });

  it('does not change the list it is given', () => {
    const heights = [1, 3, 2];
    quorumHeight(heights, 2);
    expect(heights).toEqual([1, 3, 2]);
  });
});
