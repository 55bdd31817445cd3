/** Whether somebody asked for a long run: `VITALGATE_FUZZ_RUNS=1000000 npm test -- decode`. Failures print their seed. */
const asked = process.env['VITALGATE_FUZZ_RUNS'];

/** How often a property is tried. `usual`: without a word. `share`: of the number that was asked for, where one try is many frames. */
export const fuzzRuns = (usual: number, share = 1): number => (asked === undefined ? usual : Math.ceil(Number(asked) * share));

/** Milliseconds that so many tries may take. */
export const fuzzTimeout = (runs: number): number => 60_000 + 10 * runs;

/** Says what a long run found beside failures. */
export function tellFuzz(text: string): void {
  if (asked !== undefined) process.stdout.write(`${text}\n`);
}
