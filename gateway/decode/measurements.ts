/**
 * What the gateway can measure: the one unit each measurement is kept in (UCUM, case sensitive), the values a sensor
 * can truthfully report, and its codes. A unit that merely parses as UCUM is not enough: `C` is coulomb, and `bpm` does
 * not exist.
 *
 * `plausible` bounds what a living person or a room can show, far outside every alarm limit: beyond it the sensor is
 * wrong, not the patient. LOINC and MDC codes are those of the FHIR R4 vital-signs profiles and IEEE 11073-10101.
 */
export type Measurement = Readonly<{
  unit: string;
  plausible: readonly [lowest: number, highest: number];
  loinc?: string;
  /** IEEE 11073-10101 code, partition × 65536 + term. */
  mdc?: number;
  /** A count, a switch or a state: only whole numbers. */
  integer?: true;
}>;

export const MEASUREMENTS: ReadonlyMap<string, Measurement> = new Map<string, Measurement>([
  ['heart_rate', { unit: '/min', plausible: [10, 350], loinc: '8867-4', mdc: 147842 }],
  ['pulse_rate', { unit: '/min', plausible: [10, 350], loinc: '8867-4', mdc: 149530 }],
  ['rr_interval', { unit: 'ms', plausible: [150, 6000] }],
  ['spo2', { unit: '%', plausible: [30, 100], loinc: '2708-6', mdc: 150456 }],
  ['respiratory_rate', { unit: '/min', plausible: [1, 100], loinc: '9279-1', mdc: 151562 }],
  ['body_temperature', { unit: 'Cel', plausible: [20, 45], loinc: '8310-5', mdc: 150364 }],
  ['skin_temperature', { unit: 'Cel', plausible: [10, 45] }],
  ['systolic_pressure', { unit: 'mm[Hg]', plausible: [30, 300], loinc: '8480-6', mdc: 150021 }],
  ['diastolic_pressure', { unit: 'mm[Hg]', plausible: [10, 200], loinc: '8462-4', mdc: 150022 }],
  ['mean_pressure', { unit: 'mm[Hg]', plausible: [20, 250], loinc: '8478-0', mdc: 150023 }],
  // L/min of oxygen given besides air; 0 is air. High-flow devices give up to 70.
  ['oxygen_flow', { unit: 'L/min', plausible: [0, 100] }],
  // ACVPU of NEWS2 (RCP 2017): 0 alert, 1 new confusion, 2 responds to voice, 3 to pain, 4 unresponsive. No LOINC code has this scale.
  ['consciousness', { unit: '1', plausible: [0, 4], integer: true }],
  ['perfusion_index', { unit: '%', plausible: [0, 30], mdc: 150448 }],
  ['body_weight', { unit: 'kg', plausible: [0.3, 500], loinc: '29463-7', mdc: 188736 }],
  ['glucose', { unit: 'mg/dL', plausible: [5, 1500], loinc: '2339-0', mdc: 160184 }],
  ['steps', { unit: '{steps}', plausible: [0, 200_000], loinc: '41950-7', integer: true }],
  ['battery', { unit: '%', plausible: [0, 100] }],
  ['ppg', { unit: '1', plausible: [-10, 10], mdc: 150452 }],
  ['room_temperature', { unit: 'Cel', plausible: [-40, 80], loinc: '60832-3', mdc: 188508 }],
  ['humidity', { unit: '%', plausible: [0, 100] }],
  ['air_pressure', { unit: 'hPa', plausible: [300, 1100], mdc: 152836 }],
  ['co2', { unit: '[ppm]', plausible: [200, 40_000] }],
  ['illuminance', { unit: 'lx', plausible: [0, 200_000] }],
  ['particulates_2_5', { unit: 'ug/m3', plausible: [0, 5000] }],
  ['volatile_organic', { unit: '[ppb]', plausible: [0, 65_000] }],
  ['power', { unit: 'W', plausible: [-30_000, 30_000] }],
  ['signal', { unit: '1', plausible: [0, 255] }],
  ['water_leak', { unit: '1', plausible: [0, 1], integer: true }],
  ['smoke', { unit: '1', plausible: [0, 1], integer: true }],
  ['usage', { unit: '1', plausible: [0, 1], mdc: 8519691, integer: true }],
  // 1: a device says that somebody fell (IEEE 11073-10471, fall sensor).
  ['fall', { unit: '1', plausible: [0, 1], mdc: 8519681, integer: true }],
  ['motion', { unit: '1', plausible: [0, 1], mdc: 8519687, integer: true }],
  ['door', { unit: '1', plausible: [0, 1], mdc: 8519690, integer: true }],
]);
