/**
 * Bluetooth health and battery characteristics, as a gateway or a bridge forwards them from a GATT client.
 *
 * | UUID | characteristic           | channels                                                                               |
 * | ---- | ------------------------ | -------------------------------------------------------------------------------------- |
 * | 2A18 | Glucose Measurement      | glucose or interstitial_glucose                                                        |
 * | 2A19 | Battery Level            | battery                                                                                |
 * | 2A1C | Temperature Measurement  | body_temperature or skin_temperature                                                   |
 * | 2A1E | Intermediate Temperature | the same, not settled yet                                                              |
 * | 2A35 | Blood Pressure           | systolic_pressure, diastolic_pressure, mean_pressure, pulse_rate, irregular_pulse      |
 * | 2A36 | Intermediate Cuff Press. | cuff_pressure, pulse_rate, irregular_pulse, not settled yet                            |
 * | 2A37 | Heart Rate Measurement   | heart_rate, energy_expended, rr_interval (one channel for each)                        |
 * | 2A5E | PLX Spot-Check           | spo2, pulse_rate, pulse_amplitude_index                                                |
 * | 2A5F | PLX Continuous           | the same, and spo2_fast, pulse_rate_fast, spo2_slow, pulse_rate_slow                   |
 * | 2A9D | Weight Measurement       | body_weight                                                                            |
 *
 * Layouts: GATT Specification Supplement, and the services named at each characteristic.
 *
 * **Stricter than the profiles.** They tell a collector to ignore reserved bits of the flags and octets it does not know. Here
 * a reserved flag refuses the payload: it announces fields or a meaning we cannot know (a scale in the field sets bit 4 of
 * 2A9D for a weight below zero). New fields come with a new flag, so octets no flag has announced are no growth but damage,
 * and refuse the payload as well. The payload is kept, and decoded again once the bit is known. Reserved bits of a status and
 * reserved values of a type are ignored, as the profiles say: nothing lies elsewhere because of them.
 *
 * **Several doubts** may apply to a value; {@link PRECEDENCE} says which is given. A user id is not used: who is measured is
 * decided by the binding.
 */

import { DecodeError } from '../errors.ts';
import type { UnixMillis } from '../quantity.ts';
import type { Doubt } from '../reading.ts';
import type { Channel, Decoded, Decoder, DecoderInput, Notice } from './decoder.ts';
import { DATE_TIME_SIZE, dateTime, float, sfloat } from './ieee11073.ts';
import type { WallClock } from '../wall-clock.ts';
import { localTime, plusMinutes } from './local-time.ts';

/** Payload: the value of a characteristic, byte for byte. Topic: `[<address>/]<characteristic>`. */
export const gatt: Decoder = {
  name: 'gatt',
  version: 1,
  decode: (input) => decodeValue(input.payload, namesInTopic(input.topic), input),
};

/**
 * Payload: the value in hexadecimal digits of either case, `0x` before them or not, and between bytes nothing, a blank, a
 * colon or a dash: `0E4B8000`, `0x0e 4b 80 00`, `0E:4B:80:00`. Topic: `[<address>/]<characteristic>`.
 */
export const gattHex: Decoder = {
  name: 'gatt-hex',
  version: 1,
  decode: (input) => decodeValue(bytesOf(textOf(input.payload)), namesInTopic(input.topic), input),
};

/**
 * Payload: one line of text, `<address> <characteristic> <value>`, from a bridge on a serial line; the value as in
 * {@link gattHex}. The topic is not looked at.
 */
export const gattLine: Decoder = {
  name: 'gatt-line',
  version: 1,
  decode: (input) => {
    const { address, characteristic, value } = LINE.exec(textOf(input.payload))?.groups ?? {};
    if (address === undefined || characteristic === undefined || value === undefined) {
      throw new DecodeError('wrong_shape', 'expected an address, a characteristic and hexadecimal digits, with blanks between them');
    }
    return decodeValue(bytesOf(value), { address: checkedAddress(address), characteristic }, input);
  },
};

/** Which device, where the payload comes from several, and which characteristic: as written. */
type Names = Readonly<{ address?: string; characteristic: string }>;

