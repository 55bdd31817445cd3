/**
 * What measurements are called in HL7 v2: IEEE 11073-10101 (MDC) where it has a code, LOINC as the alternate, and for the rest our own names
 * under a local coding system (HL7 table 0396, `99zzz`), because nobody may invent codes of others. The codes of measurements are those of the
 * gateway's table; those of containers are as monitors on the market send them.
 */

import type { Components } from './text.ts';

/** Our own names; the gateway's README lists its measurements. */
export const LOCAL = '99VITALGATE';

/** Code, text, coding system. */
export type Coded = readonly [code: string, text: string, system: string];

const mdc = (code: number, reference: string): Coded => [String(code), reference, 'MDC'];
const own = (code: string, text: string): Coded => [code, text, LOCAL];

/** The gateway: an application hosting device (IEEE 11073-20601), which other devices report to. */
export const GATEWAY: Coded = mdc(531981, 'MDC_MOC_VMS_MDS_AHD');

/** A device inside the gateway, as far as one can say, and its only channel. Its place in the list is its number in OBX-4, from 1. */
export const CONTAINERS: readonly Readonly<{ vmd: Coded; channel: Coded }>[] = [
  { vmd: mdc(69642, 'MDC_DEV_ANALY_SAT_O2_VMD'), channel: mdc(69643, 'MDC_DEV_ANALY_SAT_O2_CHAN') },
  { vmd: mdc(69798, 'MDC_DEV_ECG_VMD'), channel: mdc(69799, 'MDC_DEV_ECG_CHAN') },
  { vmd: mdc(69854, 'MDC_DEV_METER_PRESS_BLD_VMD'), channel: mdc(69855, 'MDC_DEV_METER_PRESS_BLD_CHAN') },
  { vmd: mdc(69902, 'MDC_DEV_METER_TEMP_VMD'), channel: mdc(69903, 'MDC_DEV_METER_TEMP_CHAN') },
  { vmd: own('body', 'Other measurements of a body'), channel: own('body-channel', 'Other measurements of a body') },
  { vmd: own('activity', 'Activity'), channel: own('activity-channel', 'Activity') },
  { vmd: own('room', 'Room'), channel: own('room-channel', 'Room') },
  { vmd: own('device', 'State of devices'), channel: own('device-channel', 'State of devices') },
  { vmd: own('other', 'Other'), channel: own('other-channel', 'Other') },
];
const [OXIMETER, ECG, PRESSURE, THERMOMETER, BODY, ACTIVITY, ROOM, DEVICE, OTHER] = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

export type MeasurementCode = Readonly<{
  /** OBX-3, without its alternate. */
  id: Coded;
  loinc?: Coded;
  /** The unit it is kept in (UCUM), and that in MDC where it has one. */
  unit: string;
  mdcUnit?: Coded;
  /** Number of its container, and its own in there. */
  place: readonly [container: number, metric: number];
  /** A state, a switch or a counter: a mean of it says nothing. */
  state?: true;
}>;

const loinc = (code: string, text: string): Coded => [code, text, 'LN'];
const BEATS = { unit: '/min', mdcUnit: mdc(264864, 'MDC_DIM_BEAT_PER_MIN') };
const BREATHS = { unit: '/min', mdcUnit: mdc(264928, 'MDC_DIM_RESP_PER_MIN') };
const PERCENT = { unit: '%', mdcUnit: mdc(262688, 'MDC_DIM_PERCENT') };
const CELSIUS = { unit: 'Cel', mdcUnit: mdc(268192, 'MDC_DIM_DEGC') };
const MERCURY = { unit: 'mm[Hg]', mdcUnit: mdc(266016, 'MDC_DIM_MMHG') };
const STATE = { unit: '1', state: true } as const;

