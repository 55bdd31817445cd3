/**
 * Conversions between units (UCUM, case sensitive) in which sources report one and the same kind of quantity. A pair that is
 * not here cannot be converted: a unit that merely parses as UCUM is no reason to believe a number.
 */

type Conversion = (value: number) => number;

/** g/mol, of anhydrous glucose (PubChem CID 5793): 1 mmol/L are 18.0156 mg/dL. */
const GLUCOSE_MOLAR_MASS = 180.156;
/** Conventional millimetre of mercury: 133.322387415 Pa (BIPM, SI Brochure, 8th edition, table 8). */
const PASCALS_PER_MMHG = 133.322387415;
/** Conventional inch of mercury, 25.4 of those millimetres. */
const PASCALS_PER_INHG = 25.4 * PASCALS_PER_MMHG;
/** International avoirdupois pound, exact. */
const KILOGRAMS_PER_POUND = 0.45359237;

const times = (factor: number): Conversion => (value) => value * factor;
const over = (divisor: number): Conversion => (value) => value / divisor;

const CONVERSIONS: ReadonlyMap<string, Conversion> = new Map<string, Conversion>([
  ['[degF] Cel', (value) => ((value - 32) * 5) / 9],
  ['K Cel', (value) => value - 273.15],
  ['g kg', over(1000)],
  ['[lb_av] kg', times(KILOGRAMS_PER_POUND)],
  ['kPa mm[Hg]', times(1000 / PASCALS_PER_MMHG)],
  ['Pa hPa', over(100)],
  ['kPa hPa', times(10)],
  ['mm[Hg] hPa', times(PASCALS_PER_MMHG / 100)],
  ["[in_i'Hg] hPa", times(PASCALS_PER_INHG / 100)],
  ['mmol/L mg/dL', times(GLUCOSE_MOLAR_MASS / 10)],
  ['1 %', times(100)],
  ['[ppb] [ppm]', over(1000)],
  ['[ppm] [ppb]', times(1000)],
  ['s ms', times(1000)],
  ['mV V', over(1000)],
  ['kW W', times(1000)],
]);

/** More digits than any sensor has, and few enough to drop what binary fractions add (37.00000000000001). */
const DIGITS = 12;

/** How a number in `from` becomes one in `to`; undefined when the one is no other way to say the other. */
export function conversion(from: string, to: string): Conversion | undefined {
  if (from === to) return (value) => value;
  const convert = CONVERSIONS.get(`${from} ${to}`);
  return convert === undefined ? undefined : (value) => Number(convert(value).toPrecision(DIGITS));
}