/** The longest value of an attribute, in bytes (Bluetooth Core Specification, volume 3 part F §3.2.9). */
const LONGEST_VALUE = 512;
const LONGEST_ADDRESS = 64;
/** Room for the longest value with a separator after each byte, `0x`, an address, a 128-bit UUID and some blanks. */
const LONGEST_TEXT = 2048;

const LINE = /^(?<address>\S+)[ \t]+(?<characteristic>\S+)[ \t]+(?<value>\S.*)$/;
const HEX_BYTES = /^(?:0x)?[0-9a-f]{2}(?:[ :-]?[0-9a-f]{2})*$/i;
/** 16 bits, or the 128 bits made of them on the Bluetooth Base UUID (Core Specification, volume 3 part B §2.5.1). */
const UUID = /^(?:(?:0x)?(?<short>[0-9a-f]{4})|0000(?<long>[0-9a-f]{4})-0000-1000-8000-00805f9b34fb)$/i;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(payload: Uint8Array): string {
  if (payload.length > LONGEST_TEXT) throw new DecodeError('too_complex', `${payload.length} bytes of text; at most ${LONGEST_TEXT}`);
  let text: string;
  try {
    text = utf8.decode(payload).trim();
  } catch (cause) {
    throw new DecodeError('invalid_utf8', 'the payload is not UTF-8', { cause });
  }
  if (text === '') throw new DecodeError('empty_payload', 'the payload has no text');
  return text;
}

function bytesOf(hex: string): Uint8Array {
  if (!HEX_BYTES.test(hex)) throw new DecodeError('wrong_shape', 'expected pairs of hexadecimal digits');
  return Buffer.from(hex.replace(/^0x/i, '').replaceAll(/[ :-]/g, ''), 'hex');
}

/** The characteristic is the last level of the topic; what stands before it is the address. */
function namesInTopic(topic: string): Names {
  const slash = topic.lastIndexOf('/');
  const characteristic = topic.slice(slash + 1);
  return slash < 0 ? { characteristic } : { address: checkedAddress(topic.slice(0, slash)), characteristic };
}

function checkedAddress(address: string): string {
  if (address.length === 0 || address.length > LONGEST_ADDRESS || /\p{C}/u.test(address)) {
    throw new DecodeError('wrong_shape', `an address has 1 to ${LONGEST_ADDRESS} characters, none of them a control character`);
  }
  return address;
}

function decodeValue(value: Uint8Array, { address, characteristic }: Names, { timeZone }: DecoderInput): Decoded {
  const { short, long } = UUID.exec(characteristic)?.groups ?? {};
  const decode = CHARACTERISTICS.get(Number.parseInt(short ?? long ?? '', 16));
  if (decode === undefined) throw new DecodeError('unknown_topic', 'no characteristic we know');
  const fields = new Fields(value);
  const { clock, ...decoded } = decode(fields);
  fields.end();
  const deviceTime = clock === undefined || timeZone === undefined ? undefined : localTime(clock, timeZone);
  return { rejected: [], notices: [], ...decoded, ...timed(deviceTime), ...(address === undefined ? {} : { address }) };
}

const timed = (deviceTime: UnixMillis | undefined): Pick<Decoded, 'deviceTime'> => (deviceTime === undefined ? {} : { deviceTime });

/** What one characteristic says; its time as the device's clock shows it. */
type Found = Readonly<{ channels: readonly Channel[]; notices?: readonly Notice[]; sequence?: number; clock?: WallClock | undefined }>;

/** Reads the fields of a value one after the other, least significant byte first. Throws `wrong_shape` when there are too few. */
class Fields {
  readonly #bytes: DataView;
  #at = 0;

  constructor(value: Uint8Array) {
    if (value.length === 0) throw new DecodeError('empty_payload', 'the value has no bytes');
    if (value.length > LONGEST_VALUE) throw new DecodeError('too_complex', `a value of ${value.length} bytes; at most ${LONGEST_VALUE}`);
    this.#bytes = new DataView(value.buffer, value.byteOffset, value.byteLength);
  }

  /** The flags of a value: which fields it has. `reserved`: those without a meaning. */
  flags(reserved: number): number {
    const flags = this.uint8();
    if ((flags & reserved) !== 0) throw new DecodeError('wrong_shape', 'a reserved flag is set: its fields are not known');
    return flags;
  }