export const MEASUREMENT_CODES: ReadonlyMap<string, MeasurementCode> = new Map<string, MeasurementCode>([
  ['spo2', { id: mdc(150456, 'MDC_PULS_OXIM_SAT_O2'), loinc: loinc('2708-6', 'Oxygen saturation in Arterial blood'), ...PERCENT, place: [OXIMETER, 1] }],
  ['pulse_rate', { id: mdc(149530, 'MDC_PULS_OXIM_PULS_RATE'), loinc: loinc('8867-4', 'Heart rate'), ...BEATS, place: [OXIMETER, 2] }],
  ['perfusion_index', { id: mdc(150448, 'MDC_PULS_OXIM_PERF_REL'), ...PERCENT, place: [OXIMETER, 3] }],
  ['ppg', { id: mdc(150452, 'MDC_PULS_OXIM_PLETH'), unit: '1', place: [OXIMETER, 4] }],
  ['heart_rate', { id: mdc(147842, 'MDC_ECG_HEART_RATE'), loinc: loinc('8867-4', 'Heart rate'), ...BEATS, place: [ECG, 1] }],
  ['rr_interval', { id: own('rr_interval', 'Interval between two beats'), unit: 'ms', place: [ECG, 2] }],
  ['systolic_pressure', { id: mdc(150021, 'MDC_PRESS_BLD_NONINV_SYS'), loinc: loinc('8480-6', 'Systolic blood pressure'), ...MERCURY, place: [PRESSURE, 1] }],
  ['diastolic_pressure', { id: mdc(150022, 'MDC_PRESS_BLD_NONINV_DIA'), loinc: loinc('8462-4', 'Diastolic blood pressure'), ...MERCURY, place: [PRESSURE, 2] }],
  ['mean_pressure', { id: mdc(150023, 'MDC_PRESS_BLD_NONINV_MEAN'), loinc: loinc('8478-0', 'Mean blood pressure'), ...MERCURY, place: [PRESSURE, 3] }],
  ['body_temperature', { id: mdc(150364, 'MDC_TEMP_BODY'), loinc: loinc('8310-5', 'Body temperature'), ...CELSIUS, place: [THERMOMETER, 1] }],
  ['skin_temperature', { id: own('skin_temperature', 'Temperature of the skin'), ...CELSIUS, place: [THERMOMETER, 2] }],
  ['respiratory_rate', { id: mdc(151562, 'MDC_RESP_RATE'), loinc: loinc('9279-1', 'Respiratory rate'), ...BREATHS, place: [BODY, 1] }],
  ['body_weight', { id: mdc(188736, 'MDC_MASS_BODY_ACTUAL'), loinc: loinc('29463-7', 'Body weight'), unit: 'kg', mdcUnit: mdc(263875, 'MDC_DIM_KILO_G'), place: [BODY, 2] }],
  ['glucose', { id: mdc(160184, 'MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD'), loinc: loinc('2339-0', 'Glucose in Blood'), unit: 'mg/dL', mdcUnit: mdc(264274, 'MDC_DIM_MILLI_G_PER_DL'), place: [BODY, 3] }],
  ['oxygen_flow', { id: own('oxygen_flow', 'Oxygen given besides air'), unit: 'L/min', place: [BODY, 4] }],
  ['consciousness', { id: own('consciousness', 'Consciousness, ACVPU of NEWS2'), ...STATE, place: [BODY, 5] }],
  ['steps', { id: own('steps', 'Steps'), loinc: loinc('41950-7', 'Number of steps in 24 hour Measured'), unit: '{steps}', state: true, place: [ACTIVITY, 1] }],
  ['fall', { id: mdc(8519681, 'MDC_AI_TYPE_SENSOR_FALL'), ...STATE, place: [ACTIVITY, 2] }],
  ['usage', { id: mdc(8519691, 'MDC_AI_TYPE_SENSOR_USAGE'), ...STATE, place: [ACTIVITY, 3] }],
  ['motion', { id: mdc(8519687, 'MDC_AI_TYPE_SENSOR_MOTION'), ...STATE, place: [ACTIVITY, 4] }],
  ['door', { id: mdc(8519690, 'MDC_AI_TYPE_SENSOR_CONTACTCLOSURE'), ...STATE, place: [ACTIVITY, 5] }],
  ['power', { id: own('power', 'Electrical power'), unit: 'W', place: [ACTIVITY, 6] }],
  ['room_temperature', { id: mdc(188508, 'MDC_TEMP_ROOM'), loinc: loinc('60832-3', 'Room temperature'), ...CELSIUS, place: [ROOM, 1] }],
  ['humidity', { id: own('humidity', 'Relative humidity'), ...PERCENT, place: [ROOM, 2] }],
  ['air_pressure', { id: mdc(152836, 'MDC_PRESS_AIR_AMBIENT'), unit: 'hPa', place: [ROOM, 3] }],
  ['co2', { id: own('co2', 'Carbon dioxide in the air'), unit: '[ppm]', place: [ROOM, 4] }],
  ['illuminance', { id: own('illuminance', 'Illuminance'), unit: 'lx', place: [ROOM, 5] }],
  ['particulates_2_5', { id: own('particulates_2_5', 'Particulates up to 2.5 micrometres'), unit: 'ug/m3', place: [ROOM, 6] }],
  ['volatile_organic', { id: own('volatile_organic', 'Volatile organic compounds'), unit: '[ppb]', place: [ROOM, 7] }],
  ['water_leak', { id: own('water_leak', 'Water where none should be'), ...STATE, place: [ROOM, 8] }],
  ['smoke', { id: own('smoke', 'Smoke'), ...STATE, place: [ROOM, 9] }],
  ['battery', { id: own('battery', 'Battery of a device'), ...PERCENT, place: [DEVICE, 1] }],
  ['signal', { id: own('signal', 'Radio signal of a device'), unit: '1', place: [DEVICE, 2] }],
]);

/** Of a measurement that a newer gateway knows and this hospital does not: its own name, as number so and so of the last container. */
const unknownCode = (measurement: string, unit: string, number: number): MeasurementCode => ({ id: own(measurement, measurement), unit, place: [OTHER, number] });

/** Measurements with their codes, in the order of their places. */
export function inOrder<T extends Readonly<{ name: string; unit: string }>>(measurements: readonly T[]): readonly (T & Readonly<{ code: MeasurementCode }>)[] {
  let unknown = 0;
  const byName = [...measurements].sort((a, b) => (a.name < b.name ? -1 : 1));
  const coded = byName.map((each) => ({ ...each, code: MEASUREMENT_CODES.get(each.name) ?? unknownCode(each.name, each.unit, ++unknown) }));
  return coded.sort((a, b) => a.code.place[0] - b.code.place[0] || a.code.place[1] - b.code.place[1]);
}

/** OBX-3: MDC or local first, LOINC as the alternate. */
export const identifier = ({ id, loinc: alternate }: MeasurementCode): Components => [...id, ...(alternate ?? [])];

/** OBX-6: MDC first where it has the unit, UCUM as the alternate, else UCUM alone. */
export function units(code: MeasurementCode, unit: string): Components {
  const ucum: Coded = [unit, unit, 'UCUM'];
  return code.mdcUnit !== undefined && code.unit === unit ? [...code.mdcUnit, ...ucum] : ucum;
}
