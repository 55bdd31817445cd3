/**
 * How many hospitals must countersign, and what that buys. Of n hospitals, k must sign a block before it counts.
 *
 * - Two different blocks of one height, each signed by k, share at least 2k − n signers. A split view therefore needs
 *   2k − n hospitals that lie, and is impossible while fewer do: f liars are survived if and only if **2k − n > f**.
 * - c hospitals that are offline are survived if and only if **k ≤ n − c**.
 *
 * | n | k | liars survived | offline survived |
 * | - | - | -------------- | ---------------- |
 * | 3 | 2 | 0              | 1                |
 * | 3 | 3 | 2              | 0                |
 * | 4 | 3 | 1              | 1                |
 * | 5 | 4 | 2              | 1                |
 * | 7 | 5 | 2              | 2                |
 *
 * 2 of 3 survives a crash, not a lie: it is not Byzantine fault tolerant and must not be called so.
 */

export type QuorumStrength = Readonly<{
  /** Most hospitals that may lie without two histories both reaching the quorum; −1 when even honest ones can be split. */
  liars: number;
  /** Most hospitals that may be unreachable while blocks are still receipted. */
  offline: number;
}>;

/** What k of n survives, for 1 ≤ k ≤ n. */
export function quorumStrength(n: number, k: number): QuorumStrength {
  return { liars: Math.max(-1, 2 * k - n - 1), offline: n - k };
}

/**
 * The height up to which a lane is receipted: the k-th largest of the heights its hospitals have countersigned, one number
 * for each hospital that has countersigned anything. Undefined while fewer than k have, and where k is 0: without
 * hospitals nothing is ever receipted.
 */
export function quorumHeight(heights: readonly number[], k: number): number | undefined {
  return k === 0 ? undefined : heights.toSorted((a, b) => b - a)[k - 1];
}