  uint8(): number {
    return this.#bytes.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.getUint16(this.#take(2), true);
  }

  int16(): number {
    return this.#bytes.getInt16(this.#take(2), true);
  }

  uint24(): number {
    const low = this.uint16();
    return low + this.uint8() * 0x1_0000;
  }

  /** See {@link sfloat}: undefined when it is no number. */
  sfloat(decimals = 0): number | undefined {
    return sfloat(this.uint16(), decimals);
  }

  /** See {@link float}: undefined when it is no number. */
  float(): number | undefined {
    return float(this.#bytes.getUint32(this.#take(4), true));
  }

  /** See {@link dateTime}: undefined when it is no date. */
  dateTime(): WallClock | undefined {
    const at = this.#take(DATE_TIME_SIZE);
    return dateTime(new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, DATE_TIME_SIZE));
  }

  skip(size: number): void {
    this.#take(size);
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  /** The value must end here. */
  end(): void {
    if (this.left > 0) throw new DecodeError('wrong_shape', `${this.left} bytes more than the value announces`);
  }

  #take(size: number): number {
    if (this.left < size) throw new DecodeError('wrong_shape', `${size - this.left} bytes fewer than the value announces`);
    const at = this.#at;
    this.#at += size;
    return at;
  }
}

/**
 * Which of several doubts is given, the first that applies: first what was not measured on a person at all, then what was not
 * measured now, then what is not measured to the end, then how well it was measured.
 */
const PRECEDENCE: readonly Doubt[] = ['not_real', 'stored', 'ongoing', 'movement', 'poor_signal'];

const strongest = (doubts: readonly (Doubt | undefined)[]): Doubt | undefined => PRECEDENCE.find((doubt) => doubts.includes(doubt));

const any = (word: number, bits: number): boolean => (word & bits) !== 0;

/** No channel when there is no value. */
function channel(name: string, value: number | undefined, unit: string, doubt?: Doubt): readonly Channel[] {
  if (value === undefined) return [];
  return [{ name, value, unit, ...(doubt === undefined ? {} : { doubt }) }];
}

/** Heart Rate Service 1.0 §3.1.1.1. Without the feature "sensor contact" the bit for contact means nothing. */
const HEART_RATE_FLAGS = { uint16: 0x01, contact: 0x02, contactSupported: 0x04, energy: 0x08, intervals: 0x10, reserved: 0xe0 } as const;
const INTERVALS_PER_SECOND = 1024;

/**
 * Heart Rate Measurement (Heart Rate Service 1.0 §3.1): flags, the rate in 8 or 16 bits (/min; 0: none), the energy expended
 * since it was reset (kJ), and RR intervals (1/1024 s each, oldest first; 0: none) up to the end of the value, which is why
 * nothing can follow them. The flag with no interval after it is taken for "none yet".
 *
 * Without contact to the skin, rate and intervals are those of noise and absent.
 */
function heartRate(fields: Fields): Found {
  const flags = fields.flags(HEART_RATE_FLAGS.reserved);
  const rate = any(flags, HEART_RATE_FLAGS.uint16) ? fields.uint16() : fields.uint8();
  const energy = any(flags, HEART_RATE_FLAGS.energy) ? fields.uint16() : undefined;
  const intervals: number[] = [];
  if (any(flags, HEART_RATE_FLAGS.intervals)) while (fields.left > 0) intervals.push(fields.uint16());
  const energyChannel = channel('energy_expended', energy, 'kJ');
  const off = any(flags, HEART_RATE_FLAGS.contactSupported) && !any(flags, HEART_RATE_FLAGS.contact);
  if (off) return { channels: energyChannel, notices: ['sensor_off'] };
  return {
    channels: [
      ...channel('heart_rate', rate === 0 ? undefined : rate, '/min'),
      ...energyChannel,
      ...intervals.filter((n) => n > 0).flatMap((n) => channel('rr_interval', (n * 1000) / INTERVALS_PER_SECOND, 'ms')),
    ],
  };
}

const SPOT_CHECK_FLAGS = { timestamp: 0x01, measurement: 0x02, device: 0x04, amplitude: 0x08, clockNotSet: 0x10, reserved: 0xe0 } as const;

