/**
 * Heat index of the US National Weather Service (NWS), the temperature that hot damp air feels like in the shade: the
 * regression of L. P. Rothfusz (NWS Technical Attachment SR 90-23, 1990) with the adjustments and the simple formula of
 * the Weather Prediction Center's "The Heat Index Equation". The regression is good to ±1.3 °F of Steadman's table.
 */

const toFahrenheit = (celsius: number): number => celsius * 1.8 + 32;
const toCelsius = (fahrenheit: number): number => (fahrenheit - 32) / 1.8;

/** Steadman's table (1979) ends at 50 Cel; the regression says nothing beyond it and may even fall below the air temperature. */
const HOTTEST_KNOWN = 50;

/**
 * The heat index in Cel for air of `temperature` in Cel and relative `humidity` in percent. Undefined for a humidity
 * outside 0 to 100 or a value that is not finite. Air hotter than 50 Cel never feels cooler than it is: a choice of this project.
 */
export function heatIndex(temperature: number, humidity: number): number | undefined {
  if (!Number.isFinite(temperature) || !(humidity >= 0 && humidity <= 100)) return undefined;
  const t = toFahrenheit(temperature);
  // The simple formula comes first, averaged with the air temperature; it holds while the result is below 80 °F.
  const simple = (0.5 * (t + 61 + (t - 68) * 1.2 + humidity * 0.094) + t) / 2;
  const felt = toCelsius(simple < 80 ? simple : rothfusz(t, humidity) + adjustment(t, humidity));
  return temperature > HOTTEST_KNOWN ? Math.max(felt, temperature) : felt;
}

/** In °F; `t` in °F, `rh` in percent. */
function rothfusz(t: number, rh: number): number {
  const linear = -42.379 + 2.04901523 * t + 10.14333127 * rh - 0.22475541 * t * rh;
  const squares = -0.00683783 * t * t - 0.05481717 * rh * rh;
  return linear + squares + 0.00122874 * t * t * rh + 0.00085282 * t * rh * rh - 0.00000199 * t * t * rh * rh;
}

/** What is added in very dry air (below zero) and in very damp air that is not yet hot, in °F. */
function adjustment(t: number, rh: number): number {
  if (rh < 13 && t >= 80 && t <= 112) return -((13 - rh) / 4) * Math.sqrt((17 - Math.abs(t - 95)) / 17);
  if (rh > 85 && t >= 80 && t <= 87) return ((rh - 85) / 10) * ((87 - t) / 5);
  return 0;
}

export type HeatCategory = 'none' | 'caution' | 'extreme caution' | 'danger' | 'extreme danger';

/**
 * The NWS category of a heat index in Cel. The bands are printed for whole °F (80 to 90, 90 to 103, 103 to 124, 125 and
 * more), so the index is rounded to one first, and an edge that two bands share belongs to the hotter one.
 */
export function heatCategory(index: number): HeatCategory {
  const fahrenheit = Math.round(toFahrenheit(index));
  if (fahrenheit >= 125) return 'extreme danger';
  if (fahrenheit >= 103) return 'danger';
  if (fahrenheit >= 90) return 'extreme caution';
  return fahrenheit >= 80 ? 'caution' : 'none';
}
