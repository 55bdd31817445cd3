/** The middle of the sorted values, or the mean of the two in the middle. Undefined of none. */
export function median(values: readonly number[]): number | undefined {
  // Typed arrays sort numbers without a comparison of ours: this runs for every value that some rules look at.
  const sorted = Float64Array.from(values).sort();
  const [lower, upper] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return lower === undefined || upper === undefined ? undefined : (lower + upper) / 2;
}

/** The median distance from `centre` (median absolute deviation when that is the median). Undefined of no values. */
export const medianDistance = (values: readonly number[], centre: number): number | undefined =>
  median(values.map((value) => Math.abs(value - centre)));