/**
 * PLX Spot-Check Measurement (Pulse Oximeter Service 1.0.1): flags, SpO2 (%) and pulse rate (/min) as SFLOAT, time stamp,
 * measurement status (16 bits), device and sensor status (24 bits), pulse amplitude index (%, SFLOAT).
 */
function plxSpotCheck(fields: Fields): Found {
  const flags = fields.flags(SPOT_CHECK_FLAGS.reserved);
  const pairs = [plxPair(fields, '')];
  const clock = any(flags, SPOT_CHECK_FLAGS.timestamp) ? fields.dateTime() : undefined;
  const found = plxRest(fields, pairs, {
    measurement: any(flags, SPOT_CHECK_FLAGS.measurement),
    device: any(flags, SPOT_CHECK_FLAGS.device),
    amplitude: any(flags, SPOT_CHECK_FLAGS.amplitude),
  });
  return any(flags, SPOT_CHECK_FLAGS.clockNotSet) ? found : { ...found, clock };
}

const CONTINUOUS_FLAGS = { fast: 0x01, slow: 0x02, measurement: 0x04, device: 0x08, amplitude: 0x10, reserved: 0xe0 } as const;

/**
 * PLX Continuous Measurement (Pulse Oximeter Service 1.0.1): flags, SpO2 and pulse rate, the same two with fast and with
 * slow response to change, and what follows in a spot check.
 */
function plxContinuous(fields: Fields): Found {
  const flags = fields.flags(CONTINUOUS_FLAGS.reserved);
  const pairs = [plxPair(fields, '')];
  if (any(flags, CONTINUOUS_FLAGS.fast)) pairs.push(plxPair(fields, '_fast'));
  if (any(flags, CONTINUOUS_FLAGS.slow)) pairs.push(plxPair(fields, '_slow'));
  return plxRest(fields, pairs, {
    measurement: any(flags, CONTINUOUS_FLAGS.measurement),
    device: any(flags, CONTINUOUS_FLAGS.device),
    amplitude: any(flags, CONTINUOUS_FLAGS.amplitude),
    // A continuous measurement is always ongoing: a doubt because of that would silence every alarm of some oximeters.
    usual: MEASUREMENT.ongoing,
  });
}

type PlxPair = Readonly<{ suffix: string; spo2: number | undefined; pulse: number | undefined }>;

const plxPair = (fields: Fields, suffix: string): PlxPair => ({ suffix, spo2: fields.sfloat(), pulse: fields.sfloat() });

/** Which of the optional fields at its end a value has, and the bits of its measurement status that say nothing here. */
type PlxPresent = Readonly<{ measurement: boolean; device: boolean; amplitude: boolean; usual?: number }>;

function plxRest(fields: Fields, pairs: readonly PlxPair[], present: PlxPresent): Found {
  const measurement = (present.measurement ? fields.uint16() : 0) & ~(present.usual ?? 0);
  const device = present.device ? fields.uint24() : 0;
  const amplitude = present.amplitude ? fields.sfloat() : undefined;
  const notices = plxNotices(device);
  if (notices.length > 0 || any(measurement, MEASUREMENT_ABSENT)) return { channels: [], notices };
  const doubt = plxDoubt(measurement, device);
  const values = pairs.flatMap(({ suffix, spo2, pulse }) => [
    ...channel(`spo2${suffix}`, spo2, '%', doubt), ...channel(`pulse_rate${suffix}`, pulse, '/min', doubt),
  ]);
  return { channels: [...values, ...channel('pulse_amplitude_index', amplitude, '%', doubt)], notices };
}

/** Measurement Status (Pulse Oximeter Service 1.0.1, table 3.4). Bits 7 (validated) and 8 (fully qualified) speak for the value. */
const MEASUREMENT = {
  ongoing: 1 << 5, earlyEstimate: 1 << 6, fromStorage: 1 << 9, demonstration: 1 << 10, testing: 1 << 11, calibrating: 1 << 12,
  unavailable: 1 << 13, questionable: 1 << 14, invalid: 1 << 15,
} as const;
const MEASUREMENT_ABSENT = MEASUREMENT.unavailable | MEASUREMENT.invalid;
const MEASUREMENT_NOT_REAL = MEASUREMENT.demonstration | MEASUREMENT.testing | MEASUREMENT.calibrating;
const MEASUREMENT_ONGOING = MEASUREMENT.ongoing | MEASUREMENT.earlyEstimate;

