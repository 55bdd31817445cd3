/**
 * Compares rules with what the gateway can measure: a rule for a mistyped measurement, or with a limit no sensor can
 * report (a fever in degrees Fahrenheit), would never fire, and nobody would know.
 */

import { nearest } from './nearest.ts';

/** The table of decode/measurements.ts, as far as it matters here: handed in, because config knows no decoder. */
export type MeasurementTable = ReadonlyMap<string, Readonly<{ unit: string; plausible: readonly [lowest: number, highest: number] }>>;
export type Mistake = Readonly<{ path: readonly PropertyKey[]; message: string }>;

/** Looks at the file as it was written, so that these mistakes are told together with all others. */
export function measurementMistakes(content: unknown, table: MeasurementTable | undefined): Mistake[] {
  const rules = field(field(content, 'gateway'), 'rules');
  if (table === undefined || !Array.isArray(rules)) return [];
  return rules.flatMap((rule: unknown, index) =>
    mistakesOf(rule, table).map(({ path, message }) => ({ path: ['gateway', 'rules', index, ...path], message })));
}

function mistakesOf(rule: unknown, table: MeasurementTable): Mistake[] {
  const measurement = field(rule, 'measurement');
  if (typeof measurement !== 'string') return [];
  const known = table.get(measurement);
  if (known === undefined) return [{ path: ['measurement'], message: unknown(measurement, [...table.keys()]) }];
  const [lowest, highest] = known.plausible;
  const outside = ['above', 'below', 'clearAt'].filter((key) => {
    const value = field(rule, key);
    return typeof value === 'number' && (value < lowest || value > highest);
  });
  const expected = `expected a value from ${lowest} to ${highest} ${known.unit}, what ${measurement} can be`;
  return outside.map((key) => ({ path: [key], message: `${expected}, got ${String(field(rule, key))}` }));
}

function unknown(measurement: string, known: readonly string[]): string {
  const meant = nearest(measurement, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean '${meant}'?`;
  return `unknown measurement '${measurement}'; ${hint}`;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}
