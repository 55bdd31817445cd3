/** Names carry the unit: `acks_per_s`, `ack_p99_ms`, `rss_mb` (1 MB = 1,000,000 bytes). A figure that could not be had is absent. */
export type Figures = Readonly<Record<string, number | undefined>>;

/** The value below which the share `p` (0 to 1) of the values lies: nearest rank. `sorted` is ascending and not empty. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(sorted.length * p)));
  return sorted[rank - 1] as number;
}

/** The middle value, or the mean of the two in the middle; undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

/** For every figure of the rounds its median. */
export function mediansOf(rounds: readonly Figures[]): Record<string, number | undefined> {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)));
  return Object.fromEntries([...names].map((name) => [name, median(rounds.flatMap((round) => round[name] ?? []))]));
}

/** Four significant digits: what these figures are worth at most. */
export const rounded = (value: number): number => (Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));

/** Of times in milliseconds. */
export function spreadOf(times: readonly number[]): Readonly<{ p50_ms: number; p95_ms: number; p99_ms: number; worst_ms: number }> {
  const sorted = times.toSorted((a, b) => a - b);
  return { p50_ms: percentile(sorted, 0.5), p95_ms: percentile(sorted, 0.95), p99_ms: percentile(sorted, 0.99), worst_ms: sorted.at(-1) ?? 0 };
}