/** Device and Sensor Status (Pulse Oximeter Service 1.0.1, table 3.5). */
const DEVICE = {
  displayUpdating: 1 << 0, malfunction: 1 << 1, irregularity: 1 << 2, inadequate: 1 << 3, poor: 1 << 4, lowPerfusion: 1 << 5,
  erratic: 1 << 6, nonPulsatile: 1 << 7, questionablePulse: 1 << 8, analysing: 1 << 9, interference: 1 << 10, unconnected: 1 << 11,
  unknownSensor: 1 << 12, displaced: 1 << 13, sensorMalfunction: 1 << 14, disconnected: 1 << 15,
} as const;
const DEVICE_OFF = DEVICE.nonPulsatile | DEVICE.unconnected | DEVICE.displaced | DEVICE.disconnected;
const DEVICE_FAULT = DEVICE.malfunction | DEVICE.sensorMalfunction;
const DEVICE_ONGOING = DEVICE.displayUpdating | DEVICE.analysing;
/** A sensor the oximeter does not know is not calibrated for it: no fault, but nothing to rest an alarm on. */
const DEVICE_POOR = DEVICE.irregularity | DEVICE.inadequate | DEVICE.poor | DEVICE.lowPerfusion | DEVICE.erratic
  | DEVICE.questionablePulse | DEVICE.interference | DEVICE.unknownSensor;

const plxNotices = (device: number): readonly Notice[] => [
  ...(any(device, DEVICE_OFF) ? ['sensor_off' as const] : []), ...(any(device, DEVICE_FAULT) ? ['sensor_fault' as const] : []),
];

const plxDoubt = (measurement: number, device: number): Doubt | undefined => strongest([
  any(measurement, MEASUREMENT_NOT_REAL) ? 'not_real' : undefined,
  any(measurement, MEASUREMENT.fromStorage) ? 'stored' : undefined,
  any(measurement, MEASUREMENT_ONGOING) || any(device, DEVICE_ONGOING) ? 'ongoing' : undefined,
  any(measurement, MEASUREMENT.questionable) || any(device, DEVICE_POOR) ? 'poor_signal' : undefined,
]);

const TEMPERATURE_FLAGS = { fahrenheit: 0x01, timestamp: 0x02, type: 0x04, reserved: 0xf8 } as const;

/** Of the nine Temperature Types (ISO/IEEE 11073-10408) those of the skin, which is colder: no fever, and no hypothermia either. */
const SKIN_TYPES: ReadonlySet<number> = new Set([4 /* finger */, 8 /* toe */]);

/**
 * Temperature Measurement and Intermediate Temperature (Health Thermometer Service 1.0 §3.1, §3.3): flags, the temperature as
 * FLOAT (°C or °F), time stamp, temperature type. On a finger or toe it is skin_temperature, else
 * body_temperature, the ear included: it is what thermometers for the ear drum say, too.
 */
function temperature(fields: Fields, doubt?: Doubt): Found {
  const flags = fields.flags(TEMPERATURE_FLAGS.reserved);
  const value = fields.float();
  const clock = any(flags, TEMPERATURE_FLAGS.timestamp) ? fields.dateTime() : undefined;
  const onSkin = any(flags, TEMPERATURE_FLAGS.type) && SKIN_TYPES.has(fields.uint8());
  const unit = any(flags, TEMPERATURE_FLAGS.fahrenheit) ? '[degF]' : 'Cel';
  return { channels: channel(onSkin ? 'skin_temperature' : 'body_temperature', value, unit, doubt), clock };
}

const PRESSURE_FLAGS = { kilopascals: 0x01, timestamp: 0x02, pulse: 0x04, user: 0x08, status: 0x10, reserved: 0xe0 } as const;

/**
 * Measurement Status of a cuff. A pulse rate out of the device's range (bits 3 and 4) and an irregular pulse speak of the
 * patient and are no reason to doubt: an alarm must be able to rest on them.
 */
const PRESSURE_STATUS = { movement: 1 << 0, looseCuff: 1 << 1, irregularPulse: 1 << 2, improperPosition: 1 << 5 } as const;

/**
 * Blood Pressure Measurement (Blood Pressure Service 1.1.1 §3.1): flags, systolic, diastolic and mean arterial pressure as
 * SFLOAT (mmHg or kPa), time stamp, pulse rate (/min, SFLOAT), user id, measurement status (16 bits). Intermediate Cuff
 * Pressure (§3.2) has the same fields, with the pressure in the cuff in place of the systolic; the next two are unused.
 */
function pressure(fields: Fields, names: readonly string[], ongoing?: Doubt): Found {
  const flags = fields.flags(PRESSURE_FLAGS.reserved);
  const unit = any(flags, PRESSURE_FLAGS.kilopascals) ? 'kPa' : 'mm[Hg]';
  const pressures = [fields.sfloat(), fields.sfloat(), fields.sfloat()];
  const clock = any(flags, PRESSURE_FLAGS.timestamp) ? fields.dateTime() : undefined;
  const pulse = any(flags, PRESSURE_FLAGS.pulse) ? fields.sfloat() : undefined;
  if (any(flags, PRESSURE_FLAGS.user)) fields.skip(1);
  const status = any(flags, PRESSURE_FLAGS.status) ? fields.uint16() : undefined;
  const doubt = strongest([ongoing, ...pressureDoubts(status ?? 0)]);
  const irregular = status === undefined ? undefined : Number(any(status, PRESSURE_STATUS.irregularPulse));
  return {
    channels: [
      ...names.flatMap((name, i) => channel(name, pressures[i], unit, doubt)),
      ...channel('pulse_rate', pulse, '/min', doubt),
      ...channel('irregular_pulse', irregular, '1', doubt),
    ],
    clock,
  };
}

const pressureDoubts = (status: number): readonly (Doubt | undefined)[] => [
  any(status, PRESSURE_STATUS.movement) ? 'movement' : undefined,
  any(status, PRESSURE_STATUS.looseCuff | PRESSURE_STATUS.improperPosition) ? 'poor_signal' : undefined,
];

const WEIGHT_FLAGS = { imperial: 0x01, timestamp: 0x02, user: 0x04, bodyMassIndex: 0x08, reserved: 0xf0 } as const;
const WEIGHT_UNSUCCESSFUL = 0xffff;

/**
 * Weight Measurement (Weight Scale Service 1.0 §3.2): flags, the weight in 16 bits (steps of 0.005 kg or 0.01 lb; 0xFFFF:
 * measurement unsuccessful), time stamp, user id, body mass index and height (not measured but told or computed: not used).
 */
function weight(fields: Fields): Found {
  const flags = fields.flags(WEIGHT_FLAGS.reserved);
  const steps = fields.uint16();
  const clock = any(flags, WEIGHT_FLAGS.timestamp) ? fields.dateTime() : undefined;
  if (any(flags, WEIGHT_FLAGS.user)) fields.skip(1);
  if (any(flags, WEIGHT_FLAGS.bodyMassIndex)) fields.skip(4);
  if (steps === WEIGHT_UNSUCCESSFUL) return { channels: [], clock };
  const pounds = any(flags, WEIGHT_FLAGS.imperial);
  return { channels: pounds ? channel('body_weight', steps / 100, '[lb_av]') : channel('body_weight', steps / 200, 'kg'), clock };
}

const GLUCOSE_FLAGS = { timeOffset: 0x01, concentration: 0x02, moles: 0x04, status: 0x08, contextFollows: 0x10, reserved: 0xe0 } as const;
/** Time offsets that stand for more, or less, than the field can hold. */
const OFFSET_OVERRUN = 0x7fff;
const OFFSET_UNDERRUN = -0x8000;
/** Type, the low four bits, and sample location, the high four. */
const INTERSTITIAL_FLUID = 9;
const CONTROL_SOLUTION = 10;
const LOCATION_CONTROL_SOLUTION = 4;

/**
 * Sensor Status Annunciation (Glucose Service 1.0.1 §3.1). Results above (bit 5) or below (bit 6) what the meter can
 * process stand, if it gives a number: nothing calls for an alarm as much as they do.
 */
const GLUCOSE_STATUS = {
  batteryLow: 1 << 0, malfunction: 1 << 1, sampleInsufficient: 1 << 2, stripInsertion: 1 << 3, stripType: 1 << 4,
  tooHot: 1 << 7, tooCold: 1 << 8, interrupted: 1 << 9, deviceFault: 1 << 10, timeFault: 1 << 11,
} as const;
const GLUCOSE_FAULT = GLUCOSE_STATUS.malfunction | GLUCOSE_STATUS.deviceFault;
/** The meter works, but this was no valid test. */
const GLUCOSE_FAILED = GLUCOSE_STATUS.sampleInsufficient | GLUCOSE_STATUS.stripInsertion | GLUCOSE_STATUS.stripType
  | GLUCOSE_STATUS.tooHot | GLUCOSE_STATUS.tooCold | GLUCOSE_STATUS.interrupted;

/**
 * Glucose Measurement (Glucose Service 1.0.1 §3.1): flags, sequence number, base time, time offset (minutes, signed),
 * concentration (SFLOAT in kg/L or mol/L, given here as mg/dL or mmol/L) with type and sample location, sensor status
 * annunciation (16 bits). The clock of the meter showed base time plus offset. A control solution is not_real; in
 * interstitial fluid the channel is interstitial_glucose, which lags behind that of blood.
 *
 * A meter sends what its memory holds when asked, so its time alone tells whether a record is of now.
 */
function glucose(fields: Fields): Found {
  const flags = fields.flags(GLUCOSE_FLAGS.reserved);
  const sequence = fields.uint16();
  const baseTime = fields.dateTime();
  const offset = any(flags, GLUCOSE_FLAGS.timeOffset) ? fields.int16() : 0;
  const sample = any(flags, GLUCOSE_FLAGS.concentration) ? glucoseChannel(fields, any(flags, GLUCOSE_FLAGS.moles)) : [];
  const status = any(flags, GLUCOSE_FLAGS.status) ? fields.uint16() : 0;
  const timeKnown = offset !== OFFSET_OVERRUN && offset !== OFFSET_UNDERRUN && !any(status, GLUCOSE_STATUS.timeFault);
  return {
    sequence,
    channels: any(status, GLUCOSE_FAULT | GLUCOSE_FAILED) ? [] : sample,
    notices: [
      ...(any(status, GLUCOSE_FAULT) ? ['sensor_fault' as const] : []),
      ...(any(status, GLUCOSE_STATUS.batteryLow) ? ['battery_low' as const] : []),
    ],
    clock: baseTime === undefined || !timeKnown ? undefined : plusMinutes(baseTime, offset),
  };
}

function glucoseChannel(fields: Fields, inMoles: boolean): readonly Channel[] {
  // 1 mol/L is 10³ mmol/L, 1 kg/L is 10⁵ mg/dL.
  const concentration = fields.sfloat(inMoles ? 3 : 5);
  const typeAndLocation = fields.uint8();
  const [type, location] = [typeAndLocation & 0x0f, typeAndLocation >> 4];
  const doubt = type === CONTROL_SOLUTION || location === LOCATION_CONTROL_SOLUTION ? 'not_real' : undefined;
  return channel(type === INTERSTITIAL_FLUID ? 'interstitial_glucose' : 'glucose', concentration, inMoles ? 'mmol/L' : 'mg/dL', doubt);
}

/** Battery Level (Battery Service 1.1 §3.1): one byte, 0 to 100 %. Without flags it cannot grow. */
function batteryLevel(fields: Fields): Found {
  const level = fields.uint8();
  if (level > 100) throw new DecodeError('implausible_value', 'a battery level above 100 %');
  return { channels: channel('battery', level, '%') };
}

/** By assigned number (Bluetooth Assigned Numbers §3.8). */
const CHARACTERISTICS: ReadonlyMap<number, (fields: Fields) => Found> = new Map<number, (fields: Fields) => Found>([
  [0x2a18, glucose],
  [0x2a19, batteryLevel],
  [0x2a1c, (fields) => temperature(fields)],
  [0x2a1e, (fields) => temperature(fields, 'ongoing')],
  [0x2a35, (fields) => pressure(fields, ['systolic_pressure', 'diastolic_pressure', 'mean_pressure'])],
  [0x2a36, (fields) => pressure(fields, ['cuff_pressure'], 'ongoing')],
  [0x2a37, heartRate],
  [0x2a5e, plxSpotCheck],
  [0x2a5f, plxContinuous],
  [0x2a9d, weight],
]);
